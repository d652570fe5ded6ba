// The runner against scripted participants, with virtual time.

#include "lib/base/clock.h"
#include "lib/base/protobuf.h"
#include "lib/rpc/envelope.h"
#include "tests/unit/lib/saga/world.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static struct world *world;

static void given_world(void)
{
    world = world_create(1);
    world_runner(world);
}

static void end_world(void)
{
    world_destroy(world);
}

static struct saga_runner *newest(void)
{
    return world->runners[world->runner_count - 1].runner;
}

static int records(const struct world_saga *saga)
{
    return saga->records[SAGA_RECORD_HELD] + saga->records[SAGA_RECORD_COMPENSATING] +
           saga->records[SAGA_RECORD_END] + saga->records[SAGA_RECORD_PARKED];
}

// A reply to saga 1, with what `more` adds to it, or NULL.
static void reply_like(const char *step, bool compensation, struct status st,
                       const Baro__RpcReply *more)
{
    Baro__SagaStep name;
    Baro__RpcReply reply;
    baro__saga_step__init(&name);
    name.saga_id = 1;
    name.step = protobuf_text(step);
    name.compensation = compensation;
    envelope_fill_status(&reply, st);
    reply.saga = &name;
    if (more) {
        reply.pushback_ms = more->pushback_ms;
        reply.payload = more->payload;
    }
    const Baro__RpcReply *replies[] = {&reply};
    saga_runner_reply(newest(), replies, 1);
}

static void reply_with(const char *step, bool compensation, struct status st)
{
    reply_like(step, compensation, st, NULL);
}

TestSuite(runner, .init = given_world, .fini = end_world);

Test(runner, the_good_path_is_one_command_a_step_and_one_write)
{
    struct world_saga *saga = world_start(world, &world_pay);
    world_run(world);
    world_check(world);
    cr_expect_str_eq(world->trace, "redeem debit confirm");
    cr_expect_eq(saga->state, SAGA_COMPLETED);
    cr_expect_eq(records(saga), 1);
    cr_expect_eq(saga->ended, 1);
}

Test(runner, a_refusal_is_compensated_in_reverse_order_after_a_durable_decision)
{
    struct world_saga *saga = world_start(world, &world_pay);
    saga->refuses[CONFIRM] = true;
    world_run(world);
    world_check(world);
    cr_expect_str_eq(world->trace, "redeem debit confirm -debit -redeem release");
    cr_expect_eq(saga->failure.reason, REASON_INSUFFICIENT_BALANCE);
    cr_expect_eq(saga->records[SAGA_RECORD_COMPENSATING], 1);
    cr_expect_eq(records(saga), 2);
}

Test(runner, a_refusal_before_anything_was_done_ends_with_one_write)
{
    struct world_saga *saga = world_start(world, &world_keep);
    saga->refuses[REDEEM] = true;
    world_run(world);
    cr_expect_str_eq(world->trace, "redeem");
    cr_expect_eq(saga->state, SAGA_COMPENSATED);
    cr_expect_eq(records(saga), 1);
}

Test(runner, no_compensation_leaves_before_the_decision_is_durable)
{
    world->record_delay_us = 60 * US_PER_S;
    struct world_saga *saga = world_start(world, &world_pay);
    saga->refuses[DEBIT] = true;
    world_run_for(world, 59 * 1000);
    cr_expect_str_eq(world->trace, "redeem debit");
    world_run(world);
    cr_expect_str_eq(world->trace, "redeem debit -redeem release");
}

static bool is_number(struct world *seen, size_t message)
{
    return message == seen->plan;
}

Test(runner, a_lost_command_is_asked_for_over_rpc_after_the_first_patience)
{
    world->lost = is_number;
    struct world_saga *saga = world_start(world, &world_pay);
    world_run_for(world, 249);
    cr_expect_eq(world->asks, 0);
    world_run_for(world, 10);
    cr_expect_str_eq(world->trace, "redeem redeem? debit confirm");
    cr_expect_eq(saga->state, SAGA_COMPLETED);
}

Test(runner, silence_is_asked_about_ever_more_slowly)
{
    world->silent[REDEEM] = true;
    world_start(world, &world_refund);
    world_run_for(world, 60 * 1000);
    size_t first_minute = world->asks;
    cr_expect(first_minute >= 8 && first_minute <= 20, "%zu", first_minute);
}

