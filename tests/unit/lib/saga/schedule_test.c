// Ten thousand sagas under seeded schedules: messages lost, doubled and late, records that fail or
// whose outcome is unknown, orchestrators killed or paused, participants that go down for a while.

#include "lib/base/clock.h"
#include "tests/unit/lib/saga/world.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { SCHEDULES = 100, SAGAS = 100, TROUBLES = 12 };

static void given_trouble(struct world *world)
{
    world->lose = (int)(world_random(world) % 40);
    world->lose_asks = (int)(world_random(world) % 20);
    world->double_up = (int)(world_random(world) % 40);
    world->delay_max_ms = (int)(world_random(world) % 3000);
    world->record_fails = (int)(world_random(world) % 30);
    world->record_unknown = (int)(world_random(world) % 20);
    world->record_delay_us = (int64_t)(world_random(world) % 100) * US_PER_MS;
}

static void start_some(struct world *world, int count)
{
    for (int i = 0; i < count; i++) {
        bool refund = world_random(world) % 4 == 0;
        struct world_saga *saga = world_start(world, refund ? &world_refund : &world_pay);
        uint64_t refusal = world_random(world) % 8;
        if (!refund && refusal < RELEASE)
            saga->refuses[refusal] = true;
    }
}

static void make_trouble(struct world *world)
{
    struct world_runner *newest = &world->runners[world->runner_count - 1];
    enum world_step step = (enum world_step)(world_random(world) % WORLD_STEPS);
    switch (world_random(world) % 4) {
    case 0:
        world_kill(newest);
        world_runner(world);
        break;
    case 1:
        world_runner(world); // the old one goes on, unaware
        break;
    case 2:
        world->silent[step] = true;
        break;
    default:
        world->silent[step] = false;
        break;
    }
}

static void run_schedule(uint64_t seed)
{
    struct world *world = world_create(seed);
    given_trouble(world);
    world_runner(world);
    for (int i = 0; i < TROUBLES; i++) {
        start_some(world, SAGAS / TROUBLES);
        world_run_for(world, (int64_t)(world_random(world) % 20000));
        make_trouble(world);
    }
    start_some(world, SAGAS - SAGAS / TROUBLES * TROUBLES);
    for (int i = 0; i < WORLD_STEPS; i++)
        world->silent[i] = false;
    world_run(world);
    world_check(world);
    world_destroy(world);
}

Test(schedule, every_saga_ends_with_its_effects_exactly_once_or_exactly_undone, .timeout = 120)
{
    for (uint64_t seed = 1; seed <= SCHEDULES; seed++) {
        run_schedule(seed);
        cr_assert(true, "seed %lu", seed);
    }
}
