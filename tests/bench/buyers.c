// What people build without batching: a pool of connections, and one transaction for each customer.
//
//   bench-buyers DATABASE WORK GUARD CUSTOMERS STOCK POOL [REDIS_SOCKET]
//
// WORK is place, checkout or claim, GUARD pessimistic (SELECT .. FOR UPDATE), optimistic (a version,
// with retry) or redis (a lock in Redis around the transaction). All customers want the same row at
// once. The tables are like Baro's, but in one database, without sagas, events and idempotency keys:
// less work for each customer, not more. Prints one line of JSON.

#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "lib/base/text.h"

#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { POOL_MAX = 64, LOCK_MS = 10000, PAUSE_FIRST_US = 500, PAUSE_MAX_US = 16000 };

static const char SCHEMA[] =
    "DROP TABLE IF EXISTS option, hold, orders, item, wallet, entry, payment, claim;"
    "CREATE TABLE option (id int PRIMARY KEY, stock bigint NOT NULL CHECK (stock >= 0),"
    "                     version bigint NOT NULL DEFAULT 0);"
    "CREATE TABLE hold (order_id bigint PRIMARY KEY, option_id int NOT NULL);"
    "CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint NOT NULL, status text NOT NULL,"
    "                     total bigint NOT NULL, created_at timestamptz NOT NULL DEFAULT now());"
    "CREATE INDEX ON orders (user_id);"
    "CREATE TABLE item (order_id bigint, line int, option_id int, price bigint, name text,"
    "                   PRIMARY KEY (order_id, line));"
    "CREATE TABLE wallet (user_id bigint PRIMARY KEY, balance bigint NOT NULL CHECK (balance >= "
    "0));"
    "CREATE TABLE entry (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id bigint,"
    "                    order_id bigint, amount bigint, at timestamptz DEFAULT now());"
    "CREATE INDEX ON entry (user_id);"
    "CREATE TABLE payment (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, order_id bigint,"
    "                      amount bigint, status text, at timestamptz DEFAULT now());"
    "CREATE INDEX ON payment (order_id);"
    "CREATE TABLE claim (user_id bigint PRIMARY KEY, rank bigint NOT NULL UNIQUE);";

// The first two statements of a guard: read the row that all want, and take one of it.
enum guard_kind { PESSIMISTIC, OPTIMISTIC, REDIS_LOCK, GUARDS };

static const struct guard {
    const char *name, *read, *take;
} GUARDS_TABLE[GUARDS] = {
    [PESSIMISTIC] = {"pessimistic", "SELECT stock, version FROM option WHERE id = 1 FOR UPDATE",
                     "UPDATE option SET stock = stock - 1, version = $1::bigint + 1 WHERE id = 1"},
    [OPTIMISTIC] = {"optimistic",  "SELECT stock, version FROM option WHERE id = 1",
                     "UPDATE option SET stock = stock - 1, version = version + 1"
                    " WHERE id = 1 AND version = $1::bigint"                                     },
    [REDIS_LOCK] = {"redis",       "SELECT stock, version FROM option WHERE id = 1",
                     "UPDATE option SET stock = stock - 1, version = $1::bigint + 1 WHERE id = 1"},
};

// What else a customer's transaction does; $1 is the customer, who has one order.
static const struct work {
    const char *name;
    const char *statements[8]; // ended by NULL
} WORKS[] = {
    {"place",
     {"INSERT INTO hold VALUES ($1::bigint, 1)",
      "INSERT INTO orders VALUES ($1::bigint, $1::bigint, 'PENDING', 1000)",
      "INSERT INTO item VALUES ($1::bigint, 1, 1, 1000, 'one size')"}                                },
    {"checkout",
     {"INSERT INTO orders VALUES ($1::bigint, $1::bigint, 'PAYING', 1000)",
      "INSERT INTO item VALUES ($1::bigint, 1, 1, 1000, 'one size')",
      "SELECT balance FROM wallet WHERE user_id = $1::bigint FOR UPDATE",
      "UPDATE wallet SET balance = balance - 1000 WHERE user_id = $1::bigint",
      "INSERT INTO entry (user_id, order_id, amount) VALUES ($1::bigint, $1::bigint, -1000)",
      "INSERT INTO payment (order_id, amount, status) VALUES ($1::bigint, 1000, 'COMPLETED')",
      "UPDATE orders SET status = 'PAID' WHERE id = $1::bigint"}                                     },
    {"claim",    {"INSERT INTO claim SELECT $1::bigint, $2::bigint - stock FROM option WHERE id = 1"}},
};

