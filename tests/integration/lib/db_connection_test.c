// Connections that die, and COMMITs whose answer never comes.
//
// A small relay stands between us and the server. It passes everything on until it sees the bytes of
// its trigger go by, usually our COMMIT; then it cuts the connection somewhere, or stalls.

#include "lib/base/clock.h"
#include "tests/support/database.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const struct statement ADD = {"add", "INSERT INTO thing (id) VALUES ($1::bigint)"};
static const struct statement ONE = {"one", "SELECT 1"};
static const struct statement PID = {"pid", "SELECT pg_backend_pid()"};

static void expect_ok(struct status st)
{
    cr_assert(!failed(st), "%s", st.message);
}

// A database with table thing; *url is where it is.
static struct db *given_things(const char **url)
{
    *url = test_database("connection");
    struct db *db = db_create(*url, "test");
    test_script(db, "CREATE TABLE thing (id bigint PRIMARY KEY)");
    return db;
}

static bool things(const char *url, int64_t count)
{
    return test_number(url, "SELECT count(*) FROM thing") == count;
}

// Ends the server's side of a connection and waits until it is gone.
static void terminate(const char *url, int64_t pid)
{
    static const struct statement end = {"end", "SELECT pg_terminate_backend($1::int, 5000)"};
    SCOPED(db) *db = db_create(url, "terminator");
    struct rows rows;
    expect_ok(db_query(db, &end, PARAMS(p_int64(pid)), &rows));
    cr_assert(rows_bool(&rows, 0, 0));
}

static int64_t backend(struct db *db)
{
    struct rows rows;
    expect_ok(db_query(db, &PID, NO_PARAMS, &rows));
    return rows_int64(&rows, 0, 0);
}

Test(connection, an_idle_connection_that_died_is_replaced)
{
    const char *url;
    SCOPED(db) *db = given_things(&url);
    struct rows rows;
    terminate(url, backend(db));
    expect_ok(db_query(db, &ONE, NO_PARAMS, &rows));
    terminate(url, backend(db));
    expect_ok(db_begin(db));
    expect_ok(db_queue(db, &ADD, PARAMS(p_int64(1))));
    expect_ok(db_commit(db));
    cr_expect(things(url, 1));
}

Test(connection, a_connection_lost_in_a_transaction_is_unavailable)
{
    const char *url;
    SCOPED(db) *db = given_things(&url);
    struct rows rows;
    expect_ok(db_begin(db));
    expect_ok(db_queue(db, &ADD, PARAMS(p_int64(1))));
    terminate(url, backend(db));
    cr_expect_eq(db_query(db, &ONE, NO_PARAMS, &rows).code, STATUS_UNAVAILABLE);
    cr_expect_eq(db_commit(db).code, STATUS_UNAVAILABLE);
    expect_ok(db_begin(db));
    expect_ok(db_query(db, &ONE, NO_PARAMS, &rows));
    expect_ok(db_commit(db));
    cr_expect(things(url, 0));
}

Test(connection, a_connection_known_to_be_lost_before_commit_is_no_mystery)
{
    const char *url;
    SCOPED(db) *db = given_things(&url);
    expect_ok(db_begin(db));
    expect_ok(db_queue(db, &ADD, PARAMS(p_int64(1))));
    terminate(url, backend(db));
    cr_expect_eq(db_commit(db).code, STATUS_UNAVAILABLE);
    cr_expect(things(url, 0));
}

Test(connection, a_server_that_is_not_there_is_unavailable_in_time)
{
    SCOPED(db) *db = db_create("postgresql://nobody@%2Fnonexistent/nothing", "test");
    int64_t start_us = clock_monotonic_us();
    struct status st = db_wait(db, 300);
    cr_expect_eq(st.code, STATUS_UNAVAILABLE);
    cr_expect(strstr(st.message, "/nonexistent"), "%s", st.message);
    cr_expect_lt(clock_monotonic_us() - start_us, 2 * US_PER_S);
    cr_expect_eq(db_begin(db).code, STATUS_UNAVAILABLE);
    db_rollback(db);
}

