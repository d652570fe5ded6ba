// Two threads for each connection, one for each way. What a thread does to a message depends on nothing
// but the chances of the moment.
//
// nng over ipc: eight bytes of greeting, then messages of one byte (1), eight bytes of length, and the
// payload. To PostgreSQL nothing is cut into messages: a piece that runs the statement db_commit is a
// COMMIT, and libpq sends it in one piece.

#include "tests/fault/proxy.h"

#include "lib/base/macros.h"
#include "lib/base/random.h"
#include "tests/fault/cluster.h"
#include "tests/fault/report.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    DOORS_MAX = 64,
    GREETING_SIZE = 8,
    HEADER_SIZE = 9,
    MESSAGE_MAX = 4 << 20,
    PIECE_SIZE = 65536,
    HELD_BACK_MS = 20, // a message waits so long for one that overtakes it
    DRIP_SIZE = 64,    // in so many drops
    STACK_SIZE = 128 << 10,
};

// Where we listen for somebody.
struct door {
    struct proxies *proxies;
    enum wire wire;
    char here[PATH_SIZE], there[PATH_SIZE];
    int listener;
    pthread_t thread;
};

struct proxies {
    char folder[64];
    pthread_mutex_t lock; // of the misfortune
    struct misfortune misfortune;
    struct door doors[DOORS_MAX];
    int count;
};

struct link {
    struct proxies *proxies;
    enum wire wire;
    int ends[2];              // who came; whom he wants
    atomic_bool loses_answer; // of a COMMIT
    atomic_int users;         // threads
};

// One way of a link.
struct way {
    struct link *link;
    int from, to;
    bool forth; // from who came
    uint64_t random;
};

// Plain moving

static bool write_all(int fd, const void *data, size_t size)
{
    const char *at = data;
    while (size > 0) {
        ssize_t written = send(fd, at, size, MSG_NOSIGNAL);
        if (written <= 0)
            return false;
        at += written;
        size -= (size_t)written;
    }
    return true;
}

static bool read_all(int fd, void *data, size_t size)
{
    char *at = data;
    while (size > 0) {
        ssize_t got = read(fd, at, size);
        if (got <= 0)
            return false;
        at += got;
        size -= (size_t)got;
    }
    return true;
}

static void cut(const struct link *link)
{
    shutdown(link->ends[0], SHUT_RDWR);
    shutdown(link->ends[1], SHUT_RDWR);
}

static struct misfortune present(struct proxies *proxies)
{
    pthread_mutex_lock(&proxies->lock);
    struct misfortune misfortune = proxies->misfortune;
    pthread_mutex_unlock(&proxies->lock);
    return misfortune;
}

static bool happens(struct way *way, int per_thousand)
{
    return (int)(random_next(&way->random) % 1000) < per_thousand;
}

static bool strikes(struct way *way, int per_thousand, enum fault_kind kind)
{
    bool struck = happens(way, per_thousand);
    if (struck)
        report_fault(kind);
    return struck;
}

static void delay(struct way *way, const struct misfortune *misfortune)
{
    pause_ms(1 + (int64_t)(way->random % (uint64_t)(misfortune->delay_max_ms + 1)));
}

// nng

struct message {
    uint8_t *bytes; // header included; NULL: none
    size_t size;
};

static bool read_message(int fd, struct message *message)
{
    uint8_t header[HEADER_SIZE];
    uint64_t length = 0;
    if (!read_all(fd, header, HEADER_SIZE))
        return false;
    for (int i = 1; i < HEADER_SIZE; i++)
        length = length << 8 | header[i];
    if (length > MESSAGE_MAX)
        return false;
    message->size = HEADER_SIZE + (size_t)length;
    message->bytes = malloc(message->size);
    if (!message->bytes)
        abort();
    memcpy(message->bytes, header, HEADER_SIZE);
    if (read_all(fd, message->bytes + HEADER_SIZE, (size_t)length))
        return true;
    free(message->bytes);
    message->bytes = NULL;
    return false;
}

