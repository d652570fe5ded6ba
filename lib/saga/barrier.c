// The participants' guard: one look at all barrier rows of a batch's sagas, one verdict per command.
//
// The rows that a verdict itself needs (a compensation that has nothing to undo, and its tombstone)
// are queued at admission; the outcomes of commands that ran are queued at recording. All of them are
// plain INSERTs in key order: when another transaction was faster, its row's primary key undoes ours
// and the batch runs again, with the row in sight.
//
// Only definite outcomes are kept, and of compensations only success: a compensation has no business
// refusing, so if one does, the next try shall find the participant mended, not the old refusal.

#include "lib/saga/barrier.h"

#include "lib/base/macros.h"
#include "lib/base/timeid.h"
#include "lib/bus/outcome.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const struct statement FIND = {
    "barrier_find",
    "SELECT saga_id, step, op, code, reason, field, message, reply"
    " FROM barrier WHERE saga_id = ANY($1::bigint[])",
};

static const struct statement INSERT = {
    "barrier_insert",
    "INSERT INTO barrier (saga_id, step, op, code, reason, field, message, reply)"
    " SELECT unnest($1::bigint[]) AS saga_id, unnest($2::text[]) AS step,"
    "        unnest($3::bigint[]) AS op, unnest($4::bigint[]), unnest($5::text[]),"
    "        unnest($6::text[]), unnest($7::text[]), unnest($8::bytea[])"
    " ORDER BY saga_id, step, op",
};

static const struct statement PRUNE = {
    "barrier_prune",
    "DELETE FROM barrier WHERE ctid = ANY(ARRAY("
    " SELECT ctid FROM barrier"
    " WHERE created_at < baro_now() - $1::bigint * interval '1 millisecond' LIMIT $2::bigint))",
};

enum { OP_ACTION = 0, OP_COMPENSATION = 1 };

// Rows are younger than their saga, whose id says when it began by the clock of another database.
#define SURELY_KEPT_US ((BARRIER_KEEP_MS - MS_PER_DAY) * US_PER_MS)

// A saga command of the batch, and what the table knows about its step.
struct command {
    struct call *call;
    int64_t saga_id;
    const char *step;
    int64_t op;
    size_t position;          // arrival order
    enum barrier_row rows[2]; // of OP_ACTION, OP_COMPENSATION
    size_t own_row;           // row of this op, when there is one
};

enum barrier_verdict barrier_decide(bool compensation, enum barrier_row action,
                                    enum barrier_row compensation_row)
{
    bool compensated = compensation_row != BARRIER_ABSENT && compensation_row != BARRIER_FORGOTTEN;
    if (compensation) {
        static const enum barrier_verdict verdicts[] = {
            [BARRIER_ABSENT] = BARRIER_LEAVE_TOMBSTONE, [BARRIER_DONE] = BARRIER_RUN,
            [BARRIER_REFUSED] = BARRIER_DO_NOTHING,     [BARRIER_TOMBSTONE] = BARRIER_DO_NOTHING,
            [BARRIER_FORGOTTEN] = BARRIER_RUN,
        };
        return compensated ? BARRIER_REPEAT : verdicts[action];
    }
    static const enum barrier_verdict verdicts[] = {
        [BARRIER_ABSENT] = BARRIER_RUN,     [BARRIER_DONE] = BARRIER_REPEAT,
        [BARRIER_REFUSED] = BARRIER_REPEAT, [BARRIER_TOMBSTONE] = BARRIER_REFUSE,
        [BARRIER_FORGOTTEN] = BARRIER_RUN,
    };
    // What was done and undone again must not look done to whoever repeats it late.
    bool undone = compensated && action != BARRIER_REFUSED;
    return undone ? BARRIER_REFUSE : verdicts[action];
}

bool barrier_may_forget(const struct call *call, int64_t now_us)
{
    return call->saga && time_id_us(call->saga->saga_id) < now_us - SURELY_KEPT_US;
}

