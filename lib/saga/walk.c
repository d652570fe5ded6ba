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

#include "lib/saga/walk.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/protobuf.h"
#include "lib/base/text.h"
#include "lib/rpc/envelope.h"

#include <assert.h>
#include <string.h>

// A parked step is asked this many times more slowly.
enum { PARKED_SLOWNESS = 6, BACKOFF_STEPS_MAX = 20 };

// Effects

static void *append(struct effects *effects, void *items, size_t *count, size_t *capacity,
                    size_t size, const void *item)
{
    char *grown = items;
    if (*count == *capacity) {
        *capacity = *capacity ? 2 * *capacity : 16;
        grown = arena_array(effects->arena, *capacity, size);
        if (*count)
            memcpy(grown, items, *count * size);
    }
    memcpy(grown + *count * size, item, size);
    (*count)++;
    return grown;
}

static void add_command(struct effects *effects, const struct saga_command *command, bool ask)
{
    if (ask)
        effects->ask = append(effects, effects->ask, &effects->ask_count, &effects->ask_capacity,
                              sizeof(*command), command);
    else
        effects->publish = append(effects, effects->publish, &effects->publish_count,
                                  &effects->publish_capacity, sizeof(*command), command);
}

static void issue_record(const struct walk *walk, struct saga *saga)
{
    struct effects *effects = walk->effects;
    struct record_effect effect = {saga->private->record, saga};
    saga->private->recording = true;
    effects->records = append(effects, effects->records, &effects->record_count,
                              &effects->record_capacity, sizeof(effect), &effect);
}

static void want_record(const struct walk *walk, struct saga *saga, enum saga_record what)
{
    struct saga_private *private = saga->private;
    private->wants_record = true;
    private->record = what;
    private->record_tries = 0;
    issue_record(walk, saga);
}

static void add_ended(const struct walk *walk, struct saga *saga)
{
    struct effects *effects = walk->effects;
    effects->ended = append(effects, effects->ended, &effects->ended_count,
                            &effects->ended_capacity, sizeof(saga), &saga);
}

// Progress

static struct saga_progress *find_progress(struct saga *saga, const struct saga_step *step,
                                           bool compensation)
{
    for (size_t i = 0; i < saga->progress_count; i++) {
        struct saga_progress *progress = &saga->progress[i];
        if (progress->step == step && progress->compensation == compensation)
            return progress;
    }
    return NULL;
}

static struct saga_progress *note_progress(const struct walk *walk, struct saga *saga,
                                           const struct saga_step *step, bool compensation,
                                           enum saga_outcome outcome)
{
    struct saga_progress *progress = find_progress(saga, step, compensation);
    if (!progress) {
        assert(saga->progress_count < COUNT(saga->progress));
        progress = &saga->progress[saga->progress_count++];
    }
    *progress = (struct saga_progress){
        .step = step,
        .compensation = compensation,
        .outcome = outcome,
        .started_at_us = walk->ports->wall_us(walk->ports->context),
    };
    return progress;
}

// Time

// Exponential, the later half of it at random, so that sagas that fell silent together do not ask
// together.
static int64_t backoff_us(const struct walk *walk, int tries)
{
    int64_t first_us = walk->options->retry_first_ms * US_PER_MS;
    int64_t max_us = walk->options->retry_max_ms * US_PER_MS;
    int steps = tries < BACKOFF_STEPS_MAX ? tries : BACKOFF_STEPS_MAX;
    int64_t delay_us = first_us << steps < max_us ? first_us << steps : max_us;
    uint64_t random = walk->ports->random(walk->ports->context);
    return delay_us / 2 + (int64_t)(random % ((uint64_t)delay_us / 2 + 1));
}

static bool can_be_given_back(const struct saga_definition *definition)
{
    for (size_t i = 0; i < definition->step_count; i++) {
        const struct saga_step *step = &definition->steps[i];
        if (step->compensation || step->kind == SAGA_COMPENSATABLE || step->kind == SAGA_PIVOT)
            return true;
    }
    return false;
}

