#pragma once
// Events, appended in the business transaction, read without gaps (DESIGN 6).
//
// Table outbox(id, kind, key, payload, occurred_at, txid). Readers follow the ids, which keep the
// order of the events of one key, and go over a missing id only when nobody can commit it any more.

#include "lib/db/db.h"
#include "proto/common.pb-c.h"

// Appends events in the transaction of db; queued. Ids are given by the database; occurred_at is
// baro_now().
struct status outbox_append(struct db *db, const Baro__Event *const *events, size_t count);

// What a process knows of which ids are settled; any thread may use it. destroy accepts NULL.
struct outbox_reader;
struct outbox_reader *outbox_reader_create(void);
void outbox_reader_destroy(struct outbox_reader *reader);

// Events after `after_id` in id order, at most limit, that no running transaction can precede. Where an
// id is missing it stops, until a later read knows better. Not in a transaction that has written.
struct status outbox_read(struct outbox_reader *reader, struct db *db, struct arena *arena,
                          int64_t after_id, size_t limit, Baro__Event ***events, size_t *count);

// Deletes events older than keep_ms, at most limit.
struct status outbox_prune(struct db *db, int64_t keep_ms, int64_t limit, int64_t *deleted);
