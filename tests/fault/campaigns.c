#include "tests/fault/campaigns.h"

#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "lib/base/random.h"
#include "tests/fault/board.h"
#include "tests/fault/cluster.h"
#include "tests/fault/infrastructure.h"
#include "tests/fault/packets.h"
#include "tests/fault/points.h"
#include "tests/fault/proxy.h"
#include "tests/fault/report.h"
#include "tests/fault/soak.h"
#include "tests/support/descriptors.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

enum {
    REACH_MS = 4000, // for somebody to come to a point
    COUNTDOWN_MAX = 3,
    BREATH_MS = 300, // the shop goes on between two strikes
};

static uint64_t draw(struct ground *ground, uint64_t below)
{
    return random_next(&ground->random) % below;
}

static void breathe(struct ground *ground)
{
    pause_ms((int64_t)draw(ground, BREATH_MS));
}

static struct process *anybody(struct ground *ground)
{
    return &ground->cluster->processes[draw(ground, (uint64_t)ground->cluster->count)];
}

// Named points

static bool await_victim(const struct ground *ground, int slot, int64_t until_us)
{
    while (!board_victim(ground->board, slot)) {
        if (clock_monotonic_us() > until_us)
            return false;
        pause_ms(1);
    }
    return true;
}

// The process that was struck; NULL when nobody came by.
static struct process *reap(struct ground *ground, int slot, int64_t until_us)
{
    (void)await_victim(ground, slot, until_us);
    return cluster_process(ground->cluster, board_disarm(ground->board, slot));
}

static void note_reached(struct ground *ground, size_t point, enum fault_kind kind)
{
    ground->reached[point]++;
    report_fault(kind);
}

static void bury(struct ground *ground, struct process *process)
{
    while (!process_is_dead(process))
        pause_ms(1);
    breathe(ground);
    process_start(ground->cluster, process);
}

// The death that comes before the one that is meant, where the point needs one.
static struct process *strike_first(struct ground *ground, const struct point *point)
{
    if (!point->first)
        return NULL;
    board_arm(ground->board, 0, point->first, SIGKILL, 0);
    struct process *process = reap(ground, 0, clock_monotonic_us() + REACH_MS * US_PER_MS);
    if (process)
        report_fault(FAULT_KILLED_AT_POINT);
    return process;
}

static void kill_at(struct ground *ground, size_t which)
{
    const struct point *point = &points[which];
    board_arm(ground->board, 1, point->name, SIGKILL,
              point->first ? 0 : (int)draw(ground, COUNTDOWN_MAX));
    struct process *before = strike_first(ground, point);
    int64_t patience_ms = REACH_MS + (point->first ? ground->pause_ms : 0);
    struct process *process = reap(ground, 1, clock_monotonic_us() + patience_ms * US_PER_MS);
    if (process)
        note_reached(ground, which, FAULT_KILLED_AT_POINT);
    if (before)
        bury(ground, before);
    if (process)
        bury(ground, process);
}

bool ground_is_covered(const struct ground *ground)
{
    for (size_t i = 0; i < point_count; i++)
        if (!ground->reached[i])
            return false;
    return true;
}

// Of those that have struck least often, the next one.
static size_t choose_point(struct ground *ground)
{
    size_t chosen = ground->next_point % point_count;
    for (size_t i = 1; i < point_count; i++) {
        size_t point = (ground->next_point + i) % point_count;
        if (ground->reached[point] < ground->reached[chosen])
            chosen = point;
    }
    ground->next_point = chosen + 1;
    return chosen;
}

static void kill_at_next_point(struct ground *ground)
{
    kill_at(ground, choose_point(ground));
}

// Two processes die, each at a place of its own, as it comes: one while the other is away.
static void kill_at_two_points(struct ground *ground)
{
    size_t which[] = {choose_point(ground), draw(ground, point_count)};
    struct process *victims[COUNT(which)];
    for (size_t i = 0; i < COUNT(which); i++)
        board_arm(ground->board, (int)i, points[which[i]].name, SIGKILL,
                  (int)draw(ground, COUNTDOWN_MAX));
    int64_t until_us = clock_monotonic_us() + REACH_MS / 2 * US_PER_MS;
    for (size_t i = 0; i < COUNT(which); i++) {
        victims[i] = reap(ground, (int)i, until_us);
        if (victims[i])
            note_reached(ground, which[i], FAULT_KILLED_AT_POINT);
    }
    if (victims[0])
        bury(ground, victims[0]);
    if (victims[1] && victims[1] != victims[0])
        bury(ground, victims[1]);
}

