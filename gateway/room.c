// The room shrinks to what the last quarter of a second says, at most by half, because batches end
// in bursts (DESIGN 4); it grows by half after each quarter that was quick. It never shrinks below
// FLOOR calls: so few are no queue to speak of, and batches need company. A service that has calls
// and answers none for twice the delay counts as slow.
//
// What begins beyond FLOOR is paced, after a first rush that fills the room: else a crowd takes all the
// room at the moment in which a batch makes it, what that leads to comes at once as well and keeps out all
// others, and orders go through the services in waves, each of which waits for the one before.

#include "gateway/room.h"

#include "gateway/pace.h"
#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/base/metrics.h"
#include "lib/base/text.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { PERIOD_US = 250 * US_PER_MS, FLOOR = 256 };

struct room {
    size_t all; // what goes on is let in up to this
    size_t max; // what begins, up to this at most
    int64_t delay_us;
    _Atomic size_t inside, size;
    _Atomic int64_t due_us; // when the period ends
    pthread_mutex_t lock;
    int64_t began_us; // the period
    int64_t answers, took_us;
    int64_t begun; // of the answers, what had begun something
    struct pace pace;
    struct metric *size_metric, *refused;
};

struct room *room_create(const char *service, size_t max, int64_t delay_ms)
{
    struct room *room = memory_alloc(sizeof(*room));
    SCOPED(arena) *scratch = arena_create();
    const char *labels = text_printf(scratch, "service=\"%s\"", service);
    room->all = max;
    room->max = room->size = (max + 3) / 4;
    room->delay_us = delay_ms * US_PER_MS;
    room->began_us = clock_monotonic_us();
    room->due_us = delay_ms ? room->began_us + PERIOD_US : INT64_MAX;
    if (delay_ms)
        room->pace = pace_make(FLOOR * MS_PER_S / delay_ms, (int64_t)room->size, room->began_us);
    room->size_metric = metrics_gauge("baro_room_calls",
                                      "Calls at a time to the service before none begins.", labels);
    room->refused = metrics_counter("baro_room_refused_total",
                                    "Requests refused because the service is busy.", labels);
    metric_set(room->size_metric, (int64_t)room->size);
    pthread_mutex_init(&room->lock, NULL);
    return room;
}

void room_destroy(struct room *room)
{
    if (!room)
        return;
    pthread_mutex_destroy(&room->lock);
    free(room);
}

static size_t within(size_t size, size_t max)
{
    size_t least = FLOOR < max ? FLOOR : max;
    return size < least ? least : size > max ? max : size;
}

// (lock) What the period says. Without an answer nothing is known until it is twice as late as meant.
static bool next_size(const struct room *room, int64_t elapsed_us, size_t *size)
{
    if (room->answers == 0 && room->inside > 0) {
        *size = room->size / 2;
        return elapsed_us >= 2 * room->delay_us;
    }
    if (room->took_us <= room->answers * room->delay_us) {
        *size = room->size + room->size / 2;
        return true;
    }
    size_t in_time = (size_t)(room->answers * room->delay_us / elapsed_us);
    *size = in_time > room->size / 2 ? in_time : room->size / 2;
    return true;
}

static void end_period(struct room *room, int64_t now_us)
{
    size_t size;
    pthread_mutex_lock(&room->lock);
    int64_t elapsed_us = now_us - room->began_us;
    if (now_us >= room->due_us && next_size(room, elapsed_us, &size)) {
        room->size = within(size, room->max);
        room->began_us = now_us;
        room->due_us = now_us + PERIOD_US;
        pace_follow(&room->pace, room->begun, elapsed_us);
        room->answers = room->took_us = room->begun = 0;
        metric_set(room->size_metric, (int64_t)room->size);
    }
    pthread_mutex_unlock(&room->lock);
}

static void look_at_period(struct room *room, int64_t now_us)
{
    if (now_us >= atomic_load_explicit(&room->due_us, memory_order_relaxed))
        end_period(room, now_us);
}

static bool may_begin(struct room *room, int64_t now_us)
{
    bool full = room->inside >= room->size;
    if (room->inside < FLOOR || !room->delay_us)
        return !full;
    pthread_mutex_lock(&room->lock);
    bool has = false;
    if (full)
        pace_stand_still(&room->pace, now_us);
    else
        has = pace_has(&room->pace, (int64_t)room->size, now_us);
    pthread_mutex_unlock(&room->lock);
    return has;
}

bool room_has(struct room *room, enum errand errand, int64_t now_us)
{
    look_at_period(room, now_us);
    bool has = errand == ERRAND_GOES_ON ? room->inside < room->all : may_begin(room, now_us);
    metric_add(room->refused, !has);
    return has;
}

void room_enter(struct room *room, enum errand errand)
{
    room->inside++;
    if (errand == ERRAND_GOES_ON)
        return;
    pthread_mutex_lock(&room->lock);
    pace_take(&room->pace, (int64_t)room->size);
    pthread_mutex_unlock(&room->lock);
}

void room_leave(struct room *room, enum errand errand, int64_t now_us, int64_t took_us)
{
    room->inside--;
    pthread_mutex_lock(&room->lock);
    room->answers++;
    room->begun += errand == ERRAND_BEGINS;
    room->took_us += took_us;
    pthread_mutex_unlock(&room->lock);
    look_at_period(room, now_us);
}

size_t room_size(const struct room *room)
{
    return room->size;
}
