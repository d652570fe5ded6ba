// Catalogue reads as clients of a gateway meet them: one answer for many, as old as it may be.

#include "gateway/transcode.h"
#include "lib/base/macros.h"
#include "lib/base/metrics.h"
#include "proto/coupon.pb-c.h"
#include "proto/order.pb-c.h"
#include "proto/product.pb-c.h"
#include "tests/integration/gateway/fakes.h"
#include "tests/support/stand.h"
#include "tests/support/wire.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define JSON "Content-Type: application/json\r\n"
#define PRODUCT "/api/v1/products/9"
#define COUPON "/api/v1/coupons/4"

enum { CROWD = 1000 };

static struct stage *stage;
static int port;
static int64_t ttl_ms;

static void keep_answers(struct gateway_settings *settings)
{
    settings->catalogue_cache_ms = ttl_ms;
    settings->drain_ms = 100;
    settings->connections_max = settings->rpc_in_flight = 2 * CROWD;
}

static const ProtobufCMessage *empty(const ProtobufCMessageDescriptor *type)
{
    return message_create(type, stage_arena(stage));
}

static void script_product(const char *name)
{
    Baro__Product__ProductView *product = (Baro__Product__ProductView *)message_create(
        &baro__product__product_view__descriptor, stage_arena(stage));
    product->id = 9;
    product->name = text_copy(stage_arena(stage), name);
    stage_reply(stage, "GetProduct", &product->base);
}

static void script_coupon(int64_t left)
{
    Baro__Coupon__Campaign *coupon = (Baro__Coupon__Campaign *)message_create(
        &baro__coupon__campaign__descriptor, stage_arena(stage));
    coupon->remaining_quantity = left;
    stage_reply(stage, "GetCampaign", &coupon->base);
}

static void script_order(const char *rpc)
{
    struct arena *arena = stage_arena(stage);
    Baro__Order__OrderView *order =
        (Baro__Order__OrderView *)message_create(&baro__order__order_view__descriptor, arena);
    order->status = BARO__ORDER__ORDER_STATUS__ORDER_STATUS_PAID;
    order->n_items = 1;
    order->items = arena_array(arena, 1, sizeof(*order->items));
    order->items[0] =
        (Baro__Order__OrderItem *)message_create(&baro__order__order_item__descriptor, arena);
    order->items[0]->product_id = 9;
    stage_reply(stage, rpc, &order->base);
}

static void open_stage(int64_t kept_ms)
{
    ttl_ms = kept_ms;
    stage = stage_open(keep_answers);
    port = stage_port(stage);
    script_product("first");
    script_coupon(10);
}

static void set_up(void)
{
    open_stage(60000);
}

static void tear_down(void)
{
    stage_close(stage);
}

TestSuite(catalogue, .init = set_up, .fini = tear_down);

static const struct wire_reply *get(const char *target, const char *headers)
{
    return wire_call(port, "GET", target, headers, NULL);
}

static const char *as(const char *role, const char *more)
{
    return text_printf(stage_arena(stage), "Authorization: Bearer %s\r\n%s",
                       stage_token(stage, role), more);
}

static int calls(void)
{
    return stage_asked(stage).count;
}

static bool shows(const char *name)
{
    const struct wire_reply *reply = get(PRODUCT, "");
    cr_assert_eq(reply->status, 200, "%s", reply->body);
    return strcmp(json_string_value(json_object_get(reply->json, "name")), name) == 0;
}

