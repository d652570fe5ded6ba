#pragma once
// The tables of a service: made at its start, made by a process that does nothing else, or waited for.

#include "lib/service/service.h"

// The word of BARO_MIGRATE; false if it is none of them.
bool tables_mode_read(const char *text, enum tables_mode *mode);

// Returns when the tables are there and this service's role has its rights, or when `start_wait_ms`
// is over; the words of a failure are in the arena. Run by any number of replicas at once.
struct status tables_prepare(const struct service_settings *settings,
                             const struct service_definition *definition, struct arena *arena);
