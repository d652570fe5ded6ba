#pragma once
// A small HTTP client for end-to-end tests: JSON in, JSON out, one connection per client.

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct http_client;

// `base` is "http://127.0.0.1:8080/api/v1"; NULL: $BARO_TEST_API. One client per thread.
struct http_client *http_open(const char *base);
void http_close(struct http_client *client);

// The bearer token of the calls to come; NULL for none.
void http_sign_in(struct http_client *client, const char *token);

// The token that http_sign_in set; borrowed.
const char *http_token(const struct http_client *client);

// The Idempotency-Key of the next call; without one, POSTs get a fresh key.
void http_next_key(struct http_client *client, const char *key);

// One more header line for the next call, such as "Prefer: respond-async".
void http_next_header(struct http_client *client, const char *line);

// How long calls wait for their answers from now on; 90 s until it is called.
void http_set_timeout(struct http_client *client, long timeout_ms);

// What came back. `json` is NULL when the body is empty or not JSON. Valid until the next call.
struct http_reply {
    long status; // 0: no answer, see `error`
    json_t *json;
    const char *body;
    const char *location;
    const char *headers; // lines as they came; of the answer itself
    const char *error;
};

// `format` and what follows make the JSON body (printf); NULL for none.
struct http_reply http_call(struct http_client *client, const char *method, const char *path,
                            const char *format, ...) __attribute__((format(printf, 4, 5)));

// Members of a reply's JSON by path: "items.0.id". 0 or "" when absent.
int64_t json_number(const json_t *json, const char *path);
const char *json_word(const json_t *json, const char *path);
const json_t *json_at(const json_t *json, const char *path);
