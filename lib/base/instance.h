#pragma once
// The name of this process among the replicas that run at one time.

#include "lib/base/arena.h"

// "host-1234", of host name and process id.
const char *instance_name(struct arena *arena);
