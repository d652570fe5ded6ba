#include "tests/unit/lib/saga/world.h"

#include "lib/base/clock.h"
#include "lib/base/protobuf.h"
#include "lib/base/random.h"
#include "lib/base/text.h"
#include "lib/rpc/envelope.h"
#include "lib/saga/timers.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOUR_S = 3600, CONTEXT_SIZE = 16 };

enum event_kind { EVENT_COMMAND, EVENT_REPLY, EVENT_RECORDED };

struct world_event {
    struct timer timer;
    enum event_kind kind;
    int runner;
    struct world_saga *saga;
    enum world_step step;
    bool compensation, over_rpc;
    struct status status;
    enum saga_record record;
};

// The saga tables

static const ProtobufCMessage *number(int64_t value, struct arena *arena)
{
    Baro__Int64 *message = arena_alloc(arena, sizeof(*message));
    baro__int64__init(message);
    message->value = value;
    return &message->base;
}

static const ProtobufCMessage *request(const struct saga *saga, struct arena *arena)
{
    return number(saga->id, arena);
}

static const struct saga_step pay_steps[] = {
    {"redeem",  "coupon",  "test.Coupon/Redeem",   "test.Coupon/Restore", SAGA_COMPENSATABLE, request,
     request,                                                                                                   NULL, NULL},
    {"debit",   "user",    "test.User/Debit",      "test.User/Refund",    SAGA_PIVOT,         request, request, NULL,
     NULL                                                                                                                 },
    {"confirm", "product", "test.Product/Confirm", NULL,                  SAGA_RETRIABLE,     request, NULL,    NULL, NULL},
    {"release", "product", "test.Product/Release", NULL,                  SAGA_ON_FAILURE,    request, NULL,    NULL,
     NULL                                                                                                                 },
};

static const struct saga_step refund_steps[] = {
    {"redeem",  "coupon",  "test.Coupon/Restore",  NULL, SAGA_RETRIABLE, request, NULL, NULL, NULL},
    {"debit",   "user",    "test.User/Refund",     NULL, SAGA_RETRIABLE, request, NULL, NULL, NULL},
    {"release", "product", "test.Product/Release", NULL, SAGA_RETRIABLE, request, NULL, NULL, NULL},
};

const struct saga_definition world_pay = {"pay", &baro__int64__descriptor, pay_steps,
                                          COUNT(pay_steps)};
const struct saga_definition world_keep = {"keep", &baro__int64__descriptor, pay_steps, RELEASE};
const struct saga_definition world_refund = {"refund", &baro__int64__descriptor, refund_steps,
                                             COUNT(refund_steps)};

static enum world_step step_named(const char *name)
{
    static const char *const names[] = {"redeem", "debit", "confirm", "release"};
    size_t i = 0;
    while (strcmp(names[i], name) != 0)
        i++;
    return (enum world_step)i;
}

static const char *name_of(enum world_step step)
{
    return pay_steps[step].name;
}

// The network

uint64_t world_random(struct world *world)
{
    return random_next(&world->random);
}

static bool happens(struct world *world, int percent)
{
    return percent > 0 && world_random(world) % 100 < (uint64_t)percent;
}

static void schedule(struct world *world, const struct world_event *event, int64_t delay_us)
{
    struct world_event *copy = malloc(sizeof(*copy));
    cr_assert(copy);
    *copy = *event;
    copy->timer = (struct timer){.owner = copy};
    timers_set(world->events, &copy->timer, world->now_us + delay_us);
}

static int64_t some_delay_us(struct world *world)
{
    int64_t most_us = world->delay_max_ms * US_PER_MS;
    return 200 + (most_us ? (int64_t)(world_random(world) % (uint64_t)most_us) : 0);
}

static void send(struct world *world, const struct world_event *event)
{
    size_t number = world->messages++;
    int copies = happens(world, world->double_up) ? 2 : 1;
    for (int i = 0; i < copies; i++) {
        if (world->lost && world->lost(world, number))
            continue;
        if (happens(world, event->over_rpc ? world->lose_asks : world->lose))
            continue;
        schedule(world, event, some_delay_us(world));
    }
}

