// The load generator: customers on keep-alive connections, each on a journey through a flow.
//
//   bench-load --gateway 127.0.0.1:8080[,..] --flow order|place|checkout|claim|product|balance ..
//
// parse_option below and crowd_option list what else it takes. Three paces:
//
//   closed (default)  each connection starts its next journey when the last one ends
//   --rate N          N journeys a second start at fixed times, on any connection that is free. What
//                     starts late because none was free counts from when it should have started, so
//                     a server that stalls is not asked less (no coordinated omission).
//   --burst 1         every connection makes one journey, all at once. Their tokens are known to the
//                     gateway: each customer has looked at his balance before.
//
// Prints one line of JSON.

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "lib/base/text.h"
#include "tests/bench/crowd.h"
#include "tests/bench/samples.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { STATUS_MAX = 600, PATIENCE_S = 30 };

struct load {
    struct crowd crowd;
    int64_t seconds, warmup, rate, burst;

    bool over; // no journey starts any more
    int64_t measure_from_us, end_us, next_start_us;
    struct samples samples;
    int64_t answers[STATUS_MAX]; // that were measured, by status
    int64_t done, body_bytes;    // journeys that went well, also those of the warm-up
    double cpu_ms;               // of the run, not of signing the tokens
    char last_refusal[512];
};

static void end_journey(struct load *load, struct customer *customer,
                        const struct http_answer *answer, bool good)
{
    int64_t now_us = clock_monotonic_us();
    bool measured = load->burst || load->rate ? customer->since_us >= load->measure_from_us
                                              : now_us >= load->measure_from_us && !load->over;
    load->done += good;
    if (!good)
        snprintf(load->last_refusal, sizeof(load->last_refusal), "%d %.400s", answer->status,
                 answer->body);
    if (measured) {
        load->answers[answer->status < STATUS_MAX ? answer->status : 0]++;
        load->body_bytes += (int64_t)answer->body_size;
    }
    if (measured && (good || load->burst))
        samples_add(&load->samples, now_us - customer->since_us);
}

static void take_answer(void *arg, struct customer *customer, const struct http_answer *answer)
{
    struct load *load = arg;
    if (answer->status == 0)
        load_fail("the gateway closed a connection, or an answer is too long");
    enum journey_end end = crowd_take_answer(&load->crowd, customer, answer);
    if (end != JOURNEY_GOES_ON)
        end_journey(load, customer, answer, end == JOURNEY_GOOD);
}

static void take_events(struct load *load, int64_t wait_us)
{
    crowd_wait(&load->crowd, wait_us, take_answer, load);
}

static void start_all_idle(struct load *load)
{
    while (load->crowd.idle)
        crowd_start(&load->crowd, clock_monotonic_us());
}

static void wait_for_all(struct load *load)
{
    int64_t limit_us = clock_monotonic_us() + PATIENCE_S * US_PER_S;
    while (load->crowd.busy > 0) {
        if (clock_monotonic_us() > limit_us)
            load_fail("not every request was answered");
        take_events(load, US_PER_S / 10);
    }
}

static void run_closed(struct load *load)
{
    while (clock_monotonic_us() < load->end_us) {
        start_all_idle(load);
        take_events(load, US_PER_S / 10);
    }
    load->over = true;
    wait_for_all(load);
}

// What is due starts, as far as connections are free; `next_start_us` keeps its place in the past.
static void run_open(struct load *load)
{
    load->next_start_us = clock_monotonic_us();
    while (load->next_start_us < load->end_us) {
        int64_t wait_us = US_PER_S / 10;
        while (load->crowd.idle && load->next_start_us <= clock_monotonic_us() &&
               load->next_start_us < load->end_us) {
            crowd_start(&load->crowd, load->next_start_us);
            load->next_start_us += US_PER_S / load->rate;
        }
        if (load->crowd.idle)
            wait_us = load->next_start_us - clock_monotonic_us();
        take_events(load, wait_us > 0 ? wait_us : 0);
    }
    wait_for_all(load);
}

