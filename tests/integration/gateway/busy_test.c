// A service that has all the calls that it can answer in time.

#include "gateway/transcode.h"
#include "proto/order.pb-c.h"
#include "proto/user.pb-c.h"
#include "tests/integration/gateway/fakes.h"
#include "tests/support/wire.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#define ORDERS "/api/v1/orders"
#define LINES "{\"items\":[{\"option_id\":1,\"quantity\":1}]}"
#define PAYMENT ORDERS "/5/payment"

static struct stage *stage;
static int port;

// Eight calls at a time to each service, two of them for what begins.
static void make_little_room(struct gateway_settings *settings)
{
    settings->rpc_in_flight = 8;
}

static void script_paid(const char *rpc)
{
    Baro__Order__OrderView *order = (Baro__Order__OrderView *)message_create(
        &baro__order__order_view__descriptor, stage_arena(stage));
    order->status = BARO__ORDER__ORDER_STATUS__ORDER_STATUS_PAID;
    stage_reply(stage, rpc, &order->base);
}

static void set_up(void)
{
    stage = stage_open(make_little_room);
    port = stage_port(stage);
    script_paid("PlaceOrder");
    script_paid("PayOrder");
    stage_reply(stage, "GetProfile",
                message_create(&baro__user__profile__descriptor, stage_arena(stage)));
}

static void tear_down(void)
{
    stage_close(stage);
}

TestSuite(busy, .init = set_up, .fini = tear_down);

static const char *head_of(const char *key)
{
    return text_printf(stage_arena(stage),
                       "Authorization: Bearer %s\r\nContent-Type: application/json\r\n"
                       "Idempotency-Key: %s\r\n",
                       stage_token(stage, "USER"), key);
}

// Sends an order and leaves before its answer.
static int begin_order(const char *key)
{
    int fd = wire_open(port);
    const char *request = text_printf(stage_arena(stage),
                                      "POST " ORDERS " HTTP/1.1\r\nHost: a\r\n%s"
                                      "Content-Length: %zu\r\n\r\n" LINES,
                                      head_of(key), strlen(LINES));
    wire_send(fd, request, strlen(request));
    return fd;
}

Test(busy, services_get_no_more_orders_while_others_go_on)
{
    const char *keys[] = {head_of("3"), head_of("4"), head_of("5")};
    stage_hold(stage, "PlaceOrder");
    int fds[] = {begin_order("1"), begin_order("2")};
    cr_assert(stage_await_held(stage, 2));

    const struct wire_reply *reply = wire_call(port, "POST", ORDERS, keys[0], LINES);
    cr_expect_eq(reply->status, 503);
    cr_expect_str_eq(wire_code(reply), "OVERLOADED");
    cr_expect_str_eq(wire_header(reply, "Retry-After"), "1");
    cr_expect_str_eq(wire_header(reply, "Content-Type"), "application/problem+json");
    cr_expect_eq(stage_asked(stage).count, 2, "nobody was asked");
    cr_expect_eq(wire_call(port, "POST", ORDERS, "", NULL)->status, 503,
                 "before anything else is looked at");
    cr_expect_eq(wire_call(port, "POST", PAYMENT, keys[1], "{}")->status, 200);
    cr_expect_eq(wire_call(port, "GET", "/api/v1/me", keys[1], NULL)->status, 200,
                 "another service has room of its own");

    stage_release(stage);
    for (size_t i = 0; i < 2; i++) {
        cr_expect_eq(wire_read(fds[i])->status, 201);
        close(fds[i]);
    }
    cr_expect_eq(wire_call(port, "POST", ORDERS, keys[2], LINES)->status, 201);
}