// Stopped with what it holds, past all leases, and woken: it believes that nothing has happened.
static void stop_at_points(struct ground *ground)
{
    struct process *victims[BOARD_SLOTS];
    size_t which[BOARD_SLOTS];
    for (int i = 0; i < BOARD_SLOTS; i++) {
        which[i] = choose_point(ground);
        board_arm(ground->board, i, points[which[i]].name, SIGSTOP, 0);
    }
    int64_t until_us = clock_monotonic_us() + REACH_MS / 2 * US_PER_MS;
    for (int i = 0; i < BOARD_SLOTS; i++) {
        victims[i] = reap(ground, i, until_us);
        if (victims[i])
            note_reached(ground, which[i], FAULT_STOPPED_AT_POINT);
    }
    pause_ms(ground->pause_ms);
    for (int i = 0; i < BOARD_SLOTS; i++)
        if (victims[i] && victims[i]->pid)
            kill(victims[i]->pid, SIGCONT);
    breathe(ground);
}

// Anywhere

static void kill_anybody(struct ground *ground)
{
    struct process *process = anybody(ground);
    pause_ms((int64_t)draw(ground, 100));
    process_kill(process);
    report_fault(FAULT_KILLED);
    breathe(ground);
    process_start(ground->cluster, process);
}

static void stop_anybody(struct ground *ground)
{
    struct process *process = anybody(ground);
    if (process->pid)
        kill(process->pid, SIGSTOP);
    report_fault(FAULT_STOPPED);
    pause_ms(ground->pause_ms);
    if (process->pid)
        kill(process->pid, SIGCONT);
    breathe(ground);
}

static void crash_postgres(struct ground *ground)
{
    pause_ms((int64_t)draw(ground, 100));
    postgres_crash(ground->infrastructure, (enum crash)draw(ground, CRASH_KINDS));
    report_fault(FAULT_POSTGRES_CRASH);
    breathe(ground);
}

static void break_redis(struct ground *ground)
{
    struct infrastructure *infrastructure = ground->infrastructure;
    switch (draw(ground, 3)) {
    case 0:
        redis_kill(infrastructure);
        report_fault(FAULT_REDIS_KILLED);
        breathe(ground);
        redis_start(infrastructure);
        break;
    case 1:
        redis_empty(infrastructure);
        report_fault(FAULT_REDIS_EMPTIED);
        break;
    default:
        redis_stop(infrastructure);
        report_fault(FAULT_REDIS_STOPPED);
        pause_ms(500);
        redis_wake(infrastructure);
        break;
    }
    breathe(ground);
}

// The network

static void trouble_network(struct ground *ground)
{
    static const struct misfortune KINDS[] = {
        {.drop = 20},
        {.duplicate = 200, .reorder = 200},
        {.delay = 100, .delay_max_ms = 200},
        {.drip = 20, .delay = 20, .delay_max_ms = 50},
        {.cut = 10, .cut_within = 10},
        {.drop = 5,
         .delay = 20,
         .duplicate = 50,
         .reorder = 50,
         .drip = 5,
         .cut = 3,
         .cut_within = 3,
         .delay_max_ms = 300,
         .redis_cut = 20,
         .redis_delay = 50},
    };
    proxies_set(ground->proxies, &KINDS[ground->next_point++ % COUNT(KINDS)]);
    pause_ms(1000);
    proxies_set(ground->proxies, &(struct misfortune){0});
}

static void cut_commits(struct ground *ground)
{
    proxies_set(ground->proxies, &(struct misfortune){.commit_cut = 50});
    pause_ms(1000);
    proxies_set(ground->proxies, &(struct misfortune){0});
    breathe(ground);
}

// What the kernel does to packets; for some of the time that a lease lasts, or longer.
static void trouble_packets(struct ground *ground)
{
    enum { LOSE, SQUEEZE, REFUSE, CUT, CUT_OUT, CUT_IN, CUT_PAIR, KINDS };
    int kind = (int)(ground->next_point++ % KINDS);
    const struct process *one = anybody(ground), *other = anybody(ground);
    switch (kind) {
    case LOSE:
        packets_lose(20 + (int)draw(ground, 280));
        break;
    case SQUEEZE:
        packets_squeeze(500 + (int)draw(ground, 3500));
        report_fault(FAULT_SQUEEZED);
        break;
    case REFUSE:
        packets_refuse(one);
        break;
    case CUT_PAIR:
        packets_cut(one, other, WAY_BOTH);
        break;
    default:
        packets_cut(one, NULL, kind == CUT_OUT ? WAY_OUT : kind == CUT_IN ? WAY_IN : WAY_BOTH);
    }
    if (kind >= REFUSE)
        report_fault(FAULT_PARTITION);
    pause_ms(100 + (int64_t)draw(ground, (uint64_t)ground->pause_ms + 1000));
    packets_heal();
    breathe(ground);
}

// The machine

static void fill_disk(struct ground *ground)
{
    if (!disk_fill(ground->infrastructure)) {
        report_violation("the disk cannot be filled: it is no tmpfs of its own");
        return;
    }
    report_fault(FAULT_DISK_FULL);
    pause_ms(500 + (int64_t)draw(ground, 1500));
    disk_free(ground->infrastructure);
    (void)infrastructure_heal(ground->infrastructure);
    breathe(ground);
}