Test(runner, a_lost_answer_is_asked_for_and_nothing_happens_twice)
{
    world->lost = is_number;
    world->plan = 1;
    struct world_saga *saga = world_start(world, &world_pay);
    world_run(world);
    world_check(world);
    cr_expect_eq(saga->steps[REDEEM].runs, 1);
}

Test(runner, long_silence_is_recorded_as_held_and_ends_well_when_the_participant_is_back)
{
    world->silent[DEBIT] = true;
    struct world_saga *saga = world_start(world, &world_pay);
    world_run_for(world, 4900);
    cr_expect_not(saga->held);
    world_run_for(world, 200);
    cr_expect(saga->held);
    world->silent[DEBIT] = false;
    world_run(world);
    world_check(world);
    cr_expect_eq(saga->state, SAGA_COMPLETED);
    cr_expect_eq(saga->records[SAGA_RECORD_HELD], 1);
}

Test(runner, silence_beyond_the_deadline_is_given_back_as_a_system_failure)
{
    world->silent[DEBIT] = true;
    struct world_saga *saga = world_start(world, &world_pay);
    world_run_for(world, 60 * 1000 + 100);
    cr_expect_eq(saga->state, SAGA_COMPENSATING);
    cr_expect_eq(saga->failure.reason, REASON_SYSTEM_FAILURE);
    cr_expect_eq(saga->records[SAGA_RECORD_PARKED], 0);
    world->silent[DEBIT] = false;
    world_run(world);
    world_check(world);
    cr_expect_eq(saga->state, SAGA_COMPENSATED);
}

Test(runner, takeovers_do_not_put_the_decision_off)
{
    world->silent[DEBIT] = true;
    struct world_saga *saga = world_start(world, &world_pay);
    for (int life = 0; life < 7; life++) {
        world_run_for(world, 8 * 1000);
        world_kill(&world->runners[life]);
        world_runner(world);
    }
    cr_expect_eq(saga->state, SAGA_RUNNING);
    world_run_for(world, 4 * 1000 + 100);
    cr_expect_eq(saga->state, SAGA_COMPENSATING);
    cr_expect_eq(saga->failure.reason, REASON_SYSTEM_FAILURE);
}

Test(runner, a_saga_that_nobody_walked_for_long_is_asked_for_once_more_and_then_decided)
{
    world->silent[DEBIT] = true;
    struct world_saga *saga = world_start(world, &world_pay);
    struct world_saga *lucky = world_start(world, &world_refund);
    world_run_for(world, 10);
    world_kill(&world->runners[0]);
    world->now_us += 10 * 60 * US_PER_S;
    world_runner(world);
    world_run_for(world, 900);
    cr_expect_eq(saga->state, SAGA_RUNNING);
    world_run_for(world, 200);
    cr_expect_eq(saga->state, SAGA_COMPENSATING);
    cr_expect_eq(lucky->state, SAGA_RUNNING, "nothing to decide");
}

Test(runner, a_saga_that_nobody_walked_for_long_ends_well_when_the_participants_are_well)
{
    world->silent[DEBIT] = true;
    struct world_saga *saga = world_start(world, &world_pay);
    world_run_for(world, 10);
    world_kill(&world->runners[0]);
    world->now_us += 10 * 60 * US_PER_S;
    world->silent[DEBIT] = false;
    world_runner(world);
    world_run(world);
    world_check(world);
    cr_expect_eq(saga->state, SAGA_COMPLETED);
}

Test(runner, a_decision_by_silence_gives_back_what_an_earlier_owner_did_further_on)
{
    struct world_saga *saga = world_start(world, &world_pay);
    while (saga->steps[DEBIT].runs == 0)
        world_step(world, WORLD_FOR_EVER);
    world_kill(&world->runners[0]);
    world->silent[REDEEM] = true;
    world_runner(world);
    world_run_for(world, 61 * 1000);
    cr_expect_eq(saga->state, SAGA_COMPENSATING);
    world->silent[REDEEM] = false;
    world_run(world);
    world_check(world);
    cr_expect_eq(saga->steps[DEBIT].undone, 1);
}

