// Runs seeds: baro-simulate [--seed N] [--runs N] [--sagas N] [--trace] [--pins]
//
// A run sets up four databases, two replicas of each service and a crowd of shoppers, lets everything
// go wrong that the seed says for half a minute of simulated time, then heals all, waits for rest and
// checks the laws. The programs are the real ones, from their main on; see world.h, system.c, network.c
// and database.c for what stands in for the world around them.

#include "lib/base/macros.h"
#include "tests/simulate/cache.h"
#include "tests/simulate/database.h"
#include "tests/simulate/faults.h"
#include "tests/simulate/laws.h"
#include "tests/simulate/network.h"
#include "tests/simulate/shop.h"
#include "tests/simulate/sweep.h"
#include "tests/simulate/tables.h"

#include <inttypes.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { REPLICAS = 2, PROCESSES = KINDS * REPLICAS };
enum { LOOK_US = 250000, FAULTY_US = 15000000, PATIENCE_US = 400000000 };

int user_main(int argc, char **argv);
int product_main(int argc, char **argv);
int order_main(int argc, char **argv);
int coupon_main(int argc, char **argv);

// Times are shorter than in the shop that sells for real: a run shall see them pass. The database's
// name and the instance's come from the process (system.c).
static const struct variable SETTINGS[] = {
    {"BARO_SECRET",          "a secret of the simulation"},
    {"BARO_OPS_LISTEN",      "off"                       },
    {"BARO_DRAIN",           "2s"                        },
    {"BARO_USER_RPC",        "ipc:///user"               },
    {"BARO_PRODUCT_RPC",     "ipc:///product"            },
    {"BARO_ORDER_RPC",       "ipc:///order"              },
    {"BARO_COUPON_RPC",      "ipc:///coupon"             },
    {"BARO_USER_BUS",        "ipc:///user"               },
    {"BARO_PRODUCT_BUS",     "ipc:///product"            },
    {"BARO_ORDER_BUS",       "ipc:///order"              },
    {"BARO_COUPON_BUS",      "ipc:///coupon"             },
    {"BARO_SWEEP_PERIOD",    "700ms"                     },
    {"BARO_ORDER_TTL",       "6s"                        },
    {"BARO_CHECKOUT_TTL",    "5s"                        },
    {"BARO_OPEN_ORDERS",     "6"                         },
    {"BARO_EXPIRY_PERIOD",   "100ms"                     },
    {"BARO_SAGA_LEASE",      "2s"                        },
    {"BARO_SAGA_PARK_AFTER", "6"                         },
    {"BARO_LAW_PERIOD",      "0s"                        }, // the world keeps laws of its own
    {NULL,                   NULL                        },
};

// Settings that each run draws.
static const struct {
    const char *name;
    const char *values[3];
} DRAWN[] = {
    {"BARO_WRITE_WORKERS",     {"1", "2", "3"}         },
    {"BARO_READ_WORKERS",      {"1", "1", "2"}         },
    {"BARO_BATCH_MAX",         {"256", "4", "1"}       },
    {"BARO_SAGA_HELD_AFTER",   {"500ms", "100ms", "2s"}},
    {"BARO_SAGA_DECIDE_AFTER", {"3s", "1s", "5s"}      },
};

static struct variable settings[COUNT(SETTINGS) + COUNT(DRAWN)];

static void draw_settings(void)
{
    for (size_t i = 0; i < COUNT(DRAWN); i++)
        settings[i] =
            (struct variable){DRAWN[i].name, DRAWN[i].values[chance_below(COUNT(DRAWN[i].values))]};
    memcpy(settings + COUNT(DRAWN), SETTINGS, sizeof(SETTINGS));
}

static int (*const PROGRAMS[KINDS])(int argc, char **argv) = {
    [USER] = user_main,
    [PRODUCT] = product_main,
    [ORDER] = order_main,
    [COUPON] = coupon_main,
};

struct options {
    uint64_t seed, runs, sagas;
    uint64_t sweep;      // every so many times; 0: none
    uint64_t place, nth; // where one run aims
};

static struct process processes[PROCESSES], outside;
static bool faults_over, at_rest, law_broken;
static int64_t give_up_us;

