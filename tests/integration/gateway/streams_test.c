// Server-Sent Events through the running gateway: what a follower gets, when, and what it costs.

#include "gateway/transcode.h"
#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "proto/order.pb-c.h"
#include "tests/integration/gateway/fakes.h"
#include "tests/support/stand.h"
#include "tests/support/wire.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ORDER = 42, WAIT_MS = 5000 };

static struct stage *stage;

static void short_times(struct gateway_settings *settings)
{
    settings->streams.heartbeat_ms = 300;
    settings->streams.look_ms = 300;
}

static void quick_end(struct gateway_settings *settings)
{
    settings->streams.lifetime_ms = 500;
}

static void no_bell(struct gateway_settings *settings)
{
    settings->streams.bus = "";
    settings->streams.look_ms = 100;
}

static void set_up(void)
{
    stage = stage_open(NULL);
}

static void tear_down(void)
{
    stage_close(stage);
}

TestSuite(streams, .init = set_up, .fini = tear_down);
TestSuite(streams_tuned);

// What the service answers from now on: statuses with these ids.
static void answer_events(const char *const *ids, size_t count, bool more, bool ended)
{
    struct arena *arena = stage_arena(stage);
    Baro__Order__OrderEvents *events =
        (Baro__Order__OrderEvents *)message_create(&baro__order__order_events__descriptor, arena);
    events->events = arena_array(arena, count + 1, sizeof(*events->events));
    for (size_t i = 0; i < count; i++) {
        Baro__Order__OrderEvent *event =
            (Baro__Order__OrderEvent *)message_create(&baro__order__order_event__descriptor, arena);
        event->id = text_copy(arena, ids[i]);
        event->type = text_copy(arena, "status");
        event->order_id = ORDER;
        event->status = BARO__ORDER__ORDER_STATUS__ORDER_STATUS_PENDING;
        event->reason = text_copy(arena, "");
        events->events[events->n_events++] = event;
    }
    events->more = more;
    events->ended = ended;
    stage_reply(stage, "ListOrderEvents", &events->base);
}
#define ANSWER(more, ended, ...)                                                                   \
    answer_events((const char *const[]){__VA_ARGS__}, COUNT(((const char *const[]){__VA_ARGS__})), \
                  more, ended)

static void answer_nothing_new(void)
{
    answer_events(NULL, 0, false, false);
}

static const char *as_user(const char *more)
{
    return text_printf(stage_arena(stage), "Authorization: Bearer %s\r\n%s",
                       stage_token(stage, "USER"), more);
}

static int open_stream(const char *more)
{
    int fd = wire_open(stage_port(stage));
    wire_say(fd, text_printf(stage_arena(stage),
                             "GET /api/v1/orders/%d/events HTTP/1.1\r\nHost: x\r\n%s\r\n", ORDER,
                             as_user(more)));
    return fd;
}

// Everything that has come so far on one connection at a time.
static char seen[64 * 1024];
static size_t seen_length;

static void forget(void)
{
    seen_length = 0;
    seen[0] = '\0';
}

// Reads until the text has come, or the end; false when time is up.
static bool await_text(int fd, const char *wanted, int timeout_ms)
{
    int64_t until_us = clock_monotonic_us() + timeout_ms * US_PER_MS;
    while (!strstr(seen, wanted)) {
        int64_t left_us = until_us - clock_monotonic_us();
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (left_us <= 0 || poll(&ready, 1, (int)(left_us / US_PER_MS) + 1) <= 0)
            return false;
        ssize_t got = recv(fd, seen + seen_length, sizeof(seen) - 1 - seen_length, 0);
        if (got <= 0)
            return false;
        seen_length += (size_t)got;
        seen[seen_length] = '\0';
    }
    return true;
}

// The end of a chunked body.
static bool await_end(int fd)
{
    return await_text(fd, "\r\n0\r\n\r\n", WAIT_MS);
}

static bool nobody_follows(void *arg)
{
    const struct wire_reply *reply = wire_call(*(int *)arg, "GET", "/metrics", "", NULL);
    return strstr(reply->body, "\nbaro_streams 0\n") != NULL;
}

static bool await_nobody(void)
{
    int port = stage_port(stage);
    return stand_wait(nobody_follows, &port, WAIT_MS);
}

static bool ring_until_asked(void *wanted)
{
    stage_ring(stage, ORDER);
    return stage_asked(stage).count >= *(int *)wanted;
}

static int rings_heard(void)
{
    static const char name[] = "\nbaro_bus_received_total ";
    const struct wire_reply *reply = wire_call(stage_port(stage), "GET", "/metrics", "", NULL);
    const char *at = strstr(reply->body, name);
    return at ? atoi(at + sizeof(name) - 1) : 0;
}

struct hearing {
    int port, before;
};

static bool ring_until_heard(void *arg)
{
    const struct hearing *hearing = arg;
    stage_ring(stage, ORDER);
    return rings_heard() > hearing->before + 1;
}

static bool was_asked(void *arg)
{
    return stage_asked(stage).count >= *(int *)arg;
}

