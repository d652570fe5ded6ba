// The rules of SPEC 1, 3, 4 and 5 as clients meet them: each row is one request at the edge of a rule,
// and the answer with status, code and the field that is named. Nothing here changes the shop but the
// rows that are allowed, which stand beside those that are not.

#include "lib/base/macros.h"
#include "tests/support/shop.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

enum who { NOBODY, USER, ADMIN, PEOPLE };

struct row {
    enum who who;
    const char *method, *path;
    const char *body; // NULL: none
    long status;
    const char *code;  // "" for a success
    const char *field; // of the first error; "" for none
};

// What rows call by a letter: $O an option of 100 pieces at 1,000 won, $P its product, $C an open
// campaign of one coupon, which is claimed, $I a cart item, $X an order and $U a coupon of somebody
// else.
static struct {
    struct http_client *people[PEOPLE];
    struct http_client *other;
    int64_t letters[128];
} shop;

static int64_t product_of(int64_t option)
{
    struct http_reply reply =
        http_call(shop.people[NOBODY], "GET", "/products?page_size=100", NULL);
    for (size_t i = 0; i < json_array_size(json_at(reply.json, "items")); i++) {
        char path[64];
        snprintf(path, sizeof path, "items.%zu.options.0.id", i);
        if (json_number(reply.json, path) != option)
            continue;
        snprintf(path, sizeof path, "items.%zu.id", i);
        return json_number(reply.json, path);
    }
    cr_assert_fail("no product has option %lld", (long long)option);
    return 0;
}

static void set_up(void)
{
    shop.people[NOBODY] = http_open(NULL);
    shop.people[USER] = given_customer(0);
    shop.people[ADMIN] = given_admin();
    shop.other = given_customer(0);
    shop.letters['O'] = given_option(1000, 100);
    shop.letters['P'] = product_of(shop.letters['O']);
    shop.letters['C'] = given_campaign("FIXED", 1000, 1);
    shop.letters['U'] = claim(shop.other, shop.letters['C']);
    shop.letters['X'] = place_order(shop.other, shop.letters['O'], 1, 0);
    struct http_reply cart =
        http_call(shop.other, "POST", "/me/cart", "{\"option_id\": %lld, \"quantity\": 1}",
                  (long long)shop.letters['O']);
    shop.letters['I'] = json_number(cart.json, "items.0.id");
}

TestSuite(rules, .init = set_up);

// Copies text with its letters put in.
static const char *fill_in(const char *text, char *into, size_t size)
{
    size_t length = 0;
    into[0] = '\0';
    for (const char *at = text; *at; at++) {
        if (*at == '$' && at[1] >= 'A' && at[1] <= 'Z')
            length += (size_t)snprintf(into + length, size - length, "%lld",
                                       (long long)shop.letters[(int)*++at]);
        else
            length += (size_t)snprintf(into + length, size - length, "%c", *at);
        cr_assert_lt(length, size);
    }
    return into;
}

static void check(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct row *row = &rows[i];
        char path[256], body[2048];
        fill_in(row->path, path, sizeof path);
        struct http_client *client = shop.people[row->who];
        struct http_reply reply = row->body ? http_call(client, row->method, path, "%s",
                                                        fill_in(row->body, body, sizeof body))
                                            : http_call(client, row->method, path, NULL);
        const char *code = reply.status >= 400 ? json_word(reply.json, "code") : "";
        cr_expect(reply.status == row->status && !strcmp(code, row->code),
                  "row %zu: %s %s %s: want %ld %s, got %ld %s", i, row->method, path,
                  row->body ? row->body : "", row->status, row->code, reply.status, reply.body);
        cr_expect_str_eq(json_word(reply.json, "errors.0.field"), row->field,
                         "row %zu: %s %s: names not %s: %s", i, row->method, path, row->field,
                         reply.body);
    }
}

#define INVALID 400, "VALIDATION_ERROR"
#define FINE "", ""

