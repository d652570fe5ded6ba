#pragma once
// A small HTTP endpoint for people and probes: /livez, /readyz, /metrics, /version.

#include "lib/base/status.h"

#include <stdatomic.h>
#include <stdbool.h>

struct ops_server;

// Listens on "host:port"; "off" gives NULL. `ready` is what /readyz tells; liveness never looks at a
// database.
struct status ops_server_start(const char *listen, const atomic_bool *ready,
                               struct ops_server **ops);

// Accepts NULL.
void ops_server_stop(struct ops_server *ops);