Test(connection, a_table_changed_by_a_migration_costs_one_retry)
{
    static const struct statement all = {"all", "SELECT * FROM thing"};
    const char *url;
    SCOPED(db) *db = given_things(&url);
    SCOPED(db) *other = db_create(url, "migrator");
    struct rows rows;
    expect_ok(db_query(db, &all, NO_PARAMS, &rows));
    test_script(other, "ALTER TABLE thing ADD COLUMN name text");
    cr_expect_eq(db_query(db, &all, NO_PARAMS, &rows).code, STATUS_ABORTED);
    expect_ok(db_query(db, &all, NO_PARAMS, &rows));
}

enum cut {
    CUT_BEFORE, // the server gets nothing
    CUT_AFTER,  // the server gets it, we get no answer
    CUT_READY,  // we get the answer but not its end, ReadyForQuery
    STALL,      // nothing passes any more, in either direction
};

struct relay {
    char folder[64];
    char url[512];
    struct sockaddr_un server;
    int listener;
    enum cut cut;
    const char *trigger; // bytes of the client
    bool triggered;
    pthread_t thread;
};

enum { READY_SIZE = 6 }; // of the message that ends an answer

static int connect_to(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    cr_assert(fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0);
    return fd;
}

// Both return false when the connection is to be cut.
static bool pass_question(struct relay *relay, int client, int server)
{
    char buffer[65536];
    ssize_t size = read(client, buffer, sizeof(buffer));
    if (size <= 0)
        return false;
    if (memmem(buffer, (size_t)size, relay->trigger, strlen(relay->trigger)))
        relay->triggered = true;
    if (relay->triggered && relay->cut == CUT_BEFORE)
        return false;
    if (relay->triggered && relay->cut == STALL) {
        poll(&(struct pollfd){.fd = client}, 1, -1); // until we hang up
        return false;
    }
    return write(server, buffer, (size_t)size) == size;
}

static bool pass_answer(struct relay *relay, int server, int client)
{
    char buffer[65536];
    ssize_t size = read(server, buffer, sizeof(buffer));
    if (size <= 0 || (relay->triggered && relay->cut != CUT_READY))
        return false;
    bool ready = size >= READY_SIZE && buffer[size - READY_SIZE] == 'Z';
    bool cut = relay->triggered && ready;
    size -= cut ? READY_SIZE : 0;
    return write(client, buffer, (size_t)size) == size && !cut;
}

static void *run_relay(void *context)
{
    struct relay *relay = context;
    int client = accept(relay->listener, NULL, NULL), server = connect_to(&relay->server);
    bool open = true;
    while (open) {
        struct pollfd fds[] = {
            {.fd = client, .events = POLLIN},
            {.fd = server, .events = POLLIN}
        };
        poll(fds, 2, -1);
        if (fds[0].revents)
            open = pass_question(relay, client, server);
        if (open && fds[1].revents)
            open = pass_answer(relay, server, client);
    }
    close(client);
    close(server);
    return NULL;
}

// The socket's path in the percent-encoded host of a URL.
static void socket_of_url(const char *url, struct sockaddr_un *address)
{
    const char *host = strchr(url, '@') + 1;
    char folder[64] = "";
    for (size_t length = 0; *host && *host != '/'; length++, host++) {
        cr_assert_lt(length + 1, sizeof(folder));
        bool slash = strncmp(host, "%2F", 3) == 0;
        folder[length] = slash ? '/' : *host;
        host += slash ? 2 : 0;
    }
    address->sun_family = AF_UNIX;
    snprintf(address->sun_path, sizeof(address->sun_path), "%s/.s.PGSQL.5432", folder);
}

static void relay_start(struct relay *relay, const char *url, enum cut cut, const char *trigger)
{
    *relay = (struct relay){.folder = "/tmp/baro-relay-XXXXXX", .cut = cut, .trigger = trigger};
    cr_assert_not_null(mkdtemp(relay->folder));
    socket_of_url(url, &relay->server);
    struct sockaddr_un own = {.sun_family = AF_UNIX};
    snprintf(own.sun_path, sizeof(own.sun_path), "%s/.s.PGSQL.5432", relay->folder);
    relay->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    cr_assert_eq(bind(relay->listener, (struct sockaddr *)&own, sizeof(own)), 0);
    cr_assert_eq(listen(relay->listener, 1), 0);
    snprintf(relay->url, sizeof(relay->url), "postgresql://postgres@/%s?host=%s",
             strrchr(url, '/') + 1, relay->folder);
    cr_assert_eq(pthread_create(&relay->thread, NULL, run_relay, relay), 0);
}

