// `baroctl audit` sees: each law is broken by hand, found with its name, and mended again.

#include "lib/base/macros.h"
#include "lib/db/db.h"
#include "tests/support/shop.h"
#include "tests/support/stack.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// Rows of history are kept from everybody; what goes wrong below the database asks nobody.
#define KEPT(table, change)                                                                        \
    "ALTER TABLE " table " DISABLE TRIGGER USER; " change "; ALTER TABLE " table                   \
    " ENABLE TRIGGER USER"

// $O is a paid order's id, with a used coupon; what is planted is undone. Every table has a row here, or
// one in LAWLESS below.
static const struct drift {
    const char *database; // environment variable with its URL
    const char *plant;
    const char *undo;
    const char *finds; // the line that says so
} DRIFTS[] = {
    {"BARO_USER_DATABASE_URL",
     "UPDATE wallet SET balance = balance + 1 WHERE user_id = (SELECT max(user_id) FROM wallet)", "UPDATE wallet SET balance = balance - 1 WHERE user_id = (SELECT max(user_id) FROM wallet)",
     "wallet   BROKEN"},
    {"BARO_PRODUCT_DATABASE_URL",
     "UPDATE product_option SET total = total + 1 WHERE id = (SELECT max(id) FROM product_option)", "UPDATE product_option SET total = total - 1 WHERE id = (SELECT max(id) FROM product_option)",
     "stock    BROKEN"},
    {"BARO_PRODUCT_DATABASE_URL",
     "UPDATE product_option SET held = held + 1 WHERE id = (SELECT max(id) FROM product_option)", "UPDATE product_option SET held = held - 1 WHERE id = (SELECT max(id) FROM product_option)",
     "stock    BROKEN"},
    {"BARO_PRODUCT_DATABASE_URL", "UPDATE hold SET status = 'RETURNED' WHERE order_id = $O",
     "UPDATE hold SET status = 'CONFIRMED' WHERE order_id = $O", "order    BROKEN"},
    {"BARO_COUPON_DATABASE_URL", "UPDATE user_coupon SET rank = rank + 5 WHERE order_id = $O",
     "UPDATE user_coupon SET rank = rank - 5 WHERE order_id = $O", "coupon   BROKEN"},
    {"BARO_COUPON_DATABASE_URL", "UPDATE user_coupon SET order_id = $O + 1 WHERE order_id = $O",
     "UPDATE user_coupon SET order_id = $O WHERE order_id = $O + 1", "order    BROKEN"},
    {"BARO_ORDER_DATABASE_URL", "UPDATE payment SET amount = amount + 1 WHERE order_id = $O",
     "UPDATE payment SET amount = amount - 1 WHERE order_id = $O", "order    BROKEN"},
    {"BARO_ORDER_DATABASE_URL", "UPDATE payment SET status = 4 WHERE order_id = $O",
     "UPDATE payment SET status = 3 WHERE order_id = $O", "order    BROKEN"},
    {"BARO_ORDER_DATABASE_URL", "UPDATE orders SET status = 10, paid_at = NULL WHERE id = $O",
     "UPDATE orders SET status = 4, paid_at = created_at WHERE id = $O", "order    BROKEN"},
    {"BARO_ORDER_DATABASE_URL",
     "UPDATE saga SET state = 0, owner = 'nobody', lease_until = now() + interval '1 day',"
     " created_at = created_at - interval '1 hour' WHERE order_id = $O", "UPDATE saga SET state = 2, created_at = created_at + interval '1 hour' WHERE order_id = $O",
     "saga     BROKEN"},
    {"BARO_USER_DATABASE_URL",
     KEPT("wallet_history",
     "UPDATE wallet_history SET amount = amount - 10, after = after - 10 WHERE ref_id = $O"),
     KEPT("wallet_history",
     "UPDATE wallet_history SET amount = amount + 10, after = after + 10 WHERE ref_id = $O"),
     "wallet   BROKEN"},
    {"BARO_USER_DATABASE_URL",
     KEPT("wallet_order_entry",
     "UPDATE wallet_order_entry SET amount = amount - 10 WHERE order_id = $O"),
     KEPT("wallet_order_entry",
     "UPDATE wallet_order_entry SET amount = amount + 10 WHERE order_id = $O"),
     "order    BROKEN"},
    {"BARO_PRODUCT_DATABASE_URL",
     KEPT("stock_movement", "UPDATE stock_movement SET delta = delta - 1 WHERE order_id = $O"),
     KEPT("stock_movement", "UPDATE stock_movement SET delta = delta + 1 WHERE order_id = $O"),
     "stock    BROKEN"},
    {"BARO_COUPON_DATABASE_URL",
     "UPDATE campaign SET claimed = claimed + 1"
     " WHERE id = (SELECT campaign_id FROM user_coupon WHERE order_id = $O)", "UPDATE campaign SET claimed = claimed - 1"
     " WHERE id = (SELECT campaign_id FROM user_coupon WHERE order_id = $O)", "coupon   BROKEN"},
    {"BARO_ORDER_DATABASE_URL",
     KEPT("order_item", "UPDATE order_item SET quantity = quantity + 1 WHERE order_id = $O"),
     KEPT("order_item", "UPDATE order_item SET quantity = quantity - 1 WHERE order_id = $O"),
     "order    BROKEN"},
    {"BARO_ORDER_DATABASE_URL",
     KEPT("order_history",
     "UPDATE order_history SET status = 5 WHERE order_id = $O AND status = 4"),
     KEPT("order_history",
     "UPDATE order_history SET status = 4 WHERE order_id = $O AND status = 5"),
     "order    BROKEN"},
    {"BARO_ORDER_DATABASE_URL",
     KEPT("payment_history",
     "UPDATE payment_history SET to_status = 4 WHERE order_id = $O AND to_status = 3"),
     KEPT("payment_history",
     "UPDATE payment_history SET to_status = 3 WHERE order_id = $O AND to_status = 4"),
     "order    BROKEN"},
    {"BARO_ORDER_DATABASE_URL",
     "INSERT INTO order_pending (order_id, expires_at) VALUES ($O, baro_now() + interval '1 day')", "DELETE FROM order_pending WHERE order_id = $O", "order    BROKEN"},
    {"BARO_COUPON_DATABASE_URL",
     KEPT("user_coupon_history", "UPDATE user_coupon_history SET change = 'RESTORED' WHERE "
                                 "order_id = $O AND change = 'USED'"),
     KEPT("user_coupon_history", "UPDATE user_coupon_history SET change = 'USED' WHERE order_id = "
                                 "$O AND change = 'RESTORED'"),
     "coupon   BROKEN"},
    {"BARO_USER_DATABASE_URL",
     "INSERT INTO account (email, name, role, password_hash, created_at)"
     " VALUES ('drift@example.com', 'Drift', 'USER', '$argon2id$', baro_now())", "DELETE FROM account WHERE email = 'drift@example.com'", "wallet   BROKEN"},
};

