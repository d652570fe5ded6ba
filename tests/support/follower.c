// libcurl reads; what came is kept whole, and the story is told anew whenever it is asked for.

#include "tests/support/follower.h"

#include "lib/base/clock.h"
#include "lib/base/thread.h"
#include "tests/support/stack.h"

#include <assert.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { TEXT_MAX = 256 * 1024 };

struct follower {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    CURL *curl;
    struct curl_slist *headers;
    curl_socket_t socket;
    char text[TEXT_MAX];
    size_t length;
    bool ended, clean;
    long status;
};

static size_t take(char *bytes, size_t size, size_t count, void *into)
{
    struct follower *follower = into;
    pthread_mutex_lock(&follower->lock);
    size_t room = TEXT_MAX - 1 - follower->length;
    size_t length = size * count < room ? size * count : room;
    memcpy(follower->text + follower->length, bytes, length);
    follower->length += length;
    pthread_cond_broadcast(&follower->changed);
    pthread_mutex_unlock(&follower->lock);
    return size * count;
}

static int note_socket(void *into, curl_socket_t socket, curlsocktype purpose)
{
    (void)purpose;
    ((struct follower *)into)->socket = socket;
    return CURL_SOCKOPT_OK;
}

static void *read_all(void *arg)
{
    struct follower *follower = arg;
    CURLcode code = curl_easy_perform(follower->curl);
    pthread_mutex_lock(&follower->lock);
    curl_easy_getinfo(follower->curl, CURLINFO_RESPONSE_CODE, &follower->status);
    follower->clean = code == CURLE_OK;
    follower->ended = true;
    pthread_cond_broadcast(&follower->changed);
    pthread_mutex_unlock(&follower->lock);
    return NULL;
}

static void set_headers(struct follower *follower, const struct http_client *client,
                        const char *last_id)
{
    char line[4096];
    snprintf(line, sizeof line, "Authorization: Bearer %s", http_token(client));
    follower->headers = curl_slist_append(NULL, line);
    if (last_id) {
        snprintf(line, sizeof line, "Last-Event-ID: %s", last_id);
        follower->headers = curl_slist_append(follower->headers, line);
    }
    curl_easy_setopt(follower->curl, CURLOPT_HTTPHEADER, follower->headers);
}

static void set_url(CURL *curl, int gateway, int64_t order_id)
{
    char url[256];
    snprintf(url, sizeof url, "%s/api/v1/orders/%lld/events", stack_gateway(gateway),
             (long long)order_id);
    curl_easy_setopt(curl, CURLOPT_URL, url);
}

struct follower *follow_order(const struct http_client *client, int gateway, int64_t order_id,
                              const char *last_id)
{
    struct follower *follower = calloc(1, sizeof *follower);
    assert(follower);
    pthread_mutex_init(&follower->lock, NULL);
    condition_init(&follower->changed);
    follower->socket = -1;
    follower->curl = curl_easy_init();
    assert(follower->curl);
    set_url(follower->curl, gateway, order_id);
    set_headers(follower, client, last_id);
    curl_easy_setopt(follower->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(follower->curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(follower->curl, CURLOPT_WRITEDATA, follower);
    curl_easy_setopt(follower->curl, CURLOPT_SOCKOPTFUNCTION, note_socket);
    curl_easy_setopt(follower->curl, CURLOPT_SOCKOPTDATA, follower);
    int error = pthread_create(&follower->thread, NULL, read_all, follower);
    assert(error == 0);
    (void)error;
    return follower;
}

void follower_close(struct follower *follower)
{
    pthread_mutex_lock(&follower->lock);
    if (!follower->ended)
        shutdown(follower->socket, SHUT_RDWR);
    pthread_mutex_unlock(&follower->lock);
    pthread_join(follower->thread, NULL);
    curl_easy_cleanup(follower->curl);
    curl_slist_free_all(follower->headers);
    pthread_cond_destroy(&follower->changed);
    pthread_mutex_destroy(&follower->lock);
    free(follower);
}

// Waits, with the lock held, until the text is there (NULL: until the end) or time is up.
static void wait_for(struct follower *follower, const char *text, int timeout_ms)
{
    int64_t until_us = clock_monotonic_us() + timeout_ms * US_PER_MS;
    while (!follower->ended && !(text && strstr(follower->text, text)) &&
           condition_wait_until(&follower->changed, &follower->lock, until_us))
        continue;
}

bool follower_sees(struct follower *follower, const char *text, int timeout_ms)
{
    pthread_mutex_lock(&follower->lock);
    wait_for(follower, text, timeout_ms);
    bool found = strstr(follower->text, text) != NULL;
    pthread_mutex_unlock(&follower->lock);
    return found;
}

bool follower_ends(struct follower *follower, int timeout_ms)
{
    pthread_mutex_lock(&follower->lock);
    wait_for(follower, NULL, timeout_ms);
    bool clean = follower->ended && follower->clean;
    pthread_mutex_unlock(&follower->lock);
    return clean;
}

long follower_status(struct follower *follower)
{
    pthread_mutex_lock(&follower->lock);
    long status = follower->ended ? follower->status : 0;
    pthread_mutex_unlock(&follower->lock);
    return status;
}

// The JSON of the event at *at; moves *at behind it. NULL when there is no more.
static json_t *next_event(const char **at)
{
    static const char mark[] = "\ndata: ";
    const char *from = strstr(*at, mark);
    const char *end = from ? strstr(from + 1, "\n\n") : NULL;
    if (!end)
        return NULL;
    *at = end;
    from += sizeof mark - 1;
    return json_loadb(from, (size_t)(end - from), 0, NULL);
}

const char *follower_story(struct follower *follower)
{
    static char story[4096];
    size_t length = 0;
    json_t *event;
    story[0] = '\0';
    pthread_mutex_lock(&follower->lock);
    for (const char *at = follower->text; (event = next_event(&at)); json_decref(event)) {
        const char *name = json_word(event, "step.name");
        length += (size_t)snprintf(story + length, sizeof story - length, "%s%s", length ? " " : "",
                                   *name ? name : json_word(event, "status"));
    }
    pthread_mutex_unlock(&follower->lock);
    return story;
}

const char *follower_id(struct follower *follower, size_t n)
{
    static char id[64];
    json_t *event;
    id[0] = '\0';
    pthread_mutex_lock(&follower->lock);
    for (const char *at = follower->text; (event = next_event(&at)); json_decref(event))
        if (n-- == 0)
            snprintf(id, sizeof id, "%s", json_word(event, "id"));
    pthread_mutex_unlock(&follower->lock);
    return id;
}