static void relay_stop(struct relay *relay)
{
    pthread_join(relay->thread, NULL);
    close(relay->listener);
    char path[128];
    snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", relay->folder);
    unlink(path);
    rmdir(relay->folder);
}

// Adds thing 1 through a relay that cuts at the COMMIT; returns what db_commit says of it.
static struct status commit_through(const char *url, enum cut cut)
{
    struct relay relay;
    relay_start(&relay, url, cut, "db_commit");
    SCOPED(db) *db = db_create(relay.url, "test");
    expect_ok(db_begin(db));
    expect_ok(db_queue(db, &ADD, PARAMS(p_int64(1))));
    struct status st = db_commit(db);
    relay_stop(&relay);
    return (struct status){.code = st.code, .reason = st.reason};
}

Test(commit, is_unknown_when_its_answer_is_lost_though_it_was_done)
{
    const char *url;
    SCOPED(db) *setup = given_things(&url);
    struct status st = commit_through(url, CUT_AFTER);
    cr_expect_eq(st.code, STATUS_UNKNOWN);
    cr_expect_eq(st.reason, REASON_OUTCOME_UNKNOWN);
    cr_expect(things(url, 1));
}

Test(commit, is_unknown_when_it_was_lost_itself)
{
    const char *url;
    SCOPED(db) *setup = given_things(&url);
    struct status st = commit_through(url, CUT_BEFORE);
    cr_expect_eq(st.code, STATUS_UNKNOWN);
    cr_expect_eq(st.reason, REASON_OUTCOME_UNKNOWN);
    cr_expect(things(url, 0));
}

Test(commit, is_done_once_the_server_said_so)
{
    const char *url;
    SCOPED(db) *setup = given_things(&url);
    cr_expect_eq(commit_through(url, CUT_READY).code, STATUS_OK);
    cr_expect(things(url, 1));
}

Test(commit, is_refused_for_certain_once_an_error_before_it_arrived)
{
    const char *url;
    SCOPED(db) *setup = given_things(&url);
    expect_ok(db_execute(setup, &ADD, PARAMS(p_int64(1)), NULL));
    cr_expect_eq(commit_through(url, CUT_READY).code, STATUS_ABORTED);
}

Test(commit, of_a_lone_write_is_unknown_when_its_answer_is_lost)
{
    const char *url;
    SCOPED(db) *setup = given_things(&url);
    struct relay relay;
    relay_start(&relay, url, CUT_AFTER, "INSERT INTO thing");
    SCOPED(db) *db = db_create(relay.url, "test");
    struct status st = db_execute(db, &ADD, PARAMS(p_int64(1)), NULL);
    cr_expect_eq(st.code, STATUS_UNKNOWN, "%s", st.message);
    relay_stop(&relay);
    cr_expect(things(url, 1));
}

Test(commit, of_a_lone_read_is_unavailable_when_its_answer_is_lost)
{
    const char *url;
    SCOPED(db) *setup = given_things(&url);
    struct relay relay;
    relay_start(&relay, url, CUT_AFTER, "SELECT 1");
    SCOPED(db) *db = db_create(relay.url, "test");
    struct rows rows;
    cr_expect_eq(db_query(db, &ONE, NO_PARAMS, &rows).code, STATUS_UNAVAILABLE);
    relay_stop(&relay);
}

Test(connection, a_server_that_takes_nothing_any_more_holds_nobody_for_long)
{
    // More than fits into the socket's buffers, so even sending cannot end.
    enum { SIZE = 8 * 1024 * 1024 };
    static uint8_t blob[SIZE];
    static const struct statement big = {"big", "SELECT length($1::bytea)"};
    const char *url;
    SCOPED(db) *setup = given_things(&url);
    struct relay relay;
    relay_start(&relay, url, STALL, "SELECT length");
    SCOPED(db) *db = db_create(relay.url, "test");
    struct rows rows;
    int64_t start_us = clock_monotonic_us();
    db_set_deadline(db, start_us + 100 * US_PER_MS);
    struct status st = db_query(db, &big, PARAMS(p_bytes(blob, SIZE)), &rows);
    cr_expect_eq(st.code, STATUS_DEADLINE_EXCEEDED, "%s", st.message);
    cr_expect_lt(clock_monotonic_us() - start_us, 4 * US_PER_S);
    relay_stop(&relay);
}
