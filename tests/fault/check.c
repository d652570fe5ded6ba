#include "tests/fault/check.h"

#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "lib/db/db.h"
#include "services/order/order.h"
#include "tests/fault/clients.h"
#include "tests/fault/cluster.h"
#include "tests/fault/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { QUIET_MS = 90000, LOOK_MS = 20 };

struct checker {
    struct db *orders, *users, *coupons;
    struct checker_totals totals;
};

static const struct statement OPEN_SAGAS = {
    "fault_open_sagas",
    "SELECT count(*), count(*) FILTER (WHERE parked) FROM saga WHERE state < 2",
};

static const struct statement ORDERS = {
    "fault_orders",
    "SELECT id, status, total_amount - discount FROM orders WHERE user_id = $1::bigint ORDER BY id",
};

static const struct statement BALANCE = {
    "fault_balance",
    "SELECT coalesce((SELECT balance FROM wallet WHERE user_id = $1::bigint), 0)",
};

static const struct statement CLAIMS = {
    "fault_claims",
    "SELECT count(*) FROM user_coupon WHERE campaign_id = $1::bigint",
};

static struct db *open_database(const char *variable)
{
    const char *url = getenv(variable);
    if (!url) {
        fprintf(stderr, "fault: %s is not set\n", variable);
        exit(1);
    }
    return db_create(url, "fault check");
}

struct checker *checker_create(void)
{
    struct checker *checker = calloc(1, sizeof(*checker));
    if (!checker)
        exit(1);
    checker->orders = open_database("BARO_ORDER_DATABASE_URL");
    checker->users = open_database("BARO_USER_DATABASE_URL");
    checker->coupons = open_database("BARO_COUPON_DATABASE_URL");
    return checker;
}

void checker_destroy(struct checker *checker)
{
    if (!checker)
        return;
    db_destroy(checker->orders);
    db_destroy(checker->users);
    db_destroy(checker->coupons);
    free(checker);
}

// A connection of before a crash fails once.
static bool ask(struct db *db, const struct statement *statement, struct params params,
                struct rows *rows)
{
    struct status st = db_query(db, statement, params, rows);
    if (failed(st))
        st = db_query(db, statement, params, rows);
    if (failed(st))
        report_violation("%s cannot be asked: %s", statement->name, st.message);
    return !failed(st);
}

static void await_quiet(struct checker *checker)
{
    int64_t began_us = clock_monotonic_us(), took_us = 0, open = 1, parked = 0;
    struct rows rows;
    while (open > 0 && took_us < QUIET_MS * US_PER_MS) {
        if (!ask(checker->orders, &OPEN_SAGAS, NO_PARAMS, &rows))
            return;
        open = rows_int64(&rows, 0, 0);
        parked = rows_int64(&rows, 0, 1);
        if (open > 0)
            pause_ms(LOOK_MS);
        took_us = clock_monotonic_us() - began_us;
    }
    if (open > 0)
        report_violation("%lld sagas are open after %d s (%lld of them parked)", (long long)open,
                         QUIET_MS / 1000, (long long)parked);
    if (took_us > checker->totals.longest_quiet_us)
        checker->totals.longest_quiet_us = took_us;
}

static void check_laws(void)
{
    char command[256], text[4096] = "";
    const char *build = getenv("BUILD");
    snprintf(command, sizeof(command), "exec %s/baroctl audit --wait 60s 2>&1",
             build ? build : "build");
    FILE *audit = popen(command, "r");
    size_t length = audit ? fread(text, 1, sizeof(text) - 1, audit) : 0;
    text[length] = '\0';
    if (!audit || pclose(audit) != 0)
        report_violation("the laws are broken:\n%s", text);
}

// The states in which an order may be that was acknowledged so: that one, and what may come after it.
static bool keeps(enum promise promise, enum order_status status)
{
    switch (promise) {
    case PROMISE_PLACED:
        return status == ORDER_PENDING || status == ORDER_EXPIRED;
    case PROMISE_UNPAID:
        return status == ORDER_PENDING || status == ORDER_EXPIRED || status == ORDER_FAILED ||
               status == ORDER_CANCELLED;
    case PROMISE_PAID:
        return status == ORDER_PAID;
    case PROMISE_REFUNDED:
        return status == ORDER_REFUNDED;
    case PROMISE_GONE:
        return status == ORDER_EXPIRED || status == ORDER_CANCELLED;
    case PROMISE_OPEN:
        return true; // reported already
    }
    return false;
}

