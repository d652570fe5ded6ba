#include "tests/support/replicas.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/text.h"
#include "tests/support/database.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { REPLICAS_MAX = 8, WAIT_S = 60 };

// What the processes tell each other.
struct board {
    atomic_bool go, stop;
    struct {
        atomic_long begun, ended, failed;
        char failure[256]; // the last one
    } replicas[REPLICAS_MAX];
};

struct replicas {
    size_t count;
    pid_t pids[REPLICAS_MAX]; // 0: gone
    struct board *board;
    void *shared;
};

static void pause_briefly(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

static void *share(size_t size)
{
    void *memory = mmap(NULL, size + 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(memory, MAP_FAILED);
    return memory;
}

static void note_failure(struct board *board, size_t index, struct status st)
{
    atomic_fetch_add(&board->replicas[index].failed, 1);
    snprintf(board->replicas[index].failure, sizeof(board->replicas[index].failure), "%s %s",
             reason_word(st.reason), st.message ? st.message : "");
}

static struct status run_jobs(const struct replica *replica, struct db *db, struct arena *arena)
{
    struct status st = OK;
    for (size_t i = 0; i < replica->job_count && !failed(st); i++)
        if (strstr(replica->names, replica->jobs[i].name))
            st = replica->jobs[i].run(replica->service, db, arena);
    return st;
}

static _Noreturn void live(const struct replicas *replicas, size_t index, replica_open *open)
{
    struct board *board = replicas->board;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    log_init("replica", LOG_LEVEL_ERROR);
    while (!atomic_load(&board->go))
        pause_briefly();
    struct replica replica = open(index, replicas->shared);
    struct db *db = db_create(replica.url, "replica");
    while (!atomic_load(&board->stop)) {
        SCOPED(arena) *arena = arena_create();
        atomic_fetch_add(&board->replicas[index].begun, 1);
        struct status st = run_jobs(&replica, db, arena);
        if (failed(st))
            note_failure(board, index, st);
        atomic_fetch_add(&board->replicas[index].ended, 1);
        pause_briefly();
    }
    _exit(0);
}

struct replicas *replicas_fork(size_t count, replica_open *open, size_t shared_size)
{
    struct replicas *replicas = calloc(1, sizeof(*replicas));
    cr_assert(replicas && count <= REPLICAS_MAX);
    replicas->count = count;
    replicas->board = share(sizeof(*replicas->board));
    replicas->shared = share(shared_size);
    for (size_t i = 0; i < count; i++) {
        pid_t pid = fork();
        cr_assert_geq(pid, 0);
        if (pid == 0)
            live(replicas, i, open);
        replicas->pids[i] = pid;
    }
    return replicas;
}

void *replicas_shared(const struct replicas *replicas)
{
    return replicas->shared;
}

void replicas_go(struct replicas *replicas)
{
    atomic_store(&replicas->board->go, true);
}

void replicas_kill(struct replicas *replicas, size_t index)
{
    int outcome = 0;
    cr_assert_gt(replicas->pids[index], 0);
    kill(replicas->pids[index], SIGKILL);
    cr_assert_eq(waitpid(replicas->pids[index], &outcome, 0), replicas->pids[index]);
    cr_assert(WIFSIGNALED(outcome), "replica %zu had ended by itself", index);
    replicas->pids[index] = 0;
}

static void expect_no_failure(const struct replicas *replicas)
{
    for (size_t i = 0; i < replicas->count; i++)
        cr_assert(!replicas->pids[i] || !atomic_load(&replicas->board->replicas[i].failed), "%s",
                  replicas->board->replicas[i].failure);
}

static bool has_begun_and_ended(struct replicas *replicas, size_t index, long begun)
{
    return !replicas->pids[index] || atomic_load(&replicas->board->replicas[index].ended) > begun;
}

void replicas_await_round(struct replicas *replicas)
{
    int64_t until_us = clock_monotonic_us() + WAIT_S * US_PER_S;
    long begun[REPLICAS_MAX];
    for (size_t i = 0; i < replicas->count; i++)
        begun[i] = atomic_load(&replicas->board->replicas[i].begun);
    for (size_t i = 0; i < replicas->count; i++)
        while (!has_begun_and_ended(replicas, i, begun[i])) {
            cr_assert(clock_monotonic_us() < until_us, "replica %zu hangs", i);
            pause_briefly();
        }
    expect_no_failure(replicas);
}

void replicas_end(struct replicas *replicas)
{
    expect_no_failure(replicas);
    atomic_store(&replicas->board->stop, true);
    for (size_t i = 0; i < replicas->count; i++) {
        int outcome = 0;
        if (!replicas->pids[i])
            continue;
        cr_assert_eq(waitpid(replicas->pids[i], &outcome, 0), replicas->pids[i]);
        cr_assert(WIFEXITED(outcome) && WEXITSTATUS(outcome) == 0, "replica %zu: %d", i, outcome);
    }
    free(replicas);
}

struct gate {
    struct db *db; // its session holds the gate closed
    const char *url, *table;
};

enum { GATE = 4711 };

struct gate *gate_close(const char *url, const char *table, const char *change)
{
    static const struct statement CLOSE = {"gate_close", "SELECT pg_advisory_lock(4711) IS NULL"};
    SCOPED(arena) *arena = arena_create();
    struct gate *gate = calloc(1, sizeof(*gate));
    struct rows rows;
    cr_assert(gate);
    gate->url = url;
    gate->table = table;
    gate->db = db_create(url, "gate");
    test_script(
        gate->db,
        text_printf(arena,
                    "CREATE OR REPLACE FUNCTION stand_at_gate() RETURNS trigger"
                    " LANGUAGE plpgsql AS $$BEGIN"
                    "  PERFORM pg_advisory_xact_lock_shared(%d); RETURN coalesce(NEW, OLD); END$$;"
                    "CREATE TRIGGER gate BEFORE %s ON %s FOR EACH ROW"
                    "  EXECUTE FUNCTION stand_at_gate()",
                    GATE, change, table));
    cr_assert(!failed(db_query(gate->db, &CLOSE, NO_PARAMS, &rows)));
    return gate;
}

// Those at the gate wait for its lock, those behind for a row of somebody who stands there.
#define STANDING                                                                                   \
    " FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

void gate_await(struct gate *gate, int64_t connections)
{
    int64_t until_us = clock_monotonic_us() + WAIT_S * US_PER_S;
    while (test_number(gate->url, "SELECT count(*)" STANDING) < connections) {
        cr_assert(clock_monotonic_us() < until_us, "fewer than %ld come to the gate",
                  (long)connections);
        pause_briefly();
    }
}

void gate_cut(struct gate *gate)
{
    int64_t until_us = clock_monotonic_us() + WAIT_S * US_PER_S;
    test_number(gate->url, "SELECT count(pg_terminate_backend(pid))" STANDING);
    while (test_number(gate->url, "SELECT count(*)" STANDING) > 0) {
        cr_assert(clock_monotonic_us() < until_us);
        pause_briefly();
    }
}

void gate_open(struct gate *gate)
{
    db_destroy(gate->db); // its lock goes with the session
    SCOPED(arena) *arena = arena_create();
    SCOPED(db) *db = db_create(gate->url, "gate");
    // DROP TRIGGER alone locks the partitions before the table, and who reads or writes comes the other
    // way: they would wait for each other.
    test_script(db, text_printf(arena,
                                "BEGIN; LOCK TABLE %s IN ACCESS EXCLUSIVE MODE;"
                                "DROP TRIGGER gate ON %s; COMMIT",
                                gate->table, gate->table));
    free(gate);
}
