// `baroctl audit` sees: each law is broken by hand, found with its name, and mended again.

#include "lib/base/macros.h"
#include "lib/db/db.h"
#include "tests/support/shop.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

// $O is a paid order's id, with a used coupon; what is planted is undone.
static const struct drift {
    const char *database; // environment variable with its URL
    const char *plant;
    const char *undo;
    const char *finds; // the line that says so
} DRIFTS[] = {
    {"BARO_USER_DATABASE_URL",
     "UPDATE wallet SET balance = balance + 1 WHERE user_id = (SELECT max(user_id) FROM wallet)",   "UPDATE wallet SET balance = balance - 1 WHERE user_id = (SELECT max(user_id) FROM wallet)",
     "wallet   BROKEN"                                                                                                                                                                                              },
    {"BARO_PRODUCT_DATABASE_URL",
     "UPDATE product_option SET total = total + 1 WHERE id = (SELECT max(id) FROM product_option)", "UPDATE product_option SET total = total - 1 WHERE id = (SELECT max(id) FROM product_option)",
     "stock    BROKEN"                                                                                                                                                                                              },
    {"BARO_PRODUCT_DATABASE_URL",
     "UPDATE product_option SET held = held + 1 WHERE id = (SELECT max(id) FROM product_option)",   "UPDATE product_option SET held = held - 1 WHERE id = (SELECT max(id) FROM product_option)",
     "stock    BROKEN"                                                                                                                                                                                              },
    {"BARO_PRODUCT_DATABASE_URL", "UPDATE hold SET status = 'RETURNED' WHERE order_id = $O",
     "UPDATE hold SET status = 'CONFIRMED' WHERE order_id = $O",                                                                                                                                   "order    BROKEN"},
    {"BARO_COUPON_DATABASE_URL",  "UPDATE user_coupon SET rank = rank + 5 WHERE order_id = $O",
     "UPDATE user_coupon SET rank = rank - 5 WHERE order_id = $O",                                                                                                                                 "coupon   BROKEN"},
    {"BARO_COUPON_DATABASE_URL",  "UPDATE user_coupon SET order_id = $O + 1 WHERE order_id = $O",
     "UPDATE user_coupon SET order_id = $O WHERE order_id = $O + 1",                                                                                                                               "order    BROKEN"},
    {"BARO_ORDER_DATABASE_URL",   "UPDATE payment SET amount = amount + 1 WHERE order_id = $O",
     "UPDATE payment SET amount = amount - 1 WHERE order_id = $O",                                                                                                                                 "order    BROKEN"},
    {"BARO_ORDER_DATABASE_URL",   "UPDATE payment SET status = 4 WHERE order_id = $O",
     "UPDATE payment SET status = 3 WHERE order_id = $O",                                                                                                                                          "order    BROKEN"},
    {"BARO_ORDER_DATABASE_URL",   "UPDATE orders SET status = 10, paid_at = NULL WHERE id = $O",
     "UPDATE orders SET status = 4, paid_at = created_at WHERE id = $O",                                                                                                                           "order    BROKEN"},
    {"BARO_ORDER_DATABASE_URL",
     "UPDATE saga SET state = 0, owner = 'nobody', lease_until = now() + interval '1 day',"
     " created_at = created_at - interval '1 hour' WHERE order_id = $O",                            "UPDATE saga SET state = 2, created_at = created_at + interval '1 hour' WHERE order_id = $O",
     "saga     BROKEN"                                                                                                                                                                                              },
};

static void run_sql(const char *database, const char *sql, int64_t order_id)
{
    SCOPED(db) *db = db_create(getenv(database), "e2e");
    char text[1024] = "";
    for (const char *at = sql; *at;) {
        size_t length = strlen(text);
        if (!strncmp(at, "$O", 2)) {
            snprintf(text + length, sizeof text - length, "%lld", (long long)order_id);
            at += 2;
        } else {
            snprintf(text + length, sizeof text - length, "%c", *at++);
        }
    }
    struct status st = db_script(db, text);
    cr_assert_not(failed(st), "%s: %s", text, st.message);
}

static int audit(char *report, size_t size)
{
    FILE *output = popen("exec \"${BUILD:-build}/baroctl\" audit --wait 0s 2>&1", "r");
    cr_assert(output);
    report[fread(report, 1, size - 1, output)] = '\0';
    return WEXITSTATUS(pclose(output));
}

static int64_t given_paid_order(void)
{
    struct http_client *customer = given_customer(50000);
    int64_t coupon = claim(customer, given_campaign("FIXED", 1000, 5));
    int64_t order_id = place_order(customer, given_option(20000, 3), 1, coupon);
    char path[64];
    snprintf(path, sizeof path, "/orders/%lld/payment", (long long)order_id);
    http_next_header(customer, "Prefer: wait=10");
    expect_reply(http_call(customer, "POST", path, "{}"), 200, NULL);
    http_close(customer);
    return order_id;
}

// The endpoint's answer out of a check that began after the question.
static const json_t *invariants(struct http_client *admin)
{
    for (int tries = 0; tries < 20; tries++) {
        struct http_reply reply = http_call(admin, "GET", "/admin/invariants", NULL);
        expect_reply(reply, 200, NULL);
        cr_assert_eq(json_array_size(json_at(reply.json, "laws")), 5);
        if (json_is_true(json_at(reply.json, "fresh")))
            return reply.json;
    }
    cr_assert_fail("no check ends in time");
    return NULL;
}

// True when just the law with which `line` begins is broken, with a sentence about it.
static bool names_law(const json_t *report, const char *line)
{
    size_t i;
    json_t *law;
    bool found = false;
    json_array_foreach(json_at(report, "laws"), i, law)
    {
        const char *name = json_word(law, "name");
        if (strncmp(name, line, strlen(name)) != 0)
            continue;
        found = !json_is_true(json_at(law, "ok")) && json_number(law, "violations") > 0 &&
                json_array_size(json_at(law, "sample")) > 0;
    }
    return found && !json_is_true(json_at(report, "ok"));
}

Test(audit, every_planted_drift_is_found_and_named)
{
    int64_t order_id = given_paid_order();
    char report[8192];

    struct http_client *admin = given_admin();

    expect_laws_hold();
    cr_assert(json_is_true(json_at(invariants(admin), "ok")));
    for (size_t i = 0; i < COUNT(DRIFTS); i++) {
        run_sql(DRIFTS[i].database, DRIFTS[i].plant, order_id);
        int exit_status = audit(report, sizeof report);
        bool shown = names_law(invariants(admin), DRIFTS[i].finds);
        run_sql(DRIFTS[i].database, DRIFTS[i].undo, order_id);
        cr_expect(shown, "drift %zu is not shown by the endpoint", i);
        cr_expect_eq(exit_status, 1, "drift %zu", i);
        cr_expect(strstr(report, DRIFTS[i].finds), "drift %zu:\n%s", i, report);
    }
    expect_laws_hold();
    cr_assert(json_is_true(json_at(invariants(admin), "ok")));
    http_close(admin);
}

Test(audit, the_laws_are_shown_to_admins_only)
{
    struct http_client *customer = given_customer(0);
    expect_reply(http_call(customer, "GET", "/admin/invariants", NULL), 403, "FORBIDDEN");
    http_close(customer);
}
