#pragma once
// Sessions that a batch opens: tokens for the callers, rows for the database.

#include "lib/rpc/method.h"
#include "services/user/store.h"

struct opened {
    struct batch *batch;
    struct session *sessions;
    size_t count;
};

// Room for one session each call.
void sessions_init(struct opened *opened, struct batch *batch);

// Answers the call with a new session of the account.
void sessions_open(struct opened *opened, struct call *call, const struct account *account);

// Queues the rows.
struct status sessions_store(const struct opened *opened);
