// One thread with epoll. It signs the access tokens itself, so that sign-ins (argon2id) are not what
// is measured, and keeps them in a file for the next runs, as customers keep theirs for an hour.

#include "tests/bench/crowd.h"

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "lib/base/text.h"
#include "services/user/token.h"

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

enum { EVENTS_MAX = 256 };

struct crowd crowd_default(void)
{
    return (struct crowd){
        .connections = 64,
        .market = {.random = UINT64_C(88172645463325252),
                   .lines = 3,
                   .users = {1, 1},
                   .options = {1, 1},
                   .products = {1, 1}},
        .epoll = epoll_create1(EPOLL_CLOEXEC),
    };
}

static bool parse_range(const char *text, struct range *range)
{
    return sscanf(text, "%" SCNd64 ":%" SCNd64, &range->first, &range->count) == 2 &&
           range->count > 0;
}

static bool parse_gateways(const char *text, struct crowd *crowd)
{
    char host[64];
    int port, length;
    while (crowd->gateway_count < GATEWAYS_MAX &&
           sscanf(text, "%63[0-9.]:%d%n", host, &port, &length) == 2) {
        struct sockaddr_in *address = &crowd->gateways[crowd->gateway_count++];
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

bool crowd_option(struct crowd *crowd, const char *name, const char *value)
{
    const struct {
        const char *name;
        int64_t *number;
        struct range *range;
    } OPTIONS[] = {
        {"--connections",    &crowd->connections,           NULL                   },
        {"--lines",          &crowd->market.lines,          NULL                   },
        {"--coupon-percent", &crowd->market.coupon_percent, NULL                   },
        {"--campaign",       &crowd->market.campaign,       NULL                   },
        {"--users",          NULL,                          &crowd->market.users   },
        {"--options",        NULL,                          &crowd->market.options },
        {"--products",       NULL,                          &crowd->market.products},
        {"--coupons",        NULL,                          &crowd->market.coupons },
    };
    if (!strcmp(name, "--gateway"))
        return parse_gateways(value, crowd);
    if (!strcmp(name, "--flow"))
        return (crowd->flow = flow_find(value)) != NULL;
    if (!strcmp(name, "--key"))
        return (crowd->key_file = value) != NULL;
    if (!strcmp(name, "--tokens"))
        return (crowd->tokens_file = value) != NULL;
    for (size_t i = 0; i < COUNT(OPTIONS); i++)
        if (!strcmp(name, OPTIONS[i].name))
            return OPTIONS[i].range ? parse_range(value, OPTIONS[i].range)
                                    : text_parse_int64(value, 0, INT64_MAX, OPTIONS[i].number);
    return false;
}

static void sign_tokens(const struct crowd *crowd, struct arena *arena)
{
    char pem[4096];
    struct signing_key *key;
    FILE *file = fopen(crowd->key_file, "r");
    if (!file)
        load_fail("cannot read the file of --key");
    pem[fread(pem, 1, sizeof(pem) - 1, file)] = '\0';
    fclose(file);
    if (failed(signing_key_parse(pem, arena, &key)))
        load_fail("the file of --key holds no P-256 key in PEM");
    file = fopen(crowd->tokens_file, "w");
    for (int64_t i = 0; file && i < crowd->market.users.count; i++) {
        struct account account = {.id = crowd->market.users.first + i, .role = ROLE_USER};
        const char *token;
        if (failed(access_token_sign(key, &account, clock_realtime_us(), arena, &token)))
            load_fail("cannot sign a token");
        fprintf(file, "%s\n", token);
    }
    if (!file || fclose(file) != 0)
        load_fail("cannot write the file of --tokens");
}

static void read_tokens(struct crowd *crowd, struct arena *arena)
{
    char token[REQUEST_MAX];
    size_t count = (size_t)crowd->market.users.count;
    if (access(crowd->tokens_file, R_OK) != 0)
        sign_tokens(crowd, arena);
    FILE *file = fopen(crowd->tokens_file, "r");
    crowd->tokens = arena_array(arena, count, sizeof(*crowd->tokens));
    for (size_t i = 0; i < count; i++) {
        if (!file || !fgets(token, sizeof(token), file))
            load_fail("the file of --tokens has too few");
        token[strcspn(token, "\n")] = '\0';
        crowd->tokens[i] = text_copy(arena, token);
    }
    fclose(file);
}

static void raise_file_limit(void)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

static void connect_one(struct crowd *crowd, struct customer *customer)
{
    exchange_open(&customer->exchange, crowd->epoll, &crowd->gateways[customer->gateway], customer);
}

static void disconnect_one(struct customer *customer)
{
    close(customer->exchange.fd);
    customer->exchange.fd = -1;
}

static void rest(struct crowd *crowd, struct customer *customer)
{
    customer->is_idle = true;
    customer->next_idle = crowd->idle;
    crowd->idle = customer;
}

void crowd_gather(struct crowd *crowd, struct arena *arena)
{
    if (!crowd->gateway_count || !crowd->flow)
        load_fail("--gateway and --flow are required");
    raise_file_limit();
    if (crowd->key_file && crowd->tokens_file)
        read_tokens(crowd, arena);
    crowd->customers = calloc((size_t)crowd->connections, sizeof(*crowd->customers));
    assert(crowd->customers);
    for (int64_t i = 0; i < crowd->connections; i++) {
        struct customer *customer = &crowd->customers[crowd->connections - 1 - i];
        customer->gateway = (size_t)i % crowd->gateway_count;
        connect_one(crowd, customer);
        rest(crowd, customer);
    }
}

void crowd_leave(struct crowd *crowd)
{
    free(crowd->customers);
}

void crowd_reconnect(struct crowd *crowd, struct customer *customer)
{
    disconnect_one(customer);
    connect_one(crowd, customer);
}

static void send_step(struct crowd *crowd, struct customer *customer)
{
    char path[128], body[1024];
    const struct journey *journey = &customer->journey;
    const struct step *step = &crowd->flow->steps[journey->step];
    step->write_path(journey, path, sizeof(path));
    if (step->write_body)
        step->write_body(&crowd->market, journey, body, sizeof(body));
    exchange_request(&customer->exchange, step->method, path,
                     crowd->tokens ? crowd->tokens[journey->user] : NULL,
                     step->write_body ? body : NULL);
    exchange_send(&customer->exchange, crowd->epoll, customer);
}

void crowd_start(struct crowd *crowd, int64_t since_us)
{
    struct customer *customer = crowd->idle;
    crowd->idle = customer->next_idle;
    customer->is_idle = false;
    if (customer->exchange.fd < 0)
        connect_one(crowd, customer);
    flow_begin(crowd->flow, &crowd->market, &customer->journey);
    customer->since_us = customer->asked_us = since_us;
    crowd->busy++;
    send_step(crowd, customer);
}

enum journey_end crowd_take_answer(struct crowd *crowd, struct customer *customer,
                                   const struct http_answer *answer)
{
    struct journey *journey = &customer->journey;
    bool good = answer->status == crowd->flow->steps[journey->step].success;
    if (!good || journey->step + 1 == crowd->flow->step_count) {
        crowd->busy--;
        rest(crowd, customer);
        return good ? JOURNEY_GOOD : JOURNEY_BAD;
    }
    const char *id = strstr(answer->body, "\"id\":");
    if (!id)
        load_fail("an answer without an id");
    journey->order_id = strtoll(id + strlen("\"id\":"), NULL, 10);
    journey->step++;
    customer->asked_us = clock_monotonic_us();
    send_step(crowd, customer);
    return JOURNEY_GOES_ON;
}

void crowd_wait(struct crowd *crowd, int64_t wait_us,
                void (*take)(void *arg, struct customer *customer,
                             const struct http_answer *answer),
                void *arg)
{
    struct epoll_event events[EVENTS_MAX];
    struct timespec wait = {.tv_sec = wait_us / US_PER_S, .tv_nsec = wait_us % US_PER_S * 1000};
    int count = epoll_pwait2(crowd->epoll, events, EVENTS_MAX, &wait, NULL);
    for (int i = 0; i < count; i++) {
        struct customer *customer = events[i].data.ptr;
        struct http_answer answer;
        if (events[i].events & EPOLLOUT)
            exchange_send(&customer->exchange, crowd->epoll, customer);
        if (!(events[i].events & ~(uint32_t)EPOLLOUT) ||
            !exchange_receive(&customer->exchange, &answer))
            continue;
        if (customer->is_idle)
            disconnect_one(customer);
        else
            take(arg, customer, &answer);
    }
}
