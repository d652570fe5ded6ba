#pragma once
// The simulated world: one clock, one source of chance, processes made of fibers.
//
// Nothing in a run happens by itself. Time stands still while fibers run and jumps to the next event
// when none can; whoever of several is next, and everything else that is open, is decided by one
// generator. So a seed is a run: the same seed gives the same run, event by event, on every machine.
//
// A process is one life of one replica: its threads are fibers, its memory is a heap of its own. To
// kill it is to drop both, at any point where a fiber waits.

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Chance

uint64_t chance_next(void);
// 0 .. below - 1.
uint64_t chance_below(uint64_t below);
// True once in `out_of` times; never for 0.
bool chance_once_in(uint64_t out_of);
int64_t chance_between(int64_t low, int64_t high);

// Time and events

int64_t world_now_us(void);

// Calls run(arg, token) at that time, outside of any process.
typedef void event_run(void *arg, uint64_t token);
void world_at(int64_t at_us, event_run *run, void *arg, uint64_t token);

// Memory that lives until the end of the run; zeroed.
void *world_alloc(size_t size);
void *world_copy(const void *bytes, size_t size);
char *world_text(const char *text); // NULL for NULL

// Begins a run: forgets everything, seeds the generator.
void world_begin(uint64_t seed);

// Runs until `finished` says so (asked between events) or nothing is left to happen.
void world_run(bool (*finished)(void));

// What was done so far, as one number: two runs of one seed have the same.
uint64_t world_fingerprint(void);

// Processes

enum process_kind { USER, PRODUCT, ORDER, COUPON, KINDS, OUTSIDE = KINDS };

extern const char *const KIND_NAMES[];

struct fiber;
struct heap;
struct sent;
struct rpc_server;
struct publisher;
struct subscriber;
struct session;

struct variable {
    const char *name, *value;
};

struct process {
    enum process_kind kind;
    char name[16]; // "order-1"
    bool alive;
    uint64_t life; // counts its lives
    int (*main)(int argc, char **argv);
    const struct variable *environment;
    char database_url[48];
    int64_t clock_offset_us; // of its monotonic clock
    int64_t clock_drift_ppm;
    int64_t wall_offset_us;
    struct fiber *fibers;
    struct heap *heap;
    bool paused;
    struct fiber **stalled; // fibers that would run if it were not paused
    size_t stalled_count, stalled_capacity;
    bool terminating; // it was asked to end in order
    struct fiber *terminator;
    // What the network and the databases know of this life.
    struct rpc_server *server;
    struct publisher *publisher;
    struct subscriber *subscribers;
    struct sent *calls; // that were sent to this life
    struct session *sessions;
};

// The process whose fiber runs; NULL outside.
extern struct process *process_now;

void process_start(struct process *process);
// Ends its life where it is; another begins later (faults.h).
void process_kill(struct process *process);
// The same for good.
void process_end(struct process *process);
void process_pause(struct process *process, int64_t for_us);
// Its monotonic clock.
int64_t process_clock_us(const struct process *process);
// When its clock will show that.
int64_t process_when_us(const struct process *process, int64_t clock_us);

// Called for each life that ends: closes what others know of it (network.c, database.c).
void network_forget(struct process *process);
void database_forget(struct process *process);

// Fibers

typedef void *fiber_run(void *arg);

// Starts a fiber of a process. One that is not joined ends by itself.
struct fiber *fiber_start(struct process *process, fiber_run *run, void *arg, bool joined);
struct fiber *fiber_now(void);
void fiber_join(struct fiber *fiber);

// Waits for fiber_wake, at most until `until_us` (INT64_MAX: for ever). False when the time is over.
bool fiber_park(int64_t until_us);
void fiber_sleep(int64_t us);

// What fiber_wake must name: the wait that is to end. Others are over and stay so.
uint64_t fiber_turn(const struct fiber *fiber);
void fiber_wake(struct fiber *fiber, uint64_t turn);

// A point at which the process may be killed.
void fiber_await(void);

// Memory of processes (heap.c)

struct heap *heap_create(void);
void heap_destroy(struct heap *heap);

// The trace of one run, for people

extern bool trace_on;
void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));
