#pragma once
// Ids of sagas, which say when a saga began: the barrier goes by that.

#include <stdint.h>

// The id of the saga with that number that began so many days before this process first asked.
int64_t saga_begun(int64_t number, int days_ago);
