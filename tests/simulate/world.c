// The scheduler: a heap of events, a set of fibers that can run, and the switch between them.
//
// Fibers that can run are taken in an order that chance decides, so a run explores interleavings that
// queues in order of arrival would never show. A fiber of a paused process is put aside until the
// process goes on; events that are meant for an earlier life of a process find its number changed.

#include "tests/simulate/world.h"

#include "tests/simulate/faults.h"
#include "tests/simulate/switch.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

// The system's allocator: see heap.c.
void *__real_malloc(size_t size);
void *__real_realloc(void *memory, size_t size);

enum { STACK_SIZE = 192 * 1024 };
#define WORLD_SIZE (UINT64_C(1) << 32)

const char *const KIND_NAMES[] = {"user", "product", "order", "coupon", "outside"};

struct fiber {
    struct fiber_context *context;
    struct process *process;
    fiber_run *run;
    void *arg;
    uint64_t turn; // counts its waits
    bool waiting, woken, joined, done;
    struct fiber *joiner;
    struct fiber *next, *previous; // of the process, or in the pool
};

struct event {
    int64_t at_us;
    uint64_t number;
    event_run *run;
    void *arg;
    uint64_t token;
};

static struct {
    int64_t now_us;
    uint64_t random[4];
    uint64_t fingerprint;
    struct event *events;
    size_t event_count, event_capacity;
    uint64_t event_number;
    struct fiber **ready;
    size_t ready_count, ready_capacity;
    struct fiber *now;
    struct fiber *pool;
    unsigned char *memory;
    size_t memory_used;
} world;

struct process *process_now;
bool trace_on;

// Chance: xoshiro256**.

static uint64_t rotate(uint64_t value, int by)
{
    return value << by | value >> (64 - by);
}

uint64_t chance_next(void)
{
    uint64_t *s = world.random, result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t chance_below(uint64_t below)
{
    return (uint64_t)(((__uint128_t)chance_next() * below) >> 64);
}

bool chance_once_in(uint64_t out_of)
{
    return out_of && chance_below(out_of) == 0;
}

int64_t chance_between(int64_t low, int64_t high)
{
    return low + (int64_t)chance_below((uint64_t)(high - low) + 1);
}

static void seed_chance(uint64_t seed)
{
    for (int i = 0; i < 4; i++) { // splitmix64
        uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);
        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        world.random[i] = z ^ z >> 31;
    }
}

// Memory of the run

void *world_alloc(size_t size)
{
    size_t room = (size + 15) & ~(size_t)15;
    assert(world.memory_used + room <= WORLD_SIZE);
    void *memory = world.memory + world.memory_used;
    world.memory_used += room;
    return memset(memory, 0, size);
}

void *world_copy(const void *bytes, size_t size)
{
    void *copy = world_alloc(size);
    return size ? memcpy(copy, bytes, size) : copy;
}

char *world_text(const char *text)
{
    return text ? world_copy(text, strlen(text) + 1) : NULL;
}

// Events

int64_t world_now_us(void)
{
    return world.now_us;
}

static bool comes_before(const struct event *a, const struct event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->number < b->number;
}

void world_at(int64_t at_us, event_run *run, void *arg, uint64_t token)
{
    if (world.event_count == world.event_capacity) {
        world.event_capacity = world.event_capacity ? 2 * world.event_capacity : 1024;
        world.events = __real_realloc(world.events, world.event_capacity * sizeof(*world.events));
        assert(world.events);
    }
    struct event event = {at_us < world.now_us ? world.now_us : at_us, world.event_number++, run,
                          arg, token};
    size_t at = world.event_count++;
    for (; at > 0 && comes_before(&event, &world.events[(at - 1) / 2]); at = (at - 1) / 2)
        world.events[at] = world.events[(at - 1) / 2];
    world.events[at] = event;
}

static struct event next_event(void)
{
    struct event first = world.events[0], last = world.events[--world.event_count];
    size_t at = 0, child;
    for (; (child = 2 * at + 1) < world.event_count; at = child) {
        if (child + 1 < world.event_count &&
            comes_before(&world.events[child + 1], &world.events[child]))
            child++;
        if (!comes_before(&world.events[child], &last))
            break;
        world.events[at] = world.events[child];
    }
    world.events[at] = last;
    return first;
}