static void look(void *arg, uint64_t token)
{
    (void)arg, (void)token;
    if (!faults_over && world_now_us() >= FAULTY_US) {
        faults_over = true;
        faults_stop();
        give_up_us = world_now_us() + PATIENCE_US;
    }
    if (world_now_us() % 5000000 == 0)
        law_broken |= laws_check(false, false) > 0;
    at_rest = faults_over && shop_is_done() && laws_at_rest();
    world_at(world_now_us() + LOOK_US, look, NULL, 0);
}

static bool finished(void)
{
    return at_rest || law_broken || (faults_over && world_now_us() > give_up_us);
}

static void make_processes(void)
{
    draw_settings();
    for (size_t i = 0; i < PROCESSES; i++) {
        enum process_kind kind = (enum process_kind)(i / REPLICAS);
        struct process fresh = {
            .kind = kind,
            .main = PROGRAMS[kind],
            .environment = settings,
            .stalled = processes[i].stalled,
            .stalled_capacity = processes[i].stalled_capacity,
        };
        snprintf(fresh.name, sizeof(fresh.name), "%s-%zu", KIND_NAMES[kind], i % REPLICAS + 1);
        snprintf(fresh.database_url, sizeof(fresh.database_url), "postgresql://baro@world:5432/%s",
                 KIND_NAMES[kind]);
        processes[i] = fresh;
    }
    outside = (struct process){.kind = OUTSIDE, .name = "shop"};
}

// What was injected in all runs: a kind of fault that never happened has not been tested.
static const struct {
    const char *name;
    const uint64_t *of_run;
} COUNTERS[] = {
    {"kills",              &fault_counts.kills              },
    {"stops",              &fault_counts.stops              },
    {"pauses",             &fault_counts.pauses             },
    {"clock steps",        &fault_counts.clock_steps        },
    {"database crashes",   &database_counts.crashes         },
    {"connections lost",   &database_counts.connections_lost},
    {"COMMITs unanswered", &database_counts.answers_lost    },
    {"statements failed",  &database_counts.failed          },
    {"losses of Redis",    &cache_counts.emptied            },
    {"silences of Redis",  &cache_counts.unanswered         },
    {"conflicts",          &database_counts.conflicts       },
    {"transactions",       &database_counts.transactions    },
    {"messages",           &network_counts.messages         },
    {"lost",               &network_counts.lost             },
    {"doubled",            &network_counts.duplicated       },
    {"late",               &network_counts.slowed           },
    {"cut off",            &network_counts.cut              },
    {"calls to the dead",  &network_counts.refused          },
};
static uint64_t totals[COUNT(COUNTERS)];

static uint64_t reached[LAWS_STATUSES];

static void add_up(void)
{
    for (size_t i = 0; i < COUNT(COUNTERS); i++)
        totals[i] += *COUNTERS[i].of_run;
    laws_count_statuses(reached);
}

// A campaign that lacks a kind of fault has not been run.
static bool is_complete(void)
{
    bool complete = true;
    for (size_t i = 0; i < COUNT(COUNTERS); i++)
        complete &= totals[i] > 0;
    return complete;
}

static void print_totals(void)
{
    for (size_t i = 0; i < COUNT(COUNTERS); i++)
        printf("%s%" PRIu64 " %s", i ? ", " : "injected and seen: ", totals[i], COUNTERS[i].name);
    printf("\norders that became");
    for (size_t i = 0; i < LAWS_STATUSES; i++)
        if (reached[i])
            printf(" %s: %" PRIu64, laws_status_name(i), reached[i]);
    putchar('\n');
}

// What is said when an assertion of the programs fails, which is as good as a broken law.
static char last_words[120];
static size_t last_words_length;

static void prepare_to_die(uint64_t seed)
{
    last_words_length = (size_t)snprintf(
        last_words, sizeof(last_words),
        "seed %" PRIu64 " ends by a signal: make simulate SEED=%" PRIu64 " RUNS=1 TRACE=1\n", seed,
        seed);
}

static void die(int signal_number)
{
    (void)signal_number;
    _exit(write(STDOUT_FILENO, last_words, last_words_length) > 0 ? 1 : 2);
}