Test(streams, events_go_out_with_their_ids_and_the_stream_ends_with_the_order)
{
    ANSWER(false, true, "1.0.0", "2.0.0");
    int fd = open_stream("");
    cr_assert(await_end(fd), "%s", seen);
    cr_assert(strstr(seen, "HTTP/1.1 200"));
    cr_assert(strstr(seen, "Content-Type: text/event-stream\r\n"));
    cr_assert(strstr(seen, "Cache-Control: no-store\r\n"));
    cr_assert(
        strstr(seen, "id: 1.0.0\nevent: status\ndata: {\"id\":\"1.0.0\",\"type\":\"status\","));
    cr_assert(strstr(seen, "\"status\":\"PENDING\",\"reason\":\"\",\"step\":null}\n\n"));
    cr_assert(strstr(seen, "id: 2.0.0\n"));
    close(fd);
    cr_assert(await_nobody());
}

Test(streams, the_doorbell_brings_what_is_new)
{
    ANSWER(false, false, "1.0.0");
    int fd = open_stream("");
    cr_assert(await_text(fd, "id: 1.0.0\n", WAIT_MS), "%s", seen);
    ANSWER(false, true, "2.0.0");
    // A bell that rings before the subscriber has come through is lost: ring again.
    for (int i = 0; i < 100 && !strstr(seen, "2.0.0"); i++) {
        stage_ring(stage, ORDER + 1);
        stage_ring(stage, ORDER);
        await_text(fd, "id: 2.0.0\n", 50);
    }
    cr_assert(await_end(fd), "%s", seen);
    const Baro__Order__ListOrderEventsRequest *request =
        (const Baro__Order__ListOrderEventsRequest *)stage_asked(stage).request;
    cr_assert_str_eq(request->after, "1.0.0");
    cr_assert_eq(request->order_id, ORDER);
    cr_assert_eq(stage_asked(stage).caller.user_id, 7);
    close(fd);
}

Test(streams, a_bell_that_rings_while_the_service_is_asked_is_not_forgotten)
{
    ANSWER(false, false, "1.0.0");
    int fd = open_stream("");
    cr_assert(await_text(fd, "id: 1.0.0\n", WAIT_MS));
    answer_nothing_new();
    stage_hold(stage, "ListOrderEvents");
    int wanted = stage_asked(stage).count + 1;
    cr_assert(stand_wait(ring_until_asked, &wanted, WAIT_MS));
    cr_assert(stage_await_held(stage, 1));
    cr_assert(
        stand_wait(ring_until_heard, &(struct hearing){stage_port(stage), rings_heard()}, WAIT_MS));
    wanted++;
    stage_release(stage); // "nothing new", which was true when it was asked
    cr_assert(stand_wait(was_asked, &wanted, WAIT_MS));
    close(fd);
}

Test(streams, more_than_fits_one_reply_comes_without_a_bell)
{
    ANSWER(true, false, "1.0.0");
    stage_hold(stage, "ListOrderEvents");
    int fd = open_stream("");
    cr_assert(stage_await_held(stage, 1));
    stage_release(stage);
    cr_assert(await_text(fd, "id: 1.0.0\n", WAIT_MS));
    ANSWER(false, true, "9.0.0");
    cr_assert(await_end(fd), "%s", seen);
    cr_assert(strstr(seen, "id: 9.0.0\n"));
    close(fd);
}

Test(streams, last_event_id_goes_to_the_service)
{
    ANSWER(false, true, "3.0.0");
    int fd = open_stream("Last-Event-ID: 2.0.0\r\n");
    cr_assert(await_end(fd));
    const Baro__Order__ListOrderEventsRequest *request =
        (const Baro__Order__ListOrderEventsRequest *)stage_asked(stage).request;
    cr_assert_str_eq(request->after, "2.0.0");
    close(fd);
    const struct wire_reply *reply = wire_call(
        stage_port(stage), "GET", "/api/v1/orders/1/events?after=1.0.0", as_user(""), NULL);
    cr_assert_eq(reply->status, 400);
    cr_assert_str_eq(wire_field(reply), "after");
}

Test(streams, refusals_are_problems)
{
    static const struct {
        enum reason reason;
        int status;
    } refusals[] = {
        {REASON_ORDER_NOT_FOUND,  404},
        {REASON_FORBIDDEN,        403},
        {REASON_VALIDATION_ERROR, 400},
        {REASON_OVERLOADED,       503},
    };
    for (size_t i = 0; i < COUNT(refusals); i++) {
        stage_refuse(stage, "ListOrderEvents", refuse(refusals[i].reason, "no"));
        const struct wire_reply *reply =
            wire_call(stage_port(stage), "GET", "/api/v1/orders/1/events", as_user(""), NULL);
        cr_assert_eq(reply->status, refusals[i].status);
        cr_assert_str_eq(wire_header(reply, "Content-Type"), "application/problem+json");
        cr_assert_str_eq(wire_code(reply), reason_word(refusals[i].reason));
    }
    const struct wire_reply *reply =
        wire_call(stage_port(stage), "GET", "/api/v1/orders/1/events", "", NULL);
    cr_assert_eq(reply->status, 401);
    cr_assert(await_nobody());
}