struct shop {
    const char *database, *redis;
    const struct guard *guard;
    const struct work *work;
    int64_t customers, stock, pool;
    _Atomic int64_t next, served, sold_out, conflicts;
    pthread_barrier_t start;
};

struct clerk {
    struct shop *shop;
    PGconn *connection;
    redisContext *redis;
    uint64_t random;
};

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "bench-buyers: %s\n", what);
    exit(2);
}

static void pause_for(struct clerk *clerk, int attempt)
{
    clerk->random = clerk->random * UINT64_C(6364136223846793005) + 1442695040888963407U;
    uint64_t most_us = (uint64_t)PAUSE_FIRST_US << (attempt < 5 ? attempt : 5);
    if (most_us > PAUSE_MAX_US)
        most_us = PAUSE_MAX_US;
    uint64_t us = most_us / 2 + (clerk->random >> 33) % (most_us / 2);
    nanosleep(&(struct timespec){.tv_nsec = (long)us * 1000}, NULL);
}

static PGresult *checked(PGresult *result)
{
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        fail(PQresultErrorMessage(result));
    return result;
}

// The name of a prepared statement is its text.
static void prepare(struct clerk *clerk, const char *sql)
{
    PQclear(checked(PQprepare(clerk->connection, sql, sql, 0, NULL)));
}

static PGresult *run(struct clerk *clerk, const char *sql, const char *first, const char *second)
{
    const char *values[] = {first, second};
    int count = strstr(sql, "$2") ? 2 : strstr(sql, "$1") ? 1 : 0;
    return checked(PQexecPrepared(clerk->connection, sql, count, values, NULL, NULL, 0));
}

enum outcome { SERVED, SOLD_OUT, CONFLICT };

static enum outcome take_one(struct clerk *clerk)
{
    const struct guard *guard = clerk->shop->guard;
    char version[24];
    PGresult *row = run(clerk, guard->read, NULL, NULL);
    int64_t stock = strtoll(PQgetvalue(row, 0, 0), NULL, 10);
    snprintf(version, sizeof(version), "%s", PQgetvalue(row, 0, 1));
    PQclear(row);
    if (stock == 0)
        return SOLD_OUT;
    PGresult *taken = run(clerk, guard->take, version, NULL);
    bool hit = strcmp(PQcmdTuples(taken), "1") == 0;
    PQclear(taken);
    return hit ? SERVED : CONFLICT;
}

static enum outcome serve(struct clerk *clerk, int64_t customer)
{
    char id[24], total[24];
    const char *const *statement = clerk->shop->work->statements;
    snprintf(id, sizeof(id), "%" PRId64, customer);
    snprintf(total, sizeof(total), "%" PRId64, clerk->shop->stock);
    PQclear(PQexec(clerk->connection, "BEGIN"));
    enum outcome outcome = take_one(clerk);
    for (; outcome == SERVED && *statement; statement++)
        PQclear(run(clerk, *statement, id, total));
    PQclear(PQexec(clerk->connection, outcome == SERVED ? "COMMIT" : "ROLLBACK"));
    return outcome;
}

static void lock(struct clerk *clerk, int64_t customer)
{
    for (int attempt = 0;; attempt++) {
        redisReply *reply = redisCommand(clerk->redis, "SET lock:option %lld NX PX %d",
                                         (long long)customer, LOCK_MS);
        if (!reply)
            fail("Redis is gone");
        bool locked = reply->type == REDIS_REPLY_STATUS;
        freeReplyObject(reply);
        if (locked)
            return;
        pause_for(clerk, attempt);
    }
}

static void unlock(struct clerk *clerk, int64_t customer)
{
    static const char script[] = "if redis.call('get', KEYS[1]) == ARGV[1] then"
                                 " return redis.call('del', KEYS[1]) end";
    freeReplyObject(
        redisCommand(clerk->redis, "EVAL %s 1 lock:option %lld", script, (long long)customer));
}

static enum outcome serve_guarded(struct clerk *clerk, int64_t customer)
{
    bool locks = clerk->shop->guard == &GUARDS_TABLE[REDIS_LOCK];
    enum outcome outcome;
    if (locks)
        lock(clerk, customer);
    for (int attempt = 0; (outcome = serve(clerk, customer)) == CONFLICT; attempt++) {
        atomic_fetch_add(&clerk->shop->conflicts, 1);
        pause_for(clerk, attempt);
    }
    if (locks)
        unlock(clerk, customer);
    return outcome;
}

