// The sagas of one orchestrator: a map, a heap of timers, a lock, and one thread.
//
// Each entry point takes the lock, lets walk.c change the sagas that it concerns, and carries out the
// collected effects when the lock is free. So a port may call straight back, and a reply may come
// before publish has returned: the saga is already waiting for it.
//
// A saga's memory ends in one place, let_go(), when its end is durable or it belongs to another
// orchestrator. Records that are being written keep a pointer to it; it is frozen until they end.

#include "lib/saga/runner.h"

#include "lib/base/clock.h"
#include "lib/base/fault_point.h"
#include "lib/base/memory.h"
#include "lib/base/metrics.h"
#include "lib/base/thread.h"
#include "lib/saga/walk.h"

#include <pthread.h>
#include <stdlib.h>

static const struct saga_runner_options DEFAULTS = {
    .retry_first_ms = 250,
    .retry_max_ms = 10000,
    .held_after_ms = 5000,
    .decide_after_ms = 60000,
    .park_after_attempts = 10,
};

struct saga_metrics {
    struct metric *running, *parked, *asked, *late, *completed, *compensated, *lost, *seconds;
};

struct saga_runner {
    struct saga_ports ports;
    struct saga_runner_options options;
    struct saga_metrics metrics;
    pthread_mutex_t lock;       // of all below
    struct saga_private *sagas; // by id
    struct timers timers;
    size_t parked;
    pthread_cond_t wake;
    int64_t sleeps_until_us; // the thread; 0: it is awake
    bool stopping;
    bool has_thread;
    pthread_t thread;
};

// One entry: the lock, and what must be done after it.
struct entry {
    struct saga_runner *runner;
    struct effects effects;
    struct walk walk;
};

static struct saga_metrics register_metrics(void)
{
    static const char ended[] = "baro_saga_ended_total", ended_help[] = "Sagas that have ended.";
    return (struct saga_metrics){
        .running = metrics_gauge("baro_saga_running", "Sagas in memory.", NULL),
        .parked = metrics_gauge("baro_saga_parked", "Sagas with a parked step.", NULL),
        .asked = metrics_counter("baro_saga_asked_total", "Commands sent again over RPC.", NULL),
        .late = metrics_counter("baro_saga_late_replies_total", "Replies nobody waits for.", NULL),
        .completed = metrics_counter(ended, ended_help, "state=\"COMPLETED\""),
        .compensated = metrics_counter(ended, ended_help, "state=\"COMPENSATED\""),
        .lost = metrics_counter("baro_saga_lost_total", "Sagas another orchestrator has.", NULL),
        .seconds =
            metrics_duration("baro_saga_seconds", "From start or takeover to the end.", NULL),
    };
}

static int64_t or_default(int64_t value, int64_t default_value)
{
    return value > 0 ? value : default_value;
}

static struct saga_runner_options with_defaults(const struct saga_runner_options *options)
{
    return (struct saga_runner_options){
        .retry_first_ms = or_default(options->retry_first_ms, DEFAULTS.retry_first_ms),
        .retry_max_ms = or_default(options->retry_max_ms, DEFAULTS.retry_max_ms),
        .held_after_ms = or_default(options->held_after_ms, DEFAULTS.held_after_ms),
        .decide_after_ms = or_default(options->decide_after_ms, DEFAULTS.decide_after_ms),
        .park_after_attempts =
            (int)or_default(options->park_after_attempts, DEFAULTS.park_after_attempts),
    };
}

struct saga_runner *saga_runner_create(const struct saga_ports *ports,
                                       const struct saga_runner_options *options)
{
    struct saga_runner *runner = memory_alloc(sizeof(*runner));
    runner->ports = *ports;
    runner->options = with_defaults(options ? options : &DEFAULTS);
    runner->metrics = register_metrics();
    pthread_mutex_init(&runner->lock, NULL);
    condition_init(&runner->wake);
    return runner;
}

static struct saga *saga_of(struct saga_private *own)
{
    return own->timer.owner;
}

static struct saga *find(struct saga_runner *runner, int64_t id)
{
    struct saga_private *own;
    HASH_FIND(hh, runner->sagas, &id, sizeof(id), own);
    return own ? saga_of(own) : NULL;
}