Test(runner, a_saga_stands_still_while_it_is_being_recorded)
{
    world->silent[DEBIT] = true;
    world->record_delay_us = US_PER_S;
    struct world_saga *saga = world_start(world, &world_pay);
    world_run_for(world, 5010);
    cr_assert_eq(saga->records[SAGA_RECORD_HELD], 1);
    size_t commands = world->commands;
    world->silent[DEBIT] = false;
    reply_with("debit", false, OK);
    cr_expect_eq(world->commands, commands);
    size_t asks = world->asks;
    world_run_for(world, 1010);
    cr_expect_eq(world->asks, asks + 1);
    world_run(world);
    world_check(world);
}

Test(runner, a_silent_compensation_is_parked_and_shown_until_it_is_answered)
{
    struct world_saga *saga = world_start(world, &world_pay);
    saga->refuses[CONFIRM] = true;
    while (saga->state != SAGA_COMPENSATING)
        world_step(world, WORLD_FOR_EVER);
    world->silent[DEBIT] = true;
    world_run_for(world, 3 * 60 * 1000);
    cr_expect(saga->parked);
    world->silent[DEBIT] = false;
    world_run_for(world, 2 * 60 * 1000);
    cr_expect_not(saga->parked);
    world_run(world);
    world_check(world);
}

Test(runner, a_saga_that_cannot_be_given_back_goes_on_until_it_is_done)
{
    world->silent[DEBIT] = true;
    struct world_saga *saga = world_start(world, &world_refund);
    world_run_for(world, 10 * 60 * 1000);
    cr_expect_eq(saga->state, SAGA_RUNNING);
    cr_expect(saga->parked);
    world->silent[DEBIT] = false;
    world_run(world);
    world_check(world);
    cr_expect_eq(saga->state, SAGA_COMPLETED);
}

Test(runner, a_no_that_cannot_be_given_back_is_parked_and_shown)
{
    struct world_saga *saga = world_start(world, &world_refund);
    saga->refuses[DEBIT] = true;
    world_run_for(world, 3 * 60 * 1000);
    cr_expect_eq(saga->state, SAGA_RUNNING);
    cr_expect(saga->parked);
}

Test(runner, a_retry_by_hand_unparks_and_asks_at_once)
{
    world->silent[DEBIT] = true;
    struct world_saga *saga = world_start(world, &world_refund);
    world_run_for(world, 10 * 60 * 1000);
    cr_assert(saga->parked);
    world->silent[DEBIT] = false;
    cr_expect(saga_runner_retry(newest(), saga->id));
    world_run_for(world, 100);
    cr_expect_not(saga->parked);
    cr_expect_eq(saga->state, SAGA_COMPLETED);
    cr_expect_not(saga_runner_retry(newest(), saga->id));
}

Test(runner, a_record_that_fails_is_tried_again_until_it_is_durable)
{
    world->record_fails = 80;
    struct world_saga *saga = world_start(world, &world_pay);
    saga->refuses[DEBIT] = true;
    world_run(world);
    world_check(world);
    cr_expect_eq(saga->ended, 1);
}

static struct world_saga *given_refused_end(bool refused)
{
    struct world_saga *saga = world_start(world, &world_pay);
    saga->refuses[DEBIT] = refused;
    saga->refuses_end = true;
    world_run_for(world, 3 * 60 * 1000);
    cr_expect(saga->parked);
    cr_expect_eq(saga->state, refused ? SAGA_COMPENSATING : SAGA_RUNNING);
    return saga;
}

Test(runner, an_end_that_is_refused_is_parked_and_shown_until_it_is_accepted)
{
    for (int refused = 0; refused < 2; refused++) {
        struct world_saga *saga = given_refused_end(refused);
        world_run_for(world, 10 * 60 * 1000);
        cr_expect(saga->parked);
        cr_expect_eq(saga->records[SAGA_RECORD_PARKED], 1);
        saga->refuses_end = false;
        world_run(world);
        world_check(world);
        cr_expect_not(saga->parked);
        cr_expect_eq(saga->ended, 1);
    }
}

Test(runner, a_retry_by_hand_of_a_refused_end_tries_it_at_once)
{
    struct world_saga *saga = given_refused_end(false);
    saga->refuses_end = false;
    cr_expect(saga_runner_retry(newest(), saga->id));
    world_run_for(world, 100);
    cr_expect_eq(saga->state, SAGA_COMPLETED);
    cr_expect_not(saga->parked);
}

