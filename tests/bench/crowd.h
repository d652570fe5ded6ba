#pragma once
// Customers on keep-alive connections, each on a journey through a flow: what the load generators
// have in common. When journeys start is theirs.

#include "tests/bench/exchange.h"
#include "tests/bench/flow.h"

struct arena;

enum { GATEWAYS_MAX = 8 };

struct customer {
    struct exchange exchange;
    struct journey journey;
    int64_t since_us; // when the journey began, or should have begun
    int64_t asked_us; // when the request that is under way did
    size_t gateway;   // that the connection goes to
    bool is_idle;     // perhaps without a connection: the gateway does not wait for ever
    struct customer *next_idle;
};

struct crowd {
    struct sockaddr_in gateways[GATEWAYS_MAX];
    size_t gateway_count;
    const char *key_file, *tokens_file;
    const struct flow *flow;
    struct market market;
    int64_t connections;

    char **tokens;
    struct customer *customers, *idle;
    int epoll;
    size_t busy; // customers on a journey
};

// How a crowd looks before its options.
struct crowd crowd_default(void);

// Reads --gateway, --flow, --key, --tokens, --connections and what there is in the market. False for
// what it does not know or cannot read.
bool crowd_option(struct crowd *crowd, const char *name, const char *value);

// Signs in and connects everybody; all are idle. Ends the program when something is missing.
void crowd_gather(struct crowd *crowd, struct arena *arena);
void crowd_leave(struct crowd *crowd);

// Makes a new connection for a customer whose own is gone.
void crowd_reconnect(struct crowd *crowd, struct customer *customer);

// Takes an idle customer and sends the first request of a new journey, on a new connection if the
// gateway has closed the old one.
void crowd_start(struct crowd *crowd, int64_t since_us);

// A whole answer has come: sends the next request of the journey, or ends it.
enum journey_end { JOURNEY_GOES_ON, JOURNEY_GOOD, JOURNEY_BAD };
enum journey_end crowd_take_answer(struct crowd *crowd, struct customer *customer,
                                   const struct http_answer *answer);

// Waits for answers, at most so long, and hands each to `take`.
void crowd_wait(struct crowd *crowd, int64_t wait_us,
                void (*take)(void *arg, struct customer *customer,
                             const struct http_answer *answer),
                void *arg);