// Silence will be ended by a decision: no need to call for a human.
static bool has_decision_ahead(const struct saga *saga)
{
    return saga->private->phase == WALK_ACTING && can_be_given_back(saga->definition);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t walk_due(const struct saga *saga)
{
    const struct saga_private *private = saga->private;
    if (private->recording)
        return TIMER_NEVER;
    int64_t due_us = private->wants_record ? private->record_us : TIMER_NEVER;
    if (!private->asked)
        return due_us;
    due_us = earlier(due_us, private->retry_us);
    if (!saga->held)
        due_us = earlier(due_us, private->silent_us);
    if (has_decision_ahead(saga))
        due_us = earlier(due_us, private->decide_us);
    return due_us;
}

// Commands

static const ProtobufCMessage *request_of(const struct walk *walk, const struct saga *saga,
                                          const struct saga_step *step, bool compensation)
{
    struct arena *arena = walk->effects->arena;
    if (!compensation)
        return step->request(saga, arena);
    return step->compensation ? step->compensation_request(saga, arena) : NULL;
}

static void add_asked_command(const struct walk *walk, struct saga *saga,
                              const ProtobufCMessage *request, bool ask)
{
    struct saga_progress *asked = saga->private->asked;
    asked->attempts++;
    struct saga_command command = {
        .saga_id = saga->id,
        .participant = asked->step->participant,
        .method = asked->compensation ? asked->step->compensation : asked->step->action,
        .request = request,
        .attempt = asked->attempts,
    };
    baro__saga_step__init(&command.step);
    command.step.saga_id = saga->id;
    command.step.step = envelope_text(asked->step->name);
    command.step.compensation = asked->compensation;
    add_command(walk->effects, &command, ask);
}

// Sends the first copy of a command. A saga whose row says parked is shown as moving again before it
// moves; walk_recorded comes back here.
static void send(const struct walk *walk, struct saga *saga, const struct saga_step *step,
                 bool compensation, const ProtobufCMessage *request)
{
    struct saga_private *private = saga->private;
    if (private->row_parked) {
        want_record(walk, saga, SAGA_RECORD_PARKED);
        return;
    }
    private->asked = note_progress(walk, saga, step, compensation, SAGA_PENDING);
    private->tries = 0;
    private->retry_us = walk->now_us + walk->options->retry_first_ms * US_PER_MS;
    add_asked_command(walk, saga, request, false);
}

static void ask_again(const struct walk *walk, struct saga *saga)
{
    struct saga_private *private = saga->private;
    private->tries++;
    private->retry_us = walk->now_us + backoff_us(walk, private->tries);
    if (private->tries >= walk->options->park_after_attempts && !saga->parked &&
        !has_decision_ahead(saga)) {
        saga->parked = true;
        private->ask_soon = true;
        want_record(walk, saga, SAGA_RECORD_PARKED);
        return;
    }
    if (saga->parked)
    private->retry_us = walk->now_us + walk->options->retry_max_ms * PARKED_SLOWNESS * US_PER_MS;
    const struct saga_progress *asked = private->asked;
    const ProtobufCMessage *request = request_of(walk, saga, asked->step, asked->compensation);
    assert(request); // it did apply when it was first sent, and nothing has changed since
    add_asked_command(walk, saga, request, true);
}

// Phases. Each returns true when a command is out or the saga waits for a record.

static bool send_actions(const struct walk *walk, struct saga *saga, bool on_failure)
{
    struct saga_private *private = saga->private;
    for (; private->next < saga->definition->step_count; private->next++) {
        const struct saga_step *step = &saga->definition->steps[private->next];
        if ((step->kind == SAGA_ON_FAILURE) != on_failure)
            continue;
        const ProtobufCMessage *request = request_of(walk, saga, step, false);
        if (request) {
            send(walk, saga, step, false, request);
            return true;
        }
        note_progress(walk, saga, step, false, SAGA_SKIPPED);
    }
    return false;
}

static bool may_have_happened(struct saga *saga, const struct saga_step *step)
{
    if (step->kind == SAGA_ON_FAILURE)
        return false;
    const struct saga_progress *action = find_progress(saga, step, false);
    if (!action)
        return saga->private->compensate_all;
    return action->outcome != SAGA_REFUSED && action->outcome != SAGA_SKIPPED;
}

static bool send_compensations(const struct walk *walk, struct saga *saga)
{
    struct saga_private *private = saga->private;
    for (; private->next > 0; private->next--) {
        const struct saga_step *step = &saga->definition->steps[private->next - 1];
        if (!may_have_happened(saga, step))
            continue;
        const ProtobufCMessage *request = request_of(walk, saga, step, true);
        if (request) {
            send(walk, saga, step, true, request);
            return true;
        }
    }
    return false;
}

static void end(const struct walk *walk, struct saga *saga, enum saga_state state)
{
    saga->state = state;
    saga->private->phase = WALK_ENDING;
    want_record(walk, saga, SAGA_RECORD_END);
}

static void advance(const struct walk *walk, struct saga *saga)
{
    struct saga_private *private = saga->private;
    if (private->phase == WALK_ACTING && !send_actions(walk, saga, false))
        end(walk, saga, SAGA_COMPLETED);
    if (private->phase == WALK_COMPENSATING && !send_compensations(walk, saga)) {
        private->phase = WALK_CLEANING;
        private->next = 0;
    }
    if (private->phase == WALK_CLEANING && !send_actions(walk, saga, true))
        end(walk, saga, SAGA_COMPENSATED);
}

static bool has_something_to_give_back(const struct walk *walk, struct saga *saga)
{
    for (size_t i = 0; i < saga->definition->step_count; i++) {
        const struct saga_step *step = &saga->definition->steps[i];
        if (may_have_happened(saga, step) && request_of(walk, saga, step, true))
            return true;
        if (step->kind == SAGA_ON_FAILURE && request_of(walk, saga, step, false))
            return true;
    }
    return false;
}

static const char *copied(struct saga *saga, const char *text)
{
    return text ? text_copy(saga->arena, text) : NULL;
}

static void set_failure(struct saga *saga, struct status st)
{
    saga->failure = st;
    saga->failure.field = copied(saga, st.field);
    saga->failure.message = copied(saga, st.message);
}

// Turns the saga round. The decision is made durable only when something follows from it: a saga that
// was refused before it did anything ends with one write.
static void give_back(const struct walk *walk, struct saga *saga, struct status failure)
{
    struct saga_private *private = saga->private;
    set_failure(saga, failure);
    private->asked = NULL;
    private->next = saga->definition->step_count;
    saga->state = SAGA_COMPENSATING;
    if (!has_something_to_give_back(walk, saga)) {
        end(walk, saga, SAGA_COMPENSATED);
        return;
    }
    private->phase = WALK_DECIDING;
    want_record(walk, saga, SAGA_RECORD_COMPENSATING);
}

// Starts

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
    if (!saga->context) {
        arena_destroy(arena);
        return NULL;
    }
    set_failure(saga, start->failure);
    *saga->private = (struct saga_private){
        .timer = {.owner = saga},
        .started_us = walk->now_us,
        .silent_us = walk->now_us + walk->options->held_after_ms * US_PER_MS,
        .decide_us = walk->now_us + walk->options->decide_after_ms * US_PER_MS,
    };
    return saga;
}