static bool drip(const struct way *way, const struct message *message)
{
    size_t drop = message->size / DRIP_SIZE + 1;
    for (size_t at = 0; at < message->size; at += drop) {
        size_t size = message->size - at < drop ? message->size - at : drop;
        if (!write_all(way->to, message->bytes + at, size))
            return false;
        pause_ms(1);
    }
    return true;
}

// False when the connection is to end.
static bool pass(struct way *way, const struct misfortune *misfortune,
                 const struct message *message)
{
    if (strikes(way, misfortune->drop, FAULT_DROPPED))
        return true;
    if (strikes(way, misfortune->cut, FAULT_CUT))
        return false;
    if (strikes(way, misfortune->cut_within, FAULT_CUT_IN_MESSAGE)) {
        (void)write_all(way->to, message->bytes, 1 + (size_t)(way->random % message->size));
        return false;
    }
    if (strikes(way, misfortune->delay, FAULT_DELAYED))
        delay(way, misfortune);
    if (strikes(way, misfortune->drip, FAULT_SLOWED))
        return drip(way, message);
    if (strikes(way, misfortune->duplicate, FAULT_DUPLICATED) &&
        !write_all(way->to, message->bytes, message->size))
        return false;
    return write_all(way->to, message->bytes, message->size);
}

static bool comes_soon(int fd)
{
    struct pollfd socket = {.fd = fd, .events = POLLIN};
    return poll(&socket, 1, HELD_BACK_MS) > 0;
}

// A message that is held back goes after the next one.
static bool pass_next(struct way *way)
{
    struct message first = {NULL, 0}, second = {NULL, 0};
    if (!read_message(way->from, &first))
        return false;
    struct misfortune misfortune = present(way->link->proxies);
    bool overtaken = happens(way, misfortune.reorder) && comes_soon(way->from) &&
                     read_message(way->from, &second);
    bool goes_on = true;
    if (overtaken) {
        report_fault(FAULT_REORDERED);
        goes_on = pass(way, &misfortune, &second);
    }
    goes_on = goes_on && pass(way, &misfortune, &first);
    free(first.bytes);
    free(second.bytes);
    return goes_on;
}

static void carry_nng(struct way *way)
{
    uint8_t greeting[GREETING_SIZE];
    if (!read_all(way->from, greeting, sizeof(greeting)) ||
        !write_all(way->to, greeting, sizeof(greeting)))
        return;
    while (pass_next(way))
        continue;
}

// PostgreSQL and Redis

// A lost COMMIT: it never arrived, it arrived and so perhaps did the loss, or its answer was lost.
static bool lose_commit(struct way *way, const char *piece, size_t size)
{
    uint64_t when = way->random >> 32;
    if (when % 3 == 0)
        return false;
    if (!write_all(way->to, piece, size) || when % 3 == 1)
        return false;
    atomic_store(&way->link->loses_answer, true);
    return true;
}

static bool pass_to_postgres(struct way *way, const struct misfortune *misfortune,
                             const char *piece, size_t size)
{
    static const char COMMIT[] = "db_commit";
    if (way->forth && memmem(piece, size, COMMIT, sizeof(COMMIT) - 1) &&
        strikes(way, misfortune->commit_cut, FAULT_COMMIT_CUT))
        return lose_commit(way, piece, size);
    if (!way->forth && atomic_load(&way->link->loses_answer))
        return false;
    return write_all(way->to, piece, size);
}

static bool pass_to_redis(struct way *way, const struct misfortune *misfortune, const char *piece,
                          size_t size)
{
    if (strikes(way, misfortune->redis_cut, FAULT_CUT))
        return false;
    if (strikes(way, misfortune->redis_delay, FAULT_DELAYED))
        delay(way, misfortune);
    return write_all(way->to, piece, size);
}

static void carry_pieces(struct way *way)
{
    char *piece = malloc(PIECE_SIZE);
    bool goes_on = piece != NULL;
    while (goes_on) {
        ssize_t size = read(way->from, piece, PIECE_SIZE);
        struct misfortune misfortune = present(way->link->proxies);
        if (size <= 0)
            break;
        goes_on = way->link->wire == WIRE_POSTGRES
                      ? pass_to_postgres(way, &misfortune, piece, (size_t)size)
                      : pass_to_redis(way, &misfortune, piece, (size_t)size);
    }
    free(piece);
}

