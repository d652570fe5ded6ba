// The rig starts what main.c starts, but for the network: migrations, bootstrap, dispatcher.

#include "tests/integration/user/rig.h"

#include "lib/base/protobuf.h"
#include "lib/base/text.h"
#include "lib/db/schema.h"
#include "lib/service/transaction.h"
#include "tests/support/database.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

enum { TIMEOUT_MS = 20000, WAIT_S = 30, DRAIN_MS = 20000 };

extern const struct migration bus_migrations[], saga_migrations[], user_migrations[];
extern const size_t bus_migration_count, saga_migration_count, user_migration_count;

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

static void must(struct status st)
{
    cr_assert(!failed(st), "%s %s", reason_word(st.reason), st.message ? st.message : "");
}

struct db *rig_db(const struct rig *rig)
{
    return db_create(rig->settings.common.database_url, "rig");
}

int64_t rig_number(const struct rig *rig, const char *sql)
{
    return test_number(rig->settings.common.database_url, sql);
}

static void respond(struct responder *responder, struct call *call, const Baro__RpcReply *reply)
{
    struct asked *asked = call_token(call);
    (void)responder;
    asked->code = (enum status_code)reply->code;
    asked->reason = reply->reason[0] ? reason_parse(reply->reason) : REASON_NONE;
    asked->field = text_copy(asked->arena, reply->field);
    asked->message = text_copy(asked->arena, reply->message);
    if (asked->code == STATUS_OK)
        asked->reply = protobuf_unpack(asked->method->output, reply->payload.len,
                                       reply->payload.data, asked->arena);
    sem_post(&asked->answered);
}

static void flush(struct responder *responder)
{
    (void)responder;
}

static void start(struct rig *rig, struct rig_size size)
{
    SCOPED(db) *db = rig_db(rig);
    user_service_init(&rig->service, &rig->settings);
    must(user_service_bootstrap(&rig->service, db));
    rig->dispatcher = dispatcher_create(&(struct dispatcher_options){
        .transaction = &postgres_transaction,
        .transaction_context = (void *)(uintptr_t)rig->settings.common.database_url,
        .service = &rig->service,
        .write_workers = size.write_workers,
        .batch_max = size.batch_max,
    });
    must(dispatcher_add(rig->dispatcher, &user_methods));
    dispatcher_start(rig->dispatcher);
}

static struct rig *make(const char *url)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    cr_assert_not_null(rig);
    log_init("user", LOG_LEVEL_ERROR);
    rig->settings = (struct user_settings){
        .common.database_url = url,
        .admin_email = "admin@baro.local",
        .admin_password = "Baro!2026",
        .jwt_key = "",
    };
    rig->responder = (struct responder){respond, flush};
    return rig;
}

struct rig *rig_open(struct rig_size size)
{
    struct rig *rig = make(test_database("user"));
    SCOPED(db) *db = rig_db(rig);
    must(schema_prepare(db));
    must(migrate(db, bus_migrations, bus_migration_count));
    must(migrate(db, saga_migrations, saga_migration_count));
    must(migrate(db, user_migrations, user_migration_count));
    start(rig, size);
    return rig;
}

struct rig *rig_open_replica(struct rig *first, struct rig_size size)
{
    struct rig *rig = make(first->settings.common.database_url);
    rig->first = first;
    start(rig, size);
    return rig;
}

void rig_close(struct rig *rig)
{
    dispatcher_drain(rig->dispatcher, DRAIN_MS);
    if (!rig->first)
        cr_assert_eq(rig_number(rig, BROKEN_LAWS), 0,
                     "the wallets do not follow from their history");
    dispatcher_destroy(rig->dispatcher);
    user_service_fini(&rig->service);
    free(rig);
}

struct as as_nobody(void)
{
    return (struct as){0, CALLER_NOBODY, NULL, NULL};
}

struct as as_user(int64_t user_id)
{
    return (struct as){user_id, CALLER_USER, NULL, NULL};
}

struct as as_user_with_key(int64_t user_id, const char *key)
{
    return (struct as){user_id, CALLER_USER, key, NULL};
}

struct as as_admin(void)
{
    return (struct as){1, CALLER_ADMIN, NULL, NULL};
}

struct as as_service(void)
{
    return (struct as){0, CALLER_SERVICE, NULL, NULL};
}

struct as as_saga(const Baro__SagaStep *step)
{
    return (struct as){0, CALLER_SERVICE, NULL, step};
}

static struct asked *make_asked(const char *method)
{
    struct asked *asked = calloc(1, sizeof(*asked));
    cr_assert_not_null(asked);
    asked->arena = arena_create();
    asked->method =
        protobuf_c_service_descriptor_get_method_by_name(&baro__user__user__descriptor, method);
    cr_assert_not_null(asked->method, "%s", method);
    sem_init(&asked->answered, 0, 0);
    return asked;
}

struct asked *rig_start(struct rig *rig, const char *method, struct as as,
                        const ProtobufCMessage *request)
{
    static uint64_t call_id;
    struct asked *asked = make_asked(method);
    Baro__RpcRequest envelope;
    Baro__SagaStep step;
    baro__rpc_request__init(&envelope);
    envelope.method = text_printf(asked->arena, "baro.user.User/%s", method);
    envelope.call_id = ++call_id;
    envelope.timeout_ms = TIMEOUT_MS;
    envelope.attempt = 1;
    envelope.user_id = as.user_id;
    envelope.role = as.role;
    if (as.key)
        envelope.idempotency_key = text_copy(asked->arena, as.key);
    if (as.saga) {
        step = *as.saga;
        envelope.saga = &step;
    }
    envelope.payload.data = protobuf_pack(request, asked->arena, &envelope.payload.len);
    dispatcher_submit(rig->dispatcher, &envelope, &rig->responder, asked);
    return asked;
}

const struct asked *rig_await(struct asked *asked)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    cr_assert_eq(sem_timedwait(&asked->answered, &until), 0, "%s was not answered",
                 asked->method->name);
    return asked;
}

const struct asked *rig_call(struct rig *rig, const char *method, struct as as,
                             const ProtobufCMessage *request)
{
    return rig_await(rig_start(rig, method, as, request));
}

const void *rig_done(struct rig *rig, const char *method, struct as as,
                     const ProtobufCMessage *request)
{
    const struct asked *asked = rig_call(rig, method, as, request);
    cr_assert_eq(asked->code, STATUS_OK, "%s: %s %s %s", method, reason_word(asked->reason),
                 asked->field, asked->message);
    cr_assert_not_null(asked->reply);
    return asked->reply;
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

void expect_refused(const struct asked *asked, enum reason reason)
{
    cr_assert_eq(asked->reason, reason, "%s: %s %s", asked->method->name,
                 reason_word(asked->reason), asked->message ? asked->message : "");
    cr_assert_neq(asked->code, STATUS_OK);
}

void expect_invalid(const struct asked *asked, const char *field)
{
    expect_refused(asked, REASON_VALIDATION_ERROR);
    cr_assert_str_eq(asked->field, field);
}