// Fibers

struct fiber *fiber_now(void)
{
    return world.now;
}

uint64_t fiber_turn(const struct fiber *fiber)
{
    return fiber->turn;
}

static void push(struct fiber ***fibers, size_t *count, size_t *capacity, struct fiber *fiber)
{
    if (*count == *capacity) {
        *capacity = *capacity ? 2 * *capacity : 64;
        *fibers = __real_realloc(*fibers, *capacity * sizeof(struct fiber *));
        assert(*fibers);
    }
    (*fibers)[(*count)++] = fiber;
}

static void make_ready(struct fiber *fiber)
{
    struct process *process = fiber->process;
    if (process->paused)
        push(&process->stalled, &process->stalled_count, &process->stalled_capacity, fiber);
    else
        push(&world.ready, &world.ready_count, &world.ready_capacity, fiber);
}

// The first function on a fiber's stack.
static void fiber_main(void)
{
    for (;;) {
        struct fiber *fiber = world.now;
        fiber->run(fiber->arg);
        fiber->done = true;
        if (fiber->joiner)
            fiber_wake(fiber->joiner, fiber->joiner->turn);
        switch_to_scheduler(fiber->context);
    }
}

static struct fiber *take_fiber(void)
{
    struct fiber *fiber = world.pool;
    if (fiber) {
        world.pool = fiber->next;
        return fiber;
    }
    fiber = __real_malloc(sizeof(*fiber));
    assert(fiber);
    memset(fiber, 0, sizeof(*fiber));
    fiber->context = context_create(STACK_SIZE);
    return fiber;
}

// `turn` goes on counting through the lives of a fiber, so that nothing wakes a later one.
struct fiber *fiber_start(struct process *process, fiber_run *run, void *arg, bool joined)
{
    struct fiber *fiber = take_fiber();
    *fiber = (struct fiber){.context = fiber->context,
                            .turn = fiber->turn + 1,
                            .process = process,
                            .run = run,
                            .arg = arg,
                            .joined = joined,
                            .next = process->fibers};
    if (process->fibers)
        process->fibers->previous = fiber;
    process->fibers = fiber;
    context_prepare(fiber->context, fiber_main);
    make_ready(fiber);
    return fiber;
}

static void give_back(struct fiber *fiber)
{
    if (fiber->previous)
        fiber->previous->next = fiber->next;
    else
        fiber->process->fibers = fiber->next;
    if (fiber->next)
        fiber->next->previous = fiber->previous;
    fiber->turn++;
    fiber->waiting = false;
    fiber->next = world.pool;
    world.pool = fiber;
}

void fiber_join(struct fiber *fiber)
{
    while (!fiber->done) {
        fiber->joiner = world.now;
        fiber_park(INT64_MAX);
    }
    give_back(fiber);
}

void fiber_wake(struct fiber *fiber, uint64_t turn)
{
    if (fiber->turn != turn || !fiber->waiting)
        return;
    fiber->waiting = false;
    fiber->woken = true;
    make_ready(fiber);
}

static void time_is_over(void *arg, uint64_t turn)
{
    struct fiber *fiber = arg;
    if (fiber->turn != turn || !fiber->waiting)
        return;
    fiber->waiting = false;
    make_ready(fiber);
}

bool fiber_park(int64_t until_us)
{
    struct fiber *fiber = world.now;
    fiber->turn++;
    fiber->waiting = true;
    fiber->woken = false;
    if (until_us != INT64_MAX)
        world_at(until_us, time_is_over, fiber, fiber->turn);
    switch_to_scheduler(fiber->context);
    return fiber->woken;
}

void fiber_sleep(int64_t us)
{
    fiber_await();
    fiber_park(world.now_us + us);
}

// Processes

int64_t process_clock_us(const struct process *process)
{
    return process->clock_offset_us + world.now_us +
           world.now_us / 1000 * process->clock_drift_ppm / 1000;
}

