// Where the demo's rows go: one transaction in each database, so that a load that is broken off leaves
// nothing; by COPY, to the four databases at once.
//
// No events: nobody outside is told of a past that never was. The popularity of the products is made
// from the stock movements, as the consumer would have counted it.

#include "deploy/baroctl/demo_store.h"

#include "lib/base/thread.h"

#include <pthread.h>

enum { NUMBERS = 8192 };

// Months that nobody writes to any more are packed full.
#define PARTITIONS(parents)                                                                        \
    "SELECT baro_make_partition(parent, month, 100) FROM unnest('{" parents                        \
    "}'::text[]) AS parent, generate_series("                                                      \
    "date_trunc('month', baro_now() AT TIME ZONE 'UTC' - interval '181 days'),"                    \
    " baro_now() AT TIME ZONE 'UTC', interval '1 month') AS month"

// Rows that this transaction has written.
#define OURS(row) row ".xmin = pg_current_xact_id()::xid"

// A sale is of the hour in which it was paid, unless it was given back. Hours stand together, as they
// would if they had come one by one.
static const char MAKE_SALES[] =
    "INSERT INTO sales_hour (hour, product_id, option_id, units, last_paid_at)"
    " SELECT date_trunc('hour', s.paid_at, 'UTC'), o.product_id, o.id, sum(s.units)::bigint,"
    "        max(s.paid_at)"
    " FROM (SELECT order_id, option_id, -sum(delta) AS units, min(created_at) AS paid_at"
    "       FROM stock_movement WHERE kind IN ('ORDER', 'RETURN')"
    "       GROUP BY order_id, option_id HAVING sum(delta) < 0) s"
    " JOIN product_option o ON o.id = s.option_id AND " OURS("o") " GROUP BY 1, 2, 3"
                                                                  " ORDER BY 1, 2, 3";

static const char COUNT_CLAIMS[] =
    "UPDATE campaign c SET claimed = u.claimed"
    " FROM (SELECT campaign_id, count(*) AS claimed FROM user_coupon GROUP BY 1) u"
    " WHERE u.campaign_id = c.id AND " OURS("c");

// clang-format off
// What a database needs before the orders, after them, and outside the transaction.
static const struct {
    const char *before, *after, *later;
} SQL[DEMO_DATABASES] = {
    [DEMO_USER] =    {PARTITIONS("wallet_history"), NULL,
        "ANALYZE account, wallet, wallet_history, wallet_order_entry"},
    [DEMO_PRODUCT] = {NULL, MAKE_SALES,
        "ANALYZE product, product_option, product_image, hold, stock_movement, sales_hour"},
    [DEMO_COUPON] =  {NULL, COUNT_CLAIMS,
        "ANALYZE campaign, user_coupon, user_coupon_history"},
    [DEMO_ORDER] =   {PARTITIONS("orders,order_item,order_history,payment,payment_history"), NULL,
        "ANALYZE orders, order_item, order_history, payment, payment_history, saga, order_pending"},
};

