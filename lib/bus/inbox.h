#pragma once
// Idempotency keys (SPEC 1): the guard of writes that clients may repeat.
//
// Table idempotency(id bytea PRIMARY KEY, request_hash, code, reason, field, message, reply, created_at):
// id stands for (user, method, key). The first definite outcome is stored in the transaction of the
// effect and answered again for 24 hours; the same key with another body is IDEMPOTENCY_KEY_REUSED; two
// at once in one batch run once. Validation failures and faults are not kept. A deferred call claims its
// key, in the transaction of what it began: until inbox_store it is REQUEST_IN_PROGRESS for everybody.
// Calls without a key pass.

#include "lib/db/db.h"
#include "lib/rpc/method.h"

extern const struct guard idempotency_guard;

// Stores the outcomes of deferred calls in place of their claims, in the transaction of db; queued.
// An outcome that is not kept frees its key. An outcome that is there already stays.
struct status inbox_store(struct db *db, const struct bytes *ids, const struct bytes *hashes,
                          const struct status *outcomes, const struct bytes *replies, size_t count);

// Deletes rows older than 24 h, at most limit.
struct status inbox_prune(struct db *db, int64_t limit, int64_t *deleted);