static const struct promised_order *find_promise(const struct customer *customer, int64_t id)
{
    for (int i = 0; i < customer->order_count; i++)
        if (customer->orders[i].id == id)
            return &customer->orders[i];
    return NULL;
}

// An order that nobody was told of may have been given up, under a key whose next try made another.
static void check_order(struct checker *checker, const struct customer *customer, int64_t id,
                        enum order_status status, int64_t amount_won)
{
    const struct promised_order *order = find_promise(customer, id);
    if (!order && status != ORDER_CANCELLED && status != ORDER_FAILED) {
        checker->totals.duplicated++;
        report_violation("order %lld (%s) of user %lld was never acknowledged", (long long)id,
                         order_status_name(status), (long long)customer->user_id);
    } else if (order && !keeps(order->promise, status)) {
        checker->totals.lost++;
        report_violation("order %lld of user %lld was acknowledged as %s and is %s", (long long)id,
                         (long long)customer->user_id, promise_word(order->promise),
                         order_status_name(status));
    } else if (order && order->promise == PROMISE_PAID && order->amount_won != amount_won) {
        report_violation("order %lld was to cost %lld and cost %lld", (long long)id,
                         (long long)order->amount_won, (long long)amount_won);
    }
}

static void check_orders(struct checker *checker, const struct customer *customer)
{
    struct rows rows;
    int known = 0;
    if (!ask(checker->orders, &ORDERS, PARAMS(p_int64(customer->user_id)), &rows))
        return;
    for (size_t i = 0; i < rows.count; i++) {
        int64_t id = rows_int64(&rows, i, 0);
        known += find_promise(customer, id) != NULL;
        check_order(checker, customer, id, (enum order_status)rows_int64(&rows, i, 1),
                    rows_int64(&rows, i, 2));
    }
    if (known == customer->order_count)
        return;
    checker->totals.lost += customer->order_count - known;
    report_violation("%d acknowledged orders of user %lld are not there",
                     customer->order_count - known, (long long)customer->user_id);
}

static void check_balance(struct checker *checker, const struct customer *customer)
{
    int64_t expected_won = customer->charged_won;
    struct rows rows;
    for (int i = 0; i < customer->order_count; i++) {
        if (customer->orders[i].promise == PROMISE_OPEN)
            return;
        if (customer->orders[i].promise == PROMISE_PAID)
            expected_won -= customer->orders[i].amount_won;
    }
    if (!ask(checker->users, &BALANCE, PARAMS(p_int64(customer->user_id)), &rows))
        return;
    int64_t balance_won = rows_int64(&rows, 0, 0);
    if (balance_won == expected_won)
        return;
    checker->totals.lost += balance_won < expected_won;
    checker->totals.duplicated += balance_won > expected_won;
    report_violation("user %lld has %lld won instead of %lld", (long long)customer->user_id,
                     (long long)balance_won, (long long)expected_won);
}

// A rush of all customers for fewer coupons: exactly so many are granted, and each was acknowledged.
static void check_claims(struct checker *checker, const struct clients *clients, int64_t coupons)
{
    struct rows rows;
    int64_t granted = clients_granted(clients);
    if (!ask(checker->coupons, &CLAIMS, PARAMS(p_int64(clients_campaign(clients))), &rows))
        return;
    int64_t claims = rows_int64(&rows, 0, 0);
    bool all_gone = claims == coupons || !clients_all_claimed(clients);
    if (claims > coupons || claims != granted || !all_gone)
        report_violation("%lld coupons were claimed of %lld, %lld were acknowledged",
                         (long long)claims, (long long)coupons, (long long)granted);
}

void checker_run(struct checker *checker, const struct clients *clients, int64_t coupons)
{
    await_quiet(checker);
    check_laws();
    for (int i = 0; i < clients_count(clients); i++) {
        const struct customer *customer = clients_customer(clients, i);
        if (!customer->user_id)
            continue;
        check_orders(checker, customer);
        check_balance(checker, customer);
    }
    check_claims(checker, clients, coupons);
}

struct checker_totals checker_totals(const struct checker *checker)
{
    return checker->totals;
}
