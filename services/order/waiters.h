#pragma once
// Deferred calls that wait for the end of a saga, or for their patience to run out, whichever is
// first: who takes the call out of the table answers it, so it is answered once. Thread-safe.

#include "lib/rpc/method.h"

struct waiters;

// `impatient` gets the calls whose time is over, on the thread of the waiters; it must answer them.
typedef void waiters_impatient(void *arg, struct call *call, int64_t order_id);

struct waiters *waiters_create(waiters_impatient *impatient, void *arg);

// Answers the calls that are left with UNAVAILABLE. Accepts NULL.
void waiters_destroy(struct waiters *waiters);

void waiters_add(struct waiters *waiters, int64_t saga_id, int64_t order_id, struct call *call,
                 int64_t wait_ms);

// The call that waits for the saga, no longer in the table; NULL if there is none.
struct call *waiters_take(struct waiters *waiters, int64_t saga_id);
