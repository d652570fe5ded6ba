// The running gateway: what clients see, and what services are asked.

#include "gateway/transcode.h"
#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "proto/coupon.pb-c.h"
#include "proto/order.pb-c.h"
#include "proto/product.pb-c.h"
#include "tests/integration/gateway/fakes.h"
#include "tests/support/stand.h"
#include "tests/support/wire.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define JSON "Content-Type: application/json\r\n"

static struct stage *stage;
static int port;

static void set_up(void)
{
    stage = stage_open(NULL);
    port = stage_port(stage);
}

static void tear_down(void)
{
    stage_close(stage);
}

TestSuite(http, .init = set_up, .fini = tear_down);

// Header lines of a signed-in caller, with more lines behind.
static const char *as(const char *role, const char *more)
{
    return text_printf(stage_arena(stage), "Authorization: Bearer %s\r\n%s",
                       stage_token(stage, role), more);
}

static Baro__Order__OrderView *an_order(int64_t id, Baro__Order__OrderStatus status)
{
    ProtobufCMessage *message =
        message_create(&baro__order__order_view__descriptor, stage_arena(stage));
    Baro__Order__OrderView *order = (Baro__Order__OrderView *)message;
    order->id = id;
    order->status = status;
    return order;
}

static const ProtobufCMessage *empty(const ProtobufCMessageDescriptor *type)
{
    return message_create(type, stage_arena(stage));
}

Test(http, a_read_goes_through_with_its_parameters)
{
    stage_reply(stage, "ListProducts", empty(&baro__product__product_page__descriptor));
    const struct wire_reply *reply =
        wire_call(port, "GET", "/api/v1/products?search=a%26b&page_size=5", "", NULL);
    cr_assert_eq(reply->status, 200, "%s", reply->body);
    cr_assert_str_eq(reply->body, "{\"items\":[],\"next_page_token\":\"\"}");
    cr_assert_str_eq(wire_header(reply, "Content-Type"), "application/json");
    cr_assert_str_eq(wire_header(reply, "X-Content-Type-Options"), "nosniff");
    struct asked asked = stage_asked(stage);
    const Baro__Product__ListProductsRequest *list =
        (const Baro__Product__ListProductsRequest *)asked.request;
    cr_assert_str_eq(asked.method, "ListProducts");
    cr_assert_str_eq(list->search, "a&b");
    cr_assert_eq(list->page_size, 5);
    cr_assert_eq(asked.caller.user_id, 0);
}

Test(http, an_order_is_placed_with_key_caller_and_trace)
{
    stage_reply(stage, "PlaceOrder",
                &an_order(77, BARO__ORDER__ORDER_STATUS__ORDER_STATUS_PENDING)->base);
    const struct wire_reply *reply = wire_call(
        port, "POST", "/api/v1/orders",
        as("USER", JSON "Idempotency-Key: key-1\r\n"
                        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"
                        "X-Request-Id: request-9\r\n"),
        "{\"items\":[{\"option_id\":3,\"quantity\":2}]}");
    cr_assert_eq(reply->status, 201, "%s", reply->body);
    cr_assert_str_eq(wire_header(reply, "Location"), "/api/v1/orders/77");
    cr_assert_str_eq(wire_header(reply, "X-Request-Id"), "request-9");
    cr_assert_str_eq(wire_header(reply, "Cache-Control"), "no-store");
    cr_assert(strncmp(wire_header(reply, "traceparent"), "00-0af7651916cd43dd8448eb211c80319c-",
                      36) == 0);
    struct asked asked = stage_asked(stage);
    const Baro__Order__PlaceOrderRequest *order =
        (const Baro__Order__PlaceOrderRequest *)asked.request;
    cr_assert_eq(asked.caller.user_id, 7);
    cr_assert_eq(asked.caller.role, CALLER_USER);
    cr_assert_str_eq(asked.key, "key-1");
    cr_assert_str_eq(asked.traceparent, wire_header(reply, "traceparent"));
    cr_assert_eq(order->n_items, 1);
    cr_assert_eq(order->items[0]->option_id, 3);
    cr_assert_eq(order->items[0]->quantity, 2);
}