void walk_start(const struct walk *walk, struct saga *saga)
{
    struct saga_private *private = saga->private;
    assert(saga->state == SAGA_RUNNING || saga->state == SAGA_COMPENSATING);
    if (saga->state == SAGA_COMPENSATING) {
        private->phase = WALK_COMPENSATING;
        private->next = saga->definition->step_count;
        private->compensate_all = true;
    }
    advance(walk, saga);
}

// Replies

// A definite no. Every other failure leaves the outcome open.
static bool is_refusal(struct status st)
{
    return failed(st) && (status_is_definite(st) || st.code == STATUS_INVALID_ARGUMENT);
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
    struct saga_private *private = saga->private;
    private->asked->outcome = SAGA_DONE;
    private->asked->finished_at_us = walk->ports->wall_us(walk->ports->context);
    private->asked = NULL;
    private->silent_us = walk->now_us + walk->options->held_after_ms * US_PER_MS;
    saga->parked = false;
    if (private->phase == WALK_COMPENSATING)
    private->next--;
    else private->next++;
    advance(walk, saga);
}

// Where a no cannot be followed by giving back, it is shown and asked again, as silence is.
static void step_failed(const struct walk *walk, struct saga *saga, struct status st,
                        int64_t pushback_us)
{
    struct saga_private *private = saga->private;
    private->asked->outcome = is_refusal(st) ? SAGA_REFUSED : SAGA_UNKNOWN;
    if (private->asked->outcome == SAGA_REFUSED && has_decision_ahead(saga)) {
        private->asked->finished_at_us = walk->ports->wall_us(walk->ports->context);
        give_back(walk, saga, st);
        return;
    }
    if (private->retry_us < walk->now_us + pushback_us)
    private->retry_us = walk->now_us + pushback_us;
}

