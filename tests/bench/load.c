// The load generator: customers on keep-alive connections, each on a journey through a flow.
//
//   bench-load --gateway 127.0.0.1:8080[,..] --flow order|place|checkout|claim|product|balance ..
//
// OPTIONS below lists what else it takes. Three paces:
//
//   closed (default)  each connection starts its next journey when the last one ends
//   --rate N          N journeys a second start at fixed times, on any connection that is free. What
//                     starts late because none was free counts from when it should have started, so
//                     a server that stalls is not asked less (no coordinated omission).
//   --burst 1         every connection makes one journey, all at once. Their tokens are known to the
//                     gateway: each customer has looked at his balance before.
//
// One thread with epoll. It signs the access tokens itself, so that sign-ins (argon2id) are not what
// is measured, and keeps them in a file for the next runs, as customers keep theirs for an hour. Prints
// one line of JSON.

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "lib/base/text.h"
#include "services/user/token.h"
#include "tests/bench/exchange.h"
#include "tests/bench/flow.h"
#include "tests/bench/samples.h"

#include <arpa/inet.h>
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_MAX = 256, GATEWAYS_MAX = 8, STATUS_MAX = 600, PATIENCE_S = 30 };

struct customer {
    struct exchange exchange;
    struct journey journey;
    int64_t since_us; // when the journey began, or should have begun
    struct customer *next_idle;
};

struct load {
    struct sockaddr_in gateways[GATEWAYS_MAX];
    size_t gateway_count;
    const char *key_file, *tokens_file;
    const struct flow *flow;
    struct market market;
    int64_t connections, seconds, warmup, rate, burst;

    char **tokens;
    struct customer *customers, *idle;
    int epoll;
    size_t busy; // customers on a journey
    bool over;   // no journey starts any more
    int64_t measure_from_us, end_us, next_start_us;
    struct samples samples;
    int64_t answers[STATUS_MAX]; // that were measured, by status
    int64_t done, body_bytes;    // journeys that went well, also those of the warm-up
    double cpu_ms;               // of the run, not of signing the tokens
    char last_refusal[512];
};

static void send_step(struct load *load, struct customer *customer)
{
    char path[128], body[1024];
    const struct journey *journey = &customer->journey;
    const struct step *step = &load->flow->steps[journey->step];
    step->write_path(journey, path, sizeof(path));
    if (step->write_body)
        step->write_body(&load->market, journey, body, sizeof(body));
    exchange_request(&customer->exchange, step->method, path,
                     load->tokens ? load->tokens[journey->user] : NULL,
                     step->write_body ? body : NULL);
    exchange_send(&customer->exchange, load->epoll, customer);
}

static void start_journey(struct load *load, struct customer *customer, int64_t since_us)
{
    flow_begin(load->flow, &load->market, &customer->journey);
    customer->since_us = since_us;
    load->busy++;
    send_step(load, customer);
}

static void end_journey(struct load *load, struct customer *customer,
                        const struct http_answer *answer, bool good)
{
    int64_t now_us = clock_monotonic_us();
    bool measured = load->burst || load->rate ? customer->since_us >= load->measure_from_us
                                              : now_us >= load->measure_from_us && !load->over;
    load->busy--;
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
    customer->next_idle = load->idle;
    load->idle = customer;
}

// A whole answer has come: the next request of the journey, or its end.
static void take_answer(struct load *load, struct customer *customer,
                        const struct http_answer *answer)
{
    struct journey *journey = &customer->journey;
    bool good = answer->status == load->flow->steps[journey->step].success;
    if (!good || journey->step + 1 == load->flow->step_count) {
        end_journey(load, customer, answer, good);
        return;
    }
    const char *id = strstr(answer->body, "\"id\":");
    if (!id)
        load_fail("an answer without an id");
    journey->order_id = strtoll(id + strlen("\"id\":"), NULL, 10);
    journey->step++;
    send_step(load, customer);
}

