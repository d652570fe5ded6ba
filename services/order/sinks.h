#pragma once
// The outside sinks of the order events: Kafka and signed webhooks, each optional (SPEC 7). A sink that
// is configured has a thread and a database connection of its own in every replica, so that none slows an
// order or another sink.

#include "services/order/service.h"

#include <stdbool.h>

struct sinks;

// Whether what the settings say of the sinks can be used. INVALID_ARGUMENT names the setting.
struct status sinks_check(const struct order_settings *settings);

// Starts what is configured; `owner` names this life of this replica. Both must outlive the sinks.
struct status sinks_start(const struct order_settings *settings, const char *owner,
                          struct sinks **sinks);

// Lets what is under way end and gives the leases back. Accepts NULL.
void sinks_stop(struct sinks *sinks);

// Whether the settings name a sink of that name.
bool sinks_is_configured(const struct order_settings *settings, const char *name);

// How old the oldest event is that a configured sink has still to get; 0: there is none.
struct status sinks_behind(const struct order_settings *settings, struct db *db,
                           int64_t *behind_ms);
