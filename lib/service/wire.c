#include "lib/service/wire.h"

Baro__Timestamp *wire_time(struct arena *arena, int64_t us)
{
    if (us == 0)
        return NULL;
    Baro__Timestamp *message = arena_alloc(arena, sizeof(*message));
    baro__timestamp__init(message);
    message->us = us;
    return message;
}

int64_t wire_us(const Baro__Timestamp *time)
{
    return time ? time->us : 0;
}

Baro__Int64 *wire_optional(struct arena *arena, int64_t value)
{
    if (value == 0)
        return NULL;
    Baro__Int64 *message = arena_alloc(arena, sizeof(*message));
    baro__int64__init(message);
    message->value = value;
    return message;
}

const ProtobufCMessage *wire_empty(void)
{
    static const Baro__Empty EMPTY = BARO__EMPTY__INIT;
    return &EMPTY.base;
}
