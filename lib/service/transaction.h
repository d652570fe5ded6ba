#pragma once
// The dispatcher's transactions on PostgreSQL: the handle is a `struct db *`.

#include "lib/rpc/dispatcher.h"

// Context: the connection string. Reads run without BEGIN: what they send before the first wait is one
// implicit transaction.
extern const struct transaction_ops postgres_transaction;
