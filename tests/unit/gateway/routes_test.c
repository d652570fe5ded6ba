// The table and its trie.

#include "gateway/routes.h"

#include "lib/base/macros.h"

#include <criterion/criterion.h>
#include <string.h>

static struct arena *arena;
static struct router *router;

static void set_up(void)
{
    arena = arena_create();
    struct status st = router_create(arena, route_table, route_count, &router);
    cr_assert(!failed(st), "%s %s", st.field, st.message);
}

static void tear_down(void)
{
    arena_destroy(arena);
}

TestSuite(routes, .init = set_up, .fini = tear_down);

static struct path_match match(enum http_method method, const char *path)
{
    struct path_match found;
    router_match(router, method, path, strlen(path), &found);
    return found;
}

Test(routes, every_row_is_found_by_its_own_path)
{
    for (size_t i = 0; i < route_count; i++) {
        char path[128];
        size_t length = 0;
        for (const char *from = route_table[i].path; *from; from++) {
            if (*from == '{') {
                path[length++] = '7';
                from = strchr(from, '}');
            } else {
                path[length++] = *from;
            }
        }
        path[length] = '\0';
        const struct endpoint *endpoint = match(route_table[i].method, path).endpoint;
        cr_expect(endpoint && endpoint->route == &route_table[i], "%s", route_table[i].path);
    }
}

Test(routes, parameters_are_fields_of_the_request)
{
    struct path_match found = match(HTTP_POST, "/api/v1/orders/123456/payment");
    cr_assert_not_null(found.endpoint);
    cr_assert_str_eq(found.endpoint->rpc_method, "baro.order.Order/PayOrder");
    cr_assert_eq(found.endpoint->parameter_count, 1);
    cr_assert_str_eq(found.endpoint->parameters[0]->name, "order_id");
    cr_assert_eq(found.parameter_lengths[0], 6);
    cr_assert_eq(strncmp(found.parameters[0], "123456", 6), 0);
    cr_assert_str_eq(found.endpoint->wait_field->name, "wait_ms");
}

Test(routes, a_literal_wins_over_a_parameter)
{
    static const struct route rows[] = {
        {HTTP_GET, "/p/{product_id}", PUBLIC, PRODUCT_RPC, "GetProduct",   200, .body = NO_BODY},
        {HTTP_GET, "/p/popular",      PUBLIC, PRODUCT_RPC, "ListProducts", 200, .body = NO_BODY},
    };
    cr_assert(!failed(router_create(arena, rows, COUNT(rows), &router)));
    cr_assert_str_eq(match(HTTP_GET, "/p/popular").endpoint->route->rpc, "ListProducts");
    cr_assert_str_eq(match(HTTP_GET, "/p/populas").endpoint->route->rpc, "GetProduct");
}

Test(routes, paths_that_only_resemble_a_route_are_unknown)
{
    static const char *const paths[] = {
        "",
        "/console",
        "//",
        "api/v1/me",
        "/api",
        "/api/v1",
        "/api/v1/",
        "/api/v1/me/",
        "//api/v1/me",
        "/api//v1/me",
        "/api/v1/ME",
        "/api/v1/m",
        "/api/v1/mee",
        "/api/v1/products/",
        "/api/v1/products//",
        "/api/v1/products/1/",
        "/api/v1/products/1/2",
        "/api/v1/orders//payment",
        "/api/v1/%6de",
        "/api/v1/../v1/me",
        "http://elsewhere/api/v1/me",
        "*",
    };
    for (size_t i = 0; i < COUNT(paths); i++) {
        struct path_match found = match(HTTP_GET, paths[i]);
        cr_expect(!found.endpoint && found.allowed == 0, "%s", paths[i]);
    }
}

Test(routes, another_method_tells_what_is_allowed)
{
    struct path_match found = match(HTTP_PUT, "/api/v1/me/cart/3");
    cr_assert_null(found.endpoint);
    cr_assert_str_eq(router_allow_header(arena, found.allowed), "PATCH, DELETE, OPTIONS");
    found = match(HTTP_METHOD_COUNT, "/api/v1/me");
    cr_assert_null(found.endpoint);
    cr_assert_str_eq(router_allow_header(arena, found.allowed), "GET, PATCH, HEAD, OPTIONS");
}

