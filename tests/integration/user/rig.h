#pragma once
// The user service in a rig (tests/support/rig.h), and the verbs of its tests.

#include "proto/user.pb-c.h"
#include "services/user/service.h"
#include "tests/support/rig.h"

// A service on a database of its own; a second replica of one.
struct rig *rig_open(struct rig_size size);
struct rig *rig_open_replica(const struct rig *first, struct rig_size size);

// Stops the service and, for the first replica, asserts law 1 of SPEC 8 over all that is in the
// database. Replicas are closed before the first.
void rig_close(struct rig *rig);

// What a later bootstrap goes by.
struct user_settings *rig_settings(const struct rig *rig);

// An account with a wallet, without the cost of a password.
int64_t given_user(struct rig *rig);

// The same with money: an adjustment by an admin.
int64_t given_user_with(struct rig *rig, int64_t balance_won);

const struct asked *charge(struct rig *rig, struct as as, int64_t amount_won);
int64_t wallet_balance(struct rig *rig, int64_t user_id);
