// How a saga walks through its table.
//
// At most one command of a saga is out at any time, and while one of its records is being written
// the saga stands still. Forward it goes step by step; a definite no, or too long a silence, turns it
// round: the decision is made durable, then the compensations go backward, then the clean-up steps
// forward. An answer counts only when it names the step and direction that is asked for now, so late
// and doubled answers change nothing.
//
// Which steps to compensate: those whose action is done or whose outcome is not known. After a
// takeover, or a decision by silence, that is every step, since an earlier owner may have been
// further than we are; the participants' barriers know better and leave tombstones.

#include "lib/saga/command.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/protobuf.h"
#include "lib/rpc/envelope.h"

#include <assert.h>
#include <string.h>

// Phases. Each returns true when a command is out or the saga waits for a record.

static bool send_actions(const struct walk *walk, struct saga *saga, bool on_failure)
{
    struct saga_private *own = saga->private;
    for (; own->next < saga->definition->step_count; own->next++) {
        const struct saga_step *step = &saga->definition->steps[own->next];
        if ((step->kind == SAGA_ON_FAILURE) != on_failure)
            continue;
        const ProtobufCMessage *request = command_request(walk, saga, step, false);
        if (request) {
            command_send(walk, saga, step, false, request);
            return true;
        }
        command_note(walk, saga, step, false, SAGA_SKIPPED);
    }
    return false;
}

static bool may_have_happened(struct saga *saga, const struct saga_step *step)
{
    if (step->kind == SAGA_ON_FAILURE)
        return false;
    const struct saga_progress *action = command_progress(saga, step, false);
    if (!action)
        return saga->private->compensate_all;
    return action->outcome != SAGA_REFUSED && action->outcome != SAGA_SKIPPED;
}

static bool send_compensations(const struct walk *walk, struct saga *saga)
{
    struct saga_private *own = saga->private;
    for (; own->next > 0; own->next--) {
        const struct saga_step *step = &saga->definition->steps[own->next - 1];
        if (!may_have_happened(saga, step))
            continue;
        const ProtobufCMessage *request = command_request(walk, saga, step, true);
        if (request) {
            command_send(walk, saga, step, true, request);
            return true;
        }
    }
    return false;
}

static void end(const struct walk *walk, struct saga *saga, enum saga_state state)
{
    saga->state = state;
    saga->private->phase = WALK_ENDING;
    command_want_record(walk, saga, SAGA_RECORD_END);
}

static void advance(const struct walk *walk, struct saga *saga)
{
    struct saga_private *own = saga->private;
    if (own->phase == WALK_ACTING && !send_actions(walk, saga, false))
        end(walk, saga, SAGA_COMPLETED);
    if (own->phase == WALK_COMPENSATING && !send_compensations(walk, saga)) {
        own->phase = WALK_CLEANING;
        own->next = 0;
    }
    if (own->phase == WALK_CLEANING && !send_actions(walk, saga, true))
        end(walk, saga, SAGA_COMPENSATED);
}

static bool has_something_to_give_back(const struct walk *walk, struct saga *saga)
{
    for (size_t i = 0; i < saga->definition->step_count; i++) {
        const struct saga_step *step = &saga->definition->steps[i];
        if (may_have_happened(saga, step) && command_request(walk, saga, step, true))
            return true;
        if (step->kind == SAGA_ON_FAILURE && command_request(walk, saga, step, false))
            return true;
    }
    return false;
}

// Turns the saga round. The decision is made durable only when something follows from it: a saga that
// was refused before it did anything ends with one write.
static void give_back(const struct walk *walk, struct saga *saga, struct status failure)
{
    struct saga_private *own = saga->private;
    saga->failure = status_keep(failure, saga->arena);
    own->asked = NULL;
    own->next = saga->definition->step_count;
    saga->state = SAGA_COMPENSATING;
    if (!has_something_to_give_back(walk, saga)) {
        end(walk, saga, SAGA_COMPENSATED);
        return;
    }
    own->phase = WALK_DECIDING;
    command_want_record(walk, saga, SAGA_RECORD_COMPENSATING);
}

// Starts

// Whoever takes a saga over late asks this many first patiences long before deciding: the silence may
// have been the orchestrators' alone.
enum { LAST_TRIES = 4 };

