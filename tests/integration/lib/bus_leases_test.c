// Shares of the partitions among replicas, on a real server.

#include "lib/bus/leases.h"
#include "tests/integration/lib/guarded.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>

enum { LEASE_MS = 10000, ALL = 0xFFFF };

static const char *url;
static struct db *db;

static void given_partitions(void)
{
    url = guarded_database("leases");
    db = db_create(url, "test");
}

static void end_partitions(void)
{
    db_destroy(db);
}

TestSuite(leases, .init = given_partitions, .fini = end_partitions, .timeout = 60);

static uint32_t renew(const char *instance)
{
    uint32_t partitions = 0;
    struct status st = leases_renew(db, instance, LEASE_MS, &partitions);
    cr_assert(!failed(st), "%s", st.message);
    return partitions;
}

static int count(uint32_t partitions)
{
    return __builtin_popcount(partitions);
}

Test(leases, one_replica_has_all)
{
    cr_expect_eq(renew("a"), ALL);
    cr_expect_eq(renew("a"), ALL);
}

Test(leases, each_newcomer_gets_its_share_once_the_others_have_given_back)
{
    renew("a");
    cr_expect_eq(count(renew("b")), 0);
    uint32_t a = renew("a"), b = renew("b");
    cr_expect(count(a) == 8 && count(b) == 8 && (a & b) == 0);

    renew("c");
    a = renew("a");
    b = renew("b");
    uint32_t c = renew("c");
    cr_expect(count(a) == 6 && count(b) == 5 && count(c) == 5);
    cr_expect_eq(a | b | c, ALL);
    cr_expect(renew("a") == a && renew("b") == b && renew("c") == c);
}

Test(leases, a_dead_replica_loses_its_share_when_its_lease_ends)
{
    renew("a");
    renew("b");
    renew("a");
    cr_expect_eq(count(renew("b")), 8);
    guarded_advance(url, 5);
    cr_expect_eq(count(renew("b")), 8);
    guarded_advance(url, 11);
    cr_expect_eq(renew("b"), ALL);
}

Test(leases, a_replica_that_leaves_gives_everything_back_at_once)
{
    renew("a");
    renew("b");
    renew("a");
    renew("b");
    struct status st = leases_release(db, "a");
    cr_assert(!failed(st), "%s", st.message);
    cr_expect_eq(renew("b"), ALL);
    cr_expect_eq(test_number(url, "SELECT count(*) FROM bus_replica"), 1);
}

static void *renew_often(void *arg)
{
    SCOPED(db) *own = db_create(url, "test replica");
    char name[16];
    uint32_t partitions;
    snprintf(name, sizeof(name), "%d", *(int *)arg);
    for (int i = 0; i < 20; i++) {
        struct status st = leases_renew(own, name, LEASE_MS, &partitions);
        if (failed(st))
            return own;
    }
    return NULL;
}

Test(leases, replicas_that_renew_at_once_share_all_without_failing)
{
    enum { REPLICAS = 5 };
    pthread_t threads[REPLICAS];
    int names[REPLICAS];
    for (int i = 0; i < REPLICAS; i++) {
        names[i] = i;
        pthread_create(&threads[i], NULL, renew_often, &names[i]);
    }
    for (int i = 0; i < REPLICAS; i++) {
        void *failure;
        pthread_join(threads[i], &failure);
        cr_expect_null(failure);
    }
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < REPLICAS; i++)
            renew((char[]){(char)('0' + i), '\0'});
    cr_expect_eq(test_number(url, "SELECT count(*) FROM bus_partition WHERE owner IS NOT NULL"),
                 16);
    cr_expect_leq(test_number(url, "SELECT max(n) FROM (SELECT count(*) AS n FROM bus_partition"
                                   " GROUP BY owner) AS shares"),
                  4);
}