static void note(struct world *world, const struct saga_command *command, bool ask)
{
    size_t length = strlen(world->trace);
    snprintf(world->trace + length, sizeof(world->trace) - length, "%s%s%s%s", length ? " " : "",
             command->step.compensation ? "-" : "", command->step.step, ask ? "?" : "");
}

static struct world_saga *find_saga(struct world *world, int64_t id)
{
    return &world->sagas[id - 1];
}

static void send_command(struct world_runner *from, const struct saga_command *command, bool ask)
{
    struct world *world = from->world;
    cr_assert_eq(((const Baro__Int64 *)command->request)->value, command->saga_id);
    note(world, command, ask);
    struct world_event event = {
        .kind = EVENT_COMMAND,
        .runner = from->index,
        .saga = find_saga(world, command->saga_id),
        .step = step_named(command->step.step),
        .compensation = command->step.compensation,
        .over_rpc = ask,
    };
    send(world, &event);
}

// The ports

static int64_t now_us(void *context)
{
    return ((struct world_runner *)context)->world->now_us;
}

static uint64_t random_port(void *context)
{
    return world_random(((struct world_runner *)context)->world);
}

static void publish_port(void *context, const struct saga_command *commands, size_t count)
{
    struct world_runner *runner = context;
    runner->world->publishes++;
    runner->world->commands += count;
    for (size_t i = 0; i < count; i++)
        send_command(runner, &commands[i], false);
}

static void ask_port(void *context, const struct saga_command *command)
{
    struct world_runner *runner = context;
    runner->world->asks++;
    send_command(runner, command, true);
}

static bool is_final(enum saga_state state)
{
    return state == SAGA_COMPLETED || state == SAGA_COMPENSATED;
}

static void write_row(struct world_saga *row, enum saga_record what, const struct saga *saga)
{
    row->state = saga->state;
    row->failure = saga->failure;
    row->failure.message = NULL; // it dies with the saga
    row->failure.field = NULL;
    row->held = saga->held;
    row->parked = saga->parked;
    row->records[what]++;
}

// Compare and set, as the service does it: only the owner writes, a repeat of our own end succeeds.
static void record_port(void *context, enum saga_record what, const struct saga *saga)
{
    struct world_runner *runner = context;
    struct world *world = runner->world;
    struct world_saga *row = find_saga(world, saga->id);
    struct world_event event = {
        .kind = EVENT_RECORDED, .runner = runner->index, .saga = row, .record = what};
    bool unknown = happens(world, world->record_unknown);
    if (row->owner != runner->index)
        event.status = refuse(REASON_CONFLICT, NULL);
    else if (what == SAGA_RECORD_END && row->refuses_end)
        event.status = refuse(REASON_ILLEGAL_TRANSITION, NULL);
    else if (happens(world, world->record_fails))
        event.status = refuse(REASON_UNAVAILABLE, NULL);
    else if (!is_final(row->state))
        write_row(row, what, saga);
    if (!failed(event.status) && unknown)
        event.status = refuse(REASON_OUTCOME_UNKNOWN, NULL);
    schedule(world, &event, world->record_delay_us);
}

static void ended_port(void *context, const struct saga *saga)
{
    struct world_runner *runner = context;
    struct world_saga *row = find_saga(runner->world, saga->id);
    cr_assert_eq(row->state, saga->state);
    row->ended++;
}

// Participants

static struct status act(struct world_saga *saga, enum world_step step)
{
    if (saga->refuses[step])
        return refuse(REASON_INSUFFICIENT_BALANCE, NULL);
    if (step == CONFIRM && saga->hold_released)
        return refuse(REASON_HOLD_LOST, NULL);
    saga->steps[step].runs++;
    if (step == RELEASE)
        saga->hold_released = true;
    return OK;
}

