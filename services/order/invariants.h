#pragma once
// The laws as an endpoint and a metric: checked in the background by whichever replica comes first
// when a period is over, and at once for who asks.
//
// A check reads everything in pages, which takes a second for thousands of orders and a minute for
// millions. Who asks waits for a check that began after the question, a few seconds at most; then
// the answer is the last check that ended, whoever made it, with its time.

#include "lib/db/db.h"
#include "lib/rpc/client.h"
#include "lib/rpc/method.h"

struct invariants;

struct invariants_options {
    const char *database_url;
    struct rpc_client *user, *product, *coupon;
    int64_t period_ms; // of the checks in the background; 0: none
};

struct invariants *invariants_start(const struct invariants_options *options);

// Ends the check that runs and answers who waits. Accepts NULL.
void invariants_stop(struct invariants *invariants);

// Handlers of GetInvariants (service.c).
void prepare_get_invariants(struct call *call);
struct status handle_get_invariants(struct batch *batch);
