#pragma once
// What all services say alike in their messages: values that may be absent. Messages live
// in the arena.

#include "lib/base/arena.h"
#include "proto/common.pb-c.h"

#include <stdint.h>

// A point in time; NULL, which JSON shows as null, for 0. And back.
Baro__Timestamp *wire_time(struct arena *arena, int64_t us);
int64_t wire_us(const Baro__Timestamp *time);

// An integer that may be absent: NULL for 0.
Baro__Int64 *wire_optional(struct arena *arena, int64_t value);

// The reply that says nothing but "done"; static.
const ProtobufCMessage *wire_empty(void);
