#include "services/order/sinks.h"

#include <string.h>

static bool has_kafka(const struct order_settings *settings)
{
    return settings->kafka.brokers && settings->kafka.brokers[0];
}

static bool has_webhook(const struct order_settings *settings)
{
    return settings->webhook.url && settings->webhook.url[0];
}

static const struct {
    const char *name;
    bool (*configured)(const struct order_settings *settings);
} SINKS[] = {
    {"kafka",   has_kafka  },
    {"webhook", has_webhook},
};

bool sinks_is_configured(const struct order_settings *settings, const char *name)
{
    for (size_t i = 0; i < sizeof SINKS / sizeof SINKS[0]; i++)
        if (strcmp(SINKS[i].name, name) == 0)
            return SINKS[i].configured(settings);
    return false;
}
