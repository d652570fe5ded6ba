// A list of spans behind a lock, and one thread that takes it and posts it.
//
// Invariant: at most queue_max spans wait, however slow or dead the collector is; what finds no room,
// and what a collector does not take, is counted and forgotten. Spans are for people who look for
// something: none is worth a wait, a retry or a page of memory of the shop's own work.

#include "lib/trace/span.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/base/metrics.h"
#include "lib/base/thread.h"
#include "lib/trace/otlp.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    QUEUE_MAX_DEFAULT = 8192,
    POST_MAX = 512,  // spans in one request
    PERIOD_MS = 500, // after which fewer go, too
    POST_TIMEOUT_MS = 2000,
};

static struct {
    struct exporter_options options;
    atomic_bool on;
    char url[512];
    CURL *easy;
    struct curl_slist *headers;
    pthread_t thread;
    pthread_mutex_t lock; // of all below
    pthread_cond_t wake;
    struct span *first, **last;
    _Atomic size_t waiting;
    bool stopping;
    struct metric *sent, *no_room, *not_taken;
} exporter = {.lock = PTHREAD_MUTEX_INITIALIZER};

bool tracing(void)
{
    return atomic_load_explicit(&exporter.on, memory_order_relaxed);
}

struct span *span_create(const struct trace_context *context, const char *name, enum span_kind kind,
                         int64_t took_us, size_t links)
{
    if (atomic_load_explicit(&exporter.waiting, memory_order_relaxed) >=
        exporter.options.queue_max) {
        metric_add(exporter.no_room, 1);
        return NULL;
    }
    struct span *span = memory_alloc(sizeof(*span) + links * sizeof(span->links[0]));
    span->context = *context;
    span->kind = kind;
    span->took_us = took_us;
    span->started_us = clock_realtime_us() - took_us;
    strncpy(span->name, name, sizeof(span->name) - 1);
    return span;
}

void span_set_text(struct span *span, const char *key, const char *text)
{
    if (span->attribute_count == SPAN_ATTRIBUTES_MAX || !*text)
        return;
    struct span_attribute *attribute = &span->attributes[span->attribute_count++];
    attribute->key = key;
    strncpy(attribute->text, text, sizeof(attribute->text) - 1);
}

void span_set_number(struct span *span, const char *key, int64_t number)
{
    if (span->attribute_count < SPAN_ATTRIBUTES_MAX)
        span->attributes[span->attribute_count++] =
            (struct span_attribute){.key = key, .number = number};
}

void span_end(struct span *span)
{
    if (!span)
        return;
    pthread_mutex_lock(&exporter.lock);
    *exporter.last = span;
    exporter.last = &span->next;
    if (atomic_fetch_add(&exporter.waiting, 1) + 1 == POST_MAX)
        pthread_cond_signal(&exporter.wake);
    pthread_mutex_unlock(&exporter.lock);
}

// Takes up to POST_MAX spans.
static struct span *take(size_t *count)
{
    struct span *first = exporter.first, **end = &exporter.first;
    for (*count = 0; *end && *count < POST_MAX; ++*count)
        end = &(*end)->next;
    struct span *rest = *end;
    *end = NULL;
    exporter.first = rest;
    if (!rest)
        exporter.last = &exporter.first;
    atomic_fetch_sub(&exporter.waiting, *count);
    return *count ? first : NULL;
}

static size_t ignore(char *bytes, size_t size, size_t count, void *context)
{
    (void)bytes, (void)context;
    return size * count;
}

static const char *post(const struct span *spans)
{
    SCOPED(arena) *arena = arena_create();
    struct text_buffer body;
    text_buffer_init(&body, arena, 64 * 1024);
    otlp_write(exporter.options.process, exporter.options.instance, spans, &body);
    curl_easy_setopt(exporter.easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.length);
    curl_easy_setopt(exporter.easy, CURLOPT_POSTFIELDS, body.data);
    CURLcode error = curl_easy_perform(exporter.easy);
    long status = 0;
    curl_easy_getinfo(exporter.easy, CURLINFO_RESPONSE_CODE, &status);
    if (error != CURLE_OK)
        return curl_easy_strerror(error);
    return status >= 200 && status < 300 ? NULL : "the collector refused them";
}