// clang-format off
Test(rules, of_accounts)
{
    static const struct row ROWS[] = {
        {NOBODY, "POST",  "/auth/signup",  "{\"email\": \"a@b.kr\", \"password\": \"abcde1!\", \"name\": \"김철\"}",        INVALID, "password"},
        {NOBODY, "POST",  "/auth/signup",  "{\"email\": \"a@b.kr\", \"password\": \"abcdefg1\", \"name\": \"김철\"}",       INVALID, "password"},
        {NOBODY, "POST",  "/auth/signup",  "{\"email\": \"a@b.kr\", \"password\": \"abcdef1!\", \"name\": \" 김 \"}",       INVALID, "name"},
        {NOBODY, "POST",  "/auth/signup",  "{\"email\": \"a@b.kr\", \"password\": \"abcdef1!\", \"name\": \"SysTem 7\"}",   INVALID, "name"},
        {NOBODY, "POST",  "/auth/signup",  "{\"email\": \"a.b.kr\", \"password\": \"abcdef1!\", \"name\": \"김철\"}",       INVALID, "email"},
        {NOBODY, "POST",  "/auth/signup",  "{\"email\": \"a@b.kr\", \"password\": \"abcdef1!\", \"name\": \"김철\", \"role\": \"ADMIN\"}", INVALID, "role"},
        {NOBODY, "POST",  "/auth/signup",  "{\"email\": \"admin@baro.local\", \"password\": \"abcdef1!\", \"name\": \"김철\"}", 409, "EMAIL_TAKEN", ""},
        {NOBODY, "POST",  "/auth/signup",  "{\"email\": \"Admin@Baro.Local\", \"password\": \"abcdef1!\", \"name\": \"김철\"}", 409, "EMAIL_TAKEN", ""},
        {NOBODY, "POST",  "/auth/login",   "{\"email\": \"admin@baro.local\", \"password\": \"wrong\"}",                 401, "UNAUTHENTICATED", ""},
        {NOBODY, "POST",  "/auth/login",   "{\"email\": \"nobody@baro.local\", \"password\": \"wrong\"}",                401, "UNAUTHENTICATED", ""},
        {NOBODY, "POST",  "/auth/refresh", "{\"refresh_token\": \"nonsense\"}",                                          401, "UNAUTHENTICATED", ""},
        {NOBODY, "POST",  "/auth/logout",  "{}",                                                                         401, "UNAUTHENTICATED", ""},
        {NOBODY, "GET",   "/me",           NULL,                                                                         401, "UNAUTHENTICATED", ""},
        {USER,   "PATCH", "/me",           "{\"name\": \"x\"}",                                                          INVALID, "name"},
        {USER,   "PATCH", "/me",           "{\"name\": \"새 이름\", \"email\": \"a@b.kr\"}",                             INVALID, "email"},
        {USER,   "PATCH", "/me",           "{\"name\": \"  새 이름  \"}",                                                200, FINE},
    };
    check(ROWS, COUNT(ROWS));
}

Test(rules, of_the_wallet)
{
    static const struct row ROWS[] = {
        {USER,   "POST", "/me/balance/charges", "{\"amount\": 999}",       INVALID, "amount"},
        {USER,   "POST", "/me/balance/charges", "{\"amount\": 1000}",      201, FINE},
        {USER,   "POST", "/me/balance/charges", "{\"amount\": 1001}",      INVALID, "amount"},
        {USER,   "POST", "/me/balance/charges", "{\"amount\": 1010}",      201, FINE},
        {USER,   "POST", "/me/balance/charges", "{\"amount\": 100000}",    201, FINE},
        {USER,   "POST", "/me/balance/charges", "{\"amount\": 100010}",    INVALID, "amount"},
        {USER,   "POST", "/me/balance/charges", "{\"amount\": -1000}",     INVALID, "amount"},
        {USER,   "POST", "/me/balance/charges", "{\"amount\": 0}",         INVALID, "amount"},
        {USER,   "POST", "/me/balance/charges", "{\"amount\": 1000.0}",    INVALID, "amount"},
        {USER,   "POST", "/me/balance/charges", "{\"amount\": \"1000\"}",  INVALID, "amount"},
        {USER,   "POST", "/me/balance/charges", "{\"amount\": 9223372036854775808}", INVALID, "amount"},
        {USER,   "POST", "/me/balance/charges", "{}",                      INVALID, "amount"},
        {NOBODY, "POST", "/me/balance/charges", "{\"amount\": 1000}",      401, "UNAUTHENTICATED", ""},
        {USER,   "GET",  "/me/balance/history?page_size=100", NULL,        200, FINE},
        {USER,   "GET",  "/me/balance/history?page_size=101", NULL,        INVALID, "page_size"},
        {USER,   "GET",  "/me/balance/history?page_size=-1",  NULL,        INVALID, "page_size"},
        {USER,   "GET",  "/me/balance/history?type=GIFT",     NULL,        INVALID, "type"},
        {USER,   "GET",  "/me/balance/history?from=yesterday", NULL,       INVALID, "from"},
        {USER,   "GET",  "/me/balance/history?ref_id=x",      NULL,        INVALID, "ref_id"},
        {USER,   "GET",  "/me/balance/history?page_token=x",  NULL,        INVALID, "page_token"},
        {USER,   "GET",  "/me/balance/history?colour=red",    NULL,        INVALID, "colour"},
        {USER,   "POST", "/admin/users/1/balance/adjustments", "{\"amount\": 5, \"note\": \"x\"}",         403, "FORBIDDEN", ""},
        {ADMIN,  "POST", "/admin/users/999999999/balance/adjustments", "{\"amount\": 5, \"note\": \"x\"}", 404, "USER_NOT_FOUND", ""},
        {ADMIN,  "POST", "/admin/users/1/balance/adjustments", "{\"amount\": 0, \"note\": \"x\"}",         INVALID, "amount"},
    };
    check(ROWS, COUNT(ROWS));
}