Test(routes, methods_are_words_in_capitals)
{
    cr_assert_eq(http_method_parse("GET"), HTTP_GET);
    cr_assert_eq(http_method_parse("HEAD"), HTTP_GET);
    cr_assert_eq(http_method_parse("DELETE"), HTTP_DELETE);
    static const char *const others[] = {"get", "Get", "", "TRACE", "CONNECT", "OPTIONS", "GETS"};
    for (size_t i = 0; i < COUNT(others); i++)
        cr_expect_eq(http_method_parse(others[i]), HTTP_METHOD_COUNT, "%s", others[i]);
}

Test(routes, a_row_that_does_not_fit_is_named)
{
    static const struct route rows[] = {
        {HTTP_GET,  "/no/rpc",             PUBLIC,    USER_RPC,  "Fly",         200, .body = NO_BODY         },
        {HTTP_GET,  "/no/field/{who}",     PUBLIC,    USER_RPC,  "GetProfile",  200, .body = NO_BODY         },
        {HTTP_GET,  "/no/integer/{email}", PUBLIC,    USER_RPC,  "Login",       200, .body = NO_BODY         },
        {HTTP_GET,  "/no/wait",            PUBLIC,    USER_RPC,  "Login",       200, .waits = true           },
        {HTTP_GET,  "/no/id",              PUBLIC,    USER_RPC,  "Login",       201, .location = "/x/"       },
        {HTTP_GET,  "/no/email",           PUBLIC,    USER_RPC,  "GetProfile",  200, .limit = LIMIT_LOGINS   },
        {HTTP_POST, "/no/read",            PUBLIC,    USER_RPC,  "Login",       200, .catalogue = true       },
        {HTTP_GET,  "/not/anybodys",       SIGNED_IN, USER_RPC,  "GetProfile",  200, .catalogue = true       },
        {HTTP_POST, "/no/order",           SIGNED_IN, USER_RPC,  "Charge",      201, .changes = CHANGES_STOCK},
        {HTTP_GET,  "/no/json",            PUBLIC,    ORDER_RPC, "FetchEvents", 200, .body = NO_BODY         },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct status st = router_create(arena, &rows[i], 1, &router);
        cr_assert_eq(st.code, STATUS_FAILED_PRECONDITION, "%s", rows[i].path);
        cr_expect_str_eq(st.field, rows[i].path);
    }
}

