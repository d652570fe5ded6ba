// The limits of SPEC 7 as clients of one or two gateways meet them, on a Redis of each test's own.

#include "gateway/transcode.h"
#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "lib/base/metrics.h"
#include "proto/coupon.pb-c.h"
#include "proto/order.pb-c.h"
#include "tests/integration/gateway/fakes.h"
#include "tests/support/redis.h"
#include "tests/support/wire.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { GATEWAYS = 2 };

static struct redis_server redis;
static struct limits_settings settings;
static struct stage *stages[GATEWAYS];
static int keys_made;

static void apply_settings(struct gateway_settings *to)
{
    to->limits = settings;
}

static void script_successes(struct stage *stage)
{
    struct arena *arena = stage_arena(stage);
    Baro__Order__OrderView *order =
        (Baro__Order__OrderView *)message_create(&baro__order__order_view__descriptor, arena);
    order->id = 5;
    order->status = BARO__ORDER__ORDER_STATUS__ORDER_STATUS_PAID;
    stage_reply(stage, "PlaceOrder", &order->base);
    stage_reply(stage, "PayOrder", &order->base);
    stage_reply(stage, "Checkout", &order->base);
    stage_reply(stage, "Claim", message_create(&baro__coupon__user_coupon__descriptor, arena));
    stage_refuse(stage, "Login", refuse(REASON_UNAUTHENTICATED, NULL));
}

// One metric serves all connections of this process: it tells of the last that changed.
static struct metric *connected(void)
{
    return metrics_gauge("baro_cache_connected", "", NULL);
}

static void await_redis(void)
{
    int64_t until_us = clock_monotonic_us() + 5 * US_PER_S;
    while (metric_value(connected()) == 0) {
        cr_assert(clock_monotonic_us() < until_us);
        poll(NULL, 0, 2);
    }
}

static void open_gateway(int i)
{
    metric_set(connected(), 0);
    stages[i] = stage_open(apply_settings);
    script_successes(stages[i]);
    await_redis();
}

static void set_up(void)
{
    redis_server_init(&redis);
    redis_server_start(&redis, "");
    settings = (struct limits_settings){.redis_url = redis.url};
}

static void tear_down(void)
{
    for (int i = 0; i < GATEWAYS; i++)
        if (stages[i])
            stage_close(stages[i]);
    redis_server_fini(&redis);
}

TestSuite(limits, .init = set_up, .fini = tear_down, .timeout = 60);
TestSuite(blocks, .init = set_up, .fini = tear_down, .timeout = 60);

static const char *order_body = "{\"items\":[{\"option_id\":1,\"quantity\":1}]}";

static const char *head_of(int gateway, const char *key)
{
    struct arena *arena = stage_arena(stages[gateway]);
    const char *used = *key ? key : text_printf(arena, "key-%d", keys_made++);
    return text_printf(arena,
                       "Authorization: Bearer %s\r\nContent-Type: application/json\r\n"
                       "Idempotency-Key: %s\r\n",
                       stage_token(stages[gateway], "USER"), used);
}

static const struct wire_reply *post(int gateway, const char *path, const char *key,
                                     const char *body)
{
    char target[64];
    snprintf(target, sizeof(target), "/api/v1%s", path);
    return wire_call(stage_port(stages[gateway]), "POST", target, head_of(gateway, key), body);
}

static const struct wire_reply *order(void)
{
    return post(0, "/orders", "", order_body);
}

static const struct wire_reply *pay(void)
{
    return post(0, "/orders/5/payment", "", "{}");
}

static const struct wire_reply *claim(int gateway)
{
    return post(gateway, "/coupons/3/claims", "", "{}");
}

Test(limits, two_gateways_share_one_exact_count)
{
    enum { LIMIT = 50, ROUNDS = 20, AT_ONCE = 10 };
    settings.claims = (struct setting_rate){LIMIT, 60000};
    open_gateway(0);
    open_gateway(1);
    int passed = 0, refused = 0, fds[AT_ONCE];
    for (int i = 0; i < AT_ONCE; i++)
        fds[i] = wire_open(stage_port(stages[i % GATEWAYS]));
    const char *tokens[GATEWAYS]; // the arenas belong to the services once they are asked
    for (int i = 0; i < GATEWAYS; i++)
        tokens[i] = stage_token(stages[i], "USER");
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < AT_ONCE; i++) {
            char text[2048];
            snprintf(text, sizeof(text),
                     "POST /api/v1/coupons/3/claims HTTP/1.1\r\nHost: a\r\n"
                     "Authorization: Bearer %s\r\nContent-Type: application/json\r\n"
                     "Idempotency-Key: %d-%d\r\nContent-Length: 2\r\n\r\n{}",
                     tokens[i % GATEWAYS], round, i);
            wire_say(fds[i], text);
        }
        for (int i = 0; i < AT_ONCE; i++) {
            int status = wire_read(fds[i])->status;
            passed += status == 201;
            refused += status == 429;
        }
    }
    for (int i = 0; i < AT_ONCE; i++)
        close(fds[i]);
    cr_expect_eq(passed, LIMIT);
    cr_expect_eq(refused, ROUNDS * AT_ONCE - LIMIT);
}

