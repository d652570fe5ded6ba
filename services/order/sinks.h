#pragma once
// The outside sinks of the order events: Kafka and signed webhooks, each optional (SPEC 7).

#include "services/order/service.h"

#include <stdbool.h>

// Whether the settings name a sink of that name.
bool sinks_is_configured(const struct order_settings *settings, const char *name);