bool walk_reply(const struct walk *walk, struct saga *saga, const Baro__RpcReply *reply)
{
    struct saga_private *private = saga->private;
    if (!is_awaited(saga, reply->saga))
        return false;
    if (private->recording) {
        private->ask_soon = true;
        return true;
    }
    struct status st = envelope_status(reply);
    if (!failed(st) && !accept(saga, reply))
        st = refuse(REASON_INTERNAL, "The reply cannot be read.");
    if (failed(st))
        step_failed(walk, saga, st, (int64_t)reply->pushback_ms * US_PER_MS);
    else
        step_done(walk, saga);
    return true;
}

// Timers

void walk_fire(const struct walk *walk, struct saga *saga)
{
    struct saga_private *private = saga->private;
    if (private->recording)
        return;
    if (private->wants_record && private->record_us <= walk->now_us) {
        issue_record(walk, saga);
        return;
    }
    if (!private->asked)
        return;
    if (has_decision_ahead(saga) && private->decide_us <= walk->now_us) {
        private->compensate_all = true;
        give_back(walk, saga, refuse(REASON_SYSTEM_FAILURE, "A service did not answer in time."));
    } else if (!saga->held && !private->wants_record && private->silent_us <= walk->now_us) {
        saga->held = true;
        want_record(walk, saga, SAGA_RECORD_HELD);
    } else if (private->retry_us <= walk->now_us) {
        ask_again(walk, saga);
    }
}

void walk_retry(const struct walk *walk, struct saga *saga)
{
    struct saga_private *private = saga->private;
    private->record_us = walk->now_us;
    private->retry_us = walk->now_us;
    private->tries = 0;
    private->ask_soon = private->recording;
    if (saga->parked && !private->recording) {
        saga->parked = false;
        private->ask_soon = true;
        want_record(walk, saga, SAGA_RECORD_PARKED);
    }
}

// Records

static void record_failed(const struct walk *walk, struct saga *saga)
{
    struct saga_private *private = saga->private;
    private->record_us = walk->now_us + backoff_us(walk, private->record_tries++);
}

static void record_done(const struct walk *walk, struct saga *saga)
{
    struct saga_private *private = saga->private;
    private->wants_record = false;
    // Every record writes the whole row.
    private->row_parked = saga->parked;
    if (private->phase == WALK_DECIDING)
    private->phase = WALK_COMPENSATING;
    if (!private->asked) {
        // The time that the record took is nobody's silence.
        private->silent_us = walk->now_us + walk->options->held_after_ms * US_PER_MS;
        advance(walk, saga);
        return;
    }
    if (private->ask_soon)
    private->retry_us = walk->now_us;
    private->ask_soon = false;
}

bool walk_recorded(const struct walk *walk, struct saga *saga, enum saga_record what,
                   struct status st)
{
    struct saga_private *private = saga->private;
    if (!private->recording || private->record != what)
        return true;
    private->recording = false;
    if (st.reason == REASON_CONFLICT)
        return false;
    if (failed(st)) {
        record_failed(walk, saga);
        return true;
    }
    if (what == SAGA_RECORD_END) {
        add_ended(walk, saga);
        return false;
    }
    record_done(walk, saga);
    return true;
}
