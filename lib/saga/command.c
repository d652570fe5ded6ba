// One command of a saga: sent, asked for again ever more slowly, parked; and the records that a saga
// waits for.
//
// A command is built anew for each copy, from the context, which does not change while it is out: so
// every copy is the same, and the participant's stored answer fits all of them.

#include "lib/saga/command.h"

#include "lib/base/backoff.h"
#include "lib/base/clock.h"
#include "lib/base/protobuf.h"

#include <assert.h>

// A parked step is asked this many times more slowly.
enum { PARKED_SLOWNESS = 6 };

void command_issue_record(const struct walk *walk, struct saga *saga)
{
    saga->private->recording = true;
    effects_record(walk->effects, saga->private->record, saga);
}

void command_want_record(const struct walk *walk, struct saga *saga, enum saga_record what)
{
    struct saga_private *own = saga->private;
    own->wants_record = true;
    own->record = what;
    own->record_tries = 0;
    command_issue_record(walk, saga);
}

struct saga_progress *command_progress(struct saga *saga, const struct saga_step *step,
                                       bool compensation)
{
    for (size_t i = 0; i < saga->progress_count; i++) {
        struct saga_progress *progress = &saga->progress[i];
        if (progress->compensation == compensation && progress->step == step)
            return progress;
    }
    return NULL;
}

struct saga_progress *command_note(const struct walk *walk, struct saga *saga,
                                   const struct saga_step *step, bool compensation,
                                   enum saga_outcome outcome)
{
    assert(!command_progress(saga, step, compensation)); // each is walked once
    assert(saga->progress_count < COUNT(saga->progress));
    struct saga_progress *progress = &saga->progress[saga->progress_count++];
    *progress = (struct saga_progress){
        .step = step,
        .compensation = compensation,
        .outcome = outcome,
        .started_at_us = walk->ports->wall_us(walk->ports->context),
    };
    return progress;
}

int64_t command_backoff_us(const struct walk *walk, int tries)
{
    return backoff(walk->options->retry_first_ms * US_PER_MS,
                   walk->options->retry_max_ms * US_PER_MS, tries,
                   walk->ports->random(walk->ports->context));
}

int64_t command_parked_us(const struct walk *walk)
{
    return walk->options->retry_max_ms * PARKED_SLOWNESS * US_PER_MS;
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

bool command_has_decision_ahead(const struct saga *saga)
{
    return saga->private->phase == WALK_ACTING && can_be_given_back(saga->definition);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t walk_due(const struct saga *saga)
{
    const struct saga_private *own = saga->private;
    if (own->recording)
        return TIMER_NEVER;
    int64_t due_us = own->wants_record ? own->record_us : TIMER_NEVER;
    if (!own->asked)
        return due_us;
    due_us = earlier(due_us, own->retry_us);
    if (!saga->held && !own->wants_record)
        due_us = earlier(due_us, own->silent_us);
    if (command_has_decision_ahead(saga))
        due_us = earlier(due_us, own->decide_us);
    return due_us;
}

const ProtobufCMessage *command_request(const struct walk *walk, const struct saga *saga,
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
        .traceparent = saga->traceparent,
    };
    baro__saga_step__init(&command.step);
    command.step.saga_id = saga->id;
    command.step.step = protobuf_text(asked->step->name);
    command.step.compensation = asked->compensation;
    effects_command(walk->effects, &command, ask);
}

void command_send(const struct walk *walk, struct saga *saga, const struct saga_step *step,
                  bool compensation, const ProtobufCMessage *request)
{
    struct saga_private *own = saga->private;
    if (own->row_parked) {
        command_want_record(walk, saga, SAGA_RECORD_PARKED);
        return;
    }
    own->asked = command_note(walk, saga, step, compensation, SAGA_PENDING);
    own->tries = 0;
    own->retry_us = walk->now_us + walk->options->retry_first_ms * US_PER_MS;
    add_asked_command(walk, saga, request, false);
}

void command_ask_again(const struct walk *walk, struct saga *saga)
{
    struct saga_private *own = saga->private;
    own->tries++;
    own->retry_us = walk->now_us + command_backoff_us(walk, own->tries);
    if (own->tries >= walk->options->park_after_attempts && !saga->parked &&
        !command_has_decision_ahead(saga)) {
        saga->parked = true;
        own->ask_soon = true;
        command_want_record(walk, saga, SAGA_RECORD_PARKED);
        return;
    }
    if (saga->parked)
        own->retry_us = walk->now_us + command_parked_us(walk);
    const struct saga_progress *asked = own->asked;
    const ProtobufCMessage *request = command_request(walk, saga, asked->step, asked->compensation);
    assert(request); // it did apply when it was first sent, and nothing has changed since
    add_asked_command(walk, saga, request, true);
}
