#include "tests/fault/board.h"

#ifndef BARO_FAULTS
#define BARO_FAULTS // the layout, whatever the build of this file
#endif
#include "lib/base/fault_point.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

_Static_assert((int)BOARD_SLOTS == (int)FAULT_SLOTS, "one board, one number of slots");

struct fault_board *board_open(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    void *memory = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, sizeof(struct fault_board)) == 0)
        memory = mmap(NULL, sizeof(struct fault_board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        perror(path);
        exit(1);
    }
    close(fd);
    return memory;
}

void board_arm(struct fault_board *board, int slot, const char *point, int signal, int countdown)
{
    struct fault_slot *order = &board->slots[slot];
    atomic_store(&order->state, FAULT_FREE);
    atomic_store(&order->victim, 0);
    atomic_store(&order->countdown, countdown);
    order->signal = signal;
    snprintf(order->name, sizeof(order->name), "%s", point);
    atomic_store(&order->state, FAULT_ARMED);
}

pid_t board_victim(const struct fault_board *board, int slot)
{
    return atomic_load(&board->slots[slot].victim);
}

pid_t board_disarm(struct fault_board *board, int slot)
{
    enum fault_state armed = FAULT_ARMED;
    struct fault_slot *order = &board->slots[slot];
    if (atomic_compare_exchange_strong(&order->state, &armed, FAULT_FREE))
        return 0;
    while (atomic_load(&order->state) == FAULT_FIRED && atomic_load(&order->victim) == 0)
        continue; // it is about to say who it is
    return atomic_load(&order->victim);
}