static const struct {
    enum demo_database database;
    struct copy_table table;
} TABLES[DEMO_TABLES] = {
    [ROWS_ACCOUNT] =           {DEMO_USER,    {"account",
        "id, email, name, role, password_hash, created_at"}},
    [ROWS_WALLET] =            {DEMO_USER,    {"wallet", "user_id, balance, version, updated_at"}},
    [ROWS_WALLET_HISTORY] =    {DEMO_USER,    {"wallet_history",
        "id, user_id, number, type, amount, before, after, ref_id, note,"
        " created_at"}},
    [ROWS_WALLET_ORDER_ENTRY] = {DEMO_USER,    {"wallet_order_entry",
        "order_id, type, user_id, amount"}},
    [ROWS_PRODUCT] =           {DEMO_PRODUCT, {"product",
        "id, name, description, category, is_active, price, created_at"}},
    [ROWS_IMAGE] =             {DEMO_PRODUCT, {"product_image",
        "product_id, position, url, sequence"}},
    [ROWS_OPTION] =            {DEMO_PRODUCT, {"product_option",
        "id, product_id, name, price, total, held"}},
    [ROWS_HOLD] =              {DEMO_PRODUCT, {"hold",
        "order_id, option_id, quantity, status, expires_at"}},
    [ROWS_MOVEMENT] =          {DEMO_PRODUCT, {"stock_movement",
        "option_id, delta, kind, order_id, note, created_at"}},
    [ROWS_CAMPAIGN] =          {DEMO_COUPON,  {"campaign",
        "id, name, code, type, value, max_discount, min_order, total_quantity,"
        " starts_at, ends_at, valid_days, created_at"}},
    [ROWS_COUPON] =            {DEMO_COUPON,  {"user_coupon",
        "id, campaign_id, user_id, rank, order_id, discount, issued_at,"
        " expires_at, held_until, used_at, status"}},
    [ROWS_COUPON_HISTORY] =    {DEMO_COUPON,  {"user_coupon_history",
        "user_coupon_id, change, order_id, at"}},
    [ROWS_ORDER] =             {DEMO_ORDER,   {"orders",
        "id, user_id, saga_id, user_coupon_id, total_amount, discount, created_at,"
        " expires_at, paid_at, version, status, failure_reason"}},
    [ROWS_PENDING] =           {DEMO_ORDER,   {"order_pending", "order_id, expires_at"}},
    [ROWS_ITEM] =              {DEMO_ORDER,   {"order_item",
        "order_id, option_id, product_id, unit_price, quantity, line,"
        " product_name, option_name"}},
    [ROWS_ORDER_HISTORY] =     {DEMO_ORDER,   {"order_history",
        "order_id, at, version, status, reason"}},
    [ROWS_PAYMENT] =           {DEMO_ORDER,   {"payment",
        "id, order_id, amount, created_at, completed_at, version, status, reason"}},
    [ROWS_PAYMENT_HISTORY] =   {DEMO_ORDER,   {"payment_history",
        "order_id, payment_id, at, version, from_status, to_status, reason"}},
    [ROWS_SAGA] =              {DEMO_ORDER,   {"saga",
        "id, order_id, order_version, created_at, updated_at, lease_until,"
        " failure_code, state, attempts, held, parked, kind, owner, step,"
        " failure_reason, failure_message, context, timeline"}},
};

static const struct {
    const char *name;
    enum demo_database database;
} SEQUENCES[DEMO_SEQUENCES] = {
    [SEQUENCE_ORDER] =   {"order_sequence",    DEMO_ORDER},
    [SEQUENCE_PAYMENT] = {"payment_sequence",  DEMO_ORDER},
    [SEQUENCE_SAGA] =    {"saga_sequence",     DEMO_ORDER},
    [SEQUENCE_ENTRY] =   {"wallet_history_id", DEMO_USER},
    [SEQUENCE_COUPON] =  {"user_coupon_id",    DEMO_COUPON},
};
// clang-format on

// A database while it is loaded: the transaction that rows go into, and a handle for sequences and the
// clock, which do not wait for its end.
struct target {
    struct demo *demo;
    enum demo_database database;
    PGconn *connection;
    struct db *db;
    pthread_t sender;
    struct status sent;
};

struct demo_sequences {
    struct target targets[DEMO_DATABASES];
    struct {
        struct ids *ids;
        int64_t numbers[NUMBERS];
        size_t left;
    } of[DEMO_SEQUENCES];
};

int64_t demo_number(struct demo *demo, enum demo_sequence sequence)
{
    struct demo_sequences *sequences = demo->sequences;
    size_t *left = &sequences->of[sequence].left;
    if (*left == 0) {
        struct db *db = sequences->targets[SEQUENCES[sequence].database].db;
        struct status st =
            ids_take(sequences->of[sequence].ids, db, NUMBERS, sequences->of[sequence].numbers);
        if (failed(st)) {
            demo->failure = st;
            return 0;
        }
        *left = NUMBERS;
    }
    return sequences->of[sequence].numbers[NUMBERS - (*left)--];
}

// The databases

static struct status run_sql(struct target *target, const char *sql)
{
    if (!sql)
        return OK;
    PGresult *result = PQexec(target->connection, sql);
    ExecStatusType status = PQresultStatus(result);
    PQclear(result);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
        return OK;
    return refuse(REASON_UNAVAILABLE, PQerrorMessage(target->connection));
}

static struct status each(struct demo *demo, const char *(*sql_of)(enum demo_database database))
{
    struct status st = OK;
    for (int i = 0; i < DEMO_DATABASES && !failed(st); i++)
        st = run_sql(&demo->sequences->targets[i], sql_of((enum demo_database)i));
    return st;
}

