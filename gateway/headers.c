// One pass over the headers; the table says where each goes and what a repetition means.

#include "gateway/headers.h"

#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "lib/base/text.h"

#include <string.h>
#include <strings.h>

enum repetition { REFUSE, FORGET }; // FORGET: as if it had not been sent

static const struct {
    const char *name;
    size_t offset;
    enum repetition repeated;
} known[] = {
    {"Host",                          offsetof(struct headers, host),              REFUSE},
    {"Content-Length",                offsetof(struct headers, content_length),    REFUSE},
    {"Transfer-Encoding",             offsetof(struct headers, transfer_encoding), REFUSE},
    {"Content-Type",                  offsetof(struct headers, content_type),      REFUSE},
    {"Authorization",                 offsetof(struct headers, authorization),     REFUSE},
    {"Idempotency-Key",               offsetof(struct headers, idempotency_key),   REFUSE},
    {"traceparent",                   offsetof(struct headers, traceparent),       FORGET},
    {"X-Request-Id",                  offsetof(struct headers, request_id),        FORGET},
    {"If-None-Match",                 offsetof(struct headers, if_none_match),     FORGET},
    {"Accept-Language",               offsetof(struct headers, accept_language),   FORGET},
    {"Last-Event-ID",                 offsetof(struct headers, last_event_id),     FORGET},
    {"Origin",                        offsetof(struct headers, origin),            FORGET},
    {"Access-Control-Request-Method", offsetof(struct headers, requested_method),  FORGET},
};

static bool is_token(const char *text)
{
    size_t good = strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "!#$%&'*+-.^_`|~");
    return good > 0 && text[good] == '\0';
}

static bool has_control(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (((unsigned char)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7F)
            return true;
    return false;
}

static enum MHD_Result collect(void *arg, enum MHD_ValueKind kind, const char *name,
                               size_t name_size, const char *value, size_t size)
{
    (void)kind;
    struct headers *headers = arg;
    if (!value || strlen(name) != name_size || !is_token(name) || has_control(value, size)) {
        headers->wrong = "a header holds characters that it must not";
        return MHD_NO;
    }
    if (strcasecmp(name, "Prefer") == 0)
        preferences_read(&headers->preferences, value);
    for (size_t i = 0; i < COUNT(known); i++) {
        const char **slot = (const char **)(void *)((char *)headers + known[i].offset);
        if (strcasecmp(known[i].name, name) != 0)
            continue;
        if (*slot && known[i].repeated == REFUSE)
            headers->wrong = "a header that must be single is repeated";
        *slot = *slot && known[i].repeated == FORGET ? "" : value;
        return headers->wrong ? MHD_NO : MHD_YES;
    }
    return MHD_YES;
}

static bool is_length(const char *text)
{
    int64_t length;
    return strspn(text, "0123456789") == strlen(text) &&
           text_parse_int64(text, 0, INT64_MAX, &length);
}

static bool is_host(const char *text)
{
    size_t good = strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "-._~%!$&'()*+;=:[]");
    return good > 0 && text[good] == '\0';
}

static const char *find_wrong(const struct headers *headers, const char *version)
{
    bool old = strcmp(version, "HTTP/1.0") == 0;
    if (!old && strcmp(version, "HTTP/1.1") != 0)
        return "only HTTP/1.1 and HTTP/1.0 are spoken here";
    if (headers->host ? !is_host(headers->host) : !old)
        return "the Host header is missing or malformed";
    if (headers->content_length && headers->transfer_encoding)
        return "Content-Length and Transfer-Encoding exclude each other";
    if (headers->content_length && !is_length(headers->content_length))
        return "Content-Length must be a number";
    if (headers->transfer_encoding &&
        (old || strcasecmp(headers->transfer_encoding, "chunked") != 0))
        return "the only Transfer-Encoding is chunked";
    return NULL;
}

struct status headers_read(struct MHD_Connection *connection, const char *version,
                           struct headers *headers)
{
    *headers = (struct headers){0};
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, collect, headers);
    if (!headers->wrong)
        headers->wrong = find_wrong(headers, version);
    if (headers->wrong)
        return refuse(REASON_VALIDATION_ERROR, headers->wrong);
    return OK;
}

bool headers_say_json(const struct headers *headers)
{
    static const char json[] = "application/json";
    const char *type = headers->content_type;
    if (!type || strncasecmp(type, json, sizeof(json) - 1) != 0)
        return false;
    const char *rest = type + sizeof(json) - 1;
    rest += strspn(rest, " \t");
    if (*rest == '\0')
        return true;
    rest += *rest == ';';
    rest += strspn(rest, " \t");
    return strcasecmp(rest, "charset=utf-8") == 0 || strcasecmp(rest, "charset=\"utf-8\"") == 0;
}

bool idempotency_key_is_valid(const char *key)
{
    size_t length = strlen(key);
    for (size_t i = 0; i < length; i++)
        if (key[i] < 0x21 || key[i] > 0x7E)
            return false;
    return length >= 1 && length <= 255;
}