static struct status run_action(struct world_saga *saga, enum world_step step)
{
    struct world_participant *own = &saga->steps[step];
    switch (barrier_decide(false, own->action, own->undo)) {
    case BARRIER_RUN:
        own->refusal = act(saga, step);
        own->action = failed(own->refusal) ? BARRIER_REFUSED : BARRIER_DONE;
        return own->refusal;
    case BARRIER_REPEAT:
        return own->action == BARRIER_DONE ? OK : own->refusal;
    case BARRIER_REFUSE:
    case BARRIER_DO_NOTHING:
    case BARRIER_LEAVE_TOMBSTONE:
        break;
    }
    return refuse(REASON_STEP_COMPENSATED, NULL);
}

static struct status run_compensation(struct world_saga *saga, enum world_step step)
{
    struct world_participant *own = &saga->steps[step];
    switch (barrier_decide(true, own->action, own->undo)) {
    case BARRIER_RUN:
        own->undone++;
        break;
    case BARRIER_LEAVE_TOMBSTONE:
        own->action = BARRIER_TOMBSTONE;
        break;
    case BARRIER_REPEAT:
    case BARRIER_DO_NOTHING:
    case BARRIER_REFUSE:
        break;
    }
    // The decision was durable first.
    cr_assert(saga->state == SAGA_COMPENSATING || saga->state == SAGA_COMPENSATED);
    own->undo = BARRIER_DONE;
    return OK;
}

static void deliver_command(struct world *world, const struct world_event *event)
{
    struct world_event reply = *event;
    reply.kind = EVENT_REPLY;
    if (world->silent[event->step])
        return;
    reply.status = event->compensation ? run_compensation(event->saga, event->step)
                                       : run_action(event->saga, event->step);
    send(world, &reply);
}

static void deliver_reply(struct world_runner *runner, const struct world_event *event)
{
    Baro__SagaStep step;
    Baro__RpcReply reply;
    baro__saga_step__init(&step);
    step.saga_id = event->saga->id;
    step.step = protobuf_text(name_of(event->step));
    step.compensation = event->compensation;
    envelope_fill_status(&reply, event->status);
    reply.saga = &step;
    const Baro__RpcReply *replies[] = {&reply};
    saga_runner_reply(runner->runner, replies, 1);
}

static void deliver(struct world *world, struct world_event *event)
{
    struct world_runner *runner = &world->runners[event->runner];
    world->deliveries++;
    switch (event->kind) {
    case EVENT_COMMAND:
        deliver_command(world, event);
        break;
    case EVENT_REPLY:
        if (runner->runner)
            deliver_reply(runner, event);
        break;
    case EVENT_RECORDED:
        if (runner->runner)
            saga_runner_recorded(runner->runner, event->saga->id, event->record, event->status);
        break;
    }
    free(event);
}

// The world

struct world *world_create(uint64_t seed)
{
    struct world *world = calloc(1, sizeof(*world));
    cr_assert(world);
    world->random = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    world->now_us = 1000 * US_PER_S;
    world->events = calloc(1, sizeof(*world->events));
    cr_assert(world->events);
    return world;
}

void world_destroy(struct world *world)
{
    struct timer *timer;
    for (int i = 0; i < world->runner_count; i++)
        world_kill(&world->runners[i]);
    while ((timer = timers_take_due(world->events, TIMER_NEVER)))
        free(timer->owner);
    timers_fini(world->events);
    free(world->events);
    free(world);
}

static void take_over(struct world_runner *runner, struct world_saga *row)
{
    uint8_t context[CONTEXT_SIZE];
    Baro__Int64 message;
    baro__int64__init(&message);
    message.value = row->id;
    row->owner = runner->index;
    struct saga_start start = {
        .id = row->id,
        .definition = row->definition,
        .context = {context, baro__int64__pack(&message, context)},
        .state = row->state,
        .failure = row->failure,
        .age_us = runner->world->now_us - row->created_at_us,
        .held = row->held,
        .parked = row->parked,
    };
    saga_runner_start(runner->runner, &start, 1);
}

