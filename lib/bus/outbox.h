#pragma once
// Events, appended in the business transaction, read without gaps (DESIGN 6).
//
// Table outbox(id, kind, key, payload, occurred_at, txid): readers see only rows below the oldest
// running transaction, so that an id that commits late is never skipped.

#include "lib/db/db.h"
#include "proto/common.pb-c.h"

// Appends events in the transaction of db; queued. Ids are given by the database; occurred_at is
// baro_now().
struct status outbox_append(struct db *db, const Baro__Event *const *events, size_t count);

// Events after `after_id` in id order, at most limit, that no running transaction can precede.
struct status outbox_read(struct db *db, struct arena *arena, int64_t after_id, size_t limit,
                          Baro__Event ***events, size_t *count);

// Deletes events older than keep_ms, at most limit.
struct status outbox_prune(struct db *db, int64_t keep_ms, int64_t limit, int64_t *deleted);