Test(http, a_payment_answers_with_what_it_has)
{
    static const struct {
        Baro__Order__OrderStatus order;
        int status;
        const char *location;
    } rows[] = {
        {BARO__ORDER__ORDER_STATUS__ORDER_STATUS_PAID,   200, ""                 },
        {BARO__ORDER__ORDER_STATUS__ORDER_STATUS_PAYING, 202, "/api/v1/orders/78"},
        {BARO__ORDER__ORDER_STATUS__ORDER_STATUS_HELD,   202, "/api/v1/orders/78"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        stage_reply(stage, "PayOrder", &an_order(78, rows[i].order)->base);
        const struct wire_reply *reply = wire_call(port, "POST", "/api/v1/orders/78/payment",
                                                   as("USER", "Idempotency-Key: k\r\n"), NULL);
        cr_assert_eq(reply->status, rows[i].status, "%s", reply->body);
        cr_assert_str_eq(wire_header(reply, "Location"), rows[i].location);
    }
}

Test(http, prefer_decides_how_long_a_payment_may_take)
{
    stage_reply(stage, "PayOrder",
                &an_order(78, BARO__ORDER__ORDER_STATUS__ORDER_STATUS_PAID)->base);
    static const struct {
        const char *prefer;
        int32_t wait_ms;
        int status;
        const char *applied;
    } rows[] = {
        {"",                                            2000,  200, ""             },
        {"Prefer: wait=5\r\n",                          5000,  200, "wait=5"       },
        {"Prefer: wait=100\r\n",                        25000, 200, "wait=25"      },
        {"Prefer: respond-async, wait=7\r\n",           7000,  200, "wait=7"       },
        {"Prefer: respond-async\r\nPrefer: wait=7\r\n", 7000,  200, "wait=7"       },
        {"Prefer: respond-async\r\n",                   0,     202, "respond-async"},
        {"Prefer: wait=0\r\n",                          0,     202, "wait=0"       },
        {"Prefer: soon\r\n",                            2000,  200, ""             },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct wire_reply *reply =
            wire_call(port, "POST", "/api/v1/orders/78/payment",
                      as("USER", text_printf(stage_arena(stage), JSON "Idempotency-Key: k\r\n%s",
                                             rows[i].prefer)),
                      "{\"user_coupon_id\":4}");
        cr_assert_eq(reply->status, rows[i].status);
        cr_assert_str_eq(wire_header(reply, "Preference-Applied"), rows[i].applied);
        cr_assert_str_eq(wire_header(reply, "Location"),
                         rows[i].status == 202 ? "/api/v1/orders/78" : "");
        const Baro__Order__PayOrderRequest *pay =
            (const Baro__Order__PayOrderRequest *)stage_asked(stage).request;
        cr_assert_eq(pay->wait_ms, rows[i].wait_ms);
        cr_assert_eq(pay->order_id, 78);
        cr_assert_eq(pay->user_coupon_id->value, 4);
    }
}

Test(http, a_refusal_of_a_service_becomes_a_problem)
{
    stage_refuse(stage, "PayOrder", refuse(REASON_INSUFFICIENT_BALANCE, "1,000 won are missing"));
    const struct wire_reply *reply = wire_call(port, "POST", "/api/v1/orders/78/payment",
                                               as("USER", "Idempotency-Key: k\r\n"), NULL);
    cr_assert_eq(reply->status, 402);
    cr_assert_str_eq(wire_header(reply, "Content-Type"), "application/problem+json");
    cr_assert_str_eq(wire_code(reply), "INSUFFICIENT_BALANCE");
    cr_assert(strstr(reply->body, "1,000 won are missing"));

    stage_refuse(stage, "Charge", invalid("amount", "must be a multiple of 10"));
    reply = wire_call(port, "POST", "/api/v1/me/balance/charges",
                      as("USER", JSON "Idempotency-Key: k\r\n"), "{\"amount\":1001}");
    cr_assert_eq(reply->status, 400);
    cr_assert_str_eq(wire_field(reply), "amount");

    stage_refuse(stage, "GetProduct", refuse(REASON_INTERNAL, "syntax error at or near SELECT"));
    reply = wire_call(port, "GET", "/api/v1/products/1", "", NULL);
    cr_assert_eq(reply->status, 500);
    cr_assert_null(strstr(reply->body, "SELECT"));
}

Test(http, a_refusal_is_worded_in_the_language_of_its_reader)
{
    const struct wire_reply *reply =
        wire_call(port, "GET", "/api/v1/products?page_sise=5",
                  "Accept-Language: ko-KR,ko;q=0.9,en;q=0.8\r\n", NULL);
    cr_expect_str_eq(wire_code(reply), "VALIDATION_ERROR");
    cr_expect(strstr(reply->body, "page_sise: 이 요청의 매개변수가 아닙니다"), "%s", reply->body);
    cr_expect_str_eq(wire_header(reply, "Content-Language"), "ko");
    cr_expect_str_eq(wire_header(reply, "Vary"), "Accept-Language");

    reply = wire_call(port, "GET", "/api/v1/products?page_sise=5", "Accept-Language: fr\r\n", NULL);
    cr_expect(strstr(reply->body, "page_sise: is not a parameter"), "%s", reply->body);
    cr_expect_str_eq(wire_header(reply, "Content-Language"), "en");
}

Test(http, every_problem_can_be_looked_up)
{
    const struct wire_reply *reply =
        wire_call(port, "GET", "/api/v1/problems", "Accept-Language: ko\r\n", NULL);
    cr_expect_eq(reply->status, 200);
    cr_expect_str_eq(wire_header(reply, "Content-Language"), "ko");
    cr_expect_eq(json_array_size(json_object_get(reply->json, "items")), REASON_COUNT - 1);
    cr_expect(strstr(reply->body, "\"code\":\"INSUFFICIENT_STOCK\",\"title\":\"재고가 부족합니다\","
                                  "\"status\":409,\"retryable\":false"));
}

Test(http, faults_are_not_offered_unless_a_setting_says_so)
{
    const struct wire_reply *reply =
        wire_call(port, "GET", "/api/v1/admin/faults", as("ADMIN", ""), NULL);
    cr_expect_eq(reply->status, 200);
    cr_expect_str_eq(reply->body, "{\"kinds\":[],\"services\":[]}");
    reply = wire_call(port, "POST", "/api/v1/admin/faults", as("ADMIN", JSON),
                      "{\"kind\":\"KILL\",\"service\":\"order\"}");
    cr_expect_eq(reply->status, 404, "%s", reply->body);
    cr_expect_eq(wire_call(port, "POST", "/api/v1/admin/faults", as("USER", JSON), "{}")->status,
                 403);
}

Test(http, who_may_call_is_decided_here)
{
    static const struct {
        const char *method, *target, *role;
        int status;
    } rows[] = {
        {"GET",    "/api/v1/me",                  NULL,    401},
        {"GET",    "/api/v1/me",                  "USER",  501},
        {"GET",    "/api/v1/me",                  "ADMIN", 501},
        {"GET",    "/api/v1/admin/sagas",         NULL,    401},
        {"GET",    "/api/v1/admin/sagas",         "USER",  403},
        {"GET",    "/api/v1/admin/sagas",         "ADMIN", 501},
        {"DELETE", "/api/v1/admin/products/1",    "USER",  403},
        {"POST",   "/api/v1/admin/sagas/1/retry", "USER",  403},
        {"GET",    "/api/v1/coupons/1",           NULL,    501},
        {"GET",    "/api/v1/coupons/1",           "USER",  501},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *headers = rows[i].role ? as(rows[i].role, "") : "";
        const struct wire_reply *reply =
            wire_call(port, rows[i].method, rows[i].target, headers, NULL);
        cr_expect_eq(reply->status, rows[i].status, "%s %s: %s", rows[i].method, rows[i].target,
                     reply->body);
        if (rows[i].status == 401)
            cr_expect_str_eq(wire_header(reply, "WWW-Authenticate"), "Bearer realm=\"baro\"");
    }
}

Test(http, a_visitor_may_come_without_a_token_but_not_with_a_bad_one)
{
    stage_reply(stage, "GetCampaign", empty(&baro__coupon__campaign__descriptor));
    const struct wire_reply *reply =
        wire_call(port, "GET", "/api/v1/coupons/1", "Authorization: Bearer x.y.z\r\n", NULL);
    cr_assert_eq(reply->status, 401);
    wire_call(port, "GET", "/api/v1/coupons/1", as("USER", ""), NULL);
    cr_assert_eq(stage_asked(stage).caller.user_id, 7);
    wire_call(port, "GET", "/api/v1/coupons/1", "", NULL);
    cr_assert_eq(stage_asked(stage).caller.user_id, 0);
    reply = wire_call(port, "GET", "/api/v1/products/1", "Authorization: Bearer x.y.z\r\n", NULL);
    cr_assert_eq(reply->status, 501, "public paths do not look at tokens");
}

Test(http, what_costs_needs_a_key)
{
    static const char *const targets[] = {"/api/v1/me/balance/charges", "/api/v1/orders",
                                          "/api/v1/orders/1/payment", "/api/v1/checkout"};
    for (size_t i = 0; i < COUNT(targets); i++) {
        const struct wire_reply *reply =
            wire_call(port, "POST", targets[i], as("USER", JSON), "{}");
        cr_expect_eq(reply->status, 400, "%s", targets[i]);
        cr_expect_str_eq(wire_code(reply), "VALIDATION_ERROR");
        cr_expect_str_eq(wire_field(reply), "Idempotency-Key");
    }
    const struct wire_reply *reply = wire_call(port, "POST", "/api/v1/orders",
                                               as("USER", JSON "Idempotency-Key: a b\r\n"), "{}");
    cr_assert_str_eq(wire_field(reply), "Idempotency-Key");
    cr_assert_eq(stage_asked(stage).count, 0);
}

Test(http, bad_input_is_named_and_reaches_no_service)
{
    static const struct {
        const char *method, *target, *body;
        int status;
        const char *code, *field;
    } rows[] = {
        {"POST", "/api/v1/auth/login",                   "{\"email\":1}",                     400, "VALIDATION_ERROR",   "email"     },
        {"POST", "/api/v1/auth/login",                   "{\"e\":1}",                         400, "VALIDATION_ERROR",   "e"         },
        {"POST", "/api/v1/auth/login",                   "{\"email\":\"a\",\"email\":\"a\"}", 400, "VALIDATION_ERROR",
         "email"                                                                                                                     },
        {"POST", "/api/v1/auth/login",                   "",                                  400, "VALIDATION_ERROR",   "body"      },
        {"POST", "/api/v1/auth/login?email=a",           "{}",                                400, "VALIDATION_ERROR",   "email"     },
        {"GET",  "/api/v1/products?page_size=x",         NULL,                                400, "VALIDATION_ERROR",   "page_size" },
        {"GET",  "/api/v1/products?debug=1",             NULL,                                400, "VALIDATION_ERROR",   "debug"     },
        {"GET",  "/api/v1/products/x",                   NULL,                                400, "VALIDATION_ERROR",   "product_id"},
        {"GET",  "/api/v1/products/9223372036854775808", NULL,                                400, "VALIDATION_ERROR",
         "product_id"                                                                                                                },
        {"GET",  "/api/v1/products/1?product_id=2",      NULL,                                400, "VALIDATION_ERROR",   "product_id"},
        {"GET",  "/api/v1/products/1%00",                NULL,                                400, "VALIDATION_ERROR",   "product_id"},
        {"GET",  "/api/v1/products",                     "{}",                                400, "VALIDATION_ERROR",   "body"      },
        {"GET",  "/api/v1/nothing",                      NULL,                                404, "ROUTE_NOT_FOUND",    ""          },
        {"PUT",  "/api/v1/products",                     NULL,                                405, "METHOD_NOT_ALLOWED", ""          },
        {"BREW", "/api/v1/products",                     NULL,                                405, "METHOD_NOT_ALLOWED", ""          },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct wire_reply *reply =
            wire_call(port, rows[i].method, rows[i].target, JSON, rows[i].body);
        cr_expect_eq(reply->status, rows[i].status, "%s %s: %d %s", rows[i].method, rows[i].target,
                     reply->status, reply->body);
        cr_expect_str_eq(wire_code(reply), rows[i].code, "%s", rows[i].target);
        cr_expect_str_eq(wire_field(reply), rows[i].field, "%s", rows[i].target);
    }
    cr_assert_eq(stage_asked(stage).count, 0);
}

Test(http, only_json_is_read)
{
    static const char *const types[] = {"", "Content-Type: text/plain\r\n",
                                        "Content-Type: application/x-www-form-urlencoded\r\n",
                                        "Content-Type: application/json; charset=euc-kr\r\n"};
    for (size_t i = 0; i < COUNT(types); i++) {
        const struct wire_reply *reply =
            wire_call(port, "POST", "/api/v1/auth/login", types[i], "{}");
        cr_expect_eq(reply->status, 415, "%s", types[i]);
        cr_expect_str_eq(wire_code(reply), "UNSUPPORTED_MEDIA_TYPE");
    }
}

Test(http, another_method_is_told_what_is_allowed)
{
    const struct wire_reply *reply = wire_call(port, "DELETE", "/api/v1/products/1", "", NULL);
    cr_assert_eq(reply->status, 405);
    cr_assert_str_eq(wire_header(reply, "Allow"), "GET, HEAD, OPTIONS");
    reply = wire_call(port, "OPTIONS", "/api/v1/me", "", NULL);
    cr_assert_eq(reply->status, 204);
    cr_assert_str_eq(wire_header(reply, "Allow"), "GET, PATCH, HEAD, OPTIONS");
}

Test(http, a_body_may_have_64_kib_and_no_more)
{
    stage_refuse(stage, "Login", refuse(REASON_UNAUTHENTICATED, NULL));
    for (int over = 0; over <= 1; over++) {
        size_t size = 64 * 1024 + (size_t)over;
        char *body = arena_alloc(stage_arena(stage), size + 1);
        memset(body, ' ', size);
        body[0] = '{';
        body[size - 1] = '}';
        const struct wire_reply *reply = wire_call(port, "POST", "/api/v1/auth/login", JSON, body);
        cr_assert_eq(reply->status, over ? 400 : 401, "%d", reply->status);
        cr_assert_str_eq(wire_field(reply), over ? "body" : "");
    }
}

Test(http, a_chunked_body_may_have_64_kib_and_no_more)
{
    stage_refuse(stage, "Login", refuse(REASON_UNAUTHENTICATED, NULL));
    for (int over = 0; over <= 1; over++) {
        int fd = wire_open(port);
        wire_say(fd, "POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\n" JSON
                     "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n");
        char spaces[1024];
        memset(spaces, ' ', sizeof(spaces));
        for (int i = 0; i < (over ? 65 : 63); i++) {
            wire_say(fd, "400\r\n");
            wire_send(fd, spaces, sizeof(spaces));
            wire_say(fd, "\r\n");
        }
        wire_say(fd, "0\r\n\r\n");
        const struct wire_reply *reply = wire_read(fd);
        cr_assert_eq(reply->status, over ? 400 : 401, "%d", reply->status);
        cr_assert_str_eq(wire_field(reply), over ? "body" : "");
        close(fd);
    }
}

Test(http, a_connection_serves_many_requests_also_after_refusals)
{
    stage_reply(stage, "ListProducts", empty(&baro__product__product_page__descriptor));
    int fd = wire_open(port);
    for (int i = 0; i < 5; i++) {
        wire_say(fd, "GET /api/v1/products HTTP/1.1\r\nHost: a\r\n\r\n");
        cr_assert_eq(wire_read(fd)->status, 200);
        wire_say(fd, "POST /api/v1/nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
        cr_assert_eq(wire_read(fd)->status, 404);
        wire_say(fd, "POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\n" JSON
                     "Content-Length: 3\r\n\r\n{x}");
        cr_assert_eq(wire_read(fd)->status, 400);
    }
    close(fd);
}

Test(http, pipelined_requests_are_answered_in_order)
{
    stage_reply(stage, "ListProducts", empty(&baro__product__product_page__descriptor));
    stage_refuse(stage, "GetProduct", refuse(REASON_PRODUCT_NOT_FOUND, NULL));
    int fd = wire_open(port);
    wire_say(fd, "GET /api/v1/products HTTP/1.1\r\nHost: a\r\n\r\n"
                 "GET /api/v1/products/1 HTTP/1.1\r\nHost: a\r\n\r\n"
                 "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    cr_assert_eq(wire_read(fd)->status, 200);
    cr_assert_eq(wire_read(fd)->status, 404);
    cr_assert_str_eq(wire_read(fd)->body, "{\"status\":\"alive\"}");
    close(fd);
}

Test(http, head_is_a_get_without_a_body)
{
    int fd = wire_open(port);
    wire_say(fd, "HEAD /livez HTTP/1.1\r\nHost: a\r\n\r\nGET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    char answers[4096] = "";
    size_t length = 0;
    while (!strstr(answers, "{\"status\"") && length < sizeof(answers) - 1) {
        ssize_t got = read(fd, answers + length, sizeof(answers) - 1 - length);
        cr_assert(got > 0);
        length += (size_t)got;
        answers[length] = '\0';
    }
    const char *second = strstr(answers + 1, "HTTP/1.1 200");
    cr_assert_not_null(second);
    cr_assert(strncmp(second - 4, "\r\n\r\n", 4) == 0);
    close(fd);
}

Test(http, a_message_without_content_has_no_body)
{
    stage_reply(stage, "RemoveCartItem", empty(&baro__empty__descriptor));
    const struct wire_reply *reply =
        wire_call(port, "DELETE", "/api/v1/me/cart/5", as("USER", ""), NULL);
    cr_assert_eq(reply->status, 204);
    cr_assert_str_eq(reply->body, "");
    cr_assert_str_eq(wire_header(reply, "Content-Type"), "");
}

Test(http, a_client_that_goes_away_harms_nobody)
{
    stage_reply(stage, "ListProducts", empty(&baro__product__product_page__descriptor));
    stage_hold(stage, "ListProducts");
    for (int i = 0; i < 8; i++) {
        int fd = wire_open(port);
        wire_say(fd, "GET /api/v1/products HTTP/1.1\r\nHost: a\r\n\r\n");
        cr_assert(stage_await_held(stage, i + 1));
        if (i % 2) { // an abrupt end: RST
            struct linger now = {.l_onoff = 1};
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        }
        close(fd);
    }
    stage_release(stage);
    for (int i = 0; i < 8; i++)
        cr_assert_eq(wire_call(port, "GET", "/api/v1/products", "", NULL)->status, 200);
}

// More connections become ready at once than libmicrohttpd takes from epoll in one go: see http.c.
Test(http, hundreds_of_connections_are_answered_round_after_round, .timeout = 60)
{
    enum { CONNECTIONS = 256, ROUNDS = 100 };
    int fds[CONNECTIONS];
    stage_reply(stage, "ListCampaigns", empty(&baro__coupon__campaign_page__descriptor));
    for (int i = 0; i < CONNECTIONS; i++)
        fds[i] = wire_open(port);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < CONNECTIONS; i++)
            wire_say(fds[i], "GET /api/v1/coupons HTTP/1.1\r\nHost: a\r\n\r\n");
        for (int i = 0; i < CONNECTIONS; i++)
            cr_assert_eq(wire_read(fds[i])->status, 200, "round %d, connection %d", round, i);
    }
    for (int i = 0; i < CONNECTIONS; i++)
        close(fds[i]);
}

Test(http, a_client_that_leaves_in_the_middle_of_a_body_harms_nobody)
{
    for (int i = 0; i < 8; i++) {
        int fd = wire_open(port);
        wire_say(fd, "POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\n" JSON
                     "Content-Length: 100\r\n\r\n{\"em");
        close(fd);
    }
    cr_assert_eq(wire_call(port, "GET", "/livez", "", NULL)->status, 200);
    cr_assert_eq(stage_asked(stage).count, 0);
}

Test(http, services_that_are_gone_are_503_and_readyz_says_so)
{
    stage_kill_services(stage);
    const struct wire_reply *reply = wire_call(port, "GET", "/api/v1/products", "", NULL);
    cr_assert_eq(reply->status, 503, "%s", reply->body);
    cr_assert_str_neq(wire_header(reply, "Retry-After"), "");
    cr_assert(json_is_true(json_object_get(reply->json, "retryable")));
    cr_assert_eq(wire_call(port, "GET", "/livez", "", NULL)->status, 200);
    int64_t until_us = clock_monotonic_us() + 10 * US_PER_S;
    while (wire_call(port, "GET", "/readyz", "", NULL)->status != 503)
        cr_assert(clock_monotonic_us() < until_us);
}

// One service less is no reason to send customers away who want something else.
Test(http, one_service_that_is_gone_leaves_the_others_in_service)
{
    stage_reply(stage, "ListProducts", empty(&baro__product__product_page__descriptor));
    cr_assert(strstr(wire_call(port, "GET", "/readyz", "", NULL)->body, "\"status\":\"ready\""));
    stage_kill_coupon(stage);
    int64_t until_us = clock_monotonic_us() + 10 * US_PER_S;
    const struct wire_reply *reply;
    do {
        cr_assert(clock_monotonic_us() < until_us);
        reply = wire_call(port, "GET", "/readyz", "", NULL);
        cr_assert_eq(reply->status, 200);
    } while (!strstr(reply->body, "\"status\":\"degraded\""));
    cr_assert(strstr(reply->body, "\"coupon\":false"));
    cr_assert_eq(wire_call(port, "GET", "/api/v1/products", "", NULL)->status, 200);
    cr_assert_eq(wire_call(port, "GET", "/api/v1/coupons", "", NULL)->status, 503);
}

Test(http, operations_have_their_pages)
{
    cr_assert_eq(wire_call(port, "GET", "/readyz", "", NULL)->status, 200);
    cr_assert(strstr(wire_call(port, "GET", "/version", "", NULL)->body, "\"version\":"));
    const struct wire_reply *keys = wire_call(port, "GET", "/.well-known/jwks.json", "", NULL);
    cr_assert_str_eq(wire_header(keys, "Content-Type"), "application/jwk-set+json");
    cr_assert(strstr(keys->body, "\"kid\":\"0123456789abcdef\""));
    wire_call(port, "GET", "/api/v1/nothing", "", NULL);
    const struct wire_reply *metrics = wire_call(port, "GET", "/metrics", "", NULL);
    cr_assert(
        strstr(metrics->body, "baro_http_requests_total{route=\"GET /version\",code=\"200\"} 1\n"));
    cr_assert(strstr(metrics->body, "baro_http_requests_total{route=\"none\",code=\"404\"} 1\n"));
    cr_assert(strstr(metrics->body, "baro_http_request_seconds_count{route=\"GET /readyz\"}"));
}

static void allow_origin(struct gateway_settings *settings)
{
    settings->cors_origins = "https://shop.example, https://admin.example";
}

Test(cors, only_listed_origins_are_let_in)
{
    stage = stage_open(allow_origin);
    port = stage_port(stage);
    const struct wire_reply *reply =
        wire_call(port, "OPTIONS", "/api/v1/orders",
                  "Origin: https://shop.example\r\nAccess-Control-Request-Method: POST\r\n", NULL);
    cr_assert_eq(reply->status, 204);
    cr_assert_str_eq(wire_header(reply, "Access-Control-Allow-Origin"), "https://shop.example");
    cr_assert(strstr(wire_header(reply, "Access-Control-Allow-Headers"), "Idempotency-Key"));
    static const char *const others[] = {"https://evil.example", "https://shop.example.evil",
                                         "null", "*", "HTTPS://SHOP.EXAMPLE"};
    for (size_t i = 0; i < COUNT(others); i++) {
        char origin[128];
        snprintf(origin, sizeof(origin), "Origin: %s\r\n", others[i]);
        reply = wire_call(port, "GET", "/livez", origin, NULL);
        cr_expect_str_eq(wire_header(reply, "Access-Control-Allow-Origin"), "");
        cr_expect_str_eq(wire_header(reply, "Vary"), "Origin");
    }
    stage_close(stage);
}

static void three_threads(struct gateway_settings *settings)
{
    settings->http_threads = 3;
}

Test(threads, several_share_the_port_and_end_together)
{
    enum { CONNECTIONS = 60 };
    int fds[CONNECTIONS];
    stage = stage_open(three_threads);
    stage_reply(stage, "ListProducts", empty(&baro__product__product_page__descriptor));
    stage_hold(stage, "ListProducts");
    for (int i = 0; i < CONNECTIONS; i++) {
        fds[i] = wire_open(stage_port(stage));
        wire_say(fds[i], "GET /api/v1/products HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    cr_assert(stage_await_held(stage, CONNECTIONS));
    stage_release(stage);
    for (int i = 0; i < CONNECTIONS; i++)
        cr_assert_eq(wire_read(fds[i])->status, 200);
    stage_stop_gateway(stage);
    for (int i = 0; i < CONNECTIONS; i++) {
        cr_assert(wire_is_closed(fds[i], 1000));
        close(fds[i]);
    }
    stage_close(stage);
}

static void short_deadlines(struct gateway_settings *settings)
{
    settings->connection_limits.head_ms = 700;
    settings->connection_limits.body_ms = 1500;
    settings->connection_limits.rest_ms = 1000;
}

// One byte now and then keeps a connection from being idle, but not alive for ever.
Test(deadline, a_request_that_drips_is_cut_off)
{
    static const struct {
        const char *before;
        int64_t limit_ms;
    } rows[] = {
        {"",                                                                                     700 },
        {"GET /livez HTTP/1.1\r\nX-Slow: ",                                                      700 },
        {"POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\n" JSON "Content-Length: 60000\r\n\r\n",
         1500                                                                                        },
        {"POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\n" JSON
         "Transfer-Encoding: chunked\r\n\r\nfff\r\n",                                   1500},
    };
    stage = stage_open(short_deadlines);
    for (size_t i = 0; i < COUNT(rows); i++) {
        int fd = wire_open(stage_port(stage));
        wire_say(fd, rows[i].before);
        int64_t start_us = clock_monotonic_us(), took_us;
        while (!wire_is_closed(fd, 50))
            wire_say(fd, "a");
        took_us = clock_monotonic_us() - start_us;
        cr_expect_lt(took_us, (rows[i].limit_ms + 1000) * US_PER_MS, "row %zu: %lld us", i,
                     (long long)took_us);
        close(fd);
    }
    stage_close(stage);
}

Test(deadline, a_call_that_runs_is_not_cut_off)
{
    stage = stage_open(short_deadlines);
    stage_reply(stage, "ListProducts", empty(&baro__product__product_page__descriptor));
    stage_hold(stage, "ListProducts");
    int fd = wire_open(stage_port(stage));
    wire_say(fd, "GET /api/v1/products HTTP/1.1\r\nHost: a\r\n\r\n");
    cr_assert(stage_await_held(stage, 1));
    cr_assert_not(wire_is_closed(fd, 2000));
    stage_release(stage);
    cr_assert_eq(wire_read(fd)->status, 200);
    close(fd);
    stage_close(stage);
}

static void notice_first(struct gateway_settings *settings)
{
    settings->drain_notice_ms = 1500;
}

static void *stop_gateway(void *arg)
{
    stage_stop_gateway(arg);
    return NULL;
}

Test(drain, what_runs_is_finished_and_the_end_is_announced)
{
    stage = stage_open(notice_first);
    port = stage_port(stage);
    stage_reply(stage, "ListProducts", empty(&baro__product__product_page__descriptor));
    stage_hold(stage, "ListProducts");
    int fd = wire_open(port);
    wire_say(fd, "GET /api/v1/products HTTP/1.1\r\nHost: a\r\n\r\n");
    cr_assert(stage_await_held(stage, 1));
    pthread_t stopper;
    pthread_create(&stopper, NULL, stop_gateway, stage);
    int64_t until_us = clock_monotonic_us() + US_PER_S;
    while (wire_call(port, "GET", "/readyz", "", NULL)->status != 503)
        cr_assert(clock_monotonic_us() < until_us);
    cr_assert_eq(wire_call(port, "GET", "/livez", "", NULL)->status, 200);
    cr_assert_not(wire_is_closed(fd, 1800));
    stage_release(stage);
    const struct wire_reply *reply = wire_read(fd);
    cr_assert_eq(reply->status, 200);
    cr_assert_str_eq(wire_header(reply, "Connection"), "close");
    pthread_join(stopper, NULL);
    close(fd);
    stage_close(stage);
}

static void drain_briefly(struct gateway_settings *settings)
{
    settings->drain_ms = 100;
}

Test(drain, what_does_not_end_in_time_is_answered_503)
{
    stage = stage_open(drain_briefly);
    stage_reply(stage, "ListProducts", empty(&baro__product__product_page__descriptor));
    stage_hold(stage, "ListProducts");
    int fd = wire_open(stage_port(stage));
    wire_say(fd, "GET /api/v1/products HTTP/1.1\r\nHost: a\r\n\r\n");
    cr_assert(stage_await_held(stage, 1));
    stage_stop_gateway(stage);
    const struct wire_reply *reply = wire_read(fd);
    cr_assert_eq(reply->status, 503, "%d", reply->status);
    cr_assert(wire_is_closed(fd, 1000));
    close(fd);
    stage_close(stage);
}