static void step_clock(struct ground *ground)
{
    static const int64_t STEPS_S[] = {1, 30, 3600, 86400};
    struct process *process = anybody(ground);
    int64_t step_s = STEPS_S[draw(ground, COUNT(STEPS_S))];
    process_set_clock(ground->cluster, process, draw(ground, 2) ? step_s : -step_s);
    report_fault(FAULT_CLOCK_STEP);
    pause_ms(700);
}

// Nothing more can be opened: no connection taken, none made.
static void take_descriptors(struct ground *ground)
{
    struct process *process = anybody(ground);
    struct rlimit before, none;
    if (!process->pid || prlimit(process->pid, RLIMIT_NOFILE, NULL, &before) != 0)
        return;
    none = (struct rlimit){(rlim_t)open_descriptors(process->pid) / 2, before.rlim_max};
    (void)prlimit(process->pid, RLIMIT_NOFILE, &none, NULL);
    report_fault(FAULT_NO_DESCRIPTORS);
    pause_ms(1000);
    (void)prlimit(process->pid, RLIMIT_NOFILE, &before, NULL);
    breathe(ground);
}

// What it has stays; who needs more finds nothing, and dies of it.
static void take_memory(struct ground *ground)
{
    struct process *process = anybody(ground);
    struct rlimit before, none;
    if (!process->pid || prlimit(process->pid, RLIMIT_DATA, NULL, &before) != 0)
        return;
    none = (struct rlimit){0, before.rlim_max};
    (void)prlimit(process->pid, RLIMIT_DATA, &none, NULL);
    report_fault(FAULT_NO_MEMORY);
    pause_ms(1000);
    if (!process_is_dead(process))
        (void)prlimit(process->pid, RLIMIT_DATA, &before, NULL);
    breathe(ground);
    process_start(ground->cluster, process);
}

// One process after the other, as a deployment does it; nobody may notice.
static void restart_all(struct ground *ground)
{
    struct cluster *cluster = ground->cluster;
    for (int i = 0; i < cluster->count; i++) {
        struct process *process = &cluster->processes[i];
        if (!process_stop(process))
            report_violation("%s-%d does not stop in order", process->name, process->replica);
        process_start(cluster, process);
        if (!process_await_ready(process, 30000))
            report_violation("%s-%d does not become ready", process->name, process->replica);
        report_fault(FAULT_RESTARTED);
    }
}

// Two things at once: somebody dies while something else is broken.
static void kill_while(struct ground *ground, void (*other)(struct ground *ground))
{
    struct process *process = anybody(ground);
    process_kill(process);
    report_fault(FAULT_KILLED);
    other(ground);
    process_start(ground->cluster, process);
}

static void mix(struct ground *ground)
{
    static void (*const OTHERS[])(struct ground *ground) = {
        crash_postgres, break_redis, kill_anybody, kill_at_two_points, stop_anybody,
    };
    kill_while(ground, OTHERS[draw(ground, COUNT(OTHERS))]);
}

// clang-format off
const struct campaign campaigns[] = {
    // name         dress              rounds, strikes   in short
    {"kill",        DRESS_PLAIN,        97, 10,         10, 10, kill_at_next_point, .every_point = true},
    {"pairs",       DRESS_PLAIN,        20, 10,          0,  0, kill_at_two_points},
    {"random",      DRESS_PLAIN,        20, 20,          1, 10, kill_anybody      },
    {"pause",       DRESS_PLAIN,        20,  1,          1,  1, stop_at_points    },
    {"stop",        DRESS_PLAIN,        10,  1,          0,  0, stop_anybody      },
    {"long-pause",  DRESS_LONG_LEASES,   4,  1,          0,  0, stop_at_points    },
    {"postgres",    DRESS_PLAIN,        20,  5,          1,  3, crash_postgres    },
    {"redis",       DRESS_PLAIN,        20,  5,          1,  4, break_redis       },
    {"rolling",     DRESS_PLAIN,         3,  1,          1,  1, restart_all       },
    {"descriptors", DRESS_PLAIN,        10,  3,          0,  0, take_descriptors  },
    {"memory",      DRESS_PLAIN,        10,  3,          0,  0, take_memory       },
    {"mix",         DRESS_PLAIN,        20,  5,          0,  0, mix               },
    {"disk",        DRESS_PLAIN,         5,  2,          0,  0, fill_disk         },
    {"clock",       DRESS_CLOCK,        10,  8,          1,  6, step_clock        },
    {"network",     DRESS_PROXIES,      10,  6,          1,  6, trouble_network   },
    {"commit",      DRESS_PROXIES,      10,  4,          1,  2, cut_commits       },
    {"packets",     DRESS_LINKS,        10,  7,          1,  7, trouble_packets   },
    {"soak",        DRESS_PLAIN,         2,  6,          0,  0, soak              },
};
// clang-format on

const size_t campaign_count = COUNT(campaigns);
