// The rig starts what main.c starts, but for the network: migrations, bootstrap, dispatcher.

#include "tests/integration/user/rig.h"

#include "tests/support/database.h"

#include <criterion/criterion.h>
#include <stdlib.h>

extern const struct migration user_migrations[];
extern const size_t user_migration_count;

// What handlers see, with what it refers to; rig->service points to it.
struct replica {
    struct user_service service; // first: handlers know this part
    struct user_settings settings;
    bool shares; // the database belongs to another replica
};

// Balance, number and chain of each wallet follow from its history, and the orders' entries are
// those of the history.
static const char BROKEN_LAWS[] =
    "WITH h AS (SELECT user_id, number, amount, before, after,"
    "             lag(after, 1, 0::bigint) OVER w AS previous, row_number() OVER w AS place"
    "           FROM wallet_history WINDOW w AS (PARTITION BY user_id ORDER BY number)),"
    " sums AS (SELECT user_id, sum(amount) AS balance, count(*) AS entries FROM h GROUP BY "
    "user_id),"
    " moved AS (SELECT ref_id, type, user_id, amount FROM wallet_history WHERE ref_id IS NOT NULL)"
    " SELECT (SELECT count(*) FROM h WHERE before <> previous OR number <> place)"
    "  + (SELECT count(*) FROM wallet w LEFT JOIN sums s USING (user_id)"
    "     WHERE w.balance <> coalesce(s.balance, 0) OR w.version <> coalesce(s.entries, 0))"
    "  + (SELECT count(*) FROM (SELECT * FROM moved EXCEPT ALL"
    "       SELECT order_id, type, user_id, amount FROM wallet_order_entry) x)"
    "  + (SELECT count(*) FROM (SELECT order_id, type, user_id, amount FROM wallet_order_entry"
    "       EXCEPT ALL SELECT * FROM moved) x)"
    "  + (SELECT count(*) FROM account a LEFT JOIN wallet w ON w.user_id = a.id"
    "     WHERE w.user_id IS NULL)";

static struct replica *replica_of(const struct rig *rig)
{
    return rig->service;
}

struct user_settings *rig_settings(const struct rig *rig)
{
    return &replica_of(rig)->settings;
}

static struct rig *start(const char *url, bool shares, struct rig_size size)
{
    struct replica *replica = calloc(1, sizeof(*replica));
    cr_assert_not_null(replica);
    *replica = (struct replica){
        .settings = {.common.database_url = url,
                     .admin_email = "admin@baro.local",
                     .admin_password = "Baro!2026",
                     .jwt_key = ""},
        .shares = shares,
    };
    replica->service.settings = &replica->settings;
    user_service_start(&replica->service);
    SCOPED(db) *db = db_create(url, "rig");
    struct status st = user_service_bootstrap(&replica->service, db);
    cr_assert(!failed(st), "%s", st.message);
    return rig_create(url, &user_methods, &replica->service, size);
}

struct rig *rig_open(struct rig_size size)
{
    return start(rig_database("user", user_migrations, user_migration_count), false, size);
}

struct rig *rig_open_replica(const struct rig *first, struct rig_size size)
{
    return start(first->url, true, size);
}

void rig_close(struct rig *rig)
{
    struct replica *replica = replica_of(rig);
    rig_drain(rig);
    if (!replica->shares)
        cr_assert_eq(rig_number(rig, BROKEN_LAWS), 0,
                     "the wallets do not follow from their history");
    rig_destroy(rig);
    user_service_destroy(&replica->service);
    free(replica);
}

int64_t given_user(struct rig *rig)
{
    return rig_number(rig, "WITH made AS ("
                           " INSERT INTO account (email, name, role, password_hash, created_at)"
                           " SELECT 'user' || count(*) || '@baro.kr', '김철수', 'USER',"
                           "        '$argon2id$none', baro_now() FROM account RETURNING id),"
                           " opened AS (INSERT INTO wallet (user_id, updated_at)"
                           "            SELECT id, baro_now() FROM made)"
                           " SELECT id FROM made");
}

int64_t given_user_with(struct rig *rig, int64_t balance_won)
{
    int64_t user = given_user(rig);
    Baro__User__AdjustBalanceRequest request;
    baro__user__adjust_balance_request__init(&request);
    request.user_id = user;
    request.amount = balance_won;
    rig_done(rig, "AdjustBalance", as_admin(), &request.base);
    return user;
}

const struct asked *charge(struct rig *rig, struct as as, int64_t amount_won)
{
    Baro__User__ChargeRequest request;
    baro__user__charge_request__init(&request);
    request.amount = amount_won;
    return rig_call(rig, "Charge", as, &request.base);
}

int64_t wallet_balance(struct rig *rig, int64_t user_id)
{
    Baro__Empty request;
    baro__empty__init(&request);
    const Baro__User__Balance *balance =
        rig_done(rig, "GetBalance", as_user(user_id), &request.base);
    cr_assert_not_null(balance->updated_at);
    return balance->balance;
}