int64_t process_when_us(const struct process *process, int64_t clock_us)
{
    int64_t ahead_us = clock_us - process_clock_us(process);
    if (ahead_us <= 0)
        return world.now_us;
    return world.now_us + ahead_us - ahead_us / 1000 * process->clock_drift_ppm / 1000 + 1;
}

static void *run_main(void *arg)
{
    struct process *process = arg;
    static char name[] = "baro";
    char *arguments[] = {name, NULL};
    process->main(1, arguments);
    process_kill(process);
    return NULL;
}

void process_start(struct process *process)
{
    assert(!process->alive);
    process->alive = true;
    process->life++;
    process->terminating = false;
    process->terminator = NULL;
    process->heap = heap_create();
    trace("%s starts", process->name);
    if (process->main)
        fiber_start(process, run_main, process, false);
}

static void remove_of(struct fiber **fibers, size_t *count, const struct process *process)
{
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++)
        if (fibers[i]->process != process)
            fibers[kept++] = fibers[i];
    *count = kept;
}

void process_end(struct process *process)
{
    process->alive = false;
    process->paused = false;
    network_forget(process);
    database_forget(process);
    remove_of(world.ready, &world.ready_count, process);
    process->stalled_count = 0;
    while (process->fibers)
        give_back(process->fibers);
    if (process->heap)
        heap_destroy(process->heap);
    process->heap = NULL;
}

void process_kill(struct process *process)
{
    if (!process->alive)
        return;
    trace("%s ends", process->name);
    process_end(process);
    process_ended(process);
    if (world.now && world.now->process == process)
        switch_to_scheduler(world.now->context);
}

static void go_on(void *arg, uint64_t life)
{
    struct process *process = arg;
    if (process->life != life || !process->paused)
        return;
    trace("%s goes on", process->name);
    process->paused = false;
    for (size_t i = 0; i < process->stalled_count; i++)
        make_ready(process->stalled[i]);
    process->stalled_count = 0;
}

void process_pause(struct process *process, int64_t for_us)
{
    if (!process->alive || process->paused)
        return;
    trace("%s pauses for %lld ms", process->name, (long long)for_us / 1000);
    process->paused = true;
    world_at(world.now_us + for_us, go_on, process, process->life);
}

void fiber_await(void)
{
    struct process *process = world.now->process;
    if (process->kind != OUTSIDE && faults_kill_here())
        process_kill(process);
}

// The run

void world_begin(uint64_t seed)
{
    if (!world.memory) {
        world.memory = mmap(NULL, WORLD_SIZE, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        assert(world.memory != MAP_FAILED);
    }
    seed_chance(seed);
    world.now_us = 0;
    world.fingerprint = UINT64_C(0xcbf29ce484222325);
    world.event_count = world.ready_count = 0;
    world.event_number = 0;
    world.memory_used = 0;
}

static void note(uint64_t what)
{
    world.fingerprint = (world.fingerprint ^ what) * UINT64_C(0x100000001b3);
}

uint64_t world_fingerprint(void)
{
    return world.fingerprint;
}

static void run_one(void)
{
    size_t at = (size_t)chance_below(world.ready_count);
    struct fiber *fiber = world.ready[at];
    world.ready[at] = world.ready[--world.ready_count];
    if (fiber->process->paused) {
        make_ready(fiber);
        return;
    }
    world.now = fiber;
    process_now = fiber->process;
    switch_to_fiber(fiber->context);
    bool gone = fiber->done && !fiber->joined && fiber->process->alive;
    world.now = NULL;
    process_now = NULL;
    if (gone)
        give_back(fiber);
}

void world_run(bool (*finished)(void))
{
    for (;;) {
        while (world.ready_count > 0)
            run_one();
        if (finished() || world.event_count == 0)
            return;
        struct event event = next_event();
        world.now_us = event.at_us;
        note(event.number ^ (uint64_t)event.at_us);
        event.run(event.arg, event.token);
    }
}

void trace(const char *format, ...)
{
    if (!trace_on)
        return;
    va_list args;
    printf("%11.6f %-10s ", (double)world.now_us / 1e6, process_now ? process_now->name : "");
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}
