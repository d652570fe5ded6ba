#pragma once
// Order events as signed webhooks (Standard Webhooks 1.0), through libcurl.

#include "lib/base/status.h"
#include "services/order/delivery.h"

enum { WEBHOOK_CONCURRENCY_MAX = 64 };

struct webhook_settings {
    const char *url;     // empty: off
    const char *secrets; // "whsec_.. whsec_..": the first signs first
    int64_t timeout_ms;  // for the receiver's whole answer
    int64_t concurrency; // events on their way at a time, up to WEBHOOK_CONCURRENCY_MAX
    bool allow_private;
};

struct webhook;

// INVALID_ARGUMENT names the setting when the URL is not http or https, or no secret is usable.
struct status webhook_check(const struct webhook_settings *settings);

// The settings must have passed the check; they are borrowed.
struct status webhook_open(const struct webhook_settings *settings, struct webhook **webhook);
void webhook_close(struct webhook *webhook);

// Delivers several orders at a time, the events of one order one after the other. 2xx: delivered. 429,
// 408, 5xx and no answer: try again. Everything else, redirects included: refused.
void webhook_deliver(void *webhook, struct lot *lot);