static void count_parked(struct saga_runner *runner, bool before, bool after)
{
    if (before == after)
        return;
    runner->parked = after ? runner->parked + 1 : runner->parked - 1;
    metric_set(runner->metrics.parked, (int64_t)runner->parked);
}

static void take_in(struct saga_runner *runner, struct saga *saga)
{
    HASH_ADD_KEYPTR(hh, runner->sagas, &saga->id, sizeof(saga->id), saga->private);
    metric_add(runner->metrics.running, 1);
    count_parked(runner, false, saga->private->row_parked);
}

static void let_go(struct saga_runner *runner, struct saga *saga)
{
    HASH_DELETE(hh, runner->sagas, saga->private);
    timers_set(&runner->timers, &saga->private->timer, TIMER_NEVER);
    metric_add(runner->metrics.running, -1);
    count_parked(runner, saga->private->row_parked, false);
}

void saga_runner_destroy(struct saga_runner *runner)
{
    if (!runner)
        return;
    pthread_mutex_lock(&runner->lock);
    runner->stopping = true;
    pthread_cond_signal(&runner->wake);
    pthread_mutex_unlock(&runner->lock);
    if (runner->has_thread)
        pthread_join(runner->thread, NULL);
    while (runner->sagas) {
        struct saga *saga = saga_of(runner->sagas);
        let_go(runner, saga);
        arena_destroy(saga->arena);
    }
    timers_fini(&runner->timers);
    pthread_cond_destroy(&runner->wake);
    pthread_mutex_destroy(&runner->lock);
    free(runner);
}

// Entries

static void enter(struct saga_runner *runner, struct entry *entry)
{
    entry->runner = runner;
    entry->effects = (struct effects){.arena = arena_create()};
    entry->walk = (struct walk){
        .options = &runner->options,
        .ports = &runner->ports,
        .effects = &entry->effects,
    };
    pthread_mutex_lock(&runner->lock);
    entry->walk.now_us = runner->ports.now_us(runner->ports.context);
}

// Sets the timer to what the walk has made of the saga.
static void settle(struct saga_runner *runner, struct saga *saga)
{
    timers_set(&runner->timers, &saga->private->timer, walk_due(saga));
}

static void observe_end(struct saga_runner *runner, const struct saga *saga, int64_t now_us)
{
    bool completed = saga->state == SAGA_COMPLETED;
    metric_add(completed ? runner->metrics.completed : runner->metrics.compensated, 1);
    metric_observe(runner->metrics.seconds, now_us - saga->private->started_us);
}

static void carry_out(struct entry *entry)
{
    struct saga_runner *runner = entry->runner;
    const struct saga_ports *ports = &runner->ports;
    const struct effects *effects = &entry->effects;
    if (effects->publish_count)
        ports->publish(ports->context, effects->publish, effects->publish_count);
    if (effects->publish_count)
        fault_point("saga", "published");
    for (size_t i = 0; i < effects->ask_count; i++)
        ports->ask(ports->context, &effects->ask[i]);
    if (effects->ask_count)
        fault_point("saga", "asked");
    for (size_t i = 0; i < effects->record_count; i++)
        ports->record(ports->context, effects->records[i].what, effects->records[i].saga);
    for (size_t i = 0; i < effects->ended_count; i++) {
        ports->ended(ports->context, effects->ended[i]);
        observe_end(runner, effects->ended[i], entry->walk.now_us);
        arena_destroy(effects->ended[i]->arena);
    }
    metric_add(runner->metrics.asked, (int64_t)effects->ask_count);
}

static void leave(struct entry *entry)
{
    struct saga_runner *runner = entry->runner;
    if (timers_next(&runner->timers) < runner->sleeps_until_us)
        pthread_cond_signal(&runner->wake);
    pthread_mutex_unlock(&runner->lock);
    carry_out(entry);
    arena_destroy(entry->effects.arena);
}

void saga_runner_start(struct saga_runner *runner, const struct saga_start *starts, size_t count)
{
    struct entry entry;
    enter(runner, &entry);
    for (size_t i = 0; i < count; i++) {
        if (find(runner, starts[i].id))
            continue;
        struct saga *saga = walk_create(&entry.walk, &starts[i]);
        take_in(runner, saga);
        walk_start(&entry.walk, saga);
        settle(runner, saga);
    }
    leave(&entry);
}

