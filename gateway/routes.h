#pragma once
// What the gateway offers: one row a route, matched by a small trie that is made at start-up.
//
// A path template names its parameters after the fields of the RPC's request message, so the row
// needs no mapping: "/api/v1/orders/{order_id}" fills GetOrderRequest.order_id.

#include "lib/base/arena.h"
#include "lib/base/status.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

struct request;
struct metric;

enum http_method { HTTP_GET, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE, HTTP_METHOD_COUNT };

// Who may call. A visitor is anybody, but a token that comes along must be good and tells who asks.
enum route_access { PUBLIC, VISITOR, SIGNED_IN, ADMIN };

// The services that are called; then what the gateway answers itself: out of messages like theirs
// (GATEWAY_RPC), or as the row says (LOCAL).
enum service {
    USER_RPC,
    PRODUCT_RPC,
    ORDER_RPC,
    COUPON_RPC,
    SERVICE_COUNT,
    GATEWAY_RPC = SERVICE_COUNT,
    DESCRIPTOR_COUNT,
    LOCAL,
};

enum key_rule { NO_KEY, MAY_KEY, MUST_KEY }; // Idempotency-Key
enum body_rule { NO_BODY, MAY_BODY, BODY };  // a JSON object

// What a request counts as (limits.h).
enum limit {
    NO_LIMIT,
    LIMIT_ORDERS,
    LIMIT_PAYMENTS,
    LIMIT_CHECKOUT,
    LIMIT_CLAIMS,
    LIMIT_LOGINS,
    LIMIT_COUNT,
};

// What a success makes stale among the catalogue answers that are kept (catalogue.h).
enum change {
    CHANGES_NOTHING,
    CHANGES_CATALOGUE, // all of them
    CHANGES_STOCK,     // the products of the order that is replied
    CHANGES_COUPON,    // the coupon that is first in the path
};

struct route {
    enum http_method method;
    const char *path;
    enum route_access access;
    enum service service;
    const char *rpc; // a method of the service's descriptor; LOCAL rows have `serve` instead
    unsigned int success;
    enum key_rule key;
    enum body_rule body;
    enum limit limit;
    const char *location; // the reply's id below this path goes out as Location; or NULL
    bool waits;           // obeys Prefer; 202 while the order that is replied is not decided
    bool catalogue;       // the same for all who are not signed in: kept, and tagged (catalogue.h)
    enum change changes;
    bool goes_on; // with what was begun before: finds room where what begins does not (room.h)
    bool streams; // answers with the reply's events, and with what follows (streams.h)
    void (*serve)(struct request *request); // of LOCAL and GATEWAY_RPC rows
    const char *summary;                    // of LOCAL rows; the others have their RPC's comment
    const char *media;                      // of LOCAL rows: what they answer with
};

enum { PATH_PARAMETERS_MAX = 2 };

// A route that has found its RPC. Lives as long as the router.
struct endpoint {
    const struct route *route;
    const char *rpc_method; // "baro.order.Order/PlaceOrder"
    const ProtobufCMessageDescriptor *input;
    const ProtobufCMessageDescriptor *output;
    const ProtobufCFieldDescriptor *parameters[PATH_PARAMETERS_MAX];
    size_t parameter_count;
    const ProtobufCFieldDescriptor *wait_field;  // of the input; never a client's
    const ProtobufCFieldDescriptor *after_field; // of the input of rows that stream
    const ProtobufCFieldDescriptor *id_field;    // of the output of rows that have a location
    const ProtobufCFieldDescriptor *email_field; // of the input of rows that count logins
    const char *stale_path; // what a success makes stale is kept under it, by id; or NULL
    struct metric *seconds;
    struct endpoint_counts *counts;
};

// The fields of a route's request that path and headers set, so that query and body must not.
struct taken_fields {
    const ProtobufCFieldDescriptor *fields[PATH_PARAMETERS_MAX + 2];
    size_t count;
};
struct taken_fields endpoint_taken(const struct endpoint *endpoint);

struct path_match {
    const struct endpoint *endpoint; // NULL: no such path, or not with this method
    unsigned int allowed;            // bit per http_method that the path has; 0: no such path
    const char *parameters[PATH_PARAMETERS_MAX]; // into the path
    size_t parameter_lengths[PATH_PARAMETERS_MAX];
};

struct router;

// The table of this file's .c, for documents and tests.
extern const struct route route_table[];
extern const size_t route_count;

// The protobuf service behind each enum service below DESCRIPTOR_COUNT.
extern const ProtobufCServiceDescriptor *const service_descriptors[DESCRIPTOR_COUNT];

// "user": the services that are called.
extern const char *const service_names[SERVICE_COUNT];

// Builds the trie. FAILED_PRECONDITION names a row whose RPC, parameter or message type does not
// fit the descriptors. The router lives in the arena.
struct status router_create(struct arena *arena, const struct route *rows, size_t count,
                            struct router **router);

// Finds the route of a path (as sent, without the query). Constant time in the number of routes.
void router_match(const struct router *router, enum http_method method, const char *path,
                  size_t length, struct path_match *match);

// "GET, POST" for the bits of `allowed`; HEAD comes with GET.
const char *router_allow_header(struct arena *arena, unsigned int allowed);

// "GET" for HTTP_GET.
const char *http_method_word(enum http_method method);

// HTTP_METHOD_COUNT for a word that no route uses; HEAD counts as GET.
enum http_method http_method_parse(const char *word);

// Counts an answer of this endpoint (NULL: of no route) and the time it took.
void endpoint_observe(const struct endpoint *endpoint, unsigned int status, int64_t took_us);
