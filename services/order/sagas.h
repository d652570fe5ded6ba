#pragma once
// The sagas of this replica: the runner, the calls that wait for them, and their leases.
//
// A saga's row is written by whoever starts it; from then on the runner walks it (lib/saga/runner.h)
// and its records come back to the dispatcher as EndSaga and RecordSaga, so that the ends of many
// sagas share one transaction.

#include "lib/db/db.h"
#include "lib/rpc/client.h"
#include "lib/rpc/dispatcher.h"
#include "lib/saga/runner.h"
#include "services/order/store.h"

struct publisher;
struct sagas;

struct sagas_options {
    struct dispatcher *dispatcher;
    struct publisher *publisher;
    const char *secret;
    const char *instance;
    struct rpc_client *user, *product, *coupon;
    const char *user_bus, *product_bus, *coupon_bus; // where their replies are published
    int64_t lease_ms;
    struct saga_runner_options runner;
};

struct status sagas_start(const struct sagas_options *options, struct sagas **sagas);

// Waits until nobody uses the runner and no record is on its way (so the dispatcher must still run); from
// then on nothing comes in. Accepts NULL.
void sagas_stop(struct sagas *sagas);

// After sagas_stop, when no handler runs any more: calls that still wait are answered UNAVAILABLE.
// Accepts NULL.
void sagas_destroy(struct sagas *sagas);

// "instance#start": one life of one replica.
const char *sagas_owner(const struct sagas *sagas);
int64_t sagas_lease_ms(const struct sagas *sagas);

// A saga whose row is durable, and the deferred call that waits for its end; NULL: none.
struct launch {
    const struct saga_row *saga;
    struct call *call;
    int64_t wait_ms; // then, or shortly before its deadline, it is answered with the order as it is
};

// Starts the sagas together. The calls may be answered before this returns. Does nothing once the
// sagas have been stopped: the rows stay for whoever takes them over.
void sagas_launch(struct sagas *sagas, const struct launch *launches, size_t count);

// The call that waits for this saga, with its outcome set, for calls_finish; NULL: nobody waits.
// `reply` and the texts are borrowed until then.
struct call *sagas_settle(struct sagas *sagas, int64_t saga_id, struct status st,
                          const ProtobufCMessage *reply);

// By hand: false when the saga is not here.
bool sagas_retry(struct sagas *sagas, int64_t saga_id);

// Renews the leases of what runs here and takes over what nobody works for.
struct status sagas_keep(struct sagas *sagas, struct db *db);

// Ends the leases, so that others may take over at once.
struct status sagas_release(struct sagas *sagas, struct db *db);
