#pragma once
// The console's fault panel: an admin breaks a service or Redis on purpose and watches the shop recover.
// For demonstrations on one machine (lib/base/faults.h); where BARO_FAULT_PANEL is off nothing is
// offered, and to cause something is ROUTE_NOT_FOUND.

#include "lib/base/status.h"

struct fault_panel;
struct request;

// INVALID_ARGUMENT for a bad URL of Redis.
struct status fault_panel_create(const char *redis_url, struct fault_panel **panel);

// Nobody asks Redis through it any more. Accepts NULL.
void fault_panel_stop(struct fault_panel *panel);

// Frees what was stopped. Accepts NULL.
void fault_panel_destroy(struct fault_panel *panel);

void fault_panel_serve(struct request *request); // GET /api/v1/admin/faults
void fault_panel_cause(struct request *request); // POST /api/v1/admin/faults
