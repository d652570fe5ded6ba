// Breaks a running shop in every way of campaigns.c while customers shop, heals it, and holds it to what
// it has told them.
//
//     faults [--short] [--campaign NAME[,NAME]] [--rounds N] [--seconds N] [--seed N]
//
// Runs on a stack of two replicas (tests/fault/run). A round: the gate opens, strikes fall, everything
// is healed, the gate closes, checks (check.h), and the same keys once more. Exit 1 after a violation, and
// when a fault of a campaign, or a point of "kill", was never brought about: what was not done proves
// nothing.

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/macros.h"
#include "tests/fault/board.h"
#include "tests/fault/campaigns.h"
#include "tests/fault/check.h"
#include "tests/fault/clients.h"
#include "tests/fault/cluster.h"
#include "tests/fault/infrastructure.h"
#include "tests/fault/packets.h"
#include "tests/fault/points.h"
#include "tests/fault/proxy.h"
#include "tests/fault/report.h"
#include "tests/support/receiver.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLIENTS = 12,
    COUPONS = 8, // fewer than clients
    HEAL_MS = 60000,
    GATE_MS = 120000,
    PAUSE_MS = 3000, // past the shortened leases
    LONG_PAUSE_MS = 30000,
    MORE_ROUNDS = 5, // for points that nobody came to
};

struct choice {
    bool is_short;
    const char *campaigns; // NULL: all
    int rounds;            // 0: the campaign's
    int64_t seconds;       // of each campaign; 0: as long as it takes
    uint64_t seed;
};

struct run {
    struct choice choice;
    struct cluster cluster;
    struct ground ground;
    struct clients *clients;
    struct checker *checker;
    int64_t rounds;
};

static void heal(struct run *run)
{
    for (int slot = 0; slot < BOARD_SLOTS; slot++)
        board_disarm(run->ground.board, slot);
    proxies_set(run->ground.proxies, &(struct misfortune){0});
    if (run->cluster.dress & DRESS_LINKS)
        packets_heal();
    if (!infrastructure_heal(run->ground.infrastructure))
        report_violation("PostgreSQL and Redis do not come back");
    if (!cluster_heal(&run->cluster, HEAL_MS))
        report_violation("not everybody is ready %d s after the last fault", HEAL_MS / 1000);
}

static void play_round(struct run *run, const struct campaign *campaign, int strikes, int round)
{
    report_set_context(campaign->name, round);
    clients_release(run->clients, COUPONS);
    for (int i = 0; i < strikes; i++)
        campaign->strike(&run->ground);
    heal(run);
    if (!clients_hold(run->clients, GATE_MS)) {
        report_violation("a customer waits for an answer for more than %d s", GATE_MS / 1000);
        return;
    }
    checker_run(run->checker, run->clients, COUPONS);
    clients_repeat(run->clients);
    run->rounds++;
}

static bool goes_on(const struct run *run, const struct campaign *campaign, int round,
                    int64_t began_us)
{
    const struct choice *choice = &run->choice;
    int rounds = choice->is_short ? campaign->short_rounds : campaign->rounds;
    if (report_violations())
        return false;
    if (choice->seconds)
        return clock_monotonic_us() - began_us < choice->seconds * US_PER_S;
    if (choice->rounds)
        return round < choice->rounds;
    if (campaign->every_point && !ground_is_covered(&run->ground))
        rounds += MORE_ROUNDS;
    return round < rounds;
}

static void play(struct run *run, const struct campaign *campaign)
{
    int strikes = run->choice.is_short ? campaign->short_strikes : campaign->strikes;
    int64_t began_us = clock_monotonic_us();
    run->ground.pause_ms = campaign->dress & DRESS_LONG_LEASES ? LONG_PAUSE_MS : PAUSE_MS;
    run->ground.next_point = (size_t)(run->ground.random % point_count);
    if (run->cluster.dress != campaign->dress && !cluster_dress(&run->cluster, campaign->dress))
        report_violation("the shop does not start for %s", campaign->name);
    int round = 0;
    for (; goes_on(run, campaign, round, began_us); round++)
        play_round(run, campaign, strikes ? strikes : 1, round);
    printf("%-12s %4d rounds in %lld s\n", campaign->name, round,
           (long long)((clock_monotonic_us() - began_us) / US_PER_S));
    fflush(stdout);
}