Test(rules, of_the_catalogue)
{
    static const struct row ROWS[] = {
        {NOBODY, "GET",    "/products/$P",                    NULL, 200, FINE},
        {NOBODY, "GET",    "/products/999999999",             NULL, 404, "PRODUCT_NOT_FOUND", ""},
        {NOBODY, "GET",    "/products/abc",                   NULL, INVALID, "product_id"},
        {NOBODY, "GET",    "/products?sort=cheap",            NULL, INVALID, "sort"},
        {NOBODY, "GET",    "/products?sort=price_desc",       NULL, 200, FINE},
        {NOBODY, "GET",    "/products?page_size=101",         NULL, INVALID, "page_size"},
        {NOBODY, "GET",    "/products?search=a&search=b",     NULL, INVALID, "search"},
        {NOBODY, "GET",    "/products?search=%zz",            NULL, INVALID, "search"},
        {NOBODY, "GET",    "/products/popular?days=0",        NULL, INVALID, "days"},
        {NOBODY, "GET",    "/products/popular?days=1",        NULL, 200, FINE},
        {NOBODY, "GET",    "/products/popular?days=30",       NULL, 200, FINE},
        {NOBODY, "GET",    "/products/popular?days=31",       NULL, INVALID, "days"},
        {NOBODY, "GET",    "/products/popular?limit=0",       NULL, INVALID, "limit"},
        {NOBODY, "GET",    "/products/popular?limit=100",     NULL, 200, FINE},
        {NOBODY, "GET",    "/products/popular?limit=101",     NULL, INVALID, "limit"},
        {USER,   "POST",   "/admin/products", "{\"name\": \"x\"}",  403, "FORBIDDEN", ""},
        {NOBODY, "POST",   "/admin/products", "{\"name\": \"x\"}",  401, "UNAUTHENTICATED", ""},
        {ADMIN,  "POST",   "/admin/products/$P/options", "{\"name\": \"XL\", \"price\": 0, \"stock\": 1}",        201, FINE},
        {ADMIN,  "POST",   "/admin/products/$P/options", "{\"name\": \"XXL\", \"price\": 10000000, \"stock\": 1}", 201, FINE},
        {ADMIN,  "POST",   "/admin/products/$P/options", "{\"name\": \"S\", \"price\": 10000100, \"stock\": 1}",  INVALID, "price"},
        {ADMIN,  "POST",   "/admin/products/$P/options", "{\"name\": \"S\", \"price\": 150, \"stock\": 1}",       INVALID, "price"},
        {ADMIN,  "POST",   "/admin/products/$P/options", "{\"name\": \"S\", \"price\": -100, \"stock\": 1}",      INVALID, "price"},
        {ADMIN,  "POST",   "/admin/products/$P/options", "{\"name\": \"S\", \"price\": 100, \"stock\": -1}",      INVALID, "stock"},
        {ADMIN,  "PATCH",  "/admin/options/$O/stock", "{\"operation\": \"decrease\", \"quantity\": 100, \"note\": \"\"}", 409, "INSUFFICIENT_STOCK", ""},
        {ADMIN,  "PATCH",  "/admin/options/$O/stock", "{\"operation\": \"decrease\", \"quantity\": 99, \"note\": \"\"}",  200, FINE},
        {ADMIN,  "PATCH",  "/admin/options/$O/stock", "{\"operation\": \"set\", \"quantity\": 0, \"note\": \"\"}",         409, "INSUFFICIENT_STOCK", ""},
        {ADMIN,  "PATCH",  "/admin/options/$O/stock", "{\"operation\": \"double\", \"quantity\": 1, \"note\": \"\"}",      INVALID, "operation"},
        {ADMIN,  "PATCH",  "/admin/options/999999999/stock", "{\"operation\": \"set\", \"quantity\": 1, \"note\": \"\"}",  404, "OPTION_NOT_FOUND", ""},
        {ADMIN,  "DELETE", "/admin/products/$P",              NULL, 204, FINE},
        {NOBODY, "GET",    "/products/$P",                    NULL, 404, "PRODUCT_NOT_FOUND", ""},
        {USER,   "POST",   "/orders", "{\"items\": [{\"option_id\": $O, \"quantity\": 1}]}", 409, "PRODUCT_NOT_ORDERABLE", ""},
    };
    check(ROWS, COUNT(ROWS));
}

