// What no client does: sockets that drip, lie, fall silent by the thousand or vanish. Each is
// refused or cut off in time, and honest clients beside them are served. The last gateway has
// deadlines that a test can wait for; the others' requests go through it too.

#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "tests/support/shop.h"
#include "tests/support/stack.h"
#include "tests/support/wire.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DEADLINE_MS = 1000, MARGIN_MS = 2000 };

#define HOST "Host: shop.example\r\n"
#define LIVEZ "GET /livez HTTP/1.1\r\n" HOST "\r\n"
#define POST "POST /api/v1/auth/login HTTP/1.1\r\n" HOST "Content-Type: application/json\r\n"

static const struct {
    const char *name, *value;
} SETTINGS[] = {
    {"BARO_HTTP_HEAD_DEADLINE",           "1s"   },
    {"BARO_HTTP_BODY_DEADLINE",           "1s"   },
    {"BARO_HTTP_CONNECTIONS",             "20000"},
    {"BARO_HTTP_CONNECTIONS_PER_ADDRESS", "0"    },
};

static int last, port;

static void restart_gateway(void)
{
    stack_signal("gateway", last, SIGKILL);
    stack_start_gateway(last);
}

static void set_up(void)
{
    last = stack_replicas() - 1;
    port = (int)strtol(strrchr(stack_gateway(last), ':') + 1, NULL, 10);
    for (size_t i = 0; i < COUNT(SETTINGS); i++)
        setenv(SETTINGS[i].name, SETTINGS[i].value, 1);
    restart_gateway();
}

static void tear_down(void)
{
    for (size_t i = 0; i < COUNT(SETTINGS); i++)
        unsetenv(SETTINGS[i].name);
    restart_gateway();
}

TestSuite(abuse, .init = set_up, .fini = tear_down);

static void expect_service(const char *after)
{
    cr_expect_eq(wire_call(port, "GET", "/api/v1/products?page_size=1", "", NULL)->status, 200,
                 "not served after %s", after);
}

// Requests that one honest client gets answered in a while, one after the other.
static int goodput(int64_t for_ms)
{
    int count = 0, fd = wire_open(port);
    for (int64_t end_us = clock_monotonic_us() + for_ms * US_PER_MS; clock_monotonic_us() < end_us;
         count++) {
        wire_say(fd, "GET /api/v1/products?page_size=1 HTTP/1.1\r\n" HOST "\r\n");
        cr_assert_eq(wire_read(fd)->status, 200, "an honest request was not served");
    }
    close(fd);
    return count;
}