Test(routes, what_changes_something_knows_the_path_that_shows_it)
{
    cr_expect_str_eq(match(HTTP_POST, "/api/v1/orders").endpoint->stale_path, "/api/v1/products/");
    cr_expect_str_eq(match(HTTP_POST, "/api/v1/coupons/7/claims").endpoint->stale_path,
                     "/api/v1/coupons/");
    cr_expect_null(match(HTTP_GET, "/api/v1/products/7").endpoint->stale_path);

    const struct route claim = {HTTP_POST, "/c/{coupon_id}/claims",  SIGNED_IN, COUPON_RPC, "Claim",
                                201,       .changes = CHANGES_COUPON};
    const struct route rows[][2] = {
        {claim, {HTTP_GET, "/c/{coupon_id}", VISITOR, COUPON_RPC, "GetCampaign", 200}},
        {claim,
         {HTTP_GET, "/c/{coupon_id}/all", VISITOR, COUPON_RPC, "GetCampaign", 200,
          .catalogue = true}                                                         },
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        cr_expect_str_eq(router_create(arena, rows[i], 2, &router).field, claim.path);
}

Test(routes, a_row_that_stands_twice_is_refused)
{
    const struct route rows[] = {route_table[0], route_table[0]};
    cr_assert(failed(router_create(arena, rows, 2, &router)));
}

Test(routes, what_takes_money_or_stock_requires_a_key)
{
    static const char *const rpcs[] = {"Charge", "PlaceOrder", "PayOrder", "Checkout"};
    for (size_t i = 0; i < route_count; i++)
        for (size_t k = 0; k < COUNT(rpcs); k++)
            if (route_table[i].rpc && strcmp(route_table[i].rpc, rpcs[k]) == 0)
                cr_expect_eq(route_table[i].key, MUST_KEY, "%s", rpcs[k]);
}

Test(routes, admin_paths_are_for_admins_and_the_own_for_the_signed_in)
{
    for (size_t i = 0; i < route_count; i++) {
        const struct route *row = &route_table[i];
        if (strncmp(row->path, "/api/v1/admin/", 14) == 0)
            cr_expect_eq(row->access, ADMIN, "%s", row->path);
        if (strncmp(row->path, "/api/v1/me", 10) == 0)
            cr_expect_eq(row->access, SIGNED_IN, "%s", row->path);
        if (row->method != HTTP_GET && strncmp(row->path, "/api/v1/auth/", 13) != 0)
            cr_expect(row->access == SIGNED_IN || row->access == ADMIN, "%s", row->path);
    }
}

Test(routes, what_is_kept_and_what_changes_it)
{
    static const struct {
        const char *rpc;
        bool catalogue;
        enum change changes;
    } rows[] = {
        {"ListProducts",   true,  CHANGES_NOTHING  },
        {"ListPopular",    true,  CHANGES_NOTHING  },
        {"GetProduct",     true,  CHANGES_NOTHING  },
        {"ListCampaigns",  true,  CHANGES_NOTHING  },
        {"GetCampaign",    true,  CHANGES_NOTHING  },
        {"CreateProduct",  false, CHANGES_CATALOGUE},
        {"UpdateProduct",  false, CHANGES_CATALOGUE},
        {"DeleteProduct",  false, CHANGES_CATALOGUE},
        {"AddOption",      false, CHANGES_CATALOGUE},
        {"UpdateOption",   false, CHANGES_CATALOGUE},
        {"ReplaceImages",  false, CHANGES_CATALOGUE},
        {"ChangeStock",    false, CHANGES_CATALOGUE},
        {"CreateCampaign", false, CHANGES_CATALOGUE},
        {"UpdateCampaign", false, CHANGES_CATALOGUE},
        {"PlaceOrder",     false, CHANGES_STOCK    },
        {"Checkout",       false, CHANGES_STOCK    },
        {"CancelOrder",    false, CHANGES_STOCK    },
        {"Claim",          false, CHANGES_COUPON   },
    };
    size_t concerned = 0;
    for (size_t i = 0; i < route_count; i++) {
        const struct route *row = &route_table[i];
        concerned += row->catalogue || row->changes != CHANGES_NOTHING;
        for (size_t k = 0; k < COUNT(rows); k++)
            if (row->rpc && strcmp(row->rpc, rows[k].rpc) == 0)
                cr_expect(row->catalogue == rows[k].catalogue && row->changes == rows[k].changes,
                          "%s", rows[k].rpc);
    }
    cr_expect_eq(concerned, COUNT(rows));
}

Test(routes, what_spec_7_limits_has_its_limit_and_nothing_else_has)
{
    static const struct {
        const char *rpc;
        enum limit limit;
    } rows[] = {
        {"Login",      LIMIT_LOGINS  },
        {"PlaceOrder", LIMIT_ORDERS  },
        {"PayOrder",   LIMIT_PAYMENTS},
        {"Checkout",   LIMIT_CHECKOUT},
        {"Claim",      LIMIT_CLAIMS  },
    };
    size_t limited = 0;
    for (size_t i = 0; i < route_count; i++) {
        limited += route_table[i].limit != NO_LIMIT;
        for (size_t k = 0; k < COUNT(rows); k++)
            if (route_table[i].rpc && strcmp(route_table[i].rpc, rows[k].rpc) == 0)
                cr_expect_eq(route_table[i].limit, rows[k].limit, "%s", rows[k].rpc);
    }
    cr_expect_eq(limited, COUNT(rows));
}