static void *work(void *arg)
{
    struct clerk *clerk = arg;
    struct shop *shop = clerk->shop;
    int64_t customer;
    pthread_barrier_wait(&shop->start);
    while ((customer = atomic_fetch_add(&shop->next, 1)) <= shop->customers)
        atomic_fetch_add(serve_guarded(clerk, customer) == SERVED ? &shop->served : &shop->sold_out,
                         1);
    return NULL;
}

static void open_clerk(struct clerk *clerk)
{
    clerk->connection = PQconnectdb(clerk->shop->database);
    if (PQstatus(clerk->connection) != CONNECTION_OK)
        fail(PQerrorMessage(clerk->connection));
    clerk->redis = clerk->shop->redis ? redisConnectUnix(clerk->shop->redis) : NULL;
    if (clerk->redis && clerk->redis->err)
        fail(clerk->redis->errstr);
    if (!clerk->redis && clerk->shop->guard == &GUARDS_TABLE[REDIS_LOCK])
        fail("the guard redis needs a socket");
    prepare(clerk, clerk->shop->guard->read);
    prepare(clerk, clerk->shop->guard->take);
    for (const char *const *sql = clerk->shop->work->statements; *sql; sql++)
        prepare(clerk, *sql);
}

static void close_clerk(struct clerk *clerk)
{
    PQfinish(clerk->connection);
    if (clerk->redis)
        redisFree(clerk->redis);
}

static void furnish(const struct shop *shop)
{
    char sql[512];
    PGconn *connection = PQconnectdb(shop->database);
    snprintf(sql, sizeof(sql),
             "INSERT INTO option VALUES (1, %" PRId64 ");"
             "INSERT INTO wallet SELECT g, 10000000 FROM generate_series(1, %" PRId64 ") g;"
             "ANALYZE; CHECKPOINT",
             shop->stock, shop->customers);
    PQclear(PQexec(connection, "SET client_min_messages = error"));
    PQclear(PQexec(connection, SCHEMA));
    PQclear(checked(PQexec(connection, sql)));
    PQfinish(connection);
}

static double run_all(struct shop *shop)
{
    struct clerk clerks[POOL_MAX];
    pthread_t threads[POOL_MAX];
    size_t pool = (size_t)shop->pool;
    furnish(shop);
    for (size_t i = 0; i < pool; i++) {
        clerks[i] = (struct clerk){.shop = shop, .random = i};
        open_clerk(&clerks[i]);
    }
    pthread_barrier_init(&shop->start, NULL, (unsigned)pool + 1);
    for (size_t i = 0; i < pool; i++)
        if (pthread_create(&threads[i], NULL, work, &clerks[i]) != 0)
            fail("no thread");
    pthread_barrier_wait(&shop->start);
    int64_t start_us = clock_monotonic_us();
    for (size_t i = 0; i < pool; i++)
        pthread_join(threads[i], NULL);
    double ms = (double)(clock_monotonic_us() - start_us) / (double)US_PER_MS;
    for (size_t i = 0; i < pool; i++)
        close_clerk(&clerks[i]);
    return ms;
}

static bool parse(struct shop *shop, char **argv)
{
    for (size_t i = 0; i < COUNT(WORKS); i++)
        if (strcmp(WORKS[i].name, argv[2]) == 0)
            shop->work = &WORKS[i];
    for (size_t i = 0; i < COUNT(GUARDS_TABLE); i++)
        if (strcmp(GUARDS_TABLE[i].name, argv[3]) == 0)
            shop->guard = &GUARDS_TABLE[i];
    return shop->work && shop->guard && text_parse_int64(argv[4], 1, 1000000, &shop->customers) &&
           text_parse_int64(argv[5], 0, 1000000, &shop->stock) &&
           text_parse_int64(argv[6], 1, POOL_MAX, &shop->pool);
}

int main(int argc, char **argv)
{
    struct shop shop = {.next = 1};
    if (argc < 7 || argc > 8 || !parse(&shop, argv))
        fail("usage: bench-buyers DATABASE WORK GUARD CUSTOMERS STOCK POOL [REDIS_SOCKET]");
    shop.database = argv[1];
    shop.redis = argc == 8 ? argv[7] : NULL;
    double ms = run_all(&shop);
    printf("{\"ms\": %.2f, \"per_second\": %.0f, \"served\": %" PRId64 ", \"sold_out\": %" PRId64
           ", \"conflicts\": %" PRId64 "}\n",
           ms, (double)shop.customers / ms * 1e3, shop.served, shop.sold_out, shop.conflicts);
    return shop.served != (shop.stock < shop.customers ? shop.stock : shop.customers);
}