// Tables of which no law speaks, and why.
static const struct {
    const char *table, *why;
} LAWLESS[] = {
    {"idempotency",
     "outcomes kept for a day: one that is lost or wrong shows in what it was about"  },
    {"barrier",              "the same, of the steps of sagas"                        },
    {"coupon_given_back",    "kept for a day, for messages that come late"            },
    {"hold_given_back",      "the same"                                               },
    {"outbox",               "told to others; what is behind is a metric and an alert"},
    {"event_cursor",         "the same"                                               },
    {"sink",                 "the same"                                               },
    {"sink_event",           "the same"                                               },
    {"sales_hour",           "a ranking of what sold; nothing is owed for it"         },
    {"popular_snapshot",     "the same"                                               },
    {"popular_snapshot_row", "the same"                                               },
    {"product",              "what people write; an order keeps what it was told"     },
    {"product_image",        "the same"                                               },
    {"cart_item",            "a wish: it holds nothing"                               },
    {"session",              "who is signed in"                                       },
    {"signing_key",          "a secret"                                               },
    {"bus_partition",        "who hears what, for a lease's time"                     },
    {"bus_replica",          "the same"                                               },
    {"law_pass",             "what the last look at the laws has found"               },
    {"migration",            "checked at every start, by its checksums"               },
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

static FILE *begin_audit(void)
{
    FILE *output = popen("exec \"${BUILD:-build}/baroctl\" audit --wait 0s 2>&1", "r");
    cr_assert(output);
    return output;
}

// The exit status.
static int end_audit(FILE *output, char *report, size_t size)
{
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
    json_array_foreach (json_at(report, "laws"), i, law) {
        const char *name = json_word(law, "name");
        if (strncmp(name, line, strlen(name)) != 0)
            continue;
        found = !json_is_true(json_at(law, "ok")) && json_number(law, "violations") > 0 &&
                json_array_size(json_at(law, "sample")) > 0;
    }
    return found && !json_is_true(json_at(report, "ok"));
}

// What the metric of a law says, in the order service that has the most to say.
static int64_t metric_of(const char *law)
{
    int64_t most = -1;
    char root[64], name[64];
    snprintf(name, sizeof name, "baro_law_violations{law=\"%s\"} ", law);
    for (int i = 0; i < stack_replicas(); i++) {
        snprintf(root, sizeof root, "http://127.0.0.1:%d", stack_ops_port("order", i));
        struct http_client *client = http_open(root);
        struct http_reply reply = http_call(client, "GET", "/metrics", NULL);
        const char *line = reply.status == 200 ? strstr(reply.body, name) : NULL;
        int64_t value = line ? strtoll(line + strlen(name), NULL, 10) : -1;
        most = value > most ? value : most;
        http_close(client);
    }
    return most;
}

// The law with which `line` begins: "order    BROKEN".
static int64_t metric_of_line(const char *line)
{
    char law[16];
    snprintf(law, sizeof law, "%.*s", (int)strcspn(line, " "), line);
    return metric_of(law);
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
        FILE *output = begin_audit(); // both at once: each looks for a second before it is sure
        bool shown = names_law(invariants(admin), DRIFTS[i].finds);
        int64_t counted = metric_of_line(DRIFTS[i].finds);
        int exit_status = end_audit(output, report, sizeof report);
        run_sql(DRIFTS[i].database, DRIFTS[i].undo, order_id);
        cr_expect(shown, "drift %zu is not shown by the endpoint", i);
        cr_expect_gt(counted, 0, "drift %zu is not in the metric", i);
        cr_expect_eq(exit_status, 1, "drift %zu", i);
        cr_expect(strstr(report, DRIFTS[i].finds), "drift %zu:\n%s", i, report);
    }
    expect_laws_hold();
    cr_assert(json_is_true(json_at(invariants(admin), "ok")));
    http_close(admin);
}

