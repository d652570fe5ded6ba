// Shares of the sixteen partitions. The replicas that are alive, in the order of their names, get
// sixteen divided by their number each, and the first of them one more while there is a rest. A
// replica takes only what is free or expired, and gives back what is above its share, so partitions
// move from the old to the new within one period of renewal and a half, and never have two owners.
//
// All rows are locked in one order: replicas renew one after the other.

#include "lib/bus/leases.h"

static const struct statement ALIVE = {
    "leases_alive",
    "INSERT INTO bus_replica (instance, alive_until)"
    " VALUES ($1::text, baro_now() + $2::bigint * interval '1 millisecond')"
    " ON CONFLICT (instance) DO UPDATE SET alive_until = excluded.alive_until",
};

static const struct statement FORGET_DEAD = {
    "leases_forget_dead",
    "DELETE FROM bus_replica WHERE alive_until < baro_now() - interval '1 hour'",
};

static const struct statement RANK = {
    "leases_rank",
    "SELECT count(*), count(*) FILTER (WHERE instance < $1::text)"
    " FROM bus_replica WHERE alive_until > baro_now()",
};

static const struct statement LOAD = {
    "leases_load",
    "SELECT partition, owner = $1::text, owner IS NULL OR lease_until <= baro_now()"
    " FROM bus_partition ORDER BY partition FOR UPDATE",
};

static const struct statement OWN = {
    "leases_own",
    "UPDATE bus_partition SET owner = $1::text,"
    "       lease_until = baro_now() + $2::bigint * interval '1 millisecond'"
    " WHERE partition = ANY($3::bigint[])",
};

static const struct statement GIVE_BACK = {
    "leases_give_back",
    "UPDATE bus_partition SET owner = NULL, lease_until = NULL WHERE partition = ANY($1::bigint[])",
};

static const struct statement LEAVE = {
    "leases_leave",
    "DELETE FROM bus_replica WHERE instance = $1::text",
};

static const struct statement GIVE_ALL_BACK = {
    "leases_give_all_back",
    "UPDATE bus_partition SET owner = NULL, lease_until = NULL"
    " WHERE partition IN (SELECT partition FROM bus_partition WHERE owner = $1::text"
    "                     ORDER BY partition FOR UPDATE)",
};

struct choice {
    int64_t kept[SAGA_PARTITIONS], given[SAGA_PARTITIONS];
    size_t kept_count, given_count;
};

static size_t fair_share(const struct rows *rank)
{
    int64_t alive = rows_int64(rank, 0, 0), before = rows_int64(rank, 0, 1);
    return (size_t)(SAGA_PARTITIONS / alive + (before < SAGA_PARTITIONS % alive ? 1 : 0));
}

// First what we own, up to the share, then what is free.
static struct choice choose(const struct rows *rows, size_t share)
{
    struct choice choice = {.kept_count = 0};
    for (size_t i = 0; i < rows->count; i++) {
        if (!rows_bool(rows, i, 1))
            continue;
        int64_t partition = rows_int64(rows, i, 0);
        if (choice.kept_count < share)
            choice.kept[choice.kept_count++] = partition;
        else
            choice.given[choice.given_count++] = partition;
    }
    for (size_t i = 0; i < rows->count && choice.kept_count < share; i++)
        if (!rows_bool(rows, i, 1) && rows_bool(rows, i, 2))
            choice.kept[choice.kept_count++] = rows_int64(rows, i, 0);
    return choice;
}

static struct status renew(struct db *db, const char *instance, int64_t lease_ms,
                           struct choice *choice)
{
    struct rows rank, rows;
    struct status st = db_queue(db, &ALIVE, PARAMS(p_text(instance), p_int64(lease_ms)));
    if (!failed(st))
        st = db_queue(db, &FORGET_DEAD, NO_PARAMS);
    if (!failed(st))
        st = db_queue_query(db, &RANK, PARAMS(p_text(instance)), &rank);
    if (!failed(st))
        st = db_query(db, &LOAD, PARAMS(p_text(instance)), &rows);
    if (failed(st))
        return st;
    *choice = choose(&rows, fair_share(&rank));
    st = db_queue(
        db, &OWN,
        PARAMS(p_text(instance), p_int64(lease_ms), p_int64s(choice->kept, choice->kept_count)));
    if (!failed(st))
        st = db_queue(db, &GIVE_BACK, PARAMS(p_int64s(choice->given, choice->given_count)));
    return st;
}

struct status leases_renew(struct db *db, const char *instance, int64_t lease_ms,
                           uint32_t *partitions)
{
    struct choice choice;
    struct status st = db_begin(db);
    if (!failed(st))
        st = renew(db, instance, lease_ms, &choice);
    if (!failed(st))
        st = db_commit(db);
    if (failed(st)) {
        db_rollback(db);
        return st;
    }
    uint32_t mask = 0;
    for (size_t i = 0; i < choice.kept_count; i++)
        mask |= UINT32_C(1) << choice.kept[i];
    *partitions = mask;
    return OK;
}

struct status leases_release(struct db *db, const char *instance)
{
    struct status st = db_begin(db);
    if (!failed(st))
        st = db_queue(db, &LEAVE, PARAMS(p_text(instance)));
    if (!failed(st))
        st = db_queue(db, &GIVE_ALL_BACK, PARAMS(p_text(instance)));
    if (!failed(st))
        st = db_commit(db);
    if (failed(st))
        db_rollback(db);
    return st;
}
