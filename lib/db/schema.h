#pragma once
// The functions that every service database has, whatever its tables are:
//
//   baro_now() -> timestamptz          the clock of facts; tests replace it to move time
//   baro_time(bigint) -> timestamptz   microseconds since 1970; NULL for NULL

#include "lib/db/db.h"

// Makes what is missing; an existing baro_now() is left alone. Run before migrate(), by any number
// of replicas at once.
struct status schema_prepare(struct db *db);