static void send_spans(struct span *spans, size_t count)
{
    static struct log_throttle throttle;
    const char *error = post(spans);
    metric_add(error ? exporter.not_taken : exporter.sent, (int64_t)count);
    if (error && log_once_per(&throttle, LOG_PERIOD_MS))
        log_warn("spans are lost", log_text("url", exporter.url), log_text("why", error));
    struct span *next;
    for (; spans; spans = next) {
        next = spans->next;
        free(spans);
    }
}

static void await_spans(void)
{
    int64_t until_us = clock_monotonic_us() + PERIOD_MS * US_PER_MS;
    if (!exporter.stopping && exporter.waiting < POST_MAX)
        condition_wait_until(&exporter.wake, &exporter.lock, until_us);
}

// After the end is asked for, what waits has the time of one request to go.
static void *run(void *arg)
{
    (void)arg;
    int64_t last_us = INT64_MAX;
    pthread_setname_np(pthread_self(), "spans");
    pthread_mutex_lock(&exporter.lock);
    while (clock_monotonic_us() < last_us) {
        await_spans();
        if (exporter.stopping && last_us == INT64_MAX)
            last_us = clock_monotonic_us() + POST_TIMEOUT_MS * US_PER_MS;
        size_t count;
        struct span *spans = take(&count);
        if (!spans && exporter.stopping)
            break;
        pthread_mutex_unlock(&exporter.lock);
        if (spans)
            send_spans(spans, count);
        pthread_mutex_lock(&exporter.lock);
    }
    pthread_mutex_unlock(&exporter.lock);
    return NULL;
}

static bool set_up_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    exporter.easy = curl_easy_init();
    exporter.headers = curl_slist_append(NULL, "Content-Type: application/json");
    return exporter.easy && exporter.headers &&
           curl_easy_setopt(exporter.easy, CURLOPT_URL, exporter.url) == CURLE_OK &&
           curl_easy_setopt(exporter.easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(exporter.easy, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(exporter.easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(exporter.easy, CURLOPT_TIMEOUT_MS, (long)POST_TIMEOUT_MS) == CURLE_OK &&
           curl_easy_setopt(exporter.easy, CURLOPT_HTTPHEADER, exporter.headers) == CURLE_OK &&
           curl_easy_setopt(exporter.easy, CURLOPT_WRITEFUNCTION, ignore) == CURLE_OK;
}

static void register_metrics(void)
{
    static const char lost[] = "baro_trace_spans_lost_total", why[] = "Spans that were given up";
    exporter.sent =
        metrics_counter("baro_trace_spans_total", "Spans that the collector took", NULL);
    exporter.no_room = metrics_counter(lost, why, "reason=\"queue_full\"");
    exporter.not_taken = metrics_counter(lost, why, "reason=\"collector\"");
}

static bool is_address(const char *url)
{
    CURLU *parts = curl_url();
    char *scheme = NULL;
    bool good = curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    curl_free(scheme);
    curl_url_cleanup(parts);
    return good;
}

struct status exporter_start(const struct exporter_options *options)
{
    register_metrics();
    if (!*options->url)
        return OK;
    if (!is_address(options->url) || strlen(options->url) > sizeof(exporter.url) / 2)
        return invalid("BARO_TRACE_URL", "must be like http://127.0.0.1:4318");
    exporter.options = *options;
    if (exporter.options.queue_max == 0)
        exporter.options.queue_max = QUEUE_MAX_DEFAULT;
    exporter.last = &exporter.first;
    exporter.stopping = false;
    snprintf(exporter.url, sizeof(exporter.url), "%s/v1/traces", options->url);
    condition_init(&exporter.wake);
    if (!set_up_curl())
        return refuse(REASON_INTERNAL, "cannot send spans");
    thread_start(&exporter.thread, run, NULL);
    atomic_store(&exporter.on, true);
    return OK;
}

void exporter_stop(void)
{
    if (!atomic_exchange(&exporter.on, false))
        return;
    pthread_mutex_lock(&exporter.lock);
    exporter.stopping = true;
    pthread_cond_signal(&exporter.wake);
    pthread_mutex_unlock(&exporter.lock);
    pthread_join(exporter.thread, NULL);
    curl_slist_free_all(exporter.headers);
    curl_easy_cleanup(exporter.easy);
    pthread_cond_destroy(&exporter.wake);
}