Test(rules, of_the_cart)
{
    static const struct row ROWS[] = {
        {NOBODY, "GET",    "/me/cart",           NULL,                                        401, "UNAUTHENTICATED", ""},
        {USER,   "GET",    "/me/cart",           NULL,                                        200, FINE},
        {USER,   "POST",   "/me/cart",           "{\"option_id\": $O, \"quantity\": 0}",         INVALID, "quantity"},
        {USER,   "POST",   "/me/cart",           "{\"option_id\": $O, \"quantity\": 99}",        200, FINE},
        {USER,   "POST",   "/me/cart",           "{\"option_id\": $O, \"quantity\": 1}",         409, "INSUFFICIENT_STOCK", ""},
        {USER,   "POST",   "/me/cart",           "{\"option_id\": 999999999, \"quantity\": 1}", 404, "OPTION_NOT_FOUND", ""},
        {USER,   "PATCH",  "/me/cart/$I",        "{\"quantity\": 2}",                           403, "FORBIDDEN", ""},
        {USER,   "DELETE", "/me/cart/$I",        NULL,                                        403, "FORBIDDEN", ""},
        {USER,   "PATCH",  "/me/cart/999999999", "{\"quantity\": 2}",                           404, "CART_ITEM_NOT_FOUND", ""},
        {USER,   "DELETE", "/me/cart/999999999", NULL,                                        404, "CART_ITEM_NOT_FOUND", ""},
        {USER,   "POST",   "/orders",            "{\"cart_item_ids\": [$I]}",                   403, "FORBIDDEN", ""},
        {USER,   "POST",   "/orders",            "{\"cart_item_ids\": [999999999]}",            404, "CART_ITEM_NOT_FOUND", ""},
    };
    check(ROWS, COUNT(ROWS));
}

Test(rules, of_orders)
{
    static const struct row ROWS[] = {
        {USER,   "POST", "/orders", "{\"items\": [{\"option_id\": $O, \"quantity\": 10}]}", 201, FINE},
        {USER,   "POST", "/orders", "{\"items\": [{\"option_id\": $O, \"quantity\": 11}]}", INVALID, "items.quantity"},
        {USER,   "POST", "/orders", "{\"items\": [{\"option_id\": $O, \"quantity\": 6}, {\"option_id\": $O, \"quantity\": 5}]}", INVALID, "items"},
        {USER,   "POST", "/orders", "{\"items\": [{\"option_id\": $O, \"quantity\": 0}]}",  INVALID, "items.quantity"},
        {USER,   "POST", "/orders", "{\"items\": []}",                                     INVALID, "items"},
        {USER,   "POST", "/orders", "{\"items\": [{\"option_id\": $O, \"quantity\": 1}], \"cart_item_ids\": [1]}", INVALID, "cart_item_ids"},
        {USER,   "POST", "/orders", "{\"items\": [{\"option_id\": $O, \"quantity\": 1, \"price\": 1}]}", INVALID, "items[0].price"},
        {USER,   "POST", "/orders", "{\"items\": [{\"option_id\": 999999999, \"quantity\": 1}]}", 404, "OPTION_NOT_FOUND", ""},
        {USER,   "POST", "/orders", "{\"items\": [{\"option_id\": $O, \"quantity\": 1}], \"user_coupon_id\": $U}", 400, "COUPON_NOT_USABLE", ""},
        {USER,   "POST", "/orders", "{\"items\": [{\"option_id\": $O, \"quantity\": 1}], \"user_coupon_id\": 999999999}", 404, "COUPON_NOT_FOUND", ""},
        {NOBODY, "POST", "/orders", "{\"items\": [{\"option_id\": $O, \"quantity\": 1}]}",  401, "UNAUTHENTICATED", ""},
        {USER,   "GET",  "/orders/$X",         NULL, 403, "FORBIDDEN", ""},
        {USER,   "GET",  "/orders/999999999",  NULL, 404, "ORDER_NOT_FOUND", ""},
        {USER,   "POST", "/orders/$X/payment", "{}", 403, "FORBIDDEN", ""},
        {USER,   "POST", "/orders/$X/cancel",  "{}", 403, "FORBIDDEN", ""},
        {USER,   "POST", "/orders/999999999/payment", "{}", 404, "ORDER_NOT_FOUND", ""},
        {USER,   "POST", "/checkout", "{\"items\": [{\"option_id\": $O, \"quantity\": 1}]}", 402, "INSUFFICIENT_BALANCE", ""},
        {USER,   "GET",  "/payments/999999999", NULL, 404, "PAYMENT_NOT_FOUND", ""},
        {USER,   "GET",  "/me/orders?status=LOST", NULL, INVALID, "status"},
        {ADMIN,  "PATCH", "/admin/orders/$X/status", "{\"status\": \"PREPARING\"}", 409, "ILLEGAL_TRANSITION", ""},
        {ADMIN,  "PATCH", "/admin/orders/$X/status", "{\"status\": \"PAID\"}",      INVALID, "status"},
        {USER,   "PATCH", "/admin/orders/$X/status", "{\"status\": \"PREPARING\"}", 403, "FORBIDDEN", ""},
    };
    check(ROWS, COUNT(ROWS));
}