static bool is_chosen(const struct choice *choice, const struct campaign *campaign)
{
    if (!choice->campaigns)
        return !choice->is_short || campaign->short_rounds > 0;
    const char *at = choice->campaigns;
    size_t length = strlen(campaign->name);
    while (*at) {
        size_t part = strcspn(at, ",");
        if (part == length && strncmp(at, campaign->name, length) == 0)
            return true;
        at += part + (at[part] == ',');
    }
    return false;
}

// The report

static bool was_played(const struct choice *choice, const char *name)
{
    for (size_t i = 0; i < campaign_count; i++)
        if (strcmp(campaigns[i].name, name) == 0)
            return is_chosen(choice, &campaigns[i]);
    return false;
}

// A fault that did not come about, a point that nobody came to: not run.
static void report_gaps(const struct run *run)
{
    static const struct {
        const char *campaign;
        enum fault_kind kind;
    } NEEDED[] = {
        {"random",      FAULT_KILLED          },
        {"pause",       FAULT_STOPPED_AT_POINT},
        {"stop",        FAULT_STOPPED         },
        {"postgres",    FAULT_POSTGRES_CRASH  },
        {"rolling",     FAULT_RESTARTED       },
        {"descriptors", FAULT_NO_DESCRIPTORS  },
        {"memory",      FAULT_NO_MEMORY       },
        {"disk",        FAULT_DISK_FULL       },
        {"clock",       FAULT_CLOCK_STEP      },
        {"network",     FAULT_DROPPED         },
        {"network",     FAULT_DELAYED         },
        {"network",     FAULT_DUPLICATED      },
        {"network",     FAULT_REORDERED       },
        {"network",     FAULT_SLOWED          },
        {"network",     FAULT_CUT             },
        {"network",     FAULT_CUT_IN_MESSAGE  },
        {"packets",     FAULT_PACKET_LOST     },
        {"packets",     FAULT_PARTITION       },
        {"packets",     FAULT_SQUEEZED        },
        {"commit",      FAULT_COMMIT_CUT      },
    };
    report_set_context("the whole", 0);
    for (size_t i = 0; i < COUNT(NEEDED); i++)
        if (was_played(&run->choice, NEEDED[i].campaign) && !report_faults(NEEDED[i].kind))
            report_violation("no fault of the kind \"%s\" was brought about",
                             fault_kind_word(NEEDED[i].kind));
    for (size_t i = 0; was_played(&run->choice, "kill") && i < point_count; i++)
        if (!run->ground.reached[i])
            report_violation("nobody came to %s", points[i].name);
}

static int64_t least_reached(const struct run *run)
{
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < point_count; i++)
        if (run->ground.reached[i] < least)
            least = run->ground.reached[i];
    return least;
}

static void print_report(const struct run *run, int64_t took_us)
{
    struct clients_totals clients = clients_totals(run->clients);
    struct checker_totals checked = checker_totals(run->checker);
    printf("faults injected:\n");
    report_print_faults();
    if (was_played(&run->choice, "kill"))
        printf("  each of %zu points at least   %lld times\n", point_count,
               (long long)least_reached(run));
    printf("%lld rounds in %lld s, seed %llu: %lld requests, %lld needed more than one try, "
           "%lld without an answer\n",
           (long long)run->rounds, (long long)(took_us / US_PER_S),
           (unsigned long long)run->choice.seed, (long long)clients.requests,
           (long long)clients.retried, (long long)clients.unanswered);
    printf("acknowledged: %lld orders, %lld paid, %lld refunded, %lld refused, %lld charges, "
           "%lld coupons\n",
           (long long)clients.orders, (long long)clients.paid, (long long)clients.refunded,
           (long long)clients.refused, (long long)clients.charges, (long long)clients.claims);
    printf("lost %lld, duplicated %lld, violations %lld; longest stall %lld ms, longest request "
           "%lld ms, longest until all sagas ended %lld ms\n",
           (long long)checked.lost, (long long)checked.duplicated, (long long)report_violations(),
           (long long)(clients.longest_stall_us / US_PER_MS),
           (long long)(clients.longest_request_us / US_PER_MS),
           (long long)(checked.longest_quiet_us / US_PER_MS));
}

