// Offers journeys at rates that change, whether or not the server keeps up.
//
//   bench-offer --gateway 127.0.0.1:8080 --flow order --phases 20000:60,1000:10 ..
//
// crowd_option lists what else it takes. Each phase is a rate and how many seconds it lasts; they
// follow each other without a pause. A journey that is due finds a free connection or is not sent, and
// that is counted: what was offered is what was sent. Every answer is judged: good, a refusal as it
// must be (429 or 503, Retry-After, application/problem+json), open (202: no outcome within the wait
// that was asked for), or wrong. Prints a line of JSON for each second, with journeys by how they ended
// and the time that answers below 400 took, each request for itself: starts count where they happen,
// ends where they happen, a slow refusal where it was asked for.

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "tests/bench/crowd.h"
#include "tests/bench/samples.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PHASES_MAX = 8, SECONDS_MAX = 3600, PATIENCE_S = 30 };
enum { STATUS_ACCEPTED = 202, STATUS_ERRORS = 400 };
// Journeys that are due within it start together: cheaper than to wake for each.
enum { CLUMP_US = 1000 };

struct phase {
    int64_t rate, seconds;
};

struct second {
    int64_t offered, unsent;
    int64_t good, refused, open, wrong, lost; // journeys, by how they ended
    int64_t broken_off;                       // of those refused: after the first answer
    int64_t slowest_refusal_us;               // of what was asked in it
    struct samples samples;                   // of answers below 400
};

struct offer {
    struct crowd crowd;
    struct phase phases[PHASES_MAX + 1];
    size_t phase_count;
    int64_t began_us;
    struct second seconds[SECONDS_MAX + PATIENCE_S + 1];
    char wrong[512]; // the last answer that was
};

static struct second *this_second(struct offer *offer, int64_t now_us)
{
    return &offer->seconds[(now_us - offer->began_us) / US_PER_S];
}

static bool is_proper_refusal(const struct http_answer *answer)
{
    return (answer->status == 429 || answer->status == 503) &&
           strcasestr(answer->head, "\r\nretry-after:") &&
           strcasestr(answer->head, "\r\ncontent-type: application/problem+json");
}

// Why a journey did not end well.
static void judge(struct offer *offer, struct second *second, const struct customer *customer,
                  const struct http_answer *answer, int64_t took_us)
{
    if (is_proper_refusal(answer)) {
        second->refused++;
        second->broken_off += customer->journey.step > 0;
        struct second *asked = this_second(offer, customer->asked_us);
        if (took_us > asked->slowest_refusal_us)
            asked->slowest_refusal_us = took_us;
        return;
    }
    if (answer->status == STATUS_ACCEPTED) {
        second->open++;
        return;
    }
    if (answer->status == 0)
        second->lost++;
    else
        second->wrong++;
    snprintf(offer->wrong, sizeof(offer->wrong), "%.500s", answer->status ? answer->head : "none");
}

static void take_answer(void *arg, struct customer *customer, const struct http_answer *answer)
{
    struct offer *offer = arg;
    int64_t now_us = clock_monotonic_us();
    struct second *second = this_second(offer, now_us);
    int64_t took_us = now_us - customer->asked_us;
    if (answer->status > 0 && answer->status < STATUS_ERRORS)
        samples_add(&second->samples, took_us);
    switch (crowd_take_answer(&offer->crowd, customer, answer)) {
    case JOURNEY_GOES_ON:
        return;
    case JOURNEY_GOOD:
        second->good++;
        break;
    case JOURNEY_BAD:
        judge(offer, second, customer, answer, took_us);
        break;
    }
    if (answer->status == 0)
        crowd_reconnect(&offer->crowd, customer);
}

static void start_due(struct offer *offer, int64_t *due_us, int64_t period_us, int64_t until_us)
{
    int64_t now_us = clock_monotonic_us();
    for (; *due_us <= now_us && *due_us < until_us; *due_us += period_us) {
        struct second *second = this_second(offer, *due_us);
        if (!offer->crowd.idle) {
            second->unsent++;
            continue;
        }
        second->offered++;
        crowd_start(&offer->crowd, *due_us);
    }
}

