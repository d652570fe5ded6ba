#include "deploy/baroctl/gateway.h"

#include "deploy/baroctl/output.h"
#include "lib/base/settings.h"
#include "lib/base/text.h"

#include <curl/curl.h>
#include <string.h>

enum { TIMEOUT_MS = 30000, CONNECT_TIMEOUT_MS = 5000, REPLY_MAX = 16 * 1024 * 1024 };

struct gateway {
    CURL *curl;
    struct arena *arena;
    const char *url;
    const char *token;
    const char *refresh_token; // NULL: the token is not ours to end
    struct text_buffer body;
};

struct gateway_settings {
    const char *url, *email, *password, *token;
};

static const struct setting SETTINGS[] = {
    {"BARO_GATEWAY_URL",    SETTING_TEXT,   "http://127.0.0.1:8080",
     offsetof(struct gateway_settings,                                                                 url),      0, 0, "where the gateway listens"},
    {"BARO_ADMIN_EMAIL",    SETTING_TEXT,   "",                      offsetof(struct gateway_settings, email),    0, 0,
     "an admin"                                                                                                                                    },
    {"BARO_ADMIN_PASSWORD", SETTING_SECRET, "",                      offsetof(struct gateway_settings, password), 0, 0,
     "the password of this admin"                                                                                                                  },
    {"BARO_ADMIN_TOKEN",    SETTING_SECRET, "",                      offsetof(struct gateway_settings, token),    0, 0,
     "an access token of an admin"                                                                                                                 },
};

static size_t collect(char *bytes, size_t size, size_t count, void *into)
{
    struct gateway *gateway = into;
    if (gateway->body.length + size * count > REPLY_MAX)
        return 0;
    text_append_n(&gateway->body, bytes, size * count);
    return size * count;
}

static struct curl_slist *make_headers(struct gateway *gateway)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    if (!gateway->token)
        return headers;
    return curl_slist_append(
        headers, text_printf(gateway->arena, "Authorization: Bearer %s", gateway->token));
}

static struct status status_of_problem(struct gateway *gateway, long http_status,
                                       const json_t *problem)
{
    const char *code = json_string_value(json_object_get(problem, "code"));
    const char *detail = json_string_value(json_object_get(problem, "detail"));
    const char *title = json_string_value(json_object_get(problem, "title"));
    struct text_buffer words;

    text_buffer_init(&words, gateway->arena, 128);
    text_appendf(&words, "%s (%ld): %s", code ? code : "no answer of a gateway", http_status,
                 detail  ? detail
                 : title ? title
                         : gateway->url);
    return refuse(code ? reason_parse(code) : REASON_UNAVAILABLE, words.data);
}

static struct status perform(struct gateway *gateway, const char *method, const char *path,
                             const char *body, long *http_status)
{
    CURL *curl = gateway->curl;
    struct curl_slist *headers = make_headers(gateway);
    text_buffer_init(&gateway->body, gateway->arena, 4096);
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL,
                     text_printf(gateway->arena, "%s/api/v1%s", gateway->url, path));
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, gateway);
    if (body)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, http_status);
    curl_slist_free_all(headers);
    if (code == CURLE_OK)
        return OK;
    return refuse(REASON_UNAVAILABLE, text_printf(gateway->arena, "%s cannot be asked: %s",
                                                  gateway->url, curl_easy_strerror(code)));
}

struct status gateway_call(struct gateway *gateway, const char *method, const char *path,
                           const json_t *body, json_t **reply)
{
    long http_status = 0;
    char *text = json_dumps(body, JSON_COMPACT);
    const char *sent = text ? text_copy(gateway->arena, text) : NULL;
    free(text);
    struct status st = perform(gateway, method, path, sent, &http_status);
    if (failed(st))
        return st;
    SCOPED_JSON *found = json_loads(gateway->body.data, JSON_DECODE_ANY, NULL);
    if (http_status >= 300)
        return status_of_problem(gateway, http_status, found);
    if (reply)
        *reply = json_incref(found);
    return OK;
}

static struct status sign_in(struct gateway *gateway, const struct gateway_settings *settings)
{
    if (settings->token[0]) {
        gateway->token = settings->token;
        return OK;
    }
    if (!settings->email[0] || !settings->password[0])
        return invalid(NULL, "set BARO_ADMIN_EMAIL and BARO_ADMIN_PASSWORD, or BARO_ADMIN_TOKEN");
    json_t *reply = NULL;
    SCOPED_JSON *wish =
        json_pack("{s: s, s: s}", "email", settings->email, "password", settings->password);
    struct status st = gateway_call(gateway, "POST", "/auth/login", wish, &reply);
    SCOPED_JSON *session = reply;
    if (failed(st))
        return st;
    const char *token = json_string_value(json_object_get(session, "access_token"));
    const char *refresh = json_string_value(json_object_get(session, "refresh_token"));
    if (!token || !refresh)
        return refuse(REASON_UNAVAILABLE, "what answers there is no gateway of Baro");
    gateway->token = text_copy(gateway->arena, token);
    gateway->refresh_token = text_copy(gateway->arena, refresh);
    return OK;
}

struct status gateway_open(const char *url, struct arena *arena, struct gateway **gateway)
{
    struct gateway_settings settings;
    struct status st = settings_load(SETTINGS, COUNT(SETTINGS), arena, &settings);
    if (failed(st))
        return st;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    struct gateway *opened = arena_alloc(arena, sizeof(*opened));
    *opened = (struct gateway){curl_easy_init(), arena, url ? url : settings.url, NULL, NULL, {0}};
    if (!opened->curl)
        abort();
    st = sign_in(opened, &settings);
    if (failed(st))
        gateway_close(opened);
    else
        *gateway = opened;
    return st;
}

const char *gateway_url(const struct gateway *gateway)
{
    return gateway->url;
}

void gateway_close(struct gateway *gateway)
{
    if (!gateway)
        return;
    if (gateway->refresh_token) {
        SCOPED_JSON *wish = json_pack("{s: s}", "refresh_token", gateway->refresh_token);
        (void)gateway_call(gateway, "POST", "/auth/logout", wish, NULL);
    }
    curl_easy_cleanup(gateway->curl);
}