// The beginning

_Noreturn static void usage(void)
{
    fprintf(stderr, "usage: faults [--short] [--campaign NAME[,NAME]] [--rounds N] [--seconds N] "
                    "[--seed N]\ncampaigns:");
    for (size_t i = 0; i < campaign_count; i++)
        fprintf(stderr, " %s", campaigns[i].name);
    fprintf(stderr, "\n");
    exit(2);
}

static struct choice read_choice(int argc, char **argv)
{
    static const struct option OPTIONS[] = {
        {"short",    no_argument,       NULL, 's'},
        {"campaign", required_argument, NULL, 'c'},
        {"rounds",   required_argument, NULL, 'r'},
        {"seconds",  required_argument, NULL, 't'},
        {"seed",     required_argument, NULL, 'n'},
        {NULL,       0,                 NULL, 0  },
    };
    struct choice choice = {.seed = (uint64_t)clock_realtime_us()};
    for (int option; (option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;)
        switch (option) {
        case 's':
            choice.is_short = true;
            break;
        case 'c':
            choice.campaigns = optarg;
            break;
        case 'r':
            choice.rounds = (int)strtol(optarg, NULL, 10);
            break;
        case 't':
            choice.seconds = strtoll(optarg, NULL, 10);
            break;
        case 'n':
            choice.seed = strtoull(optarg, NULL, 10);
            break;
        default:
            usage();
        }
    if (optind < argc)
        usage();
    return choice;
}

static const char *required(const char *variable)
{
    const char *value = getenv(variable);
    if (!value) {
        fprintf(stderr, "fault: %s is not set: run it by tests/fault/run\n", variable);
        exit(2);
    }
    return value;
}

static void open_shop(struct run *run, const struct receiver *webhook)
{
    static char board[512], log[512], gateways[2][64];
    const char *folder = required("BARO_STACK_DIR"), *api = required("BARO_TEST_API");
    const char *port = strrchr(api, ':') + 1;
    snprintf(board, sizeof(board), "%s/board", folder);
    snprintf(log, sizeof(log), "%s/clients.log", required("BARO_FAULT_LOGS"));
    for (int i = 0; i < 2; i++)
        snprintf(gateways[i], sizeof(gateways[i]), "http://127.0.0.1:%ld/api/v1",
                 strtol(port, NULL, 10) + i);
    run->cluster.folder = folder;
    run->cluster.board = board;
    run->cluster.webhook = receiver_url(webhook);
    run->cluster.proxies = proxies_open();
    run->ground = (struct ground){
        .cluster = &run->cluster,
        .board = board_open(board),
        .infrastructure = infrastructure_open(folder),
        .proxies = run->cluster.proxies,
        .random = run->choice.seed * UINT64_C(0x9E3779B97F4A7C15) + 1,
        .reached = calloc(point_count, sizeof(int64_t)),
    };
    cluster_find(&run->cluster);
    if (!cluster_dress(&run->cluster, DRESS_PLAIN)) {
        fprintf(stderr, "fault: the processes do not start\n");
        exit(1);
    }
    run->checker = checker_create();
    run->clients = clients_open(&(struct clients_options){
        .gateways = {gateways[0], gateways[1]},
        .log_path = log,
        .count = CLIENTS,
        .seed = run->choice.seed,
    });
}

static void close_shop(struct run *run)
{
    clients_close(run->clients);
    checker_destroy(run->checker);
    infrastructure_close(run->ground.infrastructure);
    free(run->ground.reached);
    proxies_close(run->cluster.proxies);
}

int main(int argc, char **argv)
{
    static struct run run;
    run.choice = read_choice(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    log_init("fault", LOG_LEVEL_OFF);
    int64_t began_us = clock_monotonic_us();
    struct receiver *webhook = receiver_open(NULL, NULL);
    open_shop(&run, webhook);
    for (size_t i = 0; i < campaign_count; i++)
        if (is_chosen(&run.choice, &campaigns[i]) && report_violations() == 0)
            play(&run, &campaigns[i]);
    report_gaps(&run);
    print_report(&run, clock_monotonic_us() - began_us);
    fflush(stdout);
    if (report_violations())
        _Exit(1); // somebody may still wait for an answer
    close_shop(&run);
    receiver_close(webhook);
    return 0;
}
