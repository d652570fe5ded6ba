// Ids are 64 random bits of this process beside a scrambled count: unique without a system call.

#include "gateway/trace.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

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
    uint64_t x = ids.seed + atomic_fetch_add(&ids.count, 1) * UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

static void write_hex(char *to, uint64_t number)
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 15; i >= 0; i--, number >>= 4)
        to[i] = digits[number & 15];
}

static bool is_hex(const char *text, size_t length)
{
    return strspn(text, "0123456789abcdef") >= length;
}

static bool all_zero(const char *text, size_t length)
{
    return strspn(text, "0") >= length;
}

// 00-<32 hex>-<16 hex>-<2 hex>
static bool is_traceparent(const char *text)
{
    return strlen(text) == 55 && strncmp(text, "00-", 3) == 0 && is_hex(text + 3, 32) &&
           text[35] == '-' && is_hex(text + 36, 16) && text[52] == '-' && is_hex(text + 53, 2) &&
           !all_zero(text + 3, 32) && !all_zero(text + 36, 16);
}

static bool is_request_id(const char *text)
{
    size_t good =
        strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._:-");
    return good >= 1 && good <= 128 && text[good] == '\0';
}

void trace_begin(struct trace *trace, const char *traceparent, const char *request_id)
{
    pthread_once(&ids.once, seed_ids);
    bool taken = traceparent && is_traceparent(traceparent);
    uint64_t span = next_number();
    memcpy(trace->parent, taken ? traceparent : "00-", taken ? 56 : 4);
    if (!taken) {
        write_hex(trace->parent + 3, ids.process);
        write_hex(trace->parent + 19, next_number());
        memcpy(trace->parent + 52, "-01", 4);
    }
    trace->parent[35] = '-';
    write_hex(trace->parent + 36, span ? span : 1);
    memcpy(trace->id, trace->parent + 3, 32);
    trace->id[32] = '\0';
    trace->request_id = request_id && is_request_id(request_id) ? request_id : trace->id;
}
