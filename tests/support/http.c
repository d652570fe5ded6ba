#include "tests/support/http.h"

#include "tests/support/transcript.h"

#include <assert.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct text {
    char *data;
    size_t length;
};

struct http_client {
    CURL *curl;
    long timeout_ms;
    char *base;
    char *token;
    char key[300]; // longer than one may be
    char header[512];
    struct text body;
    struct text headers;
    char location[512];
    char error[CURL_ERROR_SIZE];
    json_t *json;
};

static size_t collect(char *bytes, size_t size, size_t count, void *into)
{
    struct text *text = into;
    text->data = realloc(text->data, text->length + size * count + 1);
    assert(text->data);
    memcpy(text->data + text->length, bytes, size * count);
    text->length += size * count;
    text->data[text->length] = '\0';
    return size * count;
}

static size_t note_header(char *line, size_t size, size_t count, void *into)
{
    struct http_client *client = into;
    static const char name[] = "location: ";
    size_t length = size * count;

    if (!strncmp(line, "HTTP/", 5)) // of a later answer: what stood before was not the last
        client->headers.length = 0;
    collect(line, size, count, &client->headers);
    if (length > sizeof name && length < sizeof client->location &&
        !strncasecmp(line, name, sizeof name - 1))
        snprintf(client->location, sizeof client->location, "%.*s", (int)(length - sizeof name - 1),
                 line + sizeof name - 1);
    return length;
}

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void init_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct http_client *http_open(const char *base)
{
    struct http_client *client = calloc(1, sizeof *client);

    pthread_once(&curl_once, init_curl);
    base = base ? base : getenv("BARO_TEST_API");
    assert(client && base && "BARO_TEST_API names the gateway; `make test` sets it");
    client->base = strdup(base);
    client->curl = curl_easy_init();
    client->timeout_ms = 90000;
    assert(client->curl);
    return client;
}

void http_close(struct http_client *client)
{
    if (!client)
        return;
    curl_easy_cleanup(client->curl);
    json_decref(client->json);
    free(client->body.data);
    free(client->headers.data);
    free(client->token);
    free(client->base);
    free(client);
}

void http_sign_in(struct http_client *client, const char *token)
{
    free(client->token);
    client->token = token ? strdup(token) : NULL;
}

const char *http_token(const struct http_client *client)
{
    return client->token;
}

void http_set_timeout(struct http_client *client, long timeout_ms)
{
    client->timeout_ms = timeout_ms;
}

void http_next_key(struct http_client *client, const char *key)
{
    snprintf(client->key, sizeof client->key, "%s", key);
}

void http_next_header(struct http_client *client, const char *line)
{
    snprintf(client->header, sizeof client->header, "%s", line);
}

static void fresh_key(struct http_client *client)
{
    static atomic_uint count;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(client->key, sizeof client->key, "test-%d-%lld-%ld-%u", (int)getpid(),
             (long long)now.tv_sec, now.tv_nsec, atomic_fetch_add(&count, 1));
}

static struct curl_slist *make_headers(struct http_client *client, const char *method)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    char line[4096];

    if (!client->key[0] && !strcmp(method, "POST"))
        fresh_key(client);
    if (client->key[0]) {
        snprintf(line, sizeof line, "Idempotency-Key: %s", client->key);
        headers = curl_slist_append(headers, line);
    }
    if (client->token) {
        snprintf(line, sizeof line, "Authorization: Bearer %s", client->token);
        headers = curl_slist_append(headers, line);
    }
    if (client->header[0])
        headers = curl_slist_append(headers, client->header);
    client->key[0] = client->header[0] = '\0';
    return headers;
}

static void forget_reply(struct http_client *client)
{
    json_decref(client->json);
    client->json = NULL;
    client->body.length = client->headers.length = 0;
    if (client->body.data)
        client->body.data[0] = '\0';
    client->location[0] = client->error[0] = '\0';
}

// A stream of events is described as a string.
static void note(const struct http_client *client, struct exchange *exchange)
{
    json_t *stream = NULL;
    if (exchange->type && !strncmp(exchange->type, "text/event-stream", 17))
        exchange->response = stream = json_string(client->body.data);
    transcript_note(exchange);
    json_decref(stream);
}

static struct http_reply perform(struct http_client *client, const char *method, const char *url,
                                 const char *body)
{
    struct curl_slist *headers = make_headers(client, method);
    CURL *curl = client->curl;
    long status = 0;

    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, client->timeout_ms);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->error);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &client->body);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, note_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, client);
    if (body)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    if (curl_easy_perform(curl) == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    client->json =
        client->body.length ? json_loads(client->body.data, JSON_DECODE_ANY, NULL) : NULL;
    char *type = NULL;
    curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
    note(client, &(struct exchange){method, url, body, status, type, client->json});
    return (struct http_reply){.status = status,
                               .json = client->json,
                               .body = client->body.data ? client->body.data : "",
                               .location = client->location,
                               .headers = client->headers.length ? client->headers.data : "",
                               .error = client->error};
}

struct http_reply http_call(struct http_client *client, const char *method, const char *path,
                            const char *format, ...)
{
    char *body = NULL;
    char url[1024];

    if (format) {
        va_list args;
        va_start(args, format);
        int length = vasprintf(&body, format, args);
        va_end(args);
        assert(length >= 0);
    }
    snprintf(url, sizeof url, "%s%s", client->base, path);
    forget_reply(client);
    struct http_reply reply = perform(client, method, url, body);
    free(body);
    return reply;
}

const json_t *json_at(const json_t *json, const char *path)
{
    char part[64];

    while (json && *path) {
        size_t length = strcspn(path, ".");
        snprintf(part, sizeof part, "%.*s", (int)length, path);
        json = json_is_array(json) ? json_array_get(json, (size_t)strtoul(part, NULL, 10))
                                   : json_object_get(json, part);
        path += length + (path[length] == '.');
    }
    return json;
}

int64_t json_number(const json_t *json, const char *path)
{
    return json_integer_value(json_at(json, path));
}

const char *json_word(const json_t *json, const char *path)
{
    const char *word = json_string_value(json_at(json, path));
    return word ? word : "";
}
