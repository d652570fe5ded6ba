#pragma once
// How often somebody may do something (SPEC 7), counted in Redis for all gateways together.
//
// Redis has a tenth of a second to answer. Without its answer a limit of this process
// alone holds (fallback.h), blocks are not known, and a metric counts. Thread-safe.

#include "gateway/routes.h"
#include "lib/base/settings.h"

struct limits;

// A rate whose count is 0 is off.
struct limits_settings {
    const char *redis_url;
    struct setting_rate orders, claims, logins;
    struct setting_rate failures; // so many in a row block for the window
};

enum limit_verdict { LIMIT_PASSED, LIMIT_EXCEEDED, LIMIT_BLOCKED };

struct limit_answer {
    enum limit_verdict verdict;
    int64_t remaining; // requests that would still pass
    int64_t reset_ms;  // until one more passes; of a block: until it ends
    bool repeated;     // a request that was counted before: it passes and costs nothing
    bool failures;     // failures stand against them, or may
};

// Who asks ("user:7") and for which request: the same words mean the same request again.
struct limit_subject {
    const char *who;
    const char *request;
};

// What a route's limit is called in headers, and what it is; count 0 when it is off.
struct limit_policy {
    const char *name;
    struct setting_rate rate;
};

// Connects unless everything is off; does not wait for Redis. INVALID_ARGUMENT for a bad URL.
struct status limits_create(const struct limits_settings *settings, struct limits **limits);

// Answers what waits; from now on Redis is not asked. Nobody may be inside a call. Accepts NULL.
void limits_stop(struct limits *limits);

// Frees what was stopped. Accepts NULL.
void limits_destroy(struct limits *limits);

struct limit_policy limits_policy(const struct limits *limits, enum limit limit);

// The policy of the block; its count is 0 where the limit's requests never block.
struct limit_policy limits_block_policy(const struct limits *limits, enum limit limit);

// Receives the answer once, on any thread, maybe before the asking call returns. It must not block.
typedef void limit_done(void *arg, const struct limit_answer *answer);

// Takes one request out of the limit, if that and the block allow it.
void limits_take(struct limits *limits, enum limit limit, struct limit_subject subject,
                 limit_done *done, void *arg);

// Remembers how an order or payment ended; the answer says nothing but that it is done.
void limits_record(struct limits *limits, enum limit limit, struct limit_subject subject,
                   bool success, limit_done *done, void *arg);