Test(catalogue, every_read_has_a_tag_and_asks_to_be_asked_again)
{
    static const struct {
        const char *target, *rpc;
        const ProtobufCMessageDescriptor *reply;
        const char *vary;
    } rows[] = {
        {"/api/v1/products",         "ListProducts",  &baro__product__product_page__descriptor, ""             },
        {"/api/v1/products/9",       "GetProduct",    &baro__product__product_view__descriptor, ""             },
        {"/api/v1/products/popular", "ListPopular",   &baro__product__popular_page__descriptor, ""             },
        {"/api/v1/coupons",          "ListCampaigns", &baro__coupon__campaign_page__descriptor,
         "Authorization"                                                                                       },
        {"/api/v1/coupons/4",        "GetCampaign",   &baro__coupon__campaign__descriptor,      "Authorization"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char tag[64], header[128];
        stage_reply(stage, rows[i].rpc, empty(rows[i].reply));
        const struct wire_reply *reply = get(rows[i].target, "");
        cr_assert_eq(reply->status, 200, "%s: %s", rows[i].target, reply->body);
        cr_expect_str_eq(wire_header(reply, "Cache-Control"), "public, no-cache");
        cr_expect_str_eq(wire_header(reply, "Vary"), rows[i].vary, "%s", rows[i].target);
        snprintf(tag, sizeof(tag), "%s", wire_header(reply, "ETag"));
        cr_assert_eq(strlen(tag), 34, "%s: %s", rows[i].target, tag);
        snprintf(header, sizeof(header), "If-None-Match: \"x\", W/%s\r\n", tag);
        reply = get(rows[i].target, header);
        cr_assert_eq(reply->status, 304, "%s", rows[i].target);
        cr_expect_str_eq(wire_header(reply, "ETag"), tag);
        cr_expect_str_eq(wire_header(reply, "Cache-Control"), "public, no-cache");
        cr_expect_str_eq(wire_header(reply, "Vary"), rows[i].vary);
        cr_expect_str_eq(wire_header(reply, "Content-Type"), "");
        cr_expect_str_eq(reply->body, "");
        cr_expect_eq(get(rows[i].target, "If-None-Match: *\r\n")->status, 304);
        cr_expect_eq(get(rows[i].target, "If-None-Match: \"x\"\r\n")->status, 200);
    }
    cr_assert_eq(calls(), (int)COUNT(rows));
}

Test(catalogue, another_body_has_another_tag)
{
    char tag[64];
    snprintf(tag, sizeof(tag), "If-None-Match: %s\r\n", wire_header(get(PRODUCT, ""), "ETag"));
    script_product("second");
    cr_assert_eq(get(PRODUCT, tag)->status, 304);
    stage_close(stage);
    open_stage(60000);
    cr_assert_eq(get(PRODUCT, tag)->status, 304); // the tag is of the bytes, in any gateway
    script_product("second");
    cr_assert_eq(get(PRODUCT "?", tag)->status, 200);
}

Test(catalogue, targets_are_kept_apart)
{
    stage_reply(stage, "ListProducts", empty(&baro__product__product_page__descriptor));
    const char *const targets[] = {"/api/v1/products", "/api/v1/products?search=a",
                                   "/api/v1/products?search=b", "/api/v1/products/7"};
    for (size_t round = 0; round < 3; round++)
        for (size_t i = 0; i < COUNT(targets); i++)
            cr_assert_eq(get(targets[i], "")->status, 200);
    cr_assert_eq(calls(), (int)COUNT(targets));
}

static bool shows_second(void *arg)
{
    (void)arg;
    return shows("second");
}

Test(catalogue, an_answer_is_as_old_as_the_setting_at_most)
{
    stage_close(stage);
    open_stage(300);
    cr_assert(shows("first"));
    script_product("second");
    cr_assert(shows("first"));
    cr_assert(stand_wait(shows_second, NULL, 5000));
}

Test(catalogue, switched_off_every_read_asks_the_service)
{
    stage_close(stage);
    open_stage(0);
    cr_assert(shows("first"));
    script_product("second");
    cr_assert(shows("second"));
    cr_assert_eq(strlen(wire_header(get(PRODUCT, ""), "ETag")), 34);
    cr_assert_eq(calls(), 3);
}

struct join_wait {
    struct metric *joined;
    int64_t count;
};

static bool have_joined(void *arg)
{
    const struct join_wait *wait = arg;
    return metric_value(wait->joined) >= wait->count;
}

// Opens a crowd that all ask for the product, and waits until one call is out and all wait for it.
static void gather(int clients[CROWD])
{
    struct join_wait wait = {metrics_counter("baro_catalogue_cache_total", "", "result=\"joined\""),
                             0};
    wait.count = metric_value(wait.joined) + CROWD - 1;
    stage_hold(stage, "GetProduct");
    for (size_t i = 0; i < CROWD; i++) {
        clients[i] = wire_open(port);
        wire_say(clients[i], "GET " PRODUCT " HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    cr_assert(stage_await_held(stage, 1));
    cr_assert(stand_wait(have_joined, &wait, 5000));
}

static void expect_all(const int clients[CROWD], int status)
{
    for (size_t i = 0; i < CROWD; i++) {
        const struct wire_reply *reply = wire_read(clients[i]);
        cr_assert_eq(reply->status, status, "client %zu: %d %s", i, reply->status, reply->body);
        close(clients[i]);
    }
}

Test(catalogue, a_thousand_misses_cost_one_call)
{
    static int clients[CROWD];
    gather(clients);
    stage_release(stage);
    expect_all(clients, 200);
    cr_assert_eq(calls(), 1);
}

Test(catalogue, a_thousand_share_a_refusal_which_is_not_kept)
{
    static int clients[CROWD];
    gather(clients);
    stage_refuse(stage, "GetProduct", refuse(REASON_PRODUCT_NOT_FOUND, NULL));
    stage_release(stage);
    expect_all(clients, 404);
    cr_assert_eq(calls(), 1);
    script_product("second");
    cr_assert(shows("second"));
}

Test(catalogue, a_crowd_that_waits_is_answered_when_the_gateway_ends)
{
    static int clients[CROWD];
    gather(clients);
    stage_stop_gateway(stage);
    expect_all(clients, 503);
}

Test(catalogue, bad_parameters_are_refused_each_time)
{
    for (int i = 0; i < 2; i++)
        cr_assert_eq(get("/api/v1/products?page_size=x", "")->status, 400);
    cr_assert_eq(calls(), 0);
}

Test(catalogue, signed_in_users_get_coupons_of_their_own)
{
    cr_assert_eq(get(COUPON, "")->status, 200);
    for (int i = 0; i < 2; i++) {
        const struct wire_reply *reply = get(COUPON, as("USER", ""));
        cr_assert_eq(reply->status, 200, "%s", reply->body);
        cr_expect_str_eq(wire_header(reply, "Cache-Control"), "private, no-cache");
        cr_expect_str_eq(wire_header(reply, "Vary"), "Authorization");
        cr_expect_eq(stage_asked(stage).caller.user_id, 7);
    }
    cr_assert_eq(calls(), 3);
    cr_assert_eq(get(COUPON, "")->status, 200);
    cr_assert_eq(calls(), 3);
}

Test(catalogue, personal_answers_are_not_for_other_origins_to_keep)
{
    stage_reply(stage, "GetCart", empty(&baro__order__cart__descriptor));
    const struct wire_reply *reply = get("/api/v1/me/cart", as("USER", ""));
    cr_assert_str_eq(wire_header(reply, "Cache-Control"), "no-store");
    cr_assert_str_eq(wire_header(reply, "ETag"), "");
}

// An answer of the RPC's type that its route can use.
static void script_change(const char *rpc)
{
    size_t row = 0;
    while (!route_table[row].rpc || strcmp(route_table[row].rpc, rpc) != 0)
        row++;
    if (route_table[row].changes == CHANGES_STOCK)
        script_order(rpc);
    else
        stage_reply(stage, rpc,
                    empty(protobuf_c_service_descriptor_get_method_by_name(
                              service_descriptors[route_table[row].service], rpc)
                              ->output));
}

Test(catalogue, what_this_gateway_changes_it_shows_at_once)
{
    static const struct {
        const char *method, *target, *rpc, *body;
    } rows[] = {
        {"POST",   "/api/v1/orders",                   "PlaceOrder",    "{\"items\":[]}"  },
        {"POST",   "/api/v1/checkout",                 "Checkout",      "{\"items\":[]}"  },
        {"POST",   "/api/v1/orders/5/cancel",          "CancelOrder",   "{}"              },
        {"PATCH",  "/api/v1/admin/products/9",         "UpdateProduct", "{\"name\":\"x\"}"},
        {"POST",   "/api/v1/admin/products",           "CreateProduct", "{\"name\":\"x\"}"},
        {"DELETE", "/api/v1/admin/products/9",         "DeleteProduct", NULL              },
        {"POST",   "/api/v1/admin/products/9/options", "AddOption",     "{\"price\":100}" },
        {"PUT",    "/api/v1/admin/products/9/images",  "ReplaceImages", "{\"images\":[]}" },
        {"PATCH",  "/api/v1/admin/options/3",          "UpdateOption",  "{\"name\":\"x\"}"},
        {"PATCH",  "/api/v1/admin/options/3/stock",    "ChangeStock",
         "{\"operation\":\"set\",\"quantity\":1,\"note\":\"\"}"                           },
    };
    cr_assert(shows("first"));
    for (size_t i = 0; i < COUNT(rows); i++) {
        script_change(rows[i].rpc);
        script_product(rows[i].rpc);
        cr_assert_not(shows(rows[i].rpc), "it is kept");
        const struct wire_reply *reply =
            wire_call(port, rows[i].method, rows[i].target,
                      as("ADMIN", JSON "Idempotency-Key: k\r\n"), rows[i].body);
        cr_assert(reply->status / 100 == 2, "%s: %s", rows[i].rpc, reply->body);
        cr_expect(shows(rows[i].rpc), "%s", rows[i].rpc);
    }
}

Test(catalogue, a_claim_shows_at_once_and_others_stay_kept)
{
    stage_reply(stage, "Claim", empty(&baro__coupon__user_coupon__descriptor));
    cr_assert(shows("first"));
    cr_assert_not_null(strstr(get(COUPON, "")->body, "\"remaining_quantity\":10"));
    script_coupon(9);
    cr_assert_not_null(strstr(get(COUPON, "")->body, "\"remaining_quantity\":10"));
    wire_call(port, "POST", COUPON "/claims", as("USER", JSON), "{}");
    cr_assert_not_null(strstr(get(COUPON, "")->body, "\"remaining_quantity\":9"));
    int before = calls();
    cr_assert(shows("first"));
    cr_assert_eq(calls(), before);
}