static int64_t decide_us(const struct walk *walk, int64_t age_us)
{
    const struct saga_runner_options *options = walk->options;
    int64_t left_us = options->decide_after_ms * US_PER_MS - age_us;
    int64_t least_us = LAST_TRIES * options->retry_first_ms * US_PER_MS;
    bool late = age_us > 0 && left_us < least_us;
    return walk->now_us + (late ? least_us : left_us);
}

struct saga *walk_create(const struct walk *walk, const struct saga_start *start)
{
    struct arena *arena = arena_create();
    struct saga *saga = arena_alloc(arena, sizeof(*saga));
    assert(start->definition->step_count <= SAGA_STEPS_MAX);
    *saga = (struct saga){
        .id = start->id,
        .definition = start->definition,
        .context = protobuf_unpack(start->definition->context, start->context.size,
                                   start->context.data, arena),
        .state = start->state,
        .created_at_us = start->created_at_us,
        .held = start->held,
        .arena = arena,
        .private = arena_alloc(arena, sizeof(*saga->private)),
    };
    assert(saga->context);
    saga->traceparent = saga_traceparent(saga->context);
    saga->failure = status_keep(start->failure, arena);
    *saga->private = (struct saga_private){
        .timer = {.owner = saga},
        .started_us = walk->now_us,
        .silent_us = walk->now_us + walk->options->held_after_ms * US_PER_MS,
        .decide_us = decide_us(walk, start->age_us),
        .row_parked = start->parked,
    };
    return saga;
}

void walk_start(const struct walk *walk, struct saga *saga)
{
    struct saga_private *own = saga->private;
    assert(saga->state == SAGA_RUNNING || saga->state == SAGA_COMPENSATING);
    if (saga->state == SAGA_COMPENSATING) {
        own->phase = WALK_COMPENSATING;
        own->next = saga->definition->step_count;
        own->compensate_all = true;
    }
    advance(walk, saga);
}

// Replies

// Of a failure: a definite no. Every other one leaves the outcome open.
static bool is_refusal(struct status st)
{
    return status_is_definite(st) || st.code == STATUS_INVALID_ARGUMENT;
}

static bool is_awaited(const struct saga *saga, const Baro__SagaStep *step)
{
    const struct saga_progress *asked = saga->private->asked;
    return asked && asked->compensation == (step->compensation != 0) &&
           strcmp(asked->step->name, step->step) == 0;
}

static bool accept(struct saga *saga, const Baro__RpcReply *reply)
{
    const struct saga_progress *asked = saga->private->asked;
    if (asked->compensation || !asked->step->accept)
        return true;
    const ProtobufCMessage *message =
        protobuf_unpack(asked->step->reply, reply->payload.len, reply->payload.data, saga->arena);
    if (message)
        asked->step->accept(saga, message);
    return message != NULL;
}

static void step_done(const struct walk *walk, struct saga *saga)
{
    struct saga_private *own = saga->private;
    own->asked->outcome = SAGA_DONE;
    own->asked->finished_at_us = walk->ports->wall_us(walk->ports->context);
    own->asked = NULL;
    own->silent_us = walk->now_us + walk->options->held_after_ms * US_PER_MS;
    saga->parked = false;
    if (own->phase == WALK_COMPENSATING)
        own->next--;
    else
        own->next++;
    advance(walk, saga);
}

// Where a no cannot be followed by giving back, it is shown and asked again, as silence is.
static void step_failed(const struct walk *walk, struct saga *saga, struct status st,
                        int64_t pushback_us)
{
    struct saga_private *own = saga->private;
    own->asked->outcome = is_refusal(st) ? SAGA_REFUSED : SAGA_UNKNOWN;
    if (own->asked->outcome == SAGA_REFUSED && command_has_decision_ahead(saga)) {
        own->asked->finished_at_us = walk->ports->wall_us(walk->ports->context);
        give_back(walk, saga, st);
        return;
    }
    if (own->retry_us < walk->now_us + pushback_us)
        own->retry_us = walk->now_us + pushback_us;
}