static void take_events(struct load *load, int64_t wait_us)
{
    struct epoll_event events[EVENTS_MAX];
    struct timespec wait = {.tv_sec = wait_us / US_PER_S, .tv_nsec = wait_us % US_PER_S * 1000};
    int count = epoll_pwait2(load->epoll, events, EVENTS_MAX, &wait, NULL);
    for (int i = 0; i < count; i++) {
        struct customer *customer = events[i].data.ptr;
        struct http_answer answer;
        if (events[i].events & EPOLLOUT)
            exchange_send(&customer->exchange, load->epoll, customer);
        if (events[i].events & ~(uint32_t)EPOLLOUT &&
            exchange_receive(&customer->exchange, &answer))
            take_answer(load, customer, &answer);
    }
}

static struct customer *take_idle(struct load *load)
{
    struct customer *customer = load->idle;
    load->idle = customer->next_idle;
    return customer;
}

static void start_all_idle(struct load *load)
{
    while (load->idle)
        start_journey(load, take_idle(load), clock_monotonic_us());
}

static void wait_for_all(struct load *load)
{
    int64_t limit_us = clock_monotonic_us() + PATIENCE_S * US_PER_S;
    while (load->busy > 0) {
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
        while (load->idle && load->next_start_us <= clock_monotonic_us() &&
               load->next_start_us < load->end_us) {
            start_journey(load, take_idle(load), load->next_start_us);
            load->next_start_us += US_PER_S / load->rate;
        }
        if (load->idle)
            wait_us = load->next_start_us - clock_monotonic_us();
        take_events(load, wait_us > 0 ? wait_us : 0);
    }
    wait_for_all(load);
}

static void run_burst(struct load *load)
{
    const struct flow *flow = load->flow;
    load->measure_from_us = INT64_MAX;
    load->flow = flow_find("balance");
    start_all_idle(load);
    wait_for_all(load);
    load->flow = flow;
    load->market.next_user = 0;
    load->measure_from_us = clock_monotonic_us();
    load->done = 0;
    load->cpu_ms = 0;
    while (load->idle)
        start_journey(load, take_idle(load), load->measure_from_us);
    wait_for_all(load);
}

static double cpu_ms(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec * 1e3 + (double)used.tv_nsec / 1e6;
}

static void run(struct load *load)
{
    double before_ms = cpu_ms();
    load->measure_from_us = clock_monotonic_us() + load->warmup * US_PER_S;
    load->end_us = load->measure_from_us + load->seconds * US_PER_S;
    for (int64_t i = 0; i < load->connections; i++) {
        struct customer *customer = &load->customers[load->connections - 1 - i];
        exchange_open(&customer->exchange, load->epoll,
                      &load->gateways[(size_t)i % load->gateway_count], customer);
        customer->next_idle = load->idle;
        load->idle = customer;
    }
    if (load->burst)
        run_burst(load);
    else if (load->rate)
        run_open(load);
    else
        run_closed(load);
    load->cpu_ms = cpu_ms() - before_ms;
}

static void sign_tokens(const struct load *load, struct arena *arena)
{
    char pem[4096];
    struct signing_key *key;
    FILE *file = fopen(load->key_file, "r");
    if (!file)
        load_fail("cannot read the file of --key");
    pem[fread(pem, 1, sizeof(pem) - 1, file)] = '\0';
    fclose(file);
    if (failed(signing_key_parse(pem, arena, &key)))
        load_fail("the file of --key holds no P-256 key in PEM");
    file = fopen(load->tokens_file, "w");
    for (int64_t i = 0; file && i < load->market.users.count; i++) {
        struct account account = {.id = load->market.users.first + i, .role = ROLE_USER};
        const char *token;
        if (failed(access_token_sign(key, &account, clock_realtime_us(), arena, &token)))
            load_fail("cannot sign a token");
        fprintf(file, "%s\n", token);
    }
    if (!file || fclose(file) != 0)
        load_fail("cannot write the file of --tokens");
}

