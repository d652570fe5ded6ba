// librdkafka batches, retries and keeps the order; a delivery report settles each event. The producer is
// idempotent: its own retries duplicate and swap nothing inside a partition, and the key, the order id,
// chooses the partition. A producer whose error is fatal is replaced by a new one.

#include "services/order/kafka.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/base/text.h"

#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>

enum { POLL_MS = 50, MARGIN_MS = 1000 };

struct kafka {
    const struct kafka_settings *settings;
    rd_kafka_t *producer; // NULL after a fatal error
    struct lot *lot;      // that is being delivered
    size_t under_way;
    struct log_throttle noise;
};

// What the brokers will say again however often they are asked.
static bool is_definite(rd_kafka_resp_err_t error)
{
    return error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
           error == RD_KAFKA_RESP_ERR_INVALID_MSG || error == RD_KAFKA_RESP_ERR_INVALID_RECORD;
}

static void settle(struct delivery *item, rd_kafka_resp_err_t error)
{
    item->verdict = DELIVERED;
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    item->verdict = is_definite(error) ? REFUSED : UNREACHABLE;
    item->error = rd_kafka_err2str(error);
}

static void reported(rd_kafka_t *producer, const rd_kafka_message_t *message, void *arg)
{
    struct kafka *kafka = arg;
    (void)producer;
    settle(message->_private, message->err);
    kafka->under_way--;
}

static void failed_somewhere(rd_kafka_t *producer, int error, const char *reason, void *arg)
{
    struct kafka *kafka = arg;
    (void)producer;
    if (log_once_per(&kafka->noise, LOG_PERIOD_MS))
        log_warn("kafka", log_text("error", rd_kafka_err2str((rd_kafka_resp_err_t)error)),
                 log_text("reason", reason));
}