#define CAMPAIGN(code, type, value, starts, ends)                                                  \
    "{\"name\": \"x\", \"code\": \"" code "\", \"type\": \"" type "\", \"value\": " value          \
    ", \"min_order_amount\": 0, \"total_quantity\": 1, \"starts_at\": \"" starts                   \
    "\", \"ends_at\": \"" ends "\", \"valid_days\": 7}"

Test(rules, of_coupons)
{
    static const struct row ROWS[] = {
        {NOBODY, "GET",  "/coupons/$C",               NULL, 200, FINE},
        {NOBODY, "GET",  "/coupons/999999999",        NULL, 404, "COUPON_NOT_FOUND", ""},
        {USER,   "POST", "/coupons/999999999/claims", "{}", 404, "COUPON_NOT_FOUND", ""},
        {USER,   "POST", "/coupons/$C/claims",        "{}", 410, "COUPON_SOLD_OUT", ""},
        {NOBODY, "POST", "/coupons/$C/claims",        "{}", 401, "UNAUTHENTICATED", ""},
        {USER,   "GET",  "/me/coupons?status=LOST",   NULL, INVALID, "status"},
        {USER,   "GET",  "/me/coupons?status=HELD",   NULL, 200, FINE},
        {ADMIN,  "POST", "/admin/coupons", CAMPAIGN("P1-$C", "PERCENT", "0",          "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"), INVALID, "value"},
        {ADMIN,  "POST", "/admin/coupons", CAMPAIGN("P2-$C", "PERCENT", "0.01",       "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"), 201, FINE},
        {ADMIN,  "POST", "/admin/coupons", CAMPAIGN("P3-$C", "PERCENT", "12.345",     "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"), INVALID, "value"},
        {ADMIN,  "POST", "/admin/coupons", CAMPAIGN("P4-$C", "PERCENT", "\"33.33\"", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"), 201, FINE},
        {ADMIN,  "POST", "/admin/coupons", CAMPAIGN("P5-$C", "PERCENT", "100",        "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"), 201, FINE},
        {ADMIN,  "POST", "/admin/coupons", CAMPAIGN("P6-$C", "PERCENT", "100.01",     "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"), INVALID, "value"},
        {ADMIN,  "POST", "/admin/coupons", CAMPAIGN("P2-$C", "PERCENT", "5",          "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"), 409, "CODE_TAKEN", ""},
        {ADMIN,  "POST", "/admin/coupons", CAMPAIGN("F1-$C", "FIXED",   "0.5",        "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"), INVALID, "value"},
        {ADMIN,  "POST", "/admin/coupons", CAMPAIGN("F2-$C", "FIXED",   "500",        "2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"), INVALID, "ends_at"},
        {USER,   "POST", "/admin/coupons", CAMPAIGN("F3-$C", "FIXED",   "500",        "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"), 403, "FORBIDDEN", ""},
        {ADMIN,  "PATCH", "/admin/coupons/$C", "{\"total_quantity\": 0}", INVALID, "total_quantity"},
        {ADMIN,  "PATCH", "/admin/coupons/$C", "{\"total_quantity\": 2}", 200, FINE},
        {USER,   "POST", "/coupons/$C/claims",        "{}", 201, FINE},
        {USER,   "POST", "/coupons/$C/claims",        "{}", 409, "COUPON_ALREADY_CLAIMED", ""},
        {ADMIN,  "PATCH", "/admin/coupons/$C", "{\"ends_at\": \"2026-01-02T00:00:00Z\", \"starts_at\": \"2026-01-01T00:00:00Z\"}", 200, FINE},
        {ADMIN,  "POST", "/coupons/$C/claims",        "{}", 403, "COUPON_WINDOW_CLOSED", ""},
        {USER,   "POST", "/admin/user-coupons/$U/cancel", "{}", 403, "FORBIDDEN", ""},
        {ADMIN,  "POST", "/admin/user-coupons/$U/cancel", "{}", 200, FINE},
        {ADMIN,  "POST", "/admin/user-coupons/$U/cancel", "{}", 409, "ILLEGAL_TRANSITION", ""},
        {ADMIN,  "POST", "/admin/user-coupons/999999999/cancel", "{}", 404, "COUPON_NOT_FOUND", ""},
    };
    check(ROWS, COUNT(ROWS));
    expect_laws_hold();
}

Test(rules, of_requests)
{
    static const struct row ROWS[] = {
        {NOBODY, "GET",    "/nowhere",  NULL, 404, "ROUTE_NOT_FOUND", ""},
        {NOBODY, "DELETE", "/products", NULL, 405, "METHOD_NOT_ALLOWED", ""},
        {USER,   "POST",   "/me/balance/charges", "{\"amount\": 1000, \"amount\": 1000}",           INVALID, "amount"},
        {USER,   "POST",   "/me/balance/charges", "{\"amount\": {\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":1}}}}}}}}}", INVALID, "amount.a.a.a.a.a.a.a"},
        {USER,   "POST",   "/me/balance/charges", "[1000]",                                        INVALID, ""},
        {USER,   "POST",   "/me/balance/charges", "{\"amount\": 1000",                              INVALID, "amount"},
    };
    check(ROWS, COUNT(ROWS));
}
// clang-format on