static void run_burst(struct load *load)
{
    const struct flow *flow = load->crowd.flow;
    load->measure_from_us = INT64_MAX;
    load->crowd.flow = flow_find("balance");
    start_all_idle(load);
    wait_for_all(load);
    load->crowd.flow = flow;
    load->crowd.market.next_user = 0;
    load->measure_from_us = clock_monotonic_us();
    load->done = 0;
    load->cpu_ms = 0;
    while (load->crowd.idle)
        crowd_start(&load->crowd, load->measure_from_us);
    wait_for_all(load);
}

static double cpu_ms(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec * 1e3 + (double)used.tv_nsec / 1e6;
}

static void run(struct load *load, struct arena *arena)
{
    crowd_gather(&load->crowd, arena);
    double before_ms = cpu_ms();
    load->measure_from_us = clock_monotonic_us() + load->warmup * US_PER_S;
    load->end_us = load->measure_from_us + load->seconds * US_PER_S;
    if (load->burst)
        run_burst(load);
    else if (load->rate)
        run_open(load);
    else
        run_closed(load);
    load->cpu_ms = cpu_ms() - before_ms;
}

static void print_answers(const struct load *load)
{
    const char *comma = "";
    int64_t count = 0;
    printf("\"answers\": {");
    for (int status = 0; status < STATUS_MAX; status++) {
        count += load->answers[status];
        if (load->answers[status]) {
            printf("%s\"%d\": %" PRId64, comma, status, load->answers[status]);
            comma = ", ";
        }
    }
    printf("}, \"body_bytes\": %" PRId64, count ? load->body_bytes / count : 0);
}

static void print(struct load *load)
{
    static const struct {
        const char *name;
        double q;
    } quantiles[] = {
        {"p50_ms",  0.5  },
        {"p99_ms",  0.99 },
        {"p999_ms", 0.999},
        {"max_ms",  1    }
    };
    samples_sort(&load->samples);
    double seconds =
        load->burst ? samples_quantile_ms(&load->samples, 1) / 1e3 : (double)load->seconds;
    printf("{\"flow\": \"%s\", \"connections\": %" PRId64 ", \"seconds\": %.4f, \"good\": %zu, "
           "\"per_second\": %.0f, ",
           load->crowd.flow->name, load->crowd.connections, seconds, load->samples.count,
           seconds > 0 ? (double)load->samples.count / seconds : 0);
    for (size_t i = 0; i < COUNT(quantiles); i++)
        printf("\"%s\": %.2f, ", quantiles[i].name,
               samples_quantile_ms(&load->samples, quantiles[i].q));
    print_answers(load);
    printf(", \"done\": %" PRId64 ", \"load_cpu_ms\": %.0f}\n", load->done, load->cpu_ms);
    if (load->last_refusal[0])
        fprintf(stderr, "bench-load: last answer that was no success: %s\n", load->last_refusal);
}

static bool parse_option(struct load *load, const char *name, const char *value)
{
    const struct {
        const char *name;
        int64_t *number;
    } OPTIONS[] = {
        {"--seconds", &load->seconds},
        {"--warmup",  &load->warmup },
        {"--rate",    &load->rate   },
        {"--burst",   &load->burst  },
    };
    for (size_t i = 0; i < COUNT(OPTIONS); i++)
        if (!strcmp(name, OPTIONS[i].name))
            return text_parse_int64(value, 0, INT64_MAX, OPTIONS[i].number);
    return crowd_option(&load->crowd, name, value);
}

int main(int argc, char **argv)
{
    SCOPED(arena) *arena = arena_create();
    struct load load = {.crowd = crowd_default(), .seconds = 10, .warmup = 2};
    for (int i = 1; i < argc; i += 2)
        if (i + 1 == argc || !parse_option(&load, argv[i], argv[i + 1]))
            load_fail("bad argument; parse_option in tests/bench/load.c lists them");
    load.crowd.market.each_once = load.burst;
    run(&load, arena);
    print(&load);
    bool idle = load.samples.count == 0;
    samples_fini(&load.samples);
    crowd_leave(&load.crowd);
    return idle;
}