bool walk_reply(const struct walk *walk, struct saga *saga, const Baro__RpcReply *reply)
{
    struct saga_private *own = saga->private;
    if (!is_awaited(saga, reply->saga))
        return false;
    if (own->recording) {
        own->ask_soon = true;
        return true;
    }
    struct status st = envelope_status(reply);
    if (!failed(st) && !accept(saga, reply))
        st = refuse(REASON_INTERNAL, "the reply cannot be read");
    if (failed(st))
        step_failed(walk, saga, st, (int64_t)reply->pushback_ms * US_PER_MS);
    else
        step_done(walk, saga);
    return true;
}

// Timers

void walk_fire(const struct walk *walk, struct saga *saga)
{
    struct saga_private *own = saga->private;
    assert(!own->recording); // no timer runs then
    if (own->wants_record && own->record_us <= walk->now_us) {
        command_issue_record(walk, saga);
        return;
    }
    assert(own->asked); // nothing else is ever due
    if (command_has_decision_ahead(saga) && own->decide_us <= walk->now_us) {
        own->compensate_all = true;
        give_back(walk, saga, refuse(REASON_SYSTEM_FAILURE, "a service did not answer in time"));
    } else if (!saga->held && !own->wants_record && own->silent_us <= walk->now_us) {
        saga->held = true;
        command_want_record(walk, saga, SAGA_RECORD_HELD);
    } else {
        command_ask_again(walk, saga);
    }
}

void walk_retry(const struct walk *walk, struct saga *saga)
{
    struct saga_private *own = saga->private;
    own->record_us = walk->now_us;
    own->retry_us = walk->now_us;
    own->tries = 0;
    own->ask_soon = own->recording;
    if (saga->parked && !own->recording) {
        saga->parked = false;
        own->ask_soon = true;
        command_want_record(walk, saga, SAGA_RECORD_PARKED);
    }
}

// Records

// An end that the service will not have needs a human. Until he has been there the saga is shown as
// undecided as its row is, parked, and the end is tried slowly.
static void park_end(const struct walk *walk, struct saga *saga)
{
    saga->state = saga->state == SAGA_COMPLETED ? SAGA_RUNNING : SAGA_COMPENSATING;
    saga->parked = true;
    command_want_record(walk, saga, SAGA_RECORD_PARKED);
}

static void end_later(const struct walk *walk, struct saga *saga)
{
    struct saga_private *own = saga->private;
    saga->state = saga->state == SAGA_RUNNING ? SAGA_COMPLETED : SAGA_COMPENSATED;
    saga->parked = false; // as it will be with its end
    own->wants_record = true;
    own->record = SAGA_RECORD_END;
    own->record_us = walk->now_us + command_parked_us(walk);
}

static void record_failed(const struct walk *walk, struct saga *saga, struct status st)
{
    struct saga_private *own = saga->private;
    bool refused_end = own->record == SAGA_RECORD_END && is_refusal(st);
    own->record_us = walk->now_us + command_backoff_us(walk, own->record_tries++);
    if (refused_end && own->row_parked)
        own->record_us = walk->now_us + command_parked_us(walk);
    else if (refused_end && own->record_tries >= walk->options->park_after_attempts)
        park_end(walk, saga);
}

static void record_done(const struct walk *walk, struct saga *saga)
{
    struct saga_private *own = saga->private;
    own->wants_record = false;
    // Every record writes the whole row.
    own->row_parked = saga->parked;
    if (own->phase == WALK_DECIDING)
        own->phase = WALK_COMPENSATING;
    if (own->phase == WALK_ENDING) {
        end_later(walk, saga);
        return;
    }
    if (!own->asked) {
        // The time that the record took is nobody's silence.
        own->silent_us = walk->now_us + walk->options->held_after_ms * US_PER_MS;
        advance(walk, saga);
        return;
    }
    if (own->ask_soon)
        own->retry_us = walk->now_us;
    own->ask_soon = false;
}

bool walk_recorded(const struct walk *walk, struct saga *saga, enum saga_record what,
                   struct status st)
{
    struct saga_private *own = saga->private;
    assert(own->recording && own->record == what); // one at a time, and kept until it is back
    own->recording = false;
    if (st.reason == REASON_CONFLICT)
        return false;
    if (failed(st)) {
        record_failed(walk, saga, st);
        return true;
    }
    if (what == SAGA_RECORD_END) {
        effects_ended(walk->effects, saga);
        return false;
    }
    record_done(walk, saga);
    return true;
}