// True when the word stands in the text, and is no part of a longer one.
static bool has_word(const char *text, const char *word)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz_";
    size_t length = strlen(word);
    for (const char *at = strstr(text, word); at; at = strstr(at + 1, word))
        if ((at == text || !strchr(letters, at[-1])) &&
            (!at[length] || !strchr(letters, at[length])))
            return true;
    return false;
}

static bool is_guarded(const char *database, const char *table)
{
    for (size_t i = 0; i < COUNT(DRIFTS); i++)
        if (strcmp(DRIFTS[i].database, database) == 0 && has_word(DRIFTS[i].plant, table))
            return true;
    return false;
}

static bool is_lawless(const char *table)
{
    for (size_t i = 0; i < COUNT(LAWLESS); i++)
        if (strcmp(LAWLESS[i].table, table) == 0)
            return true;
    return false;
}

Test(audit, drift_is_planted_in_every_table_or_it_says_why_not)
{
    static const struct statement TABLES = {
        "test_tables", "SELECT relname::text FROM pg_class WHERE relkind IN ('r', 'p')"
                       " AND NOT relispartition AND relnamespace = 'public'::regnamespace"};
    static const char *const DATABASES[] = {"BARO_USER_DATABASE_URL", "BARO_PRODUCT_DATABASE_URL",
                                            "BARO_ORDER_DATABASE_URL", "BARO_COUPON_DATABASE_URL"};
    size_t seen = 0;
    for (size_t i = 0; i < COUNT(DATABASES); i++) {
        SCOPED(db) *db = db_create(getenv(DATABASES[i]), "e2e");
        struct rows tables;
        struct status st = db_query(db, &TABLES, NO_PARAMS, &tables);
        cr_assert_not(failed(st), "%s", st.message);
        for (size_t row = 0; row < tables.count; row++) {
            const char *table = rows_text(&tables, row, 0);
            cr_expect_neq(is_guarded(DATABASES[i], table), is_lawless(table), "%s", table);
            seen++;
        }
    }
    cr_assert_gt(seen, 40);
}