static int compare_ids(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_commands(const void *a, const void *b)
{
    const struct command *left = a, *right = b;
    int order = compare_ids(left->saga_id, right->saga_id);
    if (order == 0)
        order = strcmp(left->step, right->step);
    if (order == 0)
        order = compare_ids(left->op, right->op);
    return order ? order : (left->position > right->position) - (left->position < right->position);
}

static bool is_copy(const struct command *a, const struct command *b)
{
    return a->saga_id == b->saga_id && a->op == b->op && strcmp(a->step, b->step) == 0;
}

// The saga commands of the batch, sorted by key, copies in arrival order.
static size_t saga_commands(struct batch *batch, struct command **out)
{
    struct command *commands = arena_array(batch->arena, batch->count, sizeof(*commands));
    size_t count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        struct call *call = batch->calls[i];
        if (!call->saga)
            continue;
        commands[count++] = (struct command){
            .call = call,
            .saga_id = call->saga->saga_id,
            .step = call->saga->step,
            .op = call->saga->compensation ? OP_COMPENSATION : OP_ACTION,
            .position = i,
        };
    }
    qsort(commands, count, sizeof(*commands), compare_commands);
    *out = commands;
    return count;
}

static enum barrier_row state_of_row(const struct rows *rows, size_t row)
{
    if (rows_int64(rows, row, 3) == STATUS_OK)
        return BARRIER_DONE;
    bool tombstone = reason_parse(rows_text(rows, row, 4)) == REASON_STEP_COMPENSATED;
    return tombstone ? BARRIER_TOMBSTONE : BARRIER_REFUSED;
}

// The first command of the sorted array whose saga is not below saga_id.
static size_t lower_bound(const struct command *commands, size_t count, int64_t saga_id)
{
    size_t low = 0;
    while (low < count) {
        size_t middle = (low + count) / 2;
        if (commands[middle].saga_id < saga_id)
            low = middle + 1;
        else
            count = middle;
    }
    return low;
}

static void note_row(struct command *commands, size_t count, const struct rows *rows, size_t row)
{
    int64_t saga_id = rows_int64(rows, row, 0), op = rows_int64(rows, row, 2);
    const char *step = rows_text(rows, row, 1);
    size_t i = lower_bound(commands, count, saga_id);
    for (; i < count && commands[i].saga_id == saga_id; i++) {
        if (strcmp(commands[i].step, step) != 0)
            continue;
        commands[i].rows[op] = state_of_row(rows, row);
        if (commands[i].op == op)
            commands[i].own_row = row;
    }
}

static struct status load(struct batch *batch, struct command *commands, size_t count,
                          struct rows *rows)
{
    int64_t *ids = arena_array(batch->arena, count, sizeof(*ids));
    for (size_t i = 0; i < count; i++)
        ids[i] = commands[i].saga_id;
    int64_t now_us = 0;
    struct status st = db_query(batch->tx, &FIND, PARAMS(p_int64s(ids, count)), rows);
    if (!failed(st))
        st = db_now(batch->tx, &now_us);
    if (failed(st))
        return st;
    for (size_t i = 0; i < count; i++)
        if (barrier_may_forget(commands[i].call, now_us))
            commands[i].rows[OP_ACTION] = commands[i].rows[OP_COMPENSATION] = BARRIER_FORGOTTEN;
    for (size_t row = 0; row < rows->count; row++)
        note_row(commands, count, rows, row);
    return OK;
}

// Rows on their way into the table.
struct inserts {
    int64_t *saga_ids, *ops;
    const char **steps;
    struct outcome_columns outcomes;
};

static void inserts_init(struct inserts *inserts, struct arena *arena, size_t capacity)
{
    inserts->saga_ids = arena_array(arena, capacity, sizeof(*inserts->saga_ids));
    inserts->ops = arena_array(arena, capacity, sizeof(*inserts->ops));
    inserts->steps = arena_array(arena, capacity, sizeof(*inserts->steps));
    outcome_columns_init(&inserts->outcomes, arena, capacity);
}

static void inserts_add(struct inserts *inserts, const struct command *command, int64_t op,
                        struct status st, const ProtobufCMessage *reply)
{
    size_t i = inserts->outcomes.count;
    inserts->saga_ids[i] = command->saga_id;
    inserts->steps[i] = command->step;
    inserts->ops[i] = op;
    outcome_add(&inserts->outcomes, st, reply);
}

