#pragma once
// Who may call which method: one table for each service. A method without a row is refused.

#include "lib/rpc/method.h"

// ACCESS_NOBODY is what a forgotten column means.
enum access {
    ACCESS_NOBODY = 0,
    ACCESS_ANYBODY,
    ACCESS_USER, // somebody is signed in: a user, or an admin as a user
    ACCESS_ADMIN,
    ACCESS_SERVICE, // another service of ours, or a saga
};

// A method of the table, and what runs the calls that may pass.
struct access_rule {
    const char *method;
    enum access access;
    struct status (*handle)(struct batch *batch);
};

// OK, or UNAUTHENTICATED (nobody is signed in), or FORBIDDEN.
struct status access_check(enum access access, struct caller caller, bool saga);

// The body of every `handle` of a methods table: refuses the calls that their callers may not make
// and runs the rule's handler over the others, if there are any.
struct status access_handle(struct batch *batch, const struct access_rule *rules, size_t count);