static size_t run_seed(uint64_t seed, bool print, size_t *sagas)
{
    prepare_to_die(seed);
    world_begin(seed);
    network_begin();
    databases_begin();
    cache_begin();
    shop_open();
    make_processes();
    faults_over = at_rest = law_broken = false;
    faults_plan(processes, PROCESSES, FAULTY_US);
    for (size_t i = 0; i < PROCESSES; i++)
        process_start(&processes[i]);
    process_start(&outside);
    shop_go(&outside);
    world_at(LOOK_US, look, NULL, 0);
    world_run(finished);
    size_t broken = laws_check(at_rest, print);
    if (!at_rest && !broken) {
        broken = 1;
        if (print)
            laws_unrest();
    }
    *sagas += laws_sagas();
    add_up();
    for (size_t i = 0; i < PROCESSES; i++)
        process_end(&processes[i]);
    process_end(&outside);
    return broken;
}

static uint64_t number(const char *text)
{
    char *end;
    uint64_t value = strtoull(text, &end, 10);
    if (*end || end == text) {
        fprintf(stderr, "simulate: %s is no number\n", text);
        exit(2);
    }
    return value;
}

static const char USAGE[] = "usage: simulate [--seed N] [--runs N] [--sagas N] [--trace] [--pins]\n"
                            "                [--sweep EVERY] [--place N --nth N]\n";

// The number that an option of this name is followed by; NULL for another.
static uint64_t *number_of(struct options *options, const char *name)
{
    const struct {
        const char *name;
        uint64_t *into;
    } NUMBERS[] = {
        {"--seed",  &options->seed },
        {"--runs",  &options->runs },
        {"--sagas", &options->sagas},
        {"--sweep", &options->sweep},
        {"--place", &options->place},
        {"--nth",   &options->nth  },
    };
    for (size_t i = 0; i < COUNT(NUMBERS); i++)
        if (strcmp(name, NUMBERS[i].name) == 0)
            return NUMBERS[i].into;
    return NULL;
}

static struct options parse(int argc, char **argv)
{
    struct options options = {.seed = 1, .runs = UINT64_MAX, .sagas = UINT64_MAX};
    for (int i = 1; i < argc; i++) {
        uint64_t *into = number_of(&options, argv[i]);
        if (into && i + 1 < argc) {
            i++;
            *into = number(argv[i]);
        } else if (strcmp(argv[i], "--trace") == 0) {
            trace_on = true;
        } else if (strcmp(argv[i], "--pins") == 0) {
            pins_are_listed = true;
        } else {
            fputs(USAGE, stderr);
            exit(2);
        }
    }
    if (options.runs == UINT64_MAX && options.sagas == UINT64_MAX)
        options.runs = 1;
    return options;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// Runs one seed once more: it must be the same run.
static bool replays(uint64_t seed)
{
    uint64_t fingerprint = world_fingerprint();
    size_t sagas = 0;
    run_seed(seed, false, &sagas);
    if (world_fingerprint() == fingerprint)
        return true;
    printf("seed %" PRIu64 " does not replay: something is not drawn from it\n", seed);
    return false;
}

// From so many sagas on every kind of fault must have happened.
enum { CAMPAIGN_SAGAS = 20000 };

int main(int argc, char **argv)
{
    struct options options = parse(argc, argv);
    size_t sagas = 0;
    double began = seconds();
    uint64_t run = 0;
    if (sodium_init() < 0)
        abort();
    signal(SIGABRT, die);
    signal(SIGSEGV, die);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (options.sweep)
        return sweep(options.seed, options.sweep, run_seed) ? 0 : 1;
    faults_aim((enum fault_place)options.place, options.nth);
    for (; run < options.runs && sagas < options.sagas; run++) {
        uint64_t seed = options.seed + run;
        if (run_seed(seed, true, &sagas) == 0)
            continue;
        printf("seed %" PRIu64 " breaks a law after %zu sagas: make simulate SEED=%" PRIu64
               " RUNS=1 TRACE=1\n",
               seed, sagas, seed);
        return 1;
    }
    double took = seconds() - began;
    printf("seeds %" PRIu64 " to %" PRIu64 ": %zu sagas ended, no law is broken; %.1f s of a core, "
           "%.0f sagas/s, fingerprint %016" PRIx64 "\n",
           options.seed, options.seed + run - 1, sagas, took, (double)sagas / took,
           world_fingerprint());
    print_totals();
    if (sagas >= CAMPAIGN_SAGAS && !is_complete()) {
        puts("a kind of fault never happened: this counts as not run");
        return 1;
    }
    return trace_on || replays(options.seed + run - 1) ? 0 : 1;
}
