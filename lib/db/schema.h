#pragma once
// The functions that every service database has, whatever its tables are:
//
//   baro_now() -> timestamptz          the clock of facts; tests replace it to move time
//   baro_time(bigint) -> timestamptz   microseconds since 1970; NULL for NULL
//   baro_make_partitions(parent, ahead, fillfactor)
//                                      for a table that is partitioned by an id of time_id(): the
//                                      partitions of this month and of `ahead` more; those that
//                                      exist stay. Runs as the owner, whoever calls it
//   baro_make_partition(parent, month, fillfactor)
//                                      the same for one month, which begins at that time UTC; as
//                                      whoever calls it
//
// and those of rights.h.

#include "lib/db/db.h"

// Makes what is missing; an existing function is left alone. Run before migrate(), by any number
// of replicas at once.
struct status schema_prepare(struct db *db);