Test(limits, headers_tell_the_policy_what_is_left_and_when_to_come_back)
{
    settings.claims = (struct setting_rate){3, 60000};
    open_gateway(0);
    for (int left = 2; left >= 0; left--) {
        const struct wire_reply *reply = claim(0);
        cr_assert_eq(reply->status, 201, "%s", reply->body);
        cr_expect_str_eq(wire_header(reply, "RateLimit-Policy"), "\"claims\";q=3;w=60");
        char expected[32];
        snprintf(expected, sizeof(expected), "\"claims\";r=%d;t=60", left);
        cr_expect_str_eq(wire_header(reply, "RateLimit"), expected);
        cr_expect_str_eq(wire_header(reply, "Retry-After"), "");
    }
    const struct wire_reply *reply = claim(0);
    cr_assert_eq(reply->status, 429, "%s", reply->body);
    cr_expect_str_eq(wire_code(reply), "RATE_LIMITED");
    cr_expect(json_is_true(json_object_get(reply->json, "retryable")));
    cr_expect_str_eq(wire_header(reply, "RateLimit"), "\"claims\";r=0;t=60");
    cr_expect_str_eq(wire_header(reply, "RateLimit-Policy"), "\"claims\";q=3;w=60");
    cr_expect_str_eq(wire_header(reply, "Retry-After"), "60");
    cr_expect_eq(stage_asked(stages[0]).count, 3, "a refusal reaches no service");
}

Test(limits, an_order_can_be_paid_at_once_and_the_next_must_wait)
{
    settings.orders = (struct setting_rate){1, 60000};
    open_gateway(0);
    cr_expect_eq(order()->status, 201);
    cr_expect_eq(pay()->status, 200);
    cr_expect_eq(order()->status, 429);
    cr_expect_eq(pay()->status, 429);
}

Test(limits, a_checkout_is_an_order_and_a_payment)
{
    settings.orders = (struct setting_rate){2, 60000};
    open_gateway(0);
    cr_expect_eq(post(0, "/checkout", "", order_body)->status, 200);
    cr_expect_eq(order()->status, 201);
    cr_expect_eq(post(0, "/checkout", "", order_body)->status, 429, "no order is left");
    cr_expect_eq(pay()->status, 200, "the refused checkout took no payment");
    cr_expect_eq(pay()->status, 429);
}

Test(limits, the_window_slides)
{
    settings.orders = (struct setting_rate){1, 300};
    open_gateway(0);
    int64_t first_us = clock_monotonic_us();
    cr_assert_eq(order()->status, 201);
    const struct wire_reply *reply = order();
    while (reply->status == 429) {
        cr_assert(clock_monotonic_us() - first_us < 5 * US_PER_S);
        cr_assert_str_eq(wire_header(reply, "Retry-After"), "1", "whole seconds, rounded up");
        reply = order();
    }
    cr_assert_eq(reply->status, 201);
    cr_assert_geq(clock_monotonic_us() - first_us, 300 * US_PER_MS);
}

Test(limits, the_same_request_again_costs_nothing)
{
    settings.orders = (struct setting_rate){1, 60000};
    open_gateway(0);
    for (int i = 0; i < 8; i++)
        cr_expect_eq(post(0, "/orders", "again", order_body)->status, 201);
    cr_expect_eq(post(0, "/orders/5/payment", "again", "{}")->status, 200);
    cr_expect_eq(order()->status, 429);
}

Test(limits, bad_input_and_other_routes_are_not_counted)
{
    settings.orders = (struct setting_rate){1, 60000};
    open_gateway(0);
    for (int i = 0; i < 3; i++)
        cr_expect_eq(post(0, "/orders", "", "{\"nothing\":1}")->status, 400);
    cr_expect_eq(order()->status, 201);
    const struct wire_reply *reply = claim(0);
    cr_expect_eq(reply->status, 201);
    cr_expect_str_eq(wire_header(reply, "RateLimit-Policy"), "", "claims are off");
}