static void reply(struct entry *entry, const Baro__RpcReply *envelope)
{
    struct saga_runner *runner = entry->runner;
    struct saga *saga = envelope->saga ? find(runner, envelope->saga->saga_id) : NULL;
    if (!saga || !walk_reply(&entry->walk, saga, envelope)) {
        metric_add(runner->metrics.late, 1);
        return;
    }
    settle(runner, saga);
}

void saga_runner_reply(struct saga_runner *runner, const Baro__RpcReply *const *replies,
                       size_t count)
{
    struct entry entry;
    enter(runner, &entry);
    for (size_t i = 0; i < count; i++)
        reply(&entry, replies[i]);
    leave(&entry);
}

// Ended sagas are freed after the port has seen them, others at once.
static void part(struct entry *entry, struct saga *saga)
{
    bool ended = entry->effects.ended_count > 0;
    let_go(entry->runner, saga);
    if (ended)
        return;
    metric_add(entry->runner->metrics.lost, 1);
    arena_destroy(saga->arena);
}

void saga_runner_recorded(struct saga_runner *runner, int64_t saga_id, enum saga_record what,
                          struct status st)
{
    struct entry entry;
    enter(runner, &entry);
    struct saga *saga = find(runner, saga_id);
    if (saga) {
        bool parked = saga->private->row_parked;
        bool kept = walk_recorded(&entry.walk, saga, what, st);
        count_parked(runner, parked, saga->private->row_parked);
        if (kept)
            settle(runner, saga);
        else
            part(&entry, saga);
    }
    leave(&entry);
}

bool saga_runner_retry(struct saga_runner *runner, int64_t saga_id)
{
    struct entry entry;
    enter(runner, &entry);
    struct saga *saga = find(runner, saga_id);
    if (saga) {
        walk_retry(&entry.walk, saga);
        settle(runner, saga);
    }
    leave(&entry);
    return saga != NULL;
}

size_t saga_runner_list(struct saga_runner *runner, struct arena *arena, int64_t **ids)
{
    pthread_mutex_lock(&runner->lock);
    size_t count = 0;
    *ids = arena_array(arena, HASH_COUNT(runner->sagas), sizeof(**ids));
    for (struct saga_private *own = runner->sagas; own; own = own->hh.next)
        (*ids)[count++] = saga_of(own)->id;
    pthread_mutex_unlock(&runner->lock);
    return count;
}

// Time

// At most this many at once, so that the lock is not held for long after a stop of the world.
enum { FIRE_MAX = 256 };

static void fire_due(struct entry *entry)
{
    struct saga_runner *runner = entry->runner;
    struct timer *timer;
    for (int i = 0; i < FIRE_MAX; i++) {
        timer = timers_take_due(&runner->timers, entry->walk.now_us);
        if (!timer)
            return;
        struct saga *saga = timer->owner;
        walk_fire(&entry->walk, saga);
        settle(runner, saga);
    }
}

int64_t saga_runner_tick(struct saga_runner *runner)
{
    struct entry entry;
    enter(runner, &entry);
    fire_due(&entry);
    leave(&entry);
    pthread_mutex_lock(&runner->lock);
    int64_t next_us = timers_next(&runner->timers);
    pthread_mutex_unlock(&runner->lock);
    return next_us;
}

static void sleep_until(struct saga_runner *runner)
{
    enum { NAP_MAX_S = 1 }; // an upper bound spares thought about far dates
    int64_t now_us = runner->ports.now_us(runner->ports.context);
    int64_t next_us = timers_next(&runner->timers);
    if (next_us <= now_us)
        return;
    if (next_us > now_us + NAP_MAX_S * US_PER_S)
        next_us = now_us + NAP_MAX_S * US_PER_S;
    runner->sleeps_until_us = next_us;
    condition_wait_until(&runner->wake, &runner->lock, next_us);
    runner->sleeps_until_us = 0;
}

static void *run(void *arg)
{
    struct saga_runner *runner = arg;
    for (;;) {
        saga_runner_tick(runner);
        pthread_mutex_lock(&runner->lock);
        bool stopping = runner->stopping;
        if (!stopping)
            sleep_until(runner);
        pthread_mutex_unlock(&runner->lock);
        if (stopping)
            return NULL;
    }
}

void saga_runner_thread_start(struct saga_runner *runner)
{
    thread_start(&runner->thread, run, runner);
    runner->has_thread = true;
}