Test(runner, a_refused_end_that_is_taken_over_is_parked_again)
{
    struct world_saga *saga = given_refused_end(true);
    world_kill(&world->runners[0]);
    world_runner(world);
    world_run_for(world, 100);
    cr_expect_not(saga->parked);
    world_run_for(world, 3 * 60 * 1000);
    cr_expect(saga->parked);
    saga->refuses_end = false;
    world_run(world);
    world_check(world);
}

Test(runner, a_saga_that_another_orchestrator_owns_is_forgotten)
{
    struct world_saga *saga = world_start(world, &world_pay);
    saga->owner = 77;
    world_run(world);
    cr_expect_eq(saga->state, SAGA_RUNNING);
    cr_expect_eq(saga->ended, 0);
    SCOPED(arena) *arena = arena_create();
    int64_t *ids;
    cr_expect_eq(saga_runner_list(newest(), arena, &ids), 0);
}

Test(runner, a_saga_that_is_here_is_not_started_twice)
{
    world_start(world, &world_pay);
    struct saga_start again = {.id = 1, .definition = &world_pay, .state = SAGA_RUNNING};
    saga_runner_start(newest(), &again, 1);
    world_run(world);
    cr_expect_str_eq(world->trace, "redeem debit confirm");
}

Test(runner, sagas_that_start_together_share_one_publish)
{
    struct saga_start starts[20];
    for (int i = 0; i < 20; i++) {
        struct world_saga *row = world_row(world, &world_pay);
        row->owner = 0;
        starts[i] = (struct saga_start){
            .id = row->id, .definition = &world_pay, .context = {(const uint8_t *)"\x08\x01", 2}
        };
    }
    saga_runner_start(newest(), starts, 20);
    cr_expect_eq(world->publishes, 1);
    cr_expect_eq(world->commands, 20);
    SCOPED(arena) *arena = arena_create();
    int64_t *ids;
    cr_expect_eq(saga_runner_list(newest(), arena, &ids), 20);
}

Test(runner, answers_that_nobody_waits_for_change_nothing)
{
    struct world_saga *saga = world_start(world, &world_pay);
    reply_with("debit", false, refuse(REASON_INSUFFICIENT_BALANCE, NULL));
    reply_with("redeem", true, OK);
    reply_with("no_such_step", false, OK);
    reply_with("redeem", false, OK);
    reply_with("redeem", false, OK);
    reply_with("redeem", false, refuse(REASON_COUPON_NOT_USABLE, NULL));
    cr_expect_str_eq(world->trace, "redeem debit");
    world_run(world);
    world_check(world);
    cr_expect_eq(saga->state, SAGA_COMPLETED);
}

Test(runner, faults_are_no_answers)
{
    static const enum reason faults[] = {
        REASON_UNAVAILABLE, REASON_OUTCOME_UNKNOWN, REASON_OVERLOADED,     REASON_DEADLINE_EXCEEDED,
        REASON_CONFLICT,    REASON_INTERNAL,        REASON_NOT_IMPLEMENTED};
    struct world_saga *saga = world_start(world, &world_pay);
    for (size_t i = 0; i < COUNT(faults); i++)
        reply_with("redeem", false, refuse(faults[i], NULL));
    cr_expect_str_eq(world->trace, "redeem");
    world_run(world);
    cr_expect_eq(saga->state, SAGA_COMPLETED);
}

Test(runner, a_request_that_cannot_be_understood_is_refused)
{
    struct world_saga *saga = world_start(world, &world_keep);
    reply_with("redeem", false, invalid("amount", "is no amount"));
    world_run(world);
    cr_expect_eq(saga->state, SAGA_COMPENSATED);
    cr_expect_eq(saga->failure.reason, REASON_VALIDATION_ERROR);
}

Test(runner, who_pushes_back_is_not_asked_before)
{
    Baro__RpcReply busy;
    baro__rpc_reply__init(&busy);
    busy.pushback_ms = 3000;
    world->silent[REDEEM] = true;
    world_start(world, &world_pay);
    reply_like("redeem", false, refuse(REASON_OVERLOADED, NULL), &busy);
    world_run_for(world, 2900);
    cr_expect_str_eq(world->trace, "redeem");
    world_run_for(world, 200);
    cr_expect_str_eq(world->trace, "redeem redeem?");
}