static const char *begin_sql(enum demo_database database)
{
    (void)database;
    return "SET client_min_messages = error; SET idle_in_transaction_session_timeout = 0; BEGIN";
}

static const char *before_sql(enum demo_database database)
{
    return SQL[database].before;
}

static const char *after_sql(enum demo_database database)
{
    return SQL[database].after;
}

static const char *commit_sql(enum demo_database database)
{
    (void)database;
    return "COMMIT";
}

static const char *later_sql(enum demo_database database)
{
    return SQL[database].later;
}

static void *send_rows(void *arg)
{
    struct target *target = arg;
    target->sent = OK;
    for (int i = 0; i < DEMO_TABLES && !failed(target->sent); i++)
        if (TABLES[i].database == target->database)
            target->sent = copy_send(&target->demo->rows[i], target->connection);
    return NULL;
}

// Sends what was collected, to all databases at once.
struct status demo_flush(struct demo *demo)
{
    struct target *targets = demo->sequences->targets;
    struct status st = demo->failure;
    if (failed(st))
        return st;
    for (int i = 0; i < DEMO_DATABASES; i++)
        thread_start(&targets[i].sender, send_rows, &targets[i]);
    for (int i = 0; i < DEMO_DATABASES; i++) {
        pthread_join(targets[i].sender, NULL);
        if (failed(targets[i].sent) && !failed(st))
            st = targets[i].sent;
    }
    return st;
}

static struct status connect_to(struct demo *demo, enum demo_database database, const char *url)
{
    struct target *target = &demo->sequences->targets[database];
    *target = (struct target){demo, database, PQconnectdb(url), db_create(url, "baroctl load-demo"),
                              0,    OK};
    if (PQstatus(target->connection) == CONNECTION_OK)
        return OK;
    return refuse(REASON_UNAVAILABLE, PQerrorMessage(target->connection));
}

struct status demo_open_databases(struct demo *demo, const struct audit_urls *urls)
{
    demo->sequences = arena_alloc(demo->arena, sizeof(*demo->sequences));
    const char *const url[DEMO_DATABASES] = {urls->user, urls->product, urls->coupon, urls->order};
    struct status st = OK;
    for (int i = 0; i < DEMO_DATABASES && !failed(st); i++)
        st = connect_to(demo, (enum demo_database)i, url[i]);
    for (int i = 0; i < DEMO_SEQUENCES; i++)
        demo->sequences->of[i].ids = ids_create(SEQUENCES[i].name);
    for (int i = 0; i < DEMO_TABLES; i++)
        copy_init(&demo->rows[i], &TABLES[i].table);
    if (!failed(st))
        st = each(demo, begin_sql);
    return failed(st) ? st : each(demo, before_sql);
}

void demo_close_databases(struct demo *demo)
{
    struct demo_sequences *sequences = demo->sequences;
    for (int i = 0; i < DEMO_DATABASES; i++) {
        PQfinish(sequences->targets[i].connection);
        db_destroy(sequences->targets[i].db);
    }
    for (int i = 0; i < DEMO_SEQUENCES; i++)
        ids_destroy(sequences->of[i].ids);
    for (int i = 0; i < DEMO_TABLES; i++)
        copy_fini(&demo->rows[i]);
}

static const struct statement NEXT_IDS = {"demo_next_ids",
                                          "SELECT nextval(pg_get_serial_sequence($1::text, 'id'))"
                                          " FROM generate_series(1, $2::bigint)"};

struct status demo_take_ids(struct demo *demo, enum demo_database database, const char *table,
                            size_t count, int64_t **ids)
{
    struct rows rows;
    struct status st = db_query(demo->sequences->targets[database].db, &NEXT_IDS,
                                PARAMS(p_text(table), p_int64((int64_t)count)), &rows);
    if (!failed(st))
        *ids = rows_int64s(&rows, 0, demo->arena);
    return st;
}

struct status demo_now(struct demo *demo)
{
    return db_read_clock(demo->sequences->targets[DEMO_ORDER].db, &demo->now_us);
}

struct status demo_commit(struct demo *demo)
{
    struct status st = demo_flush(demo);
    if (!failed(st))
        st = each(demo, after_sql);
    return failed(st) ? st : each(demo, commit_sql);
}

struct status demo_analyze(struct demo *demo)
{
    return each(demo, later_sql);
}