static void run_phase(struct offer *offer, const struct phase *phase, int64_t from_us)
{
    int64_t until_us = from_us + phase->seconds * US_PER_S;
    for (int64_t due_us = from_us; due_us < until_us;) {
        start_due(offer, &due_us, US_PER_S / phase->rate, until_us);
        int64_t wait_us = due_us - clock_monotonic_us();
        crowd_wait(&offer->crowd, wait_us > CLUMP_US ? wait_us : CLUMP_US, take_answer, offer);
    }
}

static void run(struct offer *offer, struct arena *arena)
{
    crowd_gather(&offer->crowd, arena);
    offer->began_us = clock_monotonic_us();
    int64_t from_us = offer->began_us;
    for (size_t i = 0; i < offer->phase_count; i++) {
        run_phase(offer, &offer->phases[i], from_us);
        from_us += offer->phases[i].seconds * US_PER_S;
    }
    while (offer->crowd.busy > 0 && clock_monotonic_us() < from_us + PATIENCE_S * US_PER_S)
        crowd_wait(&offer->crowd, US_PER_S / 10, take_answer, offer);
    if (offer->crowd.busy > 0)
        load_fail("not every request was answered");
}

static void print_quantiles(struct samples *samples)
{
    samples_sort(samples);
    printf("\"p50_ms\": %.1f, \"p99_ms\": %.1f, \"max_ms\": %.1f}\n",
           samples_quantile_ms(samples, 0.5), samples_quantile_ms(samples, 0.99),
           samples_quantile_ms(samples, 1));
    samples_fini(samples);
}

static void print_second(struct second *second, size_t phase, int64_t number, struct samples *all)
{
    for (size_t i = 0; i < second->samples.count; i++)
        samples_add(all, second->samples.us[i]);
    printf("{\"phase\": %zu, \"second\": %" PRId64 ", \"offered\": %" PRId64
           ", \"unsent\": %" PRId64 ", \"good\": %" PRId64
           ", \"answers\": %zu, \"refused\": %" PRId64 ", \"broken_off\": %" PRId64
           ", \"open\": %" PRId64 ", \"wrong\": %" PRId64 ", \"lost\": %" PRId64
           ", \"slowest_refusal_ms\": %.1f, ",
           phase, number, second->offered, second->unsent, second->good, second->samples.count,
           second->refused, second->broken_off, second->open, second->wrong, second->lost,
           (double)second->slowest_refusal_us / (double)US_PER_MS);
    print_quantiles(&second->samples);
}

// The seconds of a phase, then its quantiles. What ends after the last phase has one of its own.
static void print(struct offer *offer)
{
    int64_t number = 0;
    offer->phases[offer->phase_count].seconds = PATIENCE_S + 1;
    for (size_t i = 0; i <= offer->phase_count; i++) {
        struct samples all = {.us = NULL};
        for (int64_t s = 0; s < offer->phases[i].seconds; s++)
            print_second(&offer->seconds[number++], i, s, &all);
        printf("{\"phase\": %zu, ", i);
        print_quantiles(&all);
    }
    if (offer->wrong[0])
        fprintf(stderr, "bench-offer: last wrong answer: %s\n", offer->wrong);
}

static bool parse_phases(const char *text, struct offer *offer)
{
    int64_t total = 0;
    for (int length; offer->phase_count < PHASES_MAX; text += length + 1) {
        struct phase *phase = &offer->phases[offer->phase_count++];
        if (sscanf(text, "%" SCNd64 ":%" SCNd64 "%n", &phase->rate, &phase->seconds, &length) != 2)
            return false;
        total += phase->seconds;
        if (phase->rate < 1 || phase->seconds < 1 || total > SECONDS_MAX)
            return false;
        if (text[length] != ',')
            return text[length] == '\0';
    }
    return false;
}

int main(int argc, char **argv)
{
    SCOPED(arena) *arena = arena_create();
    static struct offer offer;
    offer.crowd = crowd_default();
    for (int i = 1; i + 1 < argc; i += 2) {
        bool phases = !strcmp(argv[i], "--phases");
        if (phases ? !parse_phases(argv[i + 1], &offer)
                   : !crowd_option(&offer.crowd, argv[i], argv[i + 1]))
            load_fail("bad argument; the top of tests/bench/offer.c says what there is");
    }
    if (offer.phase_count == 0)
        load_fail("--phases are required");
    run(&offer, arena);
    print(&offer);
    crowd_leave(&offer.crowd);
    return 0;
}
