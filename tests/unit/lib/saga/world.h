#pragma once
// A world around saga runners: virtual time, a network that loses, doubles and delays, participants
// with real barriers and a hold of their own, and a store of saga rows with owners. Everything follows
// from the seed and the fault plan.

#include "lib/saga/barrier.h"
#include "lib/saga/runner.h"

enum { WORLD_SAGAS_MAX = 256, WORLD_RUNNERS_MAX = 32, WORLD_STEPS = 4 };

// The steps of the sagas of this world, in this order.
enum world_step { REDEEM, DEBIT, CONFIRM, RELEASE };

// redeem (compensatable), debit (pivot), confirm (retriable, no compensation), release (on failure).
extern const struct saga_definition world_pay;

// The same without release: what a refused payment of a kept order does.
extern const struct saga_definition world_keep;

// redeem, debit, release: all retriable, nothing to give back.
extern const struct saga_definition world_refund;

struct world_participant {
    enum barrier_row action, undo;
    struct status refusal; // stored
    int runs, undone;      // effects
};

// A saga as its participants and its store see it.
struct world_saga {
    const struct saga_definition *definition;
    int64_t id;
    // The script
    bool refuses[WORLD_STEPS]; // a business refusal of the action
    bool refuses_end;          // what it works for is in another state
    // The participants
    struct world_participant steps[WORLD_STEPS];
    bool hold_released;
    // The row
    enum saga_state state;
    struct status failure;
    bool held, parked;
    int owner; // the runner that has it
    int64_t created_at_us;
    int records[4]; // durable ones, by enum saga_record
    int ended;      // calls of the port
};

struct world_event;

struct world {
    int64_t now_us;
    uint64_t random;
    struct world_saga sagas[WORLD_SAGAS_MAX];
    size_t saga_count;

    // Runners come and go; a message or record belongs to the one that sent it.
    struct world_runner {
        struct world *world;
        struct saga_runner *runner; // NULL: killed
        int index;
    } runners[WORLD_RUNNERS_MAX];
    int runner_count;
    struct saga_runner_options options;

    // The fault plan; in percent where not said otherwise.
    int lose, lose_asks, double_up, delay_max_ms;
    int record_fails, record_unknown;
    bool (*lost)(struct world *world, size_t message); // by number of the message; may be NULL
    size_t plan;                                       // for `lost`
    bool silent[WORLD_STEPS];                          // a participant that is down
    int64_t record_delay_us;

    // What was seen
    size_t messages, publishes, commands, asks, deliveries;
    char trace[512]; // commands as "redeem debit", compensations as "-redeem", asks with "?"

    struct timers *events;
};

struct world *world_create(uint64_t seed);
void world_destroy(struct world *world);

uint64_t world_random(struct world *world);

// A new runner, that takes over all sagas that have not ended.
struct world_runner *world_runner(struct world *world);

// Destroys it; what it sent may still arrive, what is sent to it goes nowhere.
void world_kill(struct world_runner *runner);

// Starts a saga on the newest runner. Its row is there already.
struct world_saga *world_start(struct world *world, const struct saga_definition *definition);

// Makes the row only, for several starts at once.
struct world_saga *world_row(struct world *world, const struct saga_definition *definition);

#define WORLD_FOR_EVER (INT64_MAX - 1)

// Delivers or fires what comes next; false when nothing is left or `until_us` is reached.
bool world_step(struct world *world, int64_t until_us);

// Steps until all sagas have ended and all messages have arrived, or an hour has passed.
void world_run(struct world *world);
void world_run_for(struct world *world, int64_t ms);

// Ends the test unless every saga has ended with its effects exactly once or exactly undone.
void world_check(struct world *world);