static void read_tokens(struct load *load, struct arena *arena)
{
    char token[REQUEST_MAX];
    size_t count = (size_t)load->market.users.count;
    if (access(load->tokens_file, R_OK) != 0)
        sign_tokens(load, arena);
    FILE *file = fopen(load->tokens_file, "r");
    load->tokens = arena_array(arena, count, sizeof(*load->tokens));
    for (size_t i = 0; i < count; i++) {
        if (!file || !fgets(token, sizeof(token), file))
            load_fail("the file of --tokens has too few");
        token[strcspn(token, "\n")] = '\0';
        load->tokens[i] = text_copy(arena, token);
    }
    fclose(file);
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
           load->flow->name, load->connections, seconds, load->samples.count,
           seconds > 0 ? (double)load->samples.count / seconds : 0);
    for (size_t i = 0; i < COUNT(quantiles); i++)
        printf("\"%s\": %.2f, ", quantiles[i].name,
               samples_quantile_ms(&load->samples, quantiles[i].q));
    print_answers(load);
    printf(", \"done\": %" PRId64 ", \"load_cpu_ms\": %.0f}\n", load->done, load->cpu_ms);
    if (load->last_refusal[0])
        fprintf(stderr, "bench-load: last answer that was no success: %s\n", load->last_refusal);
}

static bool parse_range(const char *text, struct range *range)
{
    return sscanf(text, "%" SCNd64 ":%" SCNd64, &range->first, &range->count) == 2 &&
           range->count > 0;
}

static bool parse_gateways(const char *text, struct load *load)
{
    char host[64];
    int port, length;
    while (load->gateway_count < GATEWAYS_MAX &&
           sscanf(text, "%63[0-9.]:%d%n", host, &port, &length) == 2) {
        struct sockaddr_in *address = &load->gateways[load->gateway_count++];
        *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
        if (inet_pton(AF_INET, host, &address->sin_addr) != 1)
            return false;
        text += length;
        if (*text == '\0')
            return true;
        text++;
    }
    return false;
}

static bool parse_option(struct load *load, const char *name, const char *value)
{
    const struct {
        const char *name;
        int64_t *number;
        struct range *range;
    } OPTIONS[] = {
        {"--connections",    &load->connections,           NULL                  },
        {"--seconds",        &load->seconds,               NULL                  },
        {"--warmup",         &load->warmup,                NULL                  },
        {"--rate",           &load->rate,                  NULL                  },
        {"--burst",          &load->burst,                 NULL                  },
        {"--lines",          &load->market.lines,          NULL                  },
        {"--coupon-percent", &load->market.coupon_percent, NULL                  },
        {"--campaign",       &load->market.campaign,       NULL                  },
        {"--users",          NULL,                         &load->market.users   },
        {"--options",        NULL,                         &load->market.options },
        {"--products",       NULL,                         &load->market.products},
        {"--coupons",        NULL,                         &load->market.coupons },
    };
    if (!strcmp(name, "--gateway"))
        return parse_gateways(value, load);
    if (!strcmp(name, "--flow"))
        return (load->flow = flow_find(value)) != NULL;
    if (!strcmp(name, "--key"))
        return (load->key_file = value) != NULL;
    if (!strcmp(name, "--tokens"))
        return (load->tokens_file = value) != NULL;
    for (size_t i = 0; i < COUNT(OPTIONS); i++)
        if (!strcmp(name, OPTIONS[i].name))
            return OPTIONS[i].range ? parse_range(value, OPTIONS[i].range)
                                    : text_parse_int64(value, 0, INT64_MAX, OPTIONS[i].number);
    return false;
}

static void raise_file_limit(void)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

int main(int argc, char **argv)
{
    SCOPED(arena) *arena = arena_create();
    struct load load = {
        .connections = 64,
        .seconds = 10,
        .warmup = 2,
        .market = {.random = UINT64_C(88172645463325252),
                   .lines = 3,
                   .users = {1, 1},
                   .options = {1, 1},
                   .products = {1, 1}},
        .epoll = epoll_create1(EPOLL_CLOEXEC),
    };
    for (int i = 1; i < argc; i += 2)
        if (i + 1 == argc || !parse_option(&load, argv[i], argv[i + 1]))
            load_fail("bad argument; parse_option in tests/bench/load.c lists them");
    if (!load.gateway_count || !load.flow)
        load_fail("--gateway and --flow are required");
    raise_file_limit();
    load.market.each_once = load.burst;
    if (load.key_file && load.tokens_file)
        read_tokens(&load, arena);
    load.customers = calloc((size_t)load.connections, sizeof(*load.customers));
    assert(load.customers);
    run(&load);
    print(&load);
    bool idle = load.samples.count == 0;
    samples_fini(&load.samples);
    free(load.customers);
    return idle;
}
