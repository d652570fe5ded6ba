// One libcurl multi handle and a few transfers at a time; the thread that delivers drives them, never the
// path of an order.
//
// What the receiver can make us do is bounded: http and https only, no redirects, no proxy of the
// environment, no cookies, a time limit for the whole exchange, 64 KiB of an answer that nobody reads.
// The address is checked when the socket is made, after the name was resolved, so a name that changes its
// meaning between a check and its use gains nothing.

#include "services/order/webhook.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/base/text.h"
#include "services/order/public_address.h"
#include "services/order/signature.h"

#include <assert.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ANSWER_MAX = 64 * 1024,
    POLL_MS = 100,
    REST_MS = 1000, // after 429 without Retry-After
    REST_MAX_S = 3600,
};

struct transfer {
    struct webhook *webhook;
    CURL *easy;
    struct curl_slist *headers;
    struct delivery *item; // NULL: idle
    size_t received;
    bool is_private; // the receiver's address was refused
    char error[CURL_ERROR_SIZE];
};

struct webhook {
    const struct webhook_settings *settings;
    struct signing_keys keys;
    CURLM *multi;
    size_t busy, count;
    struct transfer transfers[WEBHOOK_CONCURRENCY_MAX];
};

static bool has_good_scheme(const char *url)
{
    char *scheme = NULL, *host = NULL;
    CURLU *parts = curl_url();
    bool good = curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(parts);
    return good;
}

struct status webhook_check(const struct webhook_settings *settings)
{
    struct signing_keys keys;
    if (!settings->url[0])
        return OK;
    if (!has_good_scheme(settings->url))
        return invalid("BARO_WEBHOOK_URL", "is not an http or https URL");
    if (!signing_keys_parse(settings->secrets, &keys))
        return invalid("BARO_WEBHOOK_SECRET",
                       "needs whsec_ and 24 to 64 bytes in base64; several with spaces between");
    return OK;
}

static size_t count_answer(char *data, size_t size, size_t count, void *arg)
{
    struct transfer *transfer = arg;
    (void)data;
    transfer->received += size * count;
    return transfer->received > ANSWER_MAX ? 0 : size * count;
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct transfer *transfer = arg;
    (void)purpose;
    if (!transfer->webhook->settings->allow_private && !address_is_public(&address->addr)) {
        transfer->is_private = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static void set_up(struct transfer *transfer, struct webhook *webhook)
{
    CURL *easy = curl_easy_init();
    assert(easy);
    transfer->webhook = webhook;
    transfer->easy = easy;
    curl_easy_setopt(easy, CURLOPT_URL, webhook->settings->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)webhook->settings->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, NULL);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "baro");
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, count_answer);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
}

static void init_libraries(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct status webhook_open(const struct webhook_settings *settings, struct webhook **out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_libraries);
    struct status st = webhook_check(settings);
    if (failed(st))
        return st;
    struct webhook *webhook = memory_alloc(sizeof(*webhook));
    webhook->settings = settings;
    webhook->multi = curl_multi_init();
    assert(webhook->multi);
    signing_keys_parse(settings->secrets, &webhook->keys);
    webhook->count = (size_t)settings->concurrency;
    for (size_t i = 0; i < webhook->count; i++)
        set_up(&webhook->transfers[i], webhook);
    *out = webhook;
    return OK;
}

void webhook_close(struct webhook *webhook)
{
    if (!webhook)
        return;
    for (size_t i = 0; i < webhook->count; i++)
        curl_easy_cleanup(webhook->transfers[i].easy);
    curl_multi_cleanup(webhook->multi);
    free(webhook);
}

static struct curl_slist *headers_for(const struct webhook *webhook, struct arena *arena,
                                      const struct delivery *item)
{
    int64_t now_s = clock_realtime_us() / US_PER_S;
    const char *signature =
        signature_of(arena, &webhook->keys, item->message_id, now_s, item->body, item->body_size);
    struct curl_slist *list = curl_slist_append(NULL, "Content-Type: application/json");
    list = curl_slist_append(list, text_printf(arena, "webhook-id: %s", item->message_id));
    list = curl_slist_append(list, text_printf(arena, "webhook-timestamp: %lld", (long long)now_s));
    list = curl_slist_append(list, text_printf(arena, "webhook-signature: %s", signature));
    assert(list);
    return list;
}

static void begin(struct transfer *transfer, struct arena *arena, struct delivery *item)
{
    transfer->item = item;
    transfer->received = 0;
    transfer->is_private = false;
    transfer->error[0] = '\0';
    transfer->headers = headers_for(transfer->webhook, arena, item);
    curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers);
    curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDS, item->body);
    curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)item->body_size);
    curl_multi_add_handle(transfer->webhook->multi, transfer->easy);
    transfer->webhook->busy++;
}

