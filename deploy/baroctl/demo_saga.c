// A saga as its runner would have left it: the steps of its table in their order, the compensations in
// reverse, each with its time. Rows of sagas that ended long ago are gone, as the services forget them.

#include "deploy/baroctl/demo.h"
#include "lib/base/clock.h"
#include "lib/base/timeid.h"
#include "proto/order.pb-c.h"
#include "services/order/wire.h"

#include <string.h>

enum {
    STEP_MS_LOW = 2,
    STEP_MS_HIGH = 30,
    PARKED_ATTEMPTS = 20,
    PARKED_AFTER_S = 90,
    PARKED_FOR_S = 3600, // nobody takes it over sooner, so that it can be seen
    KEPT_DAYS = 30,
};

// Makes progress on a step; the runner's clock goes on.
static void act(struct demo_life *life, struct saga *saga, const struct saga_step *step,
                bool compensation, enum saga_outcome outcome)
{
    bool silent = outcome == SAGA_UNKNOWN;
    int64_t started_us = life->at_us;
    life->at_us += silent ? PARKED_AFTER_S * US_PER_S
                          : demo_random(life->demo, STEP_MS_LOW, STEP_MS_HIGH) * US_PER_MS;
    saga->progress[saga->progress_count++] = (struct saga_progress){
        .step = step,
        .compensation = compensation,
        .outcome = outcome,
        .attempts = silent ? PARKED_ATTEMPTS : 1,
        .started_at_us = started_us,
        .finished_at_us = silent ? 0 : life->at_us,
    };
}

// Runs the actions; false when one of them stopped the saga.
static bool act_all(struct demo_life *life, struct saga *saga, const struct demo_saga *story)
{
    for (size_t i = 0; i < saga->definition->step_count; i++) {
        const struct saga_step *step = &saga->definition->steps[i];
        if (step->kind == SAGA_ON_FAILURE || !step->request(saga, life->arena))
            continue;
        bool stops = story->stopped_at && strcmp(step->name, story->stopped_at) == 0;
        act(life, saga, step, false, stops ? story->outcome : SAGA_DONE);
        if (stops)
            return false;
    }
    return true;
}

// A refused step has done nothing; a silent one may have.
static void compensate(struct demo_life *life, struct saga *saga)
{
    for (size_t i = saga->progress_count; i-- > 0;) {
        const struct saga_step *step = saga->progress[i].step;
        if (saga->progress[i].outcome != SAGA_REFUSED && step->compensation_request &&
            step->compensation_request(saga, life->arena))
            act(life, saga, step, true, SAGA_DONE);
    }
    for (size_t i = 0; i < saga->definition->step_count; i++) {
        const struct saga_step *step = &saga->definition->steps[i];
        if (step->kind == SAGA_ON_FAILURE && step->request(saga, life->arena))
            act(life, saga, step, false, SAGA_DONE);
    }
}

static void saga_row(struct demo_life *life, const struct saga *saga, int32_t order_version)
{
    const struct saga_progress *last = &saga->progress[saga->progress_count - 1];
    Baro__Order__SagaTimeline *timeline = wire_timeline(life->arena, saga);
    struct bytes context = wire_pack(life->arena, saga->context);
    struct bytes packed = wire_pack(life->arena, &timeline->base);
    bool broken = failed(saga->failure);
    struct copy *row = &life->demo->rows[ROWS_SAGA];
    copy_row(row);
    copy_int64(row, saga->id);
    copy_int64(row, life->order.id);
    copy_int32(row, order_version);
    copy_time(row, saga->created_at_us);
    copy_time(row, life->at_us);
    copy_time(row, saga->parked ? life->demo->now_us + PARKED_FOR_S * US_PER_S : life->at_us);
    copy_int16(row, (int16_t)saga->failure.code);
    copy_int16(row, (int16_t)saga->state);
    copy_int32(row, last->attempts);
    copy_bool(row, saga->held);
    copy_bool(row, saga->parked);
    copy_text(row, saga->definition->kind);
    copy_text(row, "load-demo");
    copy_text(row, last->step->name);
    copy_text(row, broken ? reason_word(saga->failure.reason) : NULL);
    copy_text(row, broken ? saga->failure.message : NULL);
    copy_bytes(row, context.data ? context.data : (const uint8_t *)"", context.size);
    copy_bytes(row, packed.data ? packed.data : (const uint8_t *)"", packed.size);
}

void demo_saga(struct demo_life *life, const struct demo_saga *story)
{
    struct demo *demo = life->demo;
    struct saga saga = {
        .id = time_id(life->at_us, demo_number(demo, SEQUENCE_SAGA)),
        .definition = story->definition,
        .context = story->context,
        .failure = story->failure,
        .held = story->held,
        .parked = story->parked,
        .created_at_us = life->at_us,
    };
    life->order.saga_id = saga.id;
    if (act_all(life, &saga, story)) {
        saga.state = SAGA_COMPLETED;
    } else if (!story->parked) {
        saga.state = SAGA_COMPENSATED;
        compensate(life, &saga);
    }
    bool forgotten = life->at_us < demo->now_us - KEPT_DAYS * US_PER_DAY;
    if (saga.progress_count && (saga.parked || !forgotten))
        saga_row(life, &saga, (int32_t)life->order.version);
}
