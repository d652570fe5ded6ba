#include "tests/integration/lib/guarded.h"

#include "lib/db/migrate.h"
#include "lib/db/schema.h"
#include "lib/service/transaction.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

extern const struct migration bus_migrations[];
extern const size_t bus_migration_count;
extern const struct migration saga_migrations[];
extern const size_t saga_migration_count;

struct stand_gate *guarded_gate;

static const struct statement EFFECT = {
    "effect", "INSERT INTO effect (text, saga_id, compensation)"
              " SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[])"};

const char *guarded_database(const char *name)
{
    const char *url = test_database(name);
    SCOPED(db) *db = db_create(url, "test");
    struct status st = schema_prepare(db);
    if (!failed(st))
        st = migrate(db, bus_migrations, bus_migration_count);
    if (!failed(st))
        st = migrate(db, saga_migrations, saga_migration_count);
    cr_assert(!failed(st), "%s", st.message);
    test_script(db, "CREATE TABLE effect (text text, saga_id bigint, compensation bigint)");
    return url;
}

static void answer(struct call *call)
{
    const char *text = stand_value(call);
    if (strcmp(text, "refused") == 0)
        call_refuse(call, refuse(REASON_INSUFFICIENT_STOCK, "Nothing is left."));
    else if (strcmp(text, "invalid") == 0)
        call_refuse(call, invalid("value", "It is wrong."));
    else if (strcmp(text, "broken") == 0)
        call_refuse(call, refuse(REASON_INTERNAL, "It is broken."));
    else
        call_reply(call, call->request);
}

struct status guarded_echo(struct batch *batch)
{
    const char **texts = arena_array(batch->arena, batch->count, sizeof(*texts));
    int64_t *sagas = arena_array(batch->arena, batch->count, sizeof(*sagas));
    int64_t *compensations = arena_array(batch->arena, batch->count, sizeof(*compensations));
    size_t count = 0;
    struct call *call;
    if (guarded_gate)
        stand_pass(guarded_gate);
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        texts[count] = stand_value(call);
        sagas[count] = call->saga ? call->saga->saga_id : 0;
        compensations[count++] = call->saga && call->saga->compensation;
        answer(call);
    }
    return db_queue(
        batch->tx, &EFFECT,
        PARAMS(p_texts(texts, count), p_int64s(sagas, count), p_int64s(compensations, count)));
}

struct dispatcher *guarded_dispatcher(const char *url, const struct method *row, size_t workers)
{
    // The context is a plain pointer; the connection string is only read.
    struct dispatcher *dispatcher = dispatcher_create(&(struct dispatcher_options){
        .transaction = &postgres_transaction,
        .transaction_context = (void *)(uintptr_t)url,
        .write_workers = workers,
    });
    const struct method_table table = {&stand_service, row, 1};
    struct status st = dispatcher_add(dispatcher, &table);
    cr_assert(!failed(st), "%s", st.message);
    dispatcher_start(dispatcher);
    return dispatcher;
}

void guarded_advance(const char *url, int seconds)
{
    char sql[256];
    snprintf(sql, sizeof(sql),
             "CREATE OR REPLACE FUNCTION baro_now() RETURNS timestamptz LANGUAGE sql STABLE"
             " PARALLEL SAFE AS 'SELECT clock_timestamp() + interval ''%d seconds'''",
             seconds);
    SCOPED(db) *db = db_create(url, "test clock");
    test_script(db, sql);
}