// Ranges of HTTP status codes and what they say of an event; the first that fits counts.
static const struct {
    long from, to;
    enum verdict verdict;
} VERDICTS[] = {
    {200, 299, DELIVERED  },
    {408, 408, UNREACHABLE},
    {425, 425, UNREACHABLE},
    {429, 429, POSTPONED  },
    {500, 599, UNREACHABLE},
    {0,   999, REFUSED    },
};

static enum verdict verdict_of(long code)
{
    size_t i = 0;
    while (code < VERDICTS[i].from || code > VERDICTS[i].to)
        i++;
    return VERDICTS[i].verdict;
}

// The sink may ask for a pause with any answer that is not final.
static void heed_retry_after(struct transfer *transfer, struct lot *lot)
{
    struct delivery *item = transfer->item;
    curl_off_t wait_s = 0;
    if (item->verdict != UNREACHABLE && item->verdict != POSTPONED)
        return;
    curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &wait_s);
    if (wait_s > 0)
        item->verdict = POSTPONED;
    int64_t rest_ms = (wait_s < REST_MAX_S ? wait_s : REST_MAX_S) * MS_PER_S;
    if (item->verdict == POSTPONED && rest_ms == 0)
        rest_ms = REST_MS;
    if (rest_ms > lot->rest_ms)
        lot->rest_ms = rest_ms;
}

// An answer that was cut off because it is too long is an answer.
static void judge(struct transfer *transfer, CURLcode result, struct lot *lot)
{
    struct delivery *item = transfer->item;
    long code = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &code);
    bool answered = result == CURLE_OK || (result == CURLE_WRITE_ERROR && code > 0);
    if (answered) {
        item->verdict = verdict_of(code);
        if (item->verdict == DELIVERED)
            return;
        item->error = text_printf(lot->arena, "HTTP %ld%s", code,
                                  code / 100 == 3 ? ": redirects are not followed" : "");
        heed_retry_after(transfer, lot);
        return;
    }
    item->verdict = UNREACHABLE;
    if (transfer->is_private)
        item->error = "the receiver's address is not public (BARO_WEBHOOK_ALLOW_PRIVATE)";
    else
        item->error = text_copy(lot->arena,
                                transfer->error[0] ? transfer->error : curl_easy_strerror(result));
}

static void end(struct transfer *transfer, CURLcode result, struct lot *lot)
{
    curl_multi_remove_handle(transfer->webhook->multi, transfer->easy);
    judge(transfer, result, lot);
    curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(transfer->headers);
    transfer->headers = NULL;
    transfer->item = NULL;
    transfer->webhook->busy--;
}

static bool is_under_way(const struct webhook *webhook, const struct delivery *item)
{
    for (size_t i = 0; i < webhook->count; i++)
        if (webhook->transfers[i].item == item)
            return true;
    return false;
}

// The next event that nothing stands in the way of; NULL if there is none for now.
static struct delivery *next_item(const struct webhook *webhook, const struct lot *lot)
{
    if (atomic_load(lot->stop) || lot->rest_ms || clock_monotonic_us() >= lot->until_us ||
        lot_is_hopeless(lot))
        return NULL;
    for (size_t i = 0; i < lot->count; i++)
        if (lot->items[i]->verdict == NOT_TRIED && !is_under_way(webhook, lot->items[i]) &&
            !lot_is_blocked(lot, i))
            return lot->items[i];
    return NULL;
}

static void begin_more(struct webhook *webhook, struct lot *lot)
{
    struct delivery *item;
    for (size_t i = 0; i < webhook->count; i++)
        if (!webhook->transfers[i].item && (item = next_item(webhook, lot)))
            begin(&webhook->transfers[i], lot->arena, item);
}

static void end_some(struct webhook *webhook, struct lot *lot)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(webhook->multi, &left))) {
        struct transfer *transfer = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        end(transfer, message->data.result, lot);
    }
}

void webhook_deliver(void *sink, struct lot *lot)
{
    struct webhook *webhook = sink;
    int running;
    for (begin_more(webhook, lot); webhook->busy; begin_more(webhook, lot)) {
        curl_multi_perform(webhook->multi, &running);
        end_some(webhook, lot);
        if (webhook->busy && running == (int)webhook->busy)
            curl_multi_poll(webhook->multi, NULL, 0, POLL_MS, NULL);
    }
}