static struct status inserts_queue(const struct inserts *inserts, struct db *db)
{
    const struct outcome_columns *outcomes = &inserts->outcomes;
    size_t count = outcomes->count;
    if (count == 0)
        return OK;
    return db_queue(db, &INSERT,
                    PARAMS(p_int64s(inserts->saga_ids, count), p_texts(inserts->steps, count),
                           p_int64s(inserts->ops, count), p_int64s(outcomes->codes, count),
                           p_texts(outcomes->reasons, count), p_texts(outcomes->fields, count),
                           p_texts(outcomes->messages, count), p_byteas(outcomes->replies, count)));
}

static struct status step_compensated(void)
{
    return refuse(REASON_STEP_COMPENSATED, "the step was compensated before");
}

typedef void obey(const struct command *command, const struct rows *rows, struct inserts *inserts);

static void let_run(const struct command *command, const struct rows *rows, struct inserts *inserts)
{
    (void)command, (void)rows, (void)inserts;
}

static void repeat(const struct command *command, const struct rows *rows, struct inserts *inserts)
{
    (void)inserts;
    outcome_replay(command->call, rows, command->own_row, 3);
}

static void refuse_late(const struct command *command, const struct rows *rows,
                        struct inserts *inserts)
{
    (void)rows, (void)inserts;
    call_refuse(command->call, step_compensated());
    command->call->replayed = true;
}

static void do_nothing(const struct command *command, const struct rows *rows,
                       struct inserts *inserts)
{
    (void)rows;
    inserts_add(inserts, command, OP_COMPENSATION, OK, NULL);
    outcome_succeed(command->call);
}

static void leave_tombstone(const struct command *command, const struct rows *rows,
                            struct inserts *inserts)
{
    inserts_add(inserts, command, OP_ACTION, step_compensated(), NULL);
    do_nothing(command, rows, inserts);
}

static void apply(const struct command *command, const struct rows *rows, struct inserts *inserts)
{
    static obey *const verdicts[] = {
        [BARRIER_RUN] = let_run,
        [BARRIER_REPEAT] = repeat,
        [BARRIER_REFUSE] = refuse_late,
        [BARRIER_DO_NOTHING] = do_nothing,
        [BARRIER_LEAVE_TOMBSTONE] = leave_tombstone,
    };
    enum barrier_verdict verdict = barrier_decide(
        command->op == OP_COMPENSATION, command->rows[OP_ACTION], command->rows[OP_COMPENSATION]);
    verdicts[verdict](command, rows, inserts);
}

static struct status admit(struct batch *batch)
{
    struct command *commands;
    struct rows rows;
    struct inserts inserts;
    size_t count = saga_commands(batch, &commands);
    if (count == 0)
        return OK;
    struct status st = load(batch, commands, count, &rows);
    if (failed(st))
        return st;
    inserts_init(&inserts, batch->arena, 2 * count);
    for (size_t i = 0; i < count; i++)
        if (i > 0 && is_copy(&commands[i - 1], &commands[i]))
            outcome_wait_for_first(commands[i].call);
        else
            apply(&commands[i], &rows, &inserts);
    return inserts_queue(&inserts, batch->tx);
}

static bool is_to_be_kept(const struct command *command)
{
    const struct call *call = command->call;
    assert(call->settled); // no participant answers a command later than its batch
    if (call->replayed)
        return false;
    return command->op == OP_COMPENSATION ? !failed(call->status)
                                          : status_is_definite(call->status);
}

static struct status record(struct batch *batch)
{
    struct command *commands;
    struct inserts inserts;
    size_t count = saga_commands(batch, &commands);
    const struct command *first = commands;
    inserts_init(&inserts, batch->arena, count);
    for (size_t i = 0; i < count; i++) {
        const struct command *command = &commands[i];
        if (!is_copy(first, command))
            first = command;
        if (is_to_be_kept(command))
            inserts_add(&inserts, command, command->op, command->call->status,
                        command->call->reply);
        else if (outcome_waits_for_first(command->call))
            outcome_share(command->call, first->call);
    }
    return inserts_queue(&inserts, batch->tx);
}

const struct guard barrier_guard = {
    .name = "barrier",
    .admit = admit,
    .record = record,
};

struct status barrier_prune(struct db *db, int64_t keep_ms, int64_t limit, int64_t *deleted)
{
    return db_execute(db, &PRUNE, PARAMS(p_int64(keep_ms), p_int64(limit)), deleted);
}