struct world_runner *world_runner(struct world *world)
{
    cr_assert_lt(world->runner_count, WORLD_RUNNERS_MAX);
    struct world_runner *runner = &world->runners[world->runner_count];
    const struct saga_ports ports = {
        .context = runner,
        .now_us = now_us,
        .wall_us = now_us,
        .random = random_port,
        .publish = publish_port,
        .ask = ask_port,
        .record = record_port,
        .ended = ended_port,
    };
    *runner = (struct world_runner){
        .world = world,
        .runner = saga_runner_create(&ports, &world->options),
        .index = world->runner_count++,
    };
    for (size_t i = 0; i < world->saga_count; i++)
        if (!is_final(world->sagas[i].state))
            take_over(runner, &world->sagas[i]);
    return runner;
}

void world_kill(struct world_runner *runner)
{
    saga_runner_destroy(runner->runner);
    runner->runner = NULL;
}

struct world_saga *world_row(struct world *world, const struct saga_definition *definition)
{
    cr_assert_lt(world->saga_count, WORLD_SAGAS_MAX);
    struct world_saga *row = &world->sagas[world->saga_count++];
    *row = (struct world_saga){
        .definition = definition,
        .id = (int64_t)world->saga_count,
        .owner = -1,
        .created_at_us = world->now_us,
    };
    return row;
}

struct world_saga *world_start(struct world *world, const struct saga_definition *definition)
{
    struct world_saga *row = world_row(world, definition);
    take_over(&world->runners[world->runner_count - 1], row);
    return row;
}

static int64_t tick_all(struct world *world)
{
    int64_t next_us = TIMER_NEVER;
    for (int i = 0; i < world->runner_count; i++) {
        struct saga_runner *runner = world->runners[i].runner;
        int64_t due_us = runner ? saga_runner_tick(runner) : TIMER_NEVER;
        if (due_us < next_us)
            next_us = due_us;
    }
    return next_us;
}

bool world_step(struct world *world, int64_t until_us)
{
    int64_t next_us = tick_all(world);
    if (timers_next(world->events) < next_us)
        next_us = timers_next(world->events);
    if (next_us == TIMER_NEVER || next_us > until_us)
        return false;
    if (next_us > world->now_us)
        world->now_us = next_us;
    struct timer *timer = timers_take_due(world->events, world->now_us);
    if (timer)
        deliver(world, timer->owner);
    return true;
}

void world_run_for(struct world *world, int64_t ms)
{
    int64_t until_us = world->now_us + ms * US_PER_MS;
    while (world_step(world, until_us))
        ;
    world->now_us = until_us;
}

void world_run(struct world *world)
{
    int64_t until_us = world->now_us + HOUR_S * US_PER_S;
    while (world_step(world, until_us))
        ;
}

static void check_pay(const struct world_saga *saga)
{
    const struct world_participant *steps = saga->steps;
    bool completed = saga->state == SAGA_COMPLETED;
    for (int i = REDEEM; i <= DEBIT; i++) {
        cr_assert_leq(steps[i].runs, 1, "saga %ld ran a step twice", saga->id);
        cr_assert_eq(steps[i].runs - steps[i].undone, completed ? 1 : 0, "saga %ld", saga->id);
    }
    if (completed)
        cr_assert(steps[CONFIRM].runs == 1 && !saga->hold_released, "saga %ld", saga->id);
    else
        cr_assert(saga->hold_released, "saga %ld", saga->id);
}

void world_check(struct world *world)
{
    for (size_t i = 0; i < world->saga_count; i++) {
        const struct world_saga *saga = &world->sagas[i];
        cr_assert(is_final(saga->state), "saga %ld is %s", saga->id, saga_state_name(saga->state));
        cr_assert_leq(saga->ended, 1);
        cr_assert_not(saga->parked);
        if (saga->definition == &world_pay)
            check_pay(saga);
        else
            cr_assert(saga->steps[REDEEM].runs == 1 && saga->steps[DEBIT].runs == 1 &&
                      saga->steps[RELEASE].runs == 1);
    }
}
