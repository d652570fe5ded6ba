// A request's head as libmicrohttpd hands it over: the version in a line, then "Name: value" in each. What
// passes is unambiguous, and what we send back of it can end no header.

#include "gateway/headers.h"
#include "gateway/entity_tag.h"
#include "gateway/trace.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static struct {
    struct input input;
    struct arena *arena;
} head;

// Stands in for libmicrohttpd's, which has a connection to read from.
int MHD_get_connection_values_n(struct MHD_Connection *connection, enum MHD_ValueKind kind,
                                MHD_KeyValueIteratorN iterator, void *arg)
{
    (void)connection;
    int count = 0;
    while (!input_is_empty(&head.input)) {
        size_t length;
        char *line = input_line(&head.input, head.arena, &length);
        char *colon = memchr(line, ':', length);
        size_t name = colon ? (size_t)(colon - line) : length;
        char *value = colon ? colon + 1 + (colon[1] == ' ') : NULL;
        line[name] = '\0';
        size_t size = value ? (size_t)(line + length - value) : 0;
        count++;
        if (iterator(arg, kind, line, name, value, size) != MHD_YES)
            break;
    }
    return count;
}

static void check_echo(const char *text)
{
    for (; *text; text++)
        assert(*text > 0x20 && *text < 0x7F);
}

static void check_trace(const struct headers *headers)
{
    struct trace trace;
    trace_begin(&trace, headers->traceparent, headers->request_id, 100);
    assert(strlen(trace.parent) == 55 && strspn(trace.parent, "0123456789abcdef-") == 55);
    assert(strlen(trace.id) == 32 && strlen(trace.request_id) <= 128);
    check_echo(trace.request_id);
}

static void check_preferences(const struct preferences *preferences, struct arena *arena)
{
    int64_t wait_ms = preferences_wait_ms(preferences, 2000);
    assert(wait_ms >= 0 && wait_ms <= PREFER_WAIT_MAX_S * 1000);
    const char *applied = preferences_applied(preferences, wait_ms % 2000 == 0, arena);
    assert(!applied || strlen(applied) < 64);
}

static void check_accepted(const struct headers *headers)
{
    assert(!headers->content_length || !headers->transfer_encoding);
    assert(!headers->content_length || strspn(headers->content_length, "0123456789") > 0);
    if (headers->idempotency_key && idempotency_key_is_valid(headers->idempotency_key))
        check_echo(headers->idempotency_key);
    headers_say_json(headers);
    entity_tag_is_known(headers->if_none_match, "\"0123456789abcdef0123456789abcdef\"");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct headers headers;
    head.arena = input_arena();
    head.input = input_of(data, size);
    const char *version = input_line(&head.input, head.arena, NULL);
    struct status st = headers_read(NULL, version, &headers);
    check_trace(&headers);
    check_preferences(&headers.preferences, head.arena);
    if (!failed(st))
        check_accepted(&headers);
    return 0;
}
