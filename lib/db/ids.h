#pragma once
// Ids from sequences in blocks: the sequence has INCREMENT BY 1000, and one nextval hands out 1,000
// ids in memory, so that a row's id is known before its insert (DESIGN 6). Thread-safe.

#include "lib/db/db.h"

enum { ID_BLOCK = 1000 };

struct ids;

// `sequence` names a sequence made with INCREMENT BY 1000.
struct ids *ids_create(const char *sequence);
void ids_destroy(struct ids *ids);

// Writes count fresh ids. Asks the database on `db` only when the block is used up; outside or inside
// a transaction of that db.
struct status ids_take(struct ids *ids, struct db *db, size_t count, int64_t *values);