static struct status set_up(struct kafka *kafka, rd_kafka_conf_t *conf)
{
    static char words[256];
    const struct kafka_settings *settings = kafka->settings;
    char timeout[24];
    snprintf(timeout, sizeof(timeout), "%lld", (long long)settings->timeout_ms);
    const struct {
        const char *setting, *name, *value;
    } rows[] = {
        {"BARO_KAFKA_BROKERS",  "bootstrap.servers",        settings->brokers    },
        {"BARO_KAFKA_BROKERS",  "client.id",                "baro"               },
        {"BARO_KAFKA_BROKERS",  "enable.idempotence",       "true"               },
        {"BARO_KAFKA_BROKERS",  "acks",                     "all"                },
        {"BARO_KAFKA_TIMEOUT",  "message.timeout.ms",       timeout              },
        {"BARO_KAFKA_BROKERS",  "linger.ms",                "5"                  },
        {"BARO_KAFKA_BROKERS",  "reconnect.backoff.max.ms", "1000"               },
        {"BARO_KAFKA_SECURITY", "security.protocol",        settings->security   },
        {"BARO_KAFKA_CA",       "ssl.ca.location",          settings->authority  },
        {"BARO_KAFKA_CERT",     "ssl.certificate.location", settings->certificate},
        {"BARO_KAFKA_KEY",      "ssl.key.location",         settings->key        },
        {"BARO_KAFKA_SASL",     "sasl.mechanism",           settings->mechanism  },
        {"BARO_KAFKA_USER",     "sasl.username",            settings->user       },
        {"BARO_KAFKA_PASSWORD", "sasl.password",            settings->password   },
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        if (rows[i].value && *rows[i].value &&
            rd_kafka_conf_set(conf, rows[i].name, rows[i].value, words, sizeof(words)) !=
                RD_KAFKA_CONF_OK)
            return invalid(rows[i].setting, words);
    rd_kafka_conf_set_opaque(conf, kafka);
    rd_kafka_conf_set_dr_msg_cb(conf, reported);
    rd_kafka_conf_set_error_cb(conf, failed_somewhere);
    rd_kafka_conf_set_log_cb(conf, NULL);
    return OK;
}

static struct status start_producer(struct kafka *kafka)
{
    static char words[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    struct status st = set_up(kafka, conf);
    if (!failed(st)) {
        kafka->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, words, sizeof(words));
        if (kafka->producer)
            return OK;
        st = invalid("BARO_KAFKA_SECURITY", words); // the rows fit one by one, but not together
    }
    rd_kafka_conf_destroy(conf);
    return st;
}

struct status kafka_open(const struct kafka_settings *settings, struct kafka **out)
{
    struct kafka *kafka = memory_alloc(sizeof(*kafka));
    kafka->settings = settings;
    struct status st = start_producer(kafka);
    if (failed(st))
        free(kafka);
    else
        *out = kafka;
    return st;
}

// What is still queued was reported: nobody waits for it.
static void end_producer(struct kafka *kafka)
{
    if (kafka->producer)
        rd_kafka_destroy(kafka->producer);
    kafka->producer = NULL;
}

void kafka_close(struct kafka *kafka)
{
    if (!kafka)
        return;
    end_producer(kafka);
    free(kafka);
}

static void produce(struct kafka *kafka, struct delivery *item)
{
    char key[24];
    snprintf(key, sizeof(key), "%lld", (long long)item->row.event->key);
    const rd_kafka_vu_t parts[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC,    .u.cstr = kafka->settings->topic                         },
        {.vtype = RD_KAFKA_VTYPE_KEY,      .u.mem = {key, strlen(key)}                              },
        {.vtype = RD_KAFKA_VTYPE_VALUE,    .u.mem = {(void *)(uintptr_t)item->body, item->body_size}},
        {.vtype = RD_KAFKA_VTYPE_HEADER,   .u.header = {"id", item->message_id, -1}                 },
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY                               },
        {.vtype = RD_KAFKA_VTYPE_OPAQUE,   .u.ptr = item                                            },
    };
    rd_kafka_error_t *refusal = rd_kafka_produceva(kafka->producer, parts, COUNT(parts));
    rd_kafka_resp_err_t error = rd_kafka_error_code(refusal);
    if (refusal)
        rd_kafka_error_destroy(refusal);
    if (error)
        settle(item, error);
    else
        kafka->under_way++;
}

// Until every event has its report: the message timeout sees to it, or a stop.
static void await_reports(struct kafka *kafka, const struct lot *lot)
{
    int64_t until_us = clock_monotonic_us() + (kafka->settings->timeout_ms + MARGIN_MS) * US_PER_MS;
    bool purged = false;
    while (kafka->under_way) {
        if (!purged && (atomic_load(lot->stop) || clock_monotonic_us() >= until_us)) {
            rd_kafka_purge(kafka->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
            purged = true;
        }
        rd_kafka_poll(kafka->producer, POLL_MS);
    }
}

static void replace_if_fatal(struct kafka *kafka)
{
    char words[256];
    rd_kafka_resp_err_t error = rd_kafka_fatal_error(kafka->producer, words, sizeof(words));
    if (!error)
        return;
    log_error("kafka producer is replaced", log_text("error", words));
    end_producer(kafka);
}

void kafka_deliver(void *sink, struct lot *lot)
{
    struct kafka *kafka = sink;
    if (!kafka->producer) {
        struct status st = start_producer(kafka);
        if (failed(st)) {
            lot->items[0]->verdict = UNREACHABLE;
            lot->items[0]->error = "no producer";
            return;
        }
    }
    for (size_t i = 0; i < lot->count; i++)
        produce(kafka, lot->items[i]);
    await_reports(kafka, lot);
    // An event that went past an earlier one of its order goes again, after it.
    for (size_t i = 0; i < lot->count; i++)
        if (lot->items[i]->verdict == DELIVERED && lot_is_blocked(lot, i))
            lot->items[i]->verdict = NOT_TRIED;
    replace_if_fatal(kafka);
}
