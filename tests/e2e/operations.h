#pragma once
// The operations of the API, as the gateway describes them: what walks through these covers a new
// route by itself.

#include "tests/support/http.h"

enum door { OPEN_DOOR, VISITORS_DOOR, USERS_DOOR, ADMINS_DOOR };

struct operation {
    char method[8];   // "POST"
    const char *path; // "/api/v1/orders/{order_id}/payment"
    enum door door;
    const json_t *parameters;
    const json_t *schema; // of its body, resolved; NULL: it has none
};

enum { OPERATIONS_MAX = 128 };

// Asks for the description once; the operations live as long as the process. Returns their number.
size_t operations(const struct operation **list);

// The schema behind a reference, or the schema itself.
const json_t *operation_schema(const json_t *schema);

// Like http_call, with whole paths: "/api/v1/..". `body` may be NULL.
struct http_reply operation_call(struct http_client *client, const char *method, const char *path,
                                 const char *body);

// A client for whole paths, with the token of another, or none (NULL).
struct http_client *operation_client(const struct http_client *like);
