#pragma once
// Order events to a Kafka topic, keyed by order id, through librdkafka.

#include "lib/base/status.h"
#include "services/order/delivery.h"

struct kafka_settings {
    const char *brokers; // "host:port,..": empty: off
    const char *topic;
    int64_t timeout_ms; // for the brokers to take an event

    // librdkafka's words; "" or NULL: its default.
    const char *security;          // plaintext, ssl, sasl_ssl; sasl_plaintext shows the password
    const char *authority;         // PEM file; default: the system's
    const char *certificate, *key; // PEM files, when brokers ask for them
    const char *mechanism;         // SCRAM-SHA-512, PLAIN, ..
    const char *user, *password;
};

struct kafka;

// Makes an idempotent producer (acks=all); connects in the background. INVALID_ARGUMENT for settings
// that librdkafka refuses; the words are static. `settings` is borrowed.
struct status kafka_open(const struct kafka_settings *settings, struct kafka **kafka);
void kafka_close(struct kafka *kafka);

// Delivers in order; returns when every event has its delivery report or its time is over.
void kafka_deliver(void *kafka, struct lot *lot);
