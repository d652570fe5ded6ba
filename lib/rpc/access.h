#pragma once
// Who may call which method: a column of its row (method.h), checked by the worker for each call before
// the handler sees it.

#include "lib/rpc/method.h"

// OK, or UNAUTHENTICATED (nobody is signed in), or FORBIDDEN. A saga's commands are a service's.
struct status access_check(enum access access, struct caller caller, bool saga);
