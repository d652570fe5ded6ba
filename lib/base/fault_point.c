// The process that dies here has told the board who it was first; nothing else of it is tidied up.

#include "lib/base/fault_point.h"

#ifdef BARO_FAULTS

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct fault_board *board; // NULL: nobody wants us to suffer

static void open_board(void)
{
    const char *path = getenv("BARO_FAULT_BOARD");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *memory = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    board = memory == MAP_FAILED ? NULL : memory;
}

static bool names(const struct fault_slot *slot, const char *what, const char *where)
{
    size_t length = strlen(what);
    return strncmp(slot->name, what, length) == 0 && slot->name[length] == '/' &&
           strcmp(slot->name + length + 1, where) == 0;
}

static void suffer(struct fault_slot *slot)
{
    enum fault_state armed = FAULT_ARMED;
    if (atomic_fetch_sub(&slot->countdown, 1) > 0)
        return;
    int signal = slot->signal;
    if (!atomic_compare_exchange_strong(&slot->state, &armed, FAULT_FIRED))
        return;
    atomic_store(&slot->victim, getpid());
    raise(signal); // in this thread: it goes no further
}

void fault_point(const char *what, const char *where)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, open_board);
    for (size_t i = 0; board && i < FAULT_SLOTS; i++)
        if (atomic_load(&board->slots[i].state) == FAULT_ARMED &&
            names(&board->slots[i], what, where))
            suffer(&board->slots[i]);
}

#endif