// Links and doors

static void leave(struct link *link)
{
    if (atomic_fetch_sub(&link->users, 1) > 1)
        return;
    close(link->ends[0]);
    close(link->ends[1]);
    free(link);
}

static void *carry(void *arg)
{
    struct way *way = arg;
    if (way->link->wire == WIRE_NNG)
        carry_nng(way);
    else
        carry_pieces(way);
    cut(way->link);
    leave(way->link);
    free(way);
    return NULL;
}

static void start_way(struct link *link, bool forth)
{
    struct way *way = malloc(sizeof(*way));
    struct timespec now;
    pthread_t thread;
    pthread_attr_t attributes;
    if (!way)
        abort();
    clock_gettime(CLOCK_MONOTONIC, &now);
    *way = (struct way){
        .link = link,
        .from = link->ends[!forth],
        .to = link->ends[forth],
        .forth = forth,
        .random = (uint64_t)now.tv_nsec * UINT64_C(0x9E3779B97F4A7C15) + (uint64_t)forth + 1,
    };
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attributes, carry, way) != 0)
        abort();
    pthread_attr_destroy(&attributes);
}

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    return address;
}

static int knock(const char *path)
{
    struct sockaddr_un address = address_of(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

// Whom nobody opens finds his connection closed.
static void let_in(struct door *door, int fd)
{
    int other = knock(door->there);
    struct link *link = other < 0 ? NULL : calloc(1, sizeof(*link));
    if (!link) {
        close(fd);
        return;
    }
    link->proxies = door->proxies;
    link->wire = door->wire;
    link->ends[0] = fd;
    link->ends[1] = other;
    atomic_store(&link->users, 2);
    start_way(link, true);
    start_way(link, false);
}

static void *guard_door(void *arg)
{
    struct door *door = arg;
    for (;;) {
        int fd = accept4(door->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            let_in(door, fd);
        else
            pause_ms(1);
    }
    return NULL;
}

struct proxies *proxies_open(void)
{
    struct proxies *proxies = calloc(1, sizeof(*proxies));
    if (!proxies)
        abort();
    snprintf(proxies->folder, sizeof(proxies->folder), "/tmp/baro-fault-XXXXXX");
    if (!mkdtemp(proxies->folder)) {
        perror(proxies->folder);
        exit(1);
    }
    pthread_mutex_init(&proxies->lock, NULL);
    return proxies;
}

void proxies_close(struct proxies *proxies)
{
    if (!proxies)
        return;
    for (int i = 0; i < proxies->count; i++)
        unlink(proxies->doors[i].here);
    rmdir(proxies->folder);
}

void proxies_set(struct proxies *proxies, const struct misfortune *misfortune)
{
    pthread_mutex_lock(&proxies->lock);
    proxies->misfortune = *misfortune;
    pthread_mutex_unlock(&proxies->lock);
}

const char *proxies_folder(const struct proxies *proxies)
{
    return proxies->folder;
}

void proxies_listen(struct proxies *proxies, enum wire wire, const char *here, const char *there)
{
    struct door *door = &proxies->doors[proxies->count];
    for (int i = 0; i < proxies->count; i++)
        if (strcmp(proxies->doors[i].here, here) == 0)
            return;
    if (proxies->count == DOORS_MAX)
        abort();
    *door = (struct door){.proxies = proxies, .wire = wire};
    snprintf(door->here, sizeof(door->here), "%s", here);
    snprintf(door->there, sizeof(door->there), "%s", there);
    struct sockaddr_un address = address_of(here);
    door->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (door->listener < 0 ||
        bind(door->listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(door->listener, 512) != 0 ||
        pthread_create(&door->thread, NULL, guard_door, door) != 0) {
        perror(here);
        exit(1);
    }
    proxies->count++;
}
