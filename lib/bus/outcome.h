#pragma once
// Outcomes of calls as rows: what the two guards (idempotency keys, saga barrier) store in the
// transaction of an effect and answer again later.

#include "lib/db/db.h"
#include "lib/rpc/method.h"

// Columns of many outcomes, ready to be parameters of an INSERT from unnest(..).
struct outcome_columns {
    struct arena *arena;
    size_t count;
    int64_t *codes;
    const char **reasons, **fields, **messages;
    struct bytes *replies;
};

// Room for at most `capacity` outcomes in arena.
void outcome_columns_init(struct outcome_columns *columns, struct arena *arena, size_t capacity);

// Appends an outcome; a reply that is NULL is stored as NULL. Texts are borrowed.
void outcome_add(struct outcome_columns *columns, struct status st, const ProtobufCMessage *reply);

// Settles the call with the outcome whose code, reason, field, message and reply stand in five columns of
// the row from `column` on, copied into the call's arena, and marks it as replayed.
void outcome_replay(struct call *call, const struct rows *rows, size_t row, int column);

// Settles the call with what another one of the same batch got.
void outcome_share(struct call *call, const struct call *first);

// Settles the call with success and a reply in which every field has its default.
void outcome_succeed(struct call *call);

// A copy of an earlier call of the same batch waits for that one's outcome: until then it says
// REQUEST_IN_PROGRESS, which it keeps when the first one is answered only later.
void outcome_wait_for_first(struct call *call);
bool outcome_waits_for_first(const struct call *call);
