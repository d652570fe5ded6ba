#pragma once
// What the limits mean for a request: who it counts for, its headers, its refusal, its outcome.

#include "gateway/request.h"

// Goes on with a request, once, on any thread.
typedef void quota_next(struct request *request);

// Takes a request whose message is built out of its route's limit, then calls `next`: with the
// answer set if it may not run. The connection is suspended.
void quota_take(struct request *request, quota_next *next);

// Tells the limits how a call ended, if they want to know, then calls `next`. `decided`: a success is
// final.
void quota_settle(struct request *request, struct status st, bool decided, quota_next *next);

// True for the end of an order or payment that counts as a failure of the user: a definite refusal;
// not a fault, not bad input.
bool quota_is_failure(struct status st);

// "user:7" counts for a caller; "login:<hash>" for an e-mail address, however it is spelled, tried
// from a network address (of IPv6, from its /64).
const char *quota_of_caller(struct arena *arena, int64_t user_id);
const char *quota_of_login(struct arena *arena, const char *email, const struct sockaddr *address);