// What came before the end is thrown away.
static bool has_ended(int fd)
{
    char rest[4096];
    ssize_t got;
    do
        got = recv(fd, rest, sizeof rest, MSG_DONTWAIT);
    while (got > 0);
    return got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

Test(abuse, who_sends_byte_by_byte_is_cut_off_and_others_are_served, .timeout = 60)
{
    enum { SLOW = 300 };
    static const char *const begun[] = {
        "G",
        "GET /livez HTTP/1.1\r\nX-Slow: ",
        POST "Content-Length: 60000\r\n\r\n{",
        POST "Transfer-Encoding: chunked\r\n\r\nfff\r\n",
    };
    int fds[SLOW], open = SLOW;
    for (int i = 0; i < SLOW; i++) {
        fds[i] = wire_open(port);
        wire_say(fds[i], begun[(size_t)i % COUNT(begun)]);
    }
    int64_t end_us = clock_monotonic_us() + (DEADLINE_MS + MARGIN_MS) * US_PER_MS;
    while (open > 0 && clock_monotonic_us() < end_us) {
        for (int i = 0; i < SLOW; i++) {
            if (fds[i] < 0)
                continue;
            wire_say(fds[i], "a");
            if (!has_ended(fds[i]))
                continue;
            close(fds[i]);
            fds[i] = -1;
            open--;
        }
        expect_service("the drips of this round");
    }
    cr_expect_eq(open, 0, "%d of %d slow connections are still open", open, SLOW);
}

// Bytes of one kind, between a beginning and an end.
static const struct large {
    const char *what, *begin, *filling, *end;
    int times;
} LARGE[] = {
    {"a header of 64 KiB",     "GET /livez HTTP/1.1\r\n" HOST "X-Large: ",  "a",                   "\r\n\r\n",                    65536  },
    {"a thousand headers",     "GET /livez HTTP/1.1\r\n" HOST,              "X-Many: 1234567\r\n", "\r\n",                        1000   },
    {"a name of 64 KiB",       "GET /livez HTTP/1.1\r\n" HOST,              "a",                   ": b\r\n\r\n",                 65536  },
    {"a target of 64 KiB",     "GET /",                                     "a",                   " HTTP/1.1\r\n" HOST "\r\n",   65536  },
    {"a query of 64 KiB",      "GET /api/v1/products?search=",              "a",                   " HTTP/1.1\r\n" HOST "\r\n",   65536  },
    {"a method of 64 KiB",     "",                                          "A",                   " / HTTP/1.1\r\n" HOST "\r\n", 65536  },
    {"a body of 1 MiB",        POST "Content-Length: 1048576\r\n\r\n",      "a",                   "",                            1048576},
    {"a chunk line of 64 KiB", POST "Transfer-Encoding: chunked\r\n\r\n1;", "x",
     "\r\n{\r\n0\r\n\r\n",                                                                                                        65536  },
    {"chunks of 1 MiB in all", POST "Transfer-Encoding: chunked\r\n\r\n",   "8\r\n        \r\n",
     "0\r\n\r\n",                                                                                                                 131072 },
};

static char *make_large(const struct large *large)
{
    size_t size = strlen(large->begin) + strlen(large->filling) * (size_t)large->times +
                  strlen(large->end) + 1;
    char *text = malloc(size), *at = text;
    cr_assert(text);
    at = stpcpy(at, large->begin);
    for (int i = 0; i < large->times; i++)
        at = stpcpy(at, large->filling);
    stpcpy(at, large->end);
    return text;
}

static bool is_refusal(int status)
{
    return status == 0 || (status >= 400 && status <= 505);
}

Test(abuse, what_is_too_large_is_refused_and_cut_off, .timeout = 60)
{
    for (size_t i = 0; i < COUNT(LARGE); i++) {
        char *text = make_large(&LARGE[i]);
        int fd = wire_open(port);
        wire_say(fd, text);
        int status = wire_read(fd)->status;
        cr_expect(is_refusal(status), "%s: %d", LARGE[i].what, status);
        cr_expect(wire_is_closed(fd, DEADLINE_MS + MARGIN_MS), "%s: still open", LARGE[i].what);
        close(fd);
        free(text);
        expect_service(LARGE[i].what);
    }
}

Test(abuse, what_is_no_request_is_refused, .timeout = 60)
{
    static const struct {
        const char *bytes;
        size_t size;
    } rows[] = {
#define ROW(text) {text, sizeof(text) - 1}
        ROW("BREW /livez HTTP/1.1\r\n" HOST "\r\n"),
        ROW("get /livez HTTP/1.1\r\n" HOST "\r\n"),
        ROW("TRACE /livez HTTP/1.1\r\n" HOST "\r\n"),
        ROW("CONNECT shop.example:80 HTTP/1.1\r\n" HOST "\r\n"),
        ROW("GET\t/livez\tHTTP/1.1\r\n" HOST "\r\n"),
        ROW("GET http://other.example/%00 HTTP/1.1\r\n" HOST "\r\n"),
        ROW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        ROW("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS client hello \r\n\r\n"),
        ROW("\0\0\0\0\0\0\0\0\r\n\r\n"),
        ROW("\xff\xfe\xfd\r\n\r\n"),
#undef ROW
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int fd = wire_open(port);
        wire_send(fd, rows[i].bytes, rows[i].size);
        int status = wire_read(fd)->status;
        cr_expect(is_refusal(status), "row %zu: %d", i, status);
        close(fd);
        expect_service("what is no request");
    }
}

Test(abuse, a_pipeline_is_answered_whole_and_in_order, .timeout = 60)
{
    enum { PAIRS = 200 };
    int fd = wire_open(port);
    for (int i = 0; i < PAIRS; i++)
        wire_say(fd, LIVEZ "GET /nowhere HTTP/1.1\r\n" HOST "\r\n");
    for (int i = 0; i < PAIRS; i++) {
        cr_assert_eq(wire_read(fd)->status, 200, "answer %d", 2 * i);
        cr_assert_eq(wire_read(fd)->status, 404, "answer %d", 2 * i + 1);
    }
    close(fd);
}

Test(abuse, who_closes_one_half_gets_an_answer_or_the_end, .timeout = 60)
{
    static const char *const said[] = {"", "GET /li", LIVEZ, LIVEZ LIVEZ,
                                       POST "Content-Length: 100\r\n\r\n{"};
    for (size_t i = 0; i < COUNT(said); i++) {
        int fd = wire_open(port);
        wire_say(fd, said[i]);
        cr_assert_eq(shutdown(fd, SHUT_WR), 0);
        int status = wire_read(fd)->status;
        cr_expect(status == 200 || is_refusal(status), "row %zu: %d", i, status);
        cr_expect(wire_is_closed(fd, DEADLINE_MS + MARGIN_MS), "row %zu: still open", i);
        close(fd);
    }
    expect_service("half-closed connections");
}

// The connection ends at once with RST, whatever is on its way.
static void reset(int fd)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

static long open_connections(void)
{
    const char *name = "\nbaro_http_connections ";
    const char *line = strstr(wire_call(port, "GET", "/metrics", "", NULL)->body, name);
    cr_assert(line);
    return strtol(line + strlen(name), NULL, 10);
}

Test(abuse, a_storm_of_resets_leaves_nothing_behind, .timeout = 90)
{
    enum { RESETS = 4000, OWN = 2 }; // who asks, and who asked before if its end is not seen yet
    static const char *const said[] = {"", "GET /li", LIVEZ, POST "Content-Length: 100\r\n\r\n{",
                                       "GET /api/v1/products HTTP/1.1\r\n" HOST "\r\n"};
    int64_t began_us = clock_monotonic_us();
    for (size_t i = 0; i < RESETS; i++) {
        int fd = wire_open(port);
        wire_say(fd, said[i % COUNT(said)]);
        reset(fd);
    }
    fprintf(stderr, "abuse: %d resets in %lld ms\n", RESETS,
            (long long)(clock_monotonic_us() - began_us) / US_PER_MS);
    expect_service("resets");
    int64_t end_us = clock_monotonic_us() + (DEADLINE_MS + MARGIN_MS) * US_PER_MS;
    while (open_connections() > OWN)
        cr_assert_lt(clock_monotonic_us(), end_us, "%ld are open", open_connections());
}

// Orders whose customers are gone before the answer are orders all the same.
Test(abuse, checkouts_that_nobody_waits_for_keep_the_laws, .timeout = 120)
{
    enum { CHECKOUTS = 100, PRICE = 1000 };
    struct http_client *customer = given_customer(CHECKOUTS * PRICE);
    int64_t option = given_option(PRICE, CHECKOUTS);
    char head[4096], body[128];
    for (int i = 0; i < CHECKOUTS; i++) {
        snprintf(body, sizeof body, "{\"items\":[{\"option_id\":%lld,\"quantity\":1}]}",
                 (long long)option);
        snprintf(head, sizeof head,
                 "POST /api/v1/checkout HTTP/1.1\r\n" HOST "Content-Type: application/json\r\n"
                 "Idempotency-Key: gone-%lld-%d\r\nAuthorization: Bearer %s\r\n"
                 "Content-Length: %zu\r\n\r\n%s",
                 (long long)option, i, http_token(customer), strlen(body), body);
        int fd = wire_open(port);
        wire_say(fd, head);
        reset(fd);
    }
    // Those that have arrived are still being worked on.
    int64_t end_us = clock_monotonic_us() + 20 * US_PER_S, paid, sold;
    do {
        expect_laws_hold();
        paid = CHECKOUTS * PRICE - balance_of(customer);
        sold = CHECKOUTS - available_stock(option);
    } while (paid != sold * PRICE && clock_monotonic_us() < end_us);
    cr_expect_eq(paid, sold * PRICE);
    fprintf(stderr, "abuse: %lld of %d checkouts without a listener are paid\n", (long long)sold,
            CHECKOUTS);
    http_close(customer);
}

static void allow_descriptors(rlim_t count)
{
    struct rlimit limit;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = count;
    if (limit.rlim_max < count)
        limit.rlim_max = count;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0, "%s", strerror(errno));
}

