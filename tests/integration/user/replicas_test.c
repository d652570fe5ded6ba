// Three replicas at one job, and one of them is killed.

#include "tests/support/replicas.h"

#include "services/user/service.h"
#include "tests/integration/user/rig.h"
#include "tests/support/database.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { REPLICAS = 3 };

// What the test and its replicas share.
struct common {
    char url[512];
    char jobs[64];
};

static struct replica open_replica(size_t index, void *shared)
{
    static struct user_service service;
    const struct common *common = shared;
    (void)index;
    return (struct replica){common->url, &service, user_jobs, user_job_count, common->jobs};
}

static void start(struct replicas *replicas, const struct rig *rig, const char *jobs)
{
    struct common *common = replicas_shared(replicas);
    snprintf(common->url, sizeof(common->url), "%s", rig->url);
    snprintf(common->jobs, sizeof(common->jobs), "%s", jobs);
    replicas_go(replicas);
}

Test(replicas, make_partitions_side_by_side_once_each)
{
    struct replicas *replicas = replicas_fork(REPLICAS, open_replica, sizeof(struct common));
    struct rig *rig = rig_open((struct rig_size){0});
    start(replicas, rig, "make_partitions");
    for (int months = 1; months <= 4; months++) {
        char interval[32];
        snprintf(interval, sizeof(interval), "%d months", months);
        rig_shift_clock(rig, interval);
        replicas_await_round(replicas);
        cr_assert_eq(rig_number(rig, "SELECT count(*) FROM pg_inherits"
                                     " WHERE inhparent = 'wallet_history'::regclass"),
                     1 + 3 + months);
        if (months == 2)
            replicas_kill(replicas, 0);
    }
    replicas_end(replicas);
    rig_close(rig);
}

Test(replicas, forget_ended_sessions_side_by_side_and_no_others)
{
    struct replicas *replicas = replicas_fork(REPLICAS, open_replica, sizeof(struct common));
    struct rig *rig = rig_open((struct rig_size){0});
    SCOPED(db) *db = rig_db(rig);
    given_user(rig);
    test_script(db, "INSERT INTO session SELECT decode(md5(n::text), 'hex'),"
                    "  (SELECT max(id) FROM account), sha256(n::text::bytea), baro_now(),"
                    "  baro_now(), baro_now() + (n % 2) * interval '2 days'"
                    " FROM generate_series(1, 24000) n");
    rig_shift_clock(rig, "1 day");
    struct gate *gate = gate_close(rig->url, "session", "DELETE");
    start(replicas, rig, "prune_sessions");
    gate_await(gate, REPLICAS);
    replicas_kill(replicas, 1);
    gate_open(gate);
    while (rig_number(rig, "SELECT count(*) FROM session") > 12000)
        replicas_await_round(replicas);
    replicas_end(replicas);
    cr_assert_eq(rig_number(rig, "SELECT count(*) FROM session WHERE expires_at > baro_now()"),
                 12000);
    rig_close(rig);
}