static int login(const char *email)
{
    char body[128];
    snprintf(body, sizeof(body), "{\"email\":\"%s\",\"password\":\"x\"}", email);
    return wire_call(stage_port(stages[0]), "POST", "/api/v1/auth/login",
                     "Content-Type: application/json\r\nIdempotency-Key: k\r\n", body)
        ->status;
}

// A login knows no key, so the one that comes along makes no repetition of it.
Test(limits, logins_are_counted_by_e_mail_however_it_is_spelled)
{
    settings.logins = (struct setting_rate){2, 60000};
    open_gateway(0);
    cr_expect_eq(login("a@example.com"), 401);
    cr_expect_eq(login(" A@EXAMPLE.com"), 401);
    cr_expect_eq(login("a@example.com"), 429);
    cr_expect_eq(login("b@example.com"), 401);
}

static int64_t fallbacks(void)
{
    return metric_value(metrics_counter("baro_limit_fallback_total", "", NULL));
}

Test(limits, without_redis_requests_pass_under_a_limit_of_the_gateway_itself)
{
    settings.claims = (struct setting_rate){2, 60000};
    settings.failures = (struct setting_rate){5, 600000};
    open_gateway(0);
    cr_assert_eq(claim(0)->status, 201);
    redis_server_kill(&redis);
    cr_expect_eq(claim(0)->status, 201);
    cr_expect_eq(claim(0)->status, 201, "what Redis had counted is not known here");
    const struct wire_reply *reply = claim(0);
    cr_expect_eq(reply->status, 429);
    cr_expect_str_eq(wire_header(reply, "RateLimit"), "\"claims\";r=0;t=60");
    cr_expect_eq(fallbacks(), 3);
    cr_expect_eq(order()->status, 201, "blocks are not known either");

    redis_server_start(&redis, "");
    await_redis();
    int64_t before = fallbacks();
    cr_expect_eq(claim(0)->status, 201, "Redis came back empty");
    cr_expect_eq(fallbacks(), before, "and counts again");
}

Test(limits, a_redis_that_is_silent_holds_nobody_up)
{
    settings.orders = (struct setting_rate){100, 1000};
    open_gateway(0);
    cr_assert_eq(order()->status, 201);
    kill(redis.pid, SIGSTOP);
    int64_t slowest_us = 0;
    for (int i = 0; i < 5; i++) {
        int64_t start_us = clock_monotonic_us();
        cr_expect_eq(order()->status, 201);
        int64_t took_us = clock_monotonic_us() - start_us;
        slowest_us = took_us > slowest_us ? took_us : slowest_us;
    }
    kill(redis.pid, SIGCONT);
    cr_expect_lt(slowest_us, 300 * US_PER_MS);
    cr_expect_eq(fallbacks(), 5);
}

Test(limits, a_gateway_stops_while_redis_is_asked)
{
    settings.orders = (struct setting_rate){100, 1000};
    open_gateway(0);
    kill(redis.pid, SIGSTOP);
    int fd = wire_open(stage_port(stages[0]));
    wire_say(fd, text_printf(stage_arena(stages[0]),
                             "POST /api/v1/orders HTTP/1.1\r\nHost: a\r\n%sContent-Length: %zu"
                             "\r\n\r\n%s",
                             head_of(0, ""), strlen(order_body), order_body));
    stage_stop_gateway(stages[0]);
    kill(redis.pid, SIGCONT);
    const struct wire_reply *reply = wire_read(fd);
    cr_expect(reply->status == 201 || reply->status == 503 || reply->status == 0, "%d",
              reply->status);
    close(fd);
}

// Blocks

static void given_blocks_after_five(void)
{
    settings.failures = (struct setting_rate){5, 600000};
    open_gateway(0);
}

static void refuse_all(enum reason order_reason, enum reason pay_reason)
{
    stage_refuse(stages[0], "PlaceOrder", refuse(order_reason, NULL));
    stage_refuse(stages[0], "PayOrder", refuse(pay_reason, NULL));
}

