#include "tests/support/shop.h"

#include "lib/base/text.h"
#include "lib/db/db.h"

#include <assert.h>
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// Options do not tell their product; tests make few, so remember.
struct known_option {
    int64_t option_id;
    int64_t product_id;
};
static struct known_option known[4096];
static size_t known_count;

static unsigned fresh_number(void)
{
    static atomic_uint next;
    return atomic_fetch_add(&next, 1);
}

static const char *from_environment(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value && *value ? value : otherwise;
}

void expect_reply(struct http_reply reply, long status, const char *code)
{
    cr_assert_eq(reply.status, status, "want %ld, got %ld %s%s", status, reply.status, reply.body,
                 reply.error);
    if (code)
        cr_assert_str_eq(json_word(reply.json, "code"), code, "%s", reply.body);
}

struct http_client *given_admin(void)
{
    struct http_client *client = http_open(NULL);
    struct http_reply reply =
        http_call(client, "POST", "/auth/login", "{\"email\": \"%s\", \"password\": \"%s\"}",
                  from_environment("BARO_ADMIN_EMAIL", "admin@baro.local"),
                  from_environment("BARO_ADMIN_PASSWORD", "Baro!2026"));
    expect_reply(reply, 200, NULL);
    http_sign_in(client, json_word(reply.json, "access_token"));
    return client;
}

struct http_client *given_customer(int64_t balance_won)
{
    enum { CHARGE_MAX = 100000 };
    struct http_client *client = http_open(NULL);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct http_reply reply =
        http_call(client, "POST", "/auth/signup",
                  "{\"email\": \"c%d-%lld%09ld-%u@example.com\", \"password\": \"Secret!2026\", "
                  "\"name\": \"손님\"}",
                  (int)getpid(), (long long)now.tv_sec, now.tv_nsec, fresh_number());
    expect_reply(reply, 201, NULL);
    http_sign_in(client, json_word(reply.json, "access_token"));

    for (int64_t left = balance_won; left > 0; left -= CHARGE_MAX) {
        long long amount = left < CHARGE_MAX ? left : CHARGE_MAX;
        expect_reply(http_call(client, "POST", "/me/balance/charges", "{\"amount\": %lld}", amount),
                     201, NULL);
    }
    return client;
}

int64_t given_option(int64_t price_won, int64_t stock)
{
    struct http_client *admin = given_admin();
    struct http_reply reply = http_call(
        admin, "POST", "/admin/products",
        "{\"name\": \"Product %u\", \"description\": \"\", \"category\": \"test\", \"options\": "
        "[{\"name\": \"빨강-L\", \"price\": %lld, \"stock\": %lld}], \"images\": []}",
        fresh_number(), (long long)price_won, (long long)stock);
    expect_reply(reply, 201, NULL);
    int64_t option_id = json_number(reply.json, "options.0.id");
    assert(known_count < sizeof known / sizeof known[0]);
    known[known_count++] = (struct known_option){option_id, json_number(reply.json, "id")};
    http_close(admin);
    return option_id;
}

static void write_time(char *text, size_t size, int64_t offset_s)
{
    time_t when = time(NULL) + offset_s;
    struct tm utc;
    strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&when, &utc));
}

int64_t given_campaign(const char *type, int value, int64_t total)
{
    struct http_client *admin = given_admin();
    char from[32], to[32];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    write_time(from, sizeof from, -60);
    write_time(to, sizeof to, 86400);
    struct http_reply reply = http_call(
        admin, "POST", "/admin/coupons",
        "{\"name\": \"Campaign\", \"code\": \"C%d-%lld%09ld-%u\", \"type\": \"%s\", \"value\": %d, "
        "\"min_order_amount\": 0, \"total_quantity\": %lld, \"starts_at\": \"%s\", \"ends_at\": "
        "\"%s\", \"valid_days\": 7}",
        (int)getpid(), (long long)now.tv_sec, now.tv_nsec, fresh_number(), type, value,
        (long long)total, from, to);
    expect_reply(reply, 201, NULL);
    int64_t id = json_number(reply.json, "id");
    http_close(admin);
    return id;
}

int64_t claim(struct http_client *customer, int64_t campaign_id)
{
    char path[64];
    snprintf(path, sizeof path, "/coupons/%lld/claims", (long long)campaign_id);
    struct http_reply reply = http_call(customer, "POST", path, "{}");
    expect_reply(reply, 201, NULL);
    return json_number(reply.json, "id");
}

