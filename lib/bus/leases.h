#pragma once
// A fair share of the saga partitions for each replica, leased in the service's own database.
//
// Table bus_partition(partition, owner, lease_until), made by lib/bus/migrations. Time is the
// database's.

#include "lib/db/db.h"

#include <stdint.h>

enum { SAGA_PARTITIONS = 16 };

// Renews what `instance` owns, takes free or expired partitions up to its share of the replicas that
// are alive, gives back what is above its share. *partitions: bit i set for partition i.
struct status leases_renew(struct db *db, const char *instance, int64_t lease_ms,
                           uint32_t *partitions);

// Gives everything back, on shutdown.
struct status leases_release(struct db *db, const char *instance);