// A sanitizer remembers much of every byte.
#ifdef __SANITIZE_THREAD__
enum { MEMORY_KIB_EACH = 96 };
#else
enum { MEMORY_KIB_EACH = 24 };
#endif

Test(abuse, ten_thousand_idle_connections_cost_little, .timeout = 120)
{
    enum { IDLE = 10000 };
    static int fds[IDLE];
    allow_descriptors(IDLE + 500);
    int before = goodput(1000);
    int64_t memory_kib = stack_memory_kib("gateway", last);
    for (int i = 0; i < IDLE; i++) {
        fds[i] = wire_open(port);
        wire_say(fds[i], LIVEZ); // who has asked once may be silent for long
    }
    for (int i = 0; i < IDLE; i++)
        cr_assert_eq(wire_read(fds[i])->status, 200, "connection %d", i);
    cr_expect_geq(open_connections(), IDLE);
    int beside = goodput(1000);
    memory_kib = stack_memory_kib("gateway", last) - memory_kib;
    fprintf(stderr,
            "abuse: %d idle connections, %lld KiB; an honest client: %d/s before, %d/s beside\n",
            IDLE, (long long)memory_kib, before, beside);
    cr_expect_leq(memory_kib, IDLE * MEMORY_KIB_EACH);
    for (int i = 0; i < IDLE; i++)
        close(fds[i]);
}
