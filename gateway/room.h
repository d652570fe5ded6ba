#pragma once
// How many calls at a time a service gets from this gateway: as many as it answers within the delay
// that is meant, so that what is beyond its capacity is refused at the door and not after a queue.
//
// By Little's law that is its throughput times the delay; both are measured, over a quarter of a second
// at a time. There is no capacity to configure, and nothing to tell other gateways: each sees the
// delays that it causes and those that others cause. Thread-safe.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct room;

// `max` calls at most, a quarter of them for what begins, also while nothing is slow: what they lead to
// comes before they have made room, and must find some. delay_ms 0: always so many. `service` names it in
// metrics.
struct room *room_create(const char *service, size_t max, int64_t delay_ms);

// Accepts NULL.
void room_destroy(struct room *room);

// What a request is to the shop. What goes on with something that was let in before is let in as long as
// there is any room at all, and keeps out what would begin: else most of a crowd's work would be begun
// and never ended.
enum errand { ERRAND_BEGINS, ERRAND_GOES_ON };

// True when one more call would be answered in time; of what begins, beyond a number that is no queue,
// only as many a second as can go on from there. Takes nothing.
bool room_has(struct room *room, enum errand errand, int64_t now_us);

// A call sets out; it is back after so long.
void room_enter(struct room *room, enum errand errand);
void room_leave(struct room *room, enum errand errand, int64_t now_us, int64_t took_us);

// How many calls the room takes now before nothing may begin.
size_t room_size(const struct room *room);