Test(rules, a_balance_reaches_ten_million_and_not_a_won_more)
{
    struct http_client *customer = given_customer(0);
    struct http_reply me = http_call(customer, "GET", "/me", NULL);
    char path[64];
    snprintf(path, sizeof path, "/admin/users/%lld/balance/adjustments",
             (long long)json_number(me.json, "id"));
    expect_reply(
        http_call(shop.people[ADMIN], "POST", path, "{\"amount\": 9900000, \"note\": \"gift\"}"),
        201, NULL);
    static const struct {
        int amount;
        long status;
    } charges[] = {
        {100010, 400},
        {100000, 201},
        {1000,   400},
    };
    for (size_t i = 0; i < COUNT(charges); i++)
        expect_reply(http_call(customer, "POST", "/me/balance/charges", "{\"amount\": %d}",
                               charges[i].amount),
                     charges[i].status, NULL);
    cr_assert_eq(balance_of(customer), 10000000);
}

Test(rules, a_refresh_token_that_was_used_ends_its_family)
{
    struct http_client *admin = http_open(NULL);
    char first[256], second[256];
    struct http_reply reply = http_call(admin, "POST", "/auth/login", "%s",
                                        "{\"email\": \"admin@baro.local\", "
                                        "\"password\": \"Baro!2026\"}");
    snprintf(first, sizeof first, "%s", json_word(reply.json, "refresh_token"));
    reply = http_call(admin, "POST", "/auth/refresh", "{\"refresh_token\": \"%s\"}", first);
    expect_reply(reply, 200, NULL);
    snprintf(second, sizeof second, "%s", json_word(reply.json, "refresh_token"));
    cr_assert_str_neq(first, second);
    cr_assert_eq(json_number(reply.json, "expires_in"), 3600);
    expect_reply(http_call(admin, "POST", "/auth/refresh", "{\"refresh_token\": \"%s\"}", first),
                 401, "UNAUTHENTICATED");
    expect_reply(http_call(admin, "POST", "/auth/refresh", "{\"refresh_token\": \"%s\"}", second),
                 401, "UNAUTHENTICATED");
}
