// Ids are 64 random bits of this process beside a scrambled count.

#include "lib/trace/context.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <string.h>

enum { TRACE_AT = 3, SPAN_AT = 36, FLAGS_AT = 53, DIGITS = 16 };

static struct {
    pthread_once_t once;
    uint64_t process;
    uint64_t seed;
    _Atomic uint64_t count;
} ids = {.once = PTHREAD_ONCE_INIT};

static void seed_ids(void)
{
    randombytes_buf(&ids.process, sizeof(ids.process));
    randombytes_buf(&ids.seed, sizeof(ids.seed));
}

// splitmix64: a bijection, so different counts give different numbers.
static uint64_t next_number(void)
{
    pthread_once(&ids.once, seed_ids);
    uint64_t x = ids.seed + atomic_fetch_add(&ids.count, 1) * UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    x ^= x >> 31;
    return x ? x : 1;
}

static void write_hex(char *to, uint64_t number)
{
    static const char digits[] = "0123456789abcdef";
    for (int i = DIGITS - 1; i >= 0; i--, number >>= 4)
        to[i] = digits[number & 15];
}

// False for anything but `count` lower-case digits.
static bool read_hex(const char *text, int count, uint64_t *number)
{
    *number = 0;
    for (int i = 0; i < count; i++) {
        char c = text[i];
        bool digit = c >= '0' && c <= '9', letter = c >= 'a' && c <= 'f';
        if (!digit && !letter)
            return false;
        *number = *number << 4 | (uint64_t)(digit ? c - '0' : c - 'a' + 10);
    }
    return true;
}

bool trace_context_parse(const char *text, struct trace_context *context)
{
    struct trace_context read;
    uint64_t flags;
    if (strlen(text) != TRACEPARENT_SIZE - 1 || strncmp(text, "00-", TRACE_AT) != 0 ||
        text[SPAN_AT - 1] != '-' || text[FLAGS_AT - 1] != '-')
        return false;
    if (!read_hex(text + TRACE_AT, DIGITS, &read.trace[0]) ||
        !read_hex(text + TRACE_AT + DIGITS, DIGITS, &read.trace[1]) ||
        !read_hex(text + SPAN_AT, DIGITS, &read.span) || !read_hex(text + FLAGS_AT, 2, &flags))
        return false;
    if ((read.trace[0] | read.trace[1]) == 0 || read.span == 0)
        return false;
    read.sampled = flags & 1;
    *context = read;
    return true;
}

void trace_context_write(const struct trace_context *context, char text[TRACEPARENT_SIZE])
{
    memcpy(text, "00-", TRACE_AT);
    trace_id_write(context, text + TRACE_AT);
    text[SPAN_AT - 1] = '-';
    span_id_write(context->span, text + SPAN_AT);
    memcpy(text + FLAGS_AT - 1, context->sampled ? "-01" : "-00", 4);
}

struct trace_context trace_context_begin(bool sampled)
{
    uint64_t low = next_number();
    return (struct trace_context){
        {ids.process, low},
        next_number(), sampled
    };
}

struct trace_context trace_context_child(const struct trace_context *parent)
{
    struct trace_context child = *parent;
    child.span = next_number();
    return child;
}

void trace_id_write(const struct trace_context *context, char text[33])
{
    write_hex(text, context->trace[0]);
    write_hex(text + DIGITS, context->trace[1]);
    text[2 * DIGITS] = '\0';
}

const char *trace_id_of(const char *traceparent, struct arena *arena)
{
    struct trace_context context;
    if (!trace_context_parse(traceparent, &context))
        return "";
    char *text = arena_alloc(arena, 33);
    trace_id_write(&context, text);
    return text;
}

void span_id_write(uint64_t span, char text[17])
{
    write_hex(text, span);
    text[DIGITS] = '\0';
}