// `baroctl audit --watch`, and what it prints.
struct watcher {
    pid_t pid;
    int lines;
};

static struct watcher given_watcher(void)
{
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    struct watcher watcher = {.pid = fork(), .lines = ends[0]};
    cr_assert_geq(watcher.pid, 0);
    if (watcher.pid == 0) {
        char program[512];
        const char *build = getenv("BUILD");
        snprintf(program, sizeof program, "%s/baroctl", build ? build : "build");
        dup2(ends[1], STDOUT_FILENO);
        execl(program, "baroctl", "audit", "--watch", "--every", "100ms", "--wait", "0s", "--json",
              NULL);
        _exit(127);
    }
    close(ends[1]);
    return watcher;
}

// Waits for a line that says so of a law, and passes over all before it.
static void expect_line(const struct watcher *watcher, const char *law, bool ok)
{
    char line[4096], name[32];
    size_t length = 0;
    struct pollfd ready = {.fd = watcher->lines, .events = POLLIN};
    snprintf(name, sizeof name, "\"%s\"", law);
    while (poll(&ready, 1, 20000) == 1 && length + 1 < sizeof line &&
           read(watcher->lines, line + length, 1) == 1) {
        if (line[length++] != '\n')
            continue;
        line[length] = '\0';
        if (strstr(line, name) && strstr(line, ok ? "\"ok\":true" : "\"ok\":false"))
            return;
        length = 0;
    }
    cr_assert_fail("the watcher never says that %s is %s", law, ok ? "well" : "broken");
}

static int end_watcher(const struct watcher *watcher, int signal_number)
{
    int status;
    kill(watcher->pid, signal_number);
    cr_assert_eq(waitpid(watcher->pid, &status, 0), watcher->pid);
    close(watcher->lines);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Test(audit, who_watches_is_told_what_changes_until_a_signal_comes)
{
    static const struct drift *const drift = &DRIFTS[0];
    expect_laws_hold();
    struct watcher watcher = given_watcher();
    expect_line(&watcher, "saga", true); // the last of the first look
    run_sql(drift->database, drift->plant, 0);
    expect_line(&watcher, "wallet", false);
    struct watcher late = given_watcher();
    expect_line(&late, "wallet", false);
    cr_expect_eq(end_watcher(&late, SIGTERM), 1, "it leaves a broken law behind");
    run_sql(drift->database, drift->undo, 0);
    expect_line(&watcher, "wallet", true);
    cr_expect_eq(end_watcher(&watcher, SIGINT), 0);
    expect_laws_hold();
}

Test(audit, the_laws_are_shown_to_admins_only)
{
    struct http_client *customer = given_customer(0);
    expect_reply(http_call(customer, "GET", "/admin/invariants", NULL), 403, "FORBIDDEN");
    http_close(customer);
}
