// The rig starts what lib/service starts, but for the network: schema, migrations, dispatcher.

#include "tests/support/rig.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/protobuf.h"
#include "lib/base/text.h"
#include "lib/db/schema.h"
#include "lib/service/transaction.h"
#include "tests/support/database.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

enum { TIMEOUT_MS = 20000, WAIT_S = 30, DRAIN_MS = 20000 };

extern const struct migration bus_migrations[], saga_migrations[];
extern const size_t bus_migration_count, saga_migration_count;

static void must(struct status st)
{
    cr_assert(!failed(st), "%s %s", reason_word(st.reason), st.message ? st.message : "");
}

const char *rig_database(const char *name, const struct migration *migrations, size_t count)
{
    log_init(name, LOG_LEVEL_ERROR);
    const char *url = test_database(name);
    SCOPED(db) *db = db_create(url, "rig");
    must(schema_prepare(db));
    must(migrate(db, bus_migrations, bus_migration_count));
    must(migrate(db, saga_migrations, saga_migration_count));
    must(migrate(db, migrations, count));
    return url;
}

struct db *rig_db(const struct rig *rig)
{
    return db_create(rig->url, "rig");
}

int64_t rig_number(const struct rig *rig, const char *sql)
{
    return test_number(rig->url, sql);
}

void rig_shift_clock(const struct rig *rig, const char *interval)
{
    SCOPED(arena) *arena = arena_create();
    SCOPED(db) *db = rig_db(rig);
    test_script(db, text_printf(arena,
                                "CREATE OR REPLACE FUNCTION baro_now() RETURNS timestamptz"
                                " LANGUAGE sql STABLE PARALLEL SAFE"
                                " AS $$SELECT clock_timestamp() + interval '%s'$$",
                                interval));
}

void rig_await_blocked(const struct rig *rig, int64_t connections)
{
    int64_t until_us = clock_monotonic_us() + WAIT_S * US_PER_S;
    while (rig_number(rig, "SELECT count(*) FROM pg_stat_activity"
                           " WHERE datname = current_database() AND wait_event_type = 'Lock'") <
           connections)
        cr_assert(clock_monotonic_us() < until_us, "nobody waits for a lock");
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

struct rig *rig_create(const char *url, const struct method_table *methods, void *service,
                       struct rig_size size)
{
    const struct dispatcher_options options = {
        .transaction = &postgres_transaction,
        .transaction_context = (void *)(uintptr_t)url,
        .service = service,
        .write_workers = size.write_workers,
        .batch_max = size.batch_max,
    };
    struct rig *rig = calloc(1, sizeof(*rig));
    cr_assert_not_null(rig);
    *rig = (struct rig){
        .url = url,
        .service = service,
        .methods = methods,
        .dispatcher = dispatcher_create(&options),
        .responder = {respond, flush},
    };
    must(dispatcher_add(rig->dispatcher, methods));
    dispatcher_start(rig->dispatcher);
    return rig;
}

void rig_drain(struct rig *rig)
{
    dispatcher_drain(rig->dispatcher, DRAIN_MS);
}

void rig_destroy(struct rig *rig)
{
    if (!rig)
        return;
    dispatcher_destroy(rig->dispatcher);
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

static struct asked *make_asked(const ProtobufCServiceDescriptor *service, const char *method)
{
    struct asked *asked = calloc(1, sizeof(*asked));
    cr_assert_not_null(asked);
    asked->arena = arena_create();
    asked->method = protobuf_c_service_descriptor_get_method_by_name(service, method);
    cr_assert_not_null(asked->method, "%s", method);
    sem_init(&asked->answered, 0, 0);
    return asked;
}

struct asked *rig_start(struct rig *rig, const char *method, struct as as,
                        const ProtobufCMessage *request)
{
    static uint64_t call_id;
    struct asked *asked = make_asked(rig->methods->service, method);
    Baro__RpcRequest envelope;
    Baro__SagaStep step;
    baro__rpc_request__init(&envelope);
    envelope.method = text_printf(asked->arena, "%s/%s", rig->methods->service->name, method);
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
    return reply_of(rig_call(rig, method, as, request));
}

const void *reply_of(const struct asked *asked)
{
    cr_assert_eq(asked->code, STATUS_OK, "%s: %s %s %s", asked->method->name,
                 reason_word(asked->reason), asked->field, asked->message);
    cr_assert_not_null(asked->reply);
    return asked->reply;
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