// What the next saga is made of: steps as those of world_pay begin.
static const ProtobufCMessage *a_number(const struct saga *saga, struct arena *arena)
{
    Baro__Int64 *message = arena_alloc(arena, sizeof(*message));
    baro__int64__init(message);
    message->value = saga->id;
    return &message->base;
}

static const ProtobufCMessage *not_needed(const struct saga *saga, struct arena *arena)
{
    (void)saga;
    (void)arena;
    return NULL;
}

static void accept_any(struct saga *saga, const ProtobufCMessage *reply)
{
    (void)saga;
    cr_assert_eq(reply->descriptor, &baro__int64__descriptor);
}

Test(runner, a_reply_that_cannot_be_read_is_asked_for_again)
{
    static const struct saga_step STEPS[] = {
        {"redeem", "coupon", "test.Coupon/Redeem", NULL, SAGA_RETRIABLE, a_number, NULL,
         &baro__int64__descriptor, accept_any},
    };
    static const struct saga_definition DEFINITION = {"read", &baro__int64__descriptor, STEPS,
                                                      COUNT(STEPS)};
    uint8_t nonsense[] = {0xFF};
    Baro__RpcReply damaged;
    baro__rpc_reply__init(&damaged);
    damaged.payload = (ProtobufCBinaryData){sizeof(nonsense), nonsense};
    struct world_saga *saga = world_start(world, &DEFINITION);
    reply_like("redeem", false, OK, &damaged);
    cr_expect_eq(saga->state, SAGA_RUNNING);
    world_run(world);
    cr_expect_eq(saga->state, SAGA_COMPLETED);
}

Test(runner, a_step_that_needs_no_giving_back_is_not_given_back)
{
    static const struct saga_step STEPS[] = {
        {"redeem", "coupon", "test.Coupon/Redeem", "test.Coupon/Restore", SAGA_COMPENSATABLE,
         a_number,                                                                                      not_needed, NULL, NULL},
        {"debit",  "user",   "test.User/Debit",    NULL,                  SAGA_PIVOT,         a_number, NULL,       NULL, NULL},
    };
    static const struct saga_definition DEFINITION = {"free", &baro__int64__descriptor, STEPS,
                                                      COUNT(STEPS)};
    struct world_saga *saga = world_start(world, &DEFINITION);
    saga->refuses[DEBIT] = true;
    world_run(world);
    cr_expect_str_eq(world->trace, "redeem debit");
    cr_expect_eq(saga->state, SAGA_COMPENSATED);
    cr_expect_eq(records(saga), 1);
}

// Whether a no ends the saga is a matter of what its steps are.
Test(runner, a_saga_may_be_refused_as_long_as_one_of_its_steps_may_be)
{
    static const struct saga_step STEPS[] = {
        {"debit", "user", "test.User/Debit", NULL, SAGA_COMPENSATABLE, a_number, NULL, NULL, NULL},
        {"debit", "user", "test.User/Debit", NULL, SAGA_PIVOT,         a_number, NULL, NULL, NULL},
        {"debit", "user", "test.User/Debit", NULL, SAGA_RETRIABLE,     a_number, NULL, NULL, NULL},
    };
    static const struct saga_definition DEFINITIONS[] = {
        {"one", &baro__int64__descriptor, &STEPS[0], 1},
        {"one", &baro__int64__descriptor, &STEPS[1], 1},
        {"one", &baro__int64__descriptor, &STEPS[2], 1},
    };
    for (size_t i = 0; i < COUNT(STEPS); i++) {
        struct world_saga *saga = world_row(world, &DEFINITIONS[i]);
        saga->refuses[DEBIT] = true;
        world_runner(world);
        world_run_for(world, 5000);
        cr_expect_eq(saga->state,
                     STEPS[i].kind == SAGA_RETRIABLE ? SAGA_RUNNING : SAGA_COMPENSATED);
    }
}