Test(blocks, five_refusals_in_a_row_block_orders_and_payments_everywhere)
{
    given_blocks_after_five();
    open_gateway(1);
    refuse_all(REASON_INSUFFICIENT_STOCK, REASON_INSUFFICIENT_BALANCE);
    for (int i = 0; i < 5; i++)
        cr_expect_eq(i % 2 ? order()->status : pay()->status, i % 2 ? 409 : 402);
    for (int i = 0; i < GATEWAYS; i++) {
        const struct wire_reply *reply = post(i, "/checkout", "", order_body);
        cr_assert_eq(reply->status, 429, "%s", reply->body);
        cr_expect_str_eq(wire_code(reply), "TEMPORARILY_BLOCKED");
        cr_expect_str_eq(wire_header(reply, "Retry-After"), "600");
        cr_expect_str_eq(wire_header(reply, "RateLimit-Policy"), "\"failures\";q=5;w=600");
        cr_expect_str_eq(wire_header(reply, "RateLimit"), "\"failures\";r=0;t=600");
    }
    cr_expect_str_eq(wire_code(order()), "TEMPORARILY_BLOCKED");
    cr_expect_str_eq(wire_code(pay()), "TEMPORARILY_BLOCKED");
    cr_expect_eq(claim(0)->status, 201, "coupons may still be claimed");
    cr_expect_eq(metric_value(metrics_counter("baro_limit_blocks_total", "", NULL)), 1);
}

Test(blocks, a_block_ends)
{
    settings.failures = (struct setting_rate){2, 300};
    open_gateway(0);
    refuse_all(REASON_INSUFFICIENT_STOCK, REASON_INSUFFICIENT_BALANCE);
    pay();
    pay();
    int64_t start_us = clock_monotonic_us();
    cr_assert_eq(pay()->status, 429);
    while (pay()->status == 429)
        cr_assert(clock_monotonic_us() - start_us < 5 * US_PER_S);
    cr_expect_eq(pay()->status, 402, "the count began anew");
}

Test(blocks, a_payment_that_succeeds_ends_the_row)
{
    given_blocks_after_five();
    for (int round = 0; round < 3; round++) {
        refuse_all(REASON_INSUFFICIENT_STOCK, REASON_INSUFFICIENT_BALANCE);
        for (int i = 0; i < 4; i++)
            cr_expect_eq(i % 2 ? order()->status : pay()->status, i % 2 ? 409 : 402);
        script_successes(stages[0]);
        cr_expect_eq(pay()->status, 200);
    }
}

Test(blocks, an_order_that_is_placed_ends_the_row_of_failed_orders_only)
{
    given_blocks_after_five();
    for (int i = 0; i < 5; i++) {
        refuse_all(REASON_INSUFFICIENT_STOCK, REASON_INSUFFICIENT_BALANCE);
        cr_expect_eq(order()->status, 409);
        script_successes(stages[0]);
        cr_expect_eq(order()->status, 201);
    }
    for (int i = 0; i < 5; i++) {
        cr_expect_eq(order()->status, 201);
        refuse_all(REASON_INSUFFICIENT_STOCK, REASON_INSUFFICIENT_BALANCE);
        cr_expect_eq(pay()->status, 402);
        script_successes(stages[0]);
    }
    cr_expect_str_eq(wire_code(pay()), "TEMPORARILY_BLOCKED");
}

Test(blocks, faults_bad_input_and_repetitions_do_not_count)
{
    given_blocks_after_five();
    refuse_all(REASON_OUTCOME_UNKNOWN, REASON_SYSTEM_FAILURE);
    for (int i = 0; i < 6; i++) {
        cr_expect_eq(order()->status, 503);
        cr_expect_eq(pay()->status, 503);
        cr_expect_eq(post(0, "/orders", "", "{}x")->status, 400);
    }
    refuse_all(REASON_INSUFFICIENT_STOCK, REASON_INSUFFICIENT_BALANCE);
    for (int i = 0; i < 6; i++)
        cr_expect_eq(post(0, "/orders/5/payment", "the-same", "{}")->status, 402);
    for (int i = 0; i < 4; i++)
        cr_expect_eq(pay()->status, 402);
    cr_expect_eq(pay()->status, 429, "five different ones have failed");
}

Test(blocks, an_order_that_is_not_decided_yet_is_neither_success_nor_failure)
{
    given_blocks_after_five();
    refuse_all(REASON_INSUFFICIENT_STOCK, REASON_INSUFFICIENT_BALANCE);
    for (int i = 0; i < 4; i++)
        pay();
    Baro__Order__OrderView *undecided = (Baro__Order__OrderView *)message_create(
        &baro__order__order_view__descriptor, stage_arena(stages[0]));
    undecided->status = BARO__ORDER__ORDER_STATUS__ORDER_STATUS_PAYING;
    stage_reply(stages[0], "PayOrder", &undecided->base);
    cr_expect_eq(pay()->status, 202);
    refuse_all(REASON_INSUFFICIENT_STOCK, REASON_INSUFFICIENT_BALANCE);
    cr_expect_eq(pay()->status, 402);
    cr_expect_eq(pay()->status, 429);
}
