// Replies of Redis as statuses and values.

#include "lib/cache/worker.h"

#include "lib/base/text.h"

#include <string.h>

// Errors that time or an operator mends. All others are our mistake.
static const char *const PASSING[] = {
    "LOADING",
    "READONLY",
    "MASTERDOWN",
    "MISCONF",
    "OOM",
    "BUSY ",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "NOREPLICAS",
    "MAXCLIENTS",
    "ERR max number of clients",
};

struct status cache_status_of_reply(const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ERROR)
        return OK;
    for (size_t i = 0; i < COUNT(PASSING); i++)
        if (text_begins_with(reply->str, PASSING[i]))
            return refuse(REASON_UNAVAILABLE, reply->str);
    return refuse(REASON_INTERNAL, reply->str);
}

static struct cache_value text_value(struct arena *arena, enum cache_kind kind,
                                     const redisReply *reply)
{
    char *text = arena_alloc(arena, reply->len + 1);
    memcpy(text, reply->str, reply->len);
    return (struct cache_value){.kind = kind, .text = text, .length = reply->len};
}

static struct cache_value array_value(struct arena *arena, const redisReply *reply)
{
    struct cache_value *items = arena_array(arena, reply->elements, sizeof(*items));
    for (size_t i = 0; i < reply->elements; i++)
        items[i] = cache_value_of_reply(arena, reply->element[i]);
    return (struct cache_value){.kind = CACHE_ARRAY, .items = items, .count = reply->elements};
}

struct cache_value cache_value_of_reply(struct arena *arena, const redisReply *reply)
{
    switch (reply->type) {
    case REDIS_REPLY_INTEGER:
    case REDIS_REPLY_BOOL:
        return (struct cache_value){.kind = CACHE_INTEGER, .number = reply->integer};
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
    case REDIS_REPLY_DOUBLE:
    case REDIS_REPLY_BIGNUM:
    case REDIS_REPLY_VERB:
        return text_value(arena, CACHE_TEXT, reply);
    case REDIS_REPLY_ERROR:
        return text_value(arena, CACHE_ERROR, reply);
    case REDIS_REPLY_ARRAY:
    case REDIS_REPLY_MAP:
    case REDIS_REPLY_SET:
    case REDIS_REPLY_PUSH:
        return array_value(arena, reply);
    default: // NIL; attributes are never asked for
        return (struct cache_value){.kind = CACHE_NIL};
    }
}
