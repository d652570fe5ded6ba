#pragma once
// Who may call what; a method without a row may be called by nobody.

#include "lib/rpc/method.h"

// OK, UNAUTHENTICATED or FORBIDDEN.
struct status access_check(const char *method, struct caller caller);

// Refuses the calls of the batch whose callers may not call it. First thing in every handler.
void access_filter(struct batch *batch);

// May the caller see what belongs to this user? FORBIDDEN if not.
struct status access_check_owner(struct caller caller, int64_t owner_id);