Test(streams, one_user_has_so_many_and_all_have_so_many)
{
    int fds[3];
    ANSWER(false, false, "1.0.0");
    for (size_t i = 0; i < COUNT(fds); i++) {
        forget();
        fds[i] = open_stream("");
        cr_assert(await_text(fds[i], "id: 1.0.0\n", WAIT_MS));
    }
    const struct wire_reply *reply =
        wire_call(stage_port(stage), "GET", "/api/v1/orders/1/events", as_user(""), NULL);
    cr_assert_eq(reply->status, 429);
    cr_assert_str_eq(wire_code(reply), "RATE_LIMITED");
    cr_assert_str_neq(wire_header(reply, "Retry-After"), "");
    for (size_t i = 0; i < COUNT(fds); i++)
        close(fds[i]);
    // Their places are free again although nothing was sent to them.
    cr_assert(await_nobody());
    forget();
    int fd = open_stream("");
    cr_assert(await_text(fd, "id: 1.0.0\n", WAIT_MS));
    close(fd);
}

static void little_room(struct gateway_settings *settings)
{
    settings->streams.max = 1;
}

Test(streams_tuned, the_last_place_is_the_last)
{
    stage = stage_open(little_room);
    ANSWER(false, false, "1.0.0");
    int fd = open_stream("");
    cr_assert(await_text(fd, "id: 1.0.0\n", WAIT_MS));
    const struct wire_reply *reply =
        wire_call(stage_port(stage), "GET", "/api/v1/orders/1/events", as_user(""), NULL);
    cr_assert_eq(reply->status, 503);
    cr_assert_str_eq(wire_code(reply), "OVERLOADED");
    close(fd);
    stage_close(stage);
}

Test(streams_tuned, silence_is_broken_by_heartbeats_and_by_a_look)
{
    stage = stage_open(short_times);
    answer_nothing_new();
    int fd = open_stream("");
    cr_assert(await_text(fd, ": still here\n\n", WAIT_MS), "%s", seen);
    forget();
    cr_assert(await_text(fd, ": still here\n\n", WAIT_MS));
    forget();
    ANSWER(false, true, "1.0.0"); // nothing rings
    cr_assert(await_end(fd), "%s", seen);
    cr_assert(strstr(seen, "id: 1.0.0\n"));
    close(fd);
    stage_close(stage);
}

Test(streams_tuned, a_service_that_is_away_costs_time_only)
{
    stage = stage_open(no_bell);
    ANSWER(false, false, "1.0.0");
    int fd = open_stream("");
    cr_assert(await_text(fd, "id: 1.0.0\n", WAIT_MS));
    stage_refuse(stage, "ListOrderEvents", refuse(REASON_UNAVAILABLE, "away"));
    int wanted = stage_asked(stage).count + 2;
    cr_assert(stand_wait(was_asked, &wanted, WAIT_MS));
    ANSWER(false, true, "2.0.0");
    cr_assert(await_end(fd), "%s", seen);
    cr_assert(strstr(seen, "id: 2.0.0\n"));
    close(fd);
    stage_close(stage);
}

Test(streams_tuned, a_stream_ends_after_its_lifetime)
{
    stage = stage_open(quick_end);
    ANSWER(false, false, "1.0.0");
    int fd = open_stream("");
    cr_assert(await_end(fd), "%s", seen);
    close(fd);
    stage_close(stage);
}

Test(streams, a_gateway_that_leaves_ends_its_streams_in_good_order)
{
    ANSWER(false, false, "1.0.0");
    int fd = open_stream("");
    cr_assert(await_text(fd, "id: 1.0.0\n", WAIT_MS));
    int64_t began_us = clock_monotonic_us();
    stage_stop_gateway(stage);
    cr_assert_lt(clock_monotonic_us() - began_us, 3 * US_PER_S, "the drain waited for the stream");
    cr_assert(await_end(fd), "%s", seen);
    close(fd);
}

static void quick_deadline(struct gateway_settings *settings)
{
    settings->connection_limits.rest_ms = 700;
    settings->streams.look_ms = 50;
}

// The kernel takes what it has room for; from then on the stream waits for its client, with no more
// in memory than one reply, until the connection's deadline.
Test(streams_tuned, a_client_that_does_not_read_is_left)
{
    stage = stage_open(quick_deadline);
    struct arena *arena = stage_arena(stage);
    char *id = arena_alloc(arena, 30001);
    memset(id, 'x', 30000);
    id[30000] = '\0';
    ANSWER(true, false, id);
    int fd = open_stream("");
    cr_assert(await_text(fd, "HTTP/1.1 200", WAIT_MS));
    cr_assert(await_nobody(), "it still has its place");
    close(fd);
    stage_close(stage);
}

// Between events the deadline of a connection does not run.
Test(streams_tuned, a_silent_stream_outlives_the_deadline_of_requests)
{
    stage = stage_open(quick_deadline);
    answer_nothing_new();
    int fd = open_stream("");
    cr_assert(await_text(fd, "retry: 1000", WAIT_MS));
    cr_assert(!wire_is_closed(fd, 1500));
    close(fd);
    stage_close(stage);
}