// The record that fails is tried again in its own time; nothing else is due before.
Test(runner, a_saga_whose_record_fails_sleeps_between_its_tries, .timeout = 20)
{
    world->options.park_after_attempts = 2;
    world->options.held_after_ms = 2000;
    world_kill(&world->runners[0]);
    world->silent[DEBIT] = true;
    struct world_saga *saga = world_row(world, &world_refund);
    world_runner(world);
    world->record_fails = 100;
    world_run_for(world, 60 * 1000);
    cr_expect_not(saga->parked, "the row is not durable");
    world->record_fails = 0;
    world_run_for(world, 60 * 1000);
    cr_expect(saga->parked && saga->held);
}

Test(runner, a_retry_by_hand_while_it_is_being_parked_asks_once_that_is_durable)
{
    world->silent[DEBIT] = true;
    world->record_delay_us = 2 * US_PER_S;
    struct world_saga *saga = world_start(world, &world_refund);
    // In steps shorter than the record takes, so that it is under way when the step ends.
    for (int s = 0; s < 600 && !saga->records[SAGA_RECORD_PARKED]; s++)
        world_run_for(world, 1000);
    cr_assert(saga->records[SAGA_RECORD_PARKED]);
    size_t asks = world->asks;
    cr_expect(saga_runner_retry(newest(), saga->id));
    world_run_for(world, 2100);
    cr_expect_gt(world->asks, asks);
}

Test(runner, a_takeover_after_the_decision_compensates_every_step)
{
    struct world_saga *saga = world_row(world, &world_pay);
    saga->state = SAGA_COMPENSATING;
    saga->failure = refuse(REASON_INSUFFICIENT_BALANCE, NULL);
    world_kill(&world->runners[0]);
    world_runner(world);
    world_run(world);
    world_check(world);
    cr_expect_str_eq(world->trace, "-debit -redeem release");
    cr_expect_eq(saga->failure.reason, REASON_INSUFFICIENT_BALANCE);
    cr_expect_eq(records(saga), 1);
}

Test(runner, a_parked_saga_that_is_taken_over_is_shown_as_moving_again)
{
    world->silent[DEBIT] = true;
    struct world_saga *saga = world_start(world, &world_refund);
    world_run_for(world, 10 * 60 * 1000);
    cr_assert(saga->parked);
    world_kill(&world->runners[0]);
    world_runner(world);
    world_run_for(world, 100);
    cr_expect_not(saga->parked);
    world_run_for(world, 10 * 60 * 1000);
    cr_expect(saga->parked);
    world->silent[DEBIT] = false;
    world_run(world);
    world_check(world);
}

// Every script, killed after every single event, and once more with every single message lost.

enum { SCRIPTS = WORLD_STEPS }; // a refusal at each action, or none

static struct world *scripted_world(uint64_t seed, int script)
{
    struct world *made = world_create(seed);
    world_runner(made);
    struct world_saga *saga = world_start(made, &world_pay);
    if (script < RELEASE)
        saga->refuses[script] = true;
    return made;
}

static void expect_end(struct world *seen, int script)
{
    world_check(seen);
    cr_assert_eq(seen->sagas[0].state, script < RELEASE ? SAGA_COMPENSATED : SAGA_COMPLETED);
}

Test(runner_faults, killed_after_any_event_a_replay_ends_the_saga_the_same)
{
    for (int script = 0; script < SCRIPTS; script++) {
        size_t kill_after = 0, deliveries = 1;
        for (; kill_after < deliveries; kill_after++) {
            struct world *seen = scripted_world(3, script);
            while (seen->deliveries < kill_after && world_step(seen, WORLD_FOR_EVER))
                ;
            world_kill(&seen->runners[0]);
            world_runner(seen);
            world_run(seen);
            expect_end(seen, script);
            deliveries = seen->deliveries;
            world_destroy(seen);
        }
        cr_expect_geq(kill_after, 3);
    }
}

Test(runner_faults, any_lost_message_is_made_up_for)
{
    for (int script = 0; script < SCRIPTS; script++)
        for (size_t lost = 0; lost < 12; lost++) {
            struct world *seen = world_create(5);
            seen->lost = is_number;
            seen->plan = lost;
            world_runner(seen);
            struct world_saga *saga = world_start(seen, &world_pay);
            if (script < RELEASE)
                saga->refuses[script] = true;
            world_run(seen);
            expect_end(seen, script);
            world_destroy(seen);
        }
}