int64_t place_order(struct http_client *customer, int64_t option_id, int quantity,
                    int64_t user_coupon_id)
{
    char coupon[64] = "";
    if (user_coupon_id)
        snprintf(coupon, sizeof coupon, ", \"user_coupon_id\": %lld", (long long)user_coupon_id);
    struct http_reply reply = http_call(customer, "POST", "/orders",
                                        "{\"items\": [{\"option_id\": %lld, \"quantity\": %d}]%s}",
                                        (long long)option_id, quantity, coupon);
    expect_reply(reply, 201, NULL);
    return json_number(reply.json, "id");
}

struct http_reply pay_order(struct http_client *customer, int64_t order_id, int64_t user_coupon_id)
{
    char path[64];
    snprintf(path, sizeof path, "/orders/%lld/payment", (long long)order_id);
    http_next_header(customer, "Prefer: wait=10");
    if (user_coupon_id)
        return http_call(customer, "POST", path, "{\"user_coupon_id\": %lld}",
                         (long long)user_coupon_id);
    return http_call(customer, "POST", path, "{}");
}

struct http_reply get_order(struct http_client *customer, int64_t order_id)
{
    char path[64];
    snprintf(path, sizeof path, "/orders/%lld", (long long)order_id);
    return http_call(customer, "GET", path, NULL);
}

struct http_reply begin_payment(struct http_client *customer, int64_t order_id)
{
    char path[64];
    snprintf(path, sizeof path, "/orders/%lld/payment", (long long)order_id);
    http_next_header(customer, "Prefer: respond-async");
    return http_call(customer, "POST", path, "{}");
}

int64_t balance_of(struct http_client *customer)
{
    struct http_reply reply = http_call(customer, "GET", "/me/balance", NULL);
    expect_reply(reply, 200, NULL);
    return json_number(reply.json, "balance");
}

int64_t available_stock(int64_t option_id)
{
    struct http_client *anyone = http_open(NULL);
    int64_t available = -1;

    for (size_t i = 0; i < known_count; i++) {
        if (known[i].option_id != option_id)
            continue;
        char path[64];
        snprintf(path, sizeof path, "/products/%lld", (long long)known[i].product_id);
        struct http_reply reply = http_call(anyone, "GET", path, NULL);
        expect_reply(reply, 200, NULL);
        available = json_number(reply.json, "options.0.available");
    }
    http_close(anyone);
    return available;
}

const char *coupon_status(struct http_client *customer, int64_t user_coupon_id)
{
    static _Thread_local char status[32];
    struct http_reply reply = http_call(customer, "GET", "/me/coupons?page_size=100", NULL);
    const json_t *items = json_at(reply.json, "items");

    expect_reply(reply, 200, NULL);
    status[0] = '\0';
    for (size_t i = 0; i < json_array_size(items); i++)
        if (json_number(json_array_get(items, i), "id") == user_coupon_id)
            snprintf(status, sizeof status, "%s", json_word(json_array_get(items, i), "status"));
    return status;
}

const char *order_status(struct http_client *customer, int64_t order_id)
{
    static _Thread_local char status[32];
    char path[64];
    snprintf(path, sizeof path, "/orders/%lld", (long long)order_id);
    struct http_reply reply = http_call(customer, "GET", path, NULL);
    snprintf(status, sizeof status, "%s",
             reply.status == 200 ? json_word(reply.json, "status") : "");
    return status;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool await_order(struct http_client *customer, int64_t order_id, const char *status, int timeout_ms)
{
    int64_t end_ms = now_ms() + timeout_ms;

    while (strcmp(order_status(customer, order_id), status) != 0) {
        if (now_ms() > end_ms)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = 20 * 1000000}, NULL);
    }
    return true;
}

void end_time_to_pay(int64_t order_id)
{
    SCOPED(arena) *arena = arena_create();
    SCOPED(db) *db = db_create(getenv("BARO_ORDER_DATABASE_URL"), "e2e");
    struct status st =
        db_script(db, text_printf(arena,
                                  "UPDATE orders SET expires_at = now() WHERE id = %lld;"
                                  "UPDATE order_pending SET expires_at = now()"
                                  " WHERE order_id = %lld",
                                  (long long)order_id, (long long)order_id));
    cr_assert_not(failed(st), "%s", st.message);
}

void expect_laws_hold(void)
{
    char report[8192] = "";
    FILE *audit = popen("exec \"${BUILD:-build}/baroctl\" audit --wait 60s 2>&1", "r");
    cr_assert(audit, "baroctl cannot be started");
    size_t length = fread(report, 1, sizeof report - 1, audit);
    report[length] = '\0';
    cr_assert_eq(pclose(audit), 0, "the conservation laws are broken:\n%s", report);
}