Test(runner_faults, a_paused_orchestrator_that_wakes_up_changes_nothing)
{
    for (int script = 0; script < SCRIPTS; script++)
        for (size_t pause_after = 0; pause_after < 10; pause_after++) {
            struct world *seen = scripted_world(9, script);
            while (seen->deliveries < pause_after && world_step(seen, WORLD_FOR_EVER))
                ;
            world_runner(seen); // takes over while the first still believes that it owns the saga
            world_run(seen);
            expect_end(seen, script);
            world_destroy(seen);
        }
}

// A port that answers before it returns.

struct at_once {
    struct saga_runner *runner;
    enum saga_state state;
    bool ended;
};

static int64_t zero(void *context)
{
    (void)context;
    return 0;
}

static uint64_t no_jitter(void *context)
{
    (void)context;
    return 0;
}

static void answer_at_once(void *context, const struct saga_command *commands, size_t count)
{
    struct at_once *at_once = context;
    for (size_t i = 0; i < count; i++) {
        Baro__SagaStep step = commands[i].step;
        Baro__RpcReply reply;
        envelope_fill_status(&reply, OK);
        reply.saga = &step;
        const Baro__RpcReply *replies[] = {&reply};
        saga_runner_reply(at_once->runner, replies, 1);
    }
}

static void record_at_once(void *context, enum saga_record what, const struct saga *saga)
{
    struct at_once *at_once = context;
    at_once->state = saga->state;
    saga_runner_recorded(at_once->runner, saga->id, what, OK);
}

static void ended_at_once(void *context, const struct saga *saga)
{
    struct at_once *at_once = context;
    at_once->ended = saga->progress_count == 3;
}

Test(runner, a_port_may_answer_before_it_returns)
{
    struct at_once at_once = {0};
    const struct saga_ports ports = {&at_once,       zero, zero,           no_jitter,
                                     answer_at_once, NULL, record_at_once, ended_at_once};
    at_once.runner = saga_runner_create(&ports, NULL);
    saga_runner_start(at_once.runner, &(struct saga_start){.id = 1, .definition = &world_pay}, 1);
    cr_expect_eq(at_once.state, SAGA_COMPLETED);
    cr_expect(at_once.ended);
    saga_runner_destroy(at_once.runner);
}

// The thread, with the real clock.

struct asked {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int asks;
};

static int64_t real_now(void *context)
{
    (void)context;
    return clock_monotonic_us();
}

static void publish_into_the_void(void *context, const struct saga_command *commands, size_t count)
{
    (void)context;
    (void)commands;
    (void)count;
}

static void count_ask(void *context, const struct saga_command *command)
{
    struct asked *asked = context;
    (void)command;
    pthread_mutex_lock(&asked->lock);
    asked->asks++;
    pthread_cond_signal(&asked->changed);
    pthread_mutex_unlock(&asked->lock);
}

Test(runner, its_thread_asks_when_the_time_has_come, .timeout = 20)
{
    struct asked asked = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
    const struct saga_ports ports = {
        &asked, real_now, real_now, no_jitter, publish_into_the_void, count_ask, NULL, NULL};
    struct saga_runner *runner = saga_runner_create(
        &ports, &(struct saga_runner_options){.retry_first_ms = 10, .retry_max_ms = 20});
    saga_runner_thread_start(runner);
    int64_t started_us = clock_monotonic_us();
    saga_runner_start(runner, &(struct saga_start){.id = 1, .definition = &world_pay}, 1);
    pthread_mutex_lock(&asked.lock);
    while (asked.asks < 3)
        pthread_cond_wait(&asked.changed, &asked.lock);
    pthread_mutex_unlock(&asked.lock);
    cr_expect_geq(clock_monotonic_us() - started_us, 20 * US_PER_MS);
    saga_runner_destroy(runner);
}

Test(saga_state, what_is_decided_stays_so)
{
    static const char ROWS[][5] = {"1111", "0101", "0010", "0001"};
    for (int from = SAGA_RUNNING; from <= SAGA_COMPENSATED; from++)
        for (int to = SAGA_RUNNING; to <= SAGA_COMPENSATED; to++)
            cr_expect_eq(saga_state_may_follow((enum saga_state)from, (enum saga_state)to),
                         ROWS[from][to] == '1', "%d to %d", from, to);
}
