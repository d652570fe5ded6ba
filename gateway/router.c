// The trie of path segments, the check of the rows against the descriptors, and the metrics of each
// route. At every level a literal segment wins over a parameter, so no path needs a second try.
//
// Invariant: after router_create nothing changes but the counters, so matching needs no lock.

#include "gateway/routes.h"

#include "gateway/transcode.h"
#include "lib/base/metrics.h"
#include "proto/order.pb-c.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { STATUS_COUNTS = 600 };

struct endpoint_counts {
    _Atomic(struct metric *) by_status[STATUS_COUNTS];
};

struct node {
    const char *segment;
    size_t length;
    bool parameter;
    struct node *children;
    struct node *next;
    struct endpoint *endpoints[HTTP_METHOD_COUNT];
    unsigned int allowed;
};

struct router {
    struct node root;
    const struct route *rows;
    size_t row_count;
};

static const char *const method_words[HTTP_METHOD_COUNT] = {
    [HTTP_GET] = "GET",     [HTTP_POST] = "POST",     [HTTP_PUT] = "PUT",
    [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE",
};

// Answers that belong to no route: unknown paths and refused requests.
static struct endpoint_counts no_route;

enum http_method http_method_parse(const char *word)
{
    if (strcmp(word, "HEAD") == 0)
        return HTTP_GET;
    size_t i = 0;
    while (i < HTTP_METHOD_COUNT && strcmp(method_words[i], word) != 0)
        i++;
    return (enum http_method)i;
}

const char *http_method_word(enum http_method method)
{
    return method_words[method];
}

const char *router_allow_header(struct arena *arena, unsigned int allowed)
{
    struct text_buffer out;
    text_buffer_init(&out, arena, 64);
    for (size_t i = 0; i < HTTP_METHOD_COUNT; i++)
        if (allowed & (1U << i))
            text_appendf(&out, "%s%s", out.length ? ", " : "", method_words[i]);
    text_append(&out, allowed & (1U << HTTP_GET) ? ", HEAD" : "");
    text_append(&out, out.length ? ", OPTIONS" : "");
    return out.data;
}

// The segment at *path without its slash; moves *path behind it.
static size_t next_segment(const char **path, const char *end, const char **segment)
{
    *segment = *path + 1;
    const char *slash = memchr(*segment, '/', (size_t)(end - *segment));
    *path = slash ? slash : end;
    return (size_t)(*path - *segment);
}

static struct node *find_child(const struct node *node, const char *segment, size_t length)
{
    struct node *any = NULL;
    for (struct node *child = node->children; child; child = child->next) {
        if (child->parameter)
            any = child;
        else if (child->length == length && memcmp(child->segment, segment, length) == 0)
            return child;
    }
    return length > 0 ? any : NULL;
}

void router_match(const struct router *router, enum http_method method, const char *path,
                  size_t length, struct path_match *match)
{
    const struct node *node = &router->root;
    const char *end = path + length;
    size_t parameters = 0;
    *match = (struct path_match){0};
    while (node && path < end && *path == '/') {
        const char *segment;
        size_t size = next_segment(&path, end, &segment);
        node = find_child(node, segment, size);
        if (node && node->parameter) {
            match->parameters[parameters] = segment;
            match->parameter_lengths[parameters++] = size;
        }
    }
    if (!node || path < end)
        return;
    match->allowed = node->allowed;
    match->endpoint = method < HTTP_METHOD_COUNT ? node->endpoints[method] : NULL;
}

static struct status unfit(const struct route *row, const char *message)
{
    return (struct status){STATUS_FAILED_PRECONDITION, REASON_INTERNAL, row->path, message};
}

// A parameter is its field's name in braces. Two rows may name the parameter of one place
// differently; the trie has one node for both, and each endpoint its own fields.
static struct node *add_child(struct arena *arena, struct node *node, const char *segment,
                              size_t length)
{
    bool parameter = segment[0] == '{';
    for (struct node *child = node->children; child; child = child->next)
        if (child->parameter == parameter &&
            (parameter ||
             (child->length == length && memcmp(child->segment, segment, length) == 0)))
            return child;
    struct node *child = arena_alloc(arena, sizeof(*child));
    *child = (struct node){segment, length, parameter, .next = node->children};
    node->children = child;
    return child;
}

static struct status bind_parameter(struct arena *arena, struct endpoint *endpoint,
                                    const char *segment, size_t length)
{
    if (endpoint->parameter_count == PATH_PARAMETERS_MAX || !endpoint->input)
        return unfit(endpoint->route, "has too many parameters");
    const char *name = text_copy_n(arena, segment + 1, length - 2);
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(endpoint->input, name);
    if (!field || field->type != PROTOBUF_C_TYPE_INT64)
        return unfit(endpoint->route, "has a parameter that is no integer of its request");
    endpoint->parameters[endpoint->parameter_count++] = field;
    return OK;
}

static struct status bind_waiting(struct endpoint *endpoint)
{
    if (!endpoint->wait_field || endpoint->wait_field->type != PROTOBUF_C_TYPE_INT32 ||
        endpoint->output != &baro__order__order_view__descriptor)
        return unfit(endpoint->route, "waits, but not for an order");
    return OK;
}

static struct status bind_stream(struct endpoint *endpoint)
{
    endpoint->after_field =
        protobuf_c_message_descriptor_get_field_by_name(endpoint->input, "after");
    if (!endpoint->after_field || endpoint->after_field->type != PROTOBUF_C_TYPE_STRING ||
        endpoint->output != &baro__order__order_events__descriptor)
        return unfit(endpoint->route, "streams, but not the events of an order");
    return OK;
}

static struct status bind_location(struct endpoint *endpoint)
{
    endpoint->id_field = protobuf_c_message_descriptor_get_field_by_name(endpoint->output, "id");
    if (!endpoint->id_field || endpoint->id_field->type != PROTOBUF_C_TYPE_INT64)
        return unfit(endpoint->route, "has a location, but its reply has no id");
    return OK;
}

static struct status bind_email(struct endpoint *endpoint)
{
    endpoint->email_field =
        protobuf_c_message_descriptor_get_field_by_name(endpoint->input, "email");
    if (!endpoint->email_field || endpoint->email_field->type != PROTOBUF_C_TYPE_STRING)
        return unfit(endpoint->route, "counts logins, but its request has no e-mail address");
    return OK;
}

// What is kept must be nobody's, and must cost nothing to give away.
static struct status check_catalogue(const struct route *row)
{
    bool readable = row->access == PUBLIC || row->access == VISITOR;
    if (row->method != HTTP_GET || !readable || row->limit != NO_LIMIT || row->success != 200)
        return unfit(row, "is no read of the catalogue that anybody may do");
    return OK;
}

static const struct route *shown_by(const struct router *router, const char *rpc)
{
    for (size_t i = 0; i < router->row_count; i++)
        if (router->rows[i].catalogue && strcmp(router->rows[i].rpc, rpc) == 0)
            return &router->rows[i];
    return NULL;
}

static struct status bind_stale(const struct router *router, struct arena *arena,
                                struct endpoint *endpoint)
{
    static const char *const rpcs[] = {
        [CHANGES_NOTHING] = NULL,
        [CHANGES_CATALOGUE] = NULL,
        [CHANGES_STOCK] = "GetProduct",
        [CHANGES_COUPON] = "GetCampaign",
    };
    const struct route *row = endpoint->route;
    if (!rpcs[row->changes])
        return OK;
    if (row->changes == CHANGES_STOCK && endpoint->output != &baro__order__order_view__descriptor)
        return unfit(row, "changes stock, but replies no order");
    const struct route *shown = shown_by(router, rpcs[row->changes]);
    size_t length = shown ? strcspn(shown->path, "{") : 0;
    if (!shown || strcspn(shown->path, "}") + 1 != strlen(shown->path))
        return unfit(row,
                     "changes what no row of the catalogue shows at a path that ends in its id");
    endpoint->stale_path = text_copy_n(arena, shown->path, length);
    return OK;
}

static struct status bind_rpc(const struct router *router, struct arena *arena,
                              struct endpoint *endpoint)
{
    const struct route *row = endpoint->route;
    const ProtobufCServiceDescriptor *service = service_descriptors[row->service];
    const ProtobufCMethodDescriptor *method =
        protobuf_c_service_descriptor_get_method_by_name(service, row->rpc);
    if (!method)
        return unfit(row, "names an RPC that its service does not have");
    endpoint->rpc_method = text_printf(arena, "%s/%s", service->name, row->rpc);
    endpoint->input = method->input;
    endpoint->output = method->output;
    if (failed(transcode_supports(method->input)) || failed(transcode_supports(method->output)))
        return unfit(row, "has a message with a field that has no JSON");
    endpoint->wait_field =
        protobuf_c_message_descriptor_get_field_by_name(endpoint->input, "wait_ms");
    struct status st = OK;
    if (row->catalogue)
        st = check_catalogue(row);
    if (!failed(st))
        st = bind_stale(router, arena, endpoint);
    if (!failed(st) && row->waits)
        st = bind_waiting(endpoint);
    if (!failed(st) && row->streams)
        st = bind_stream(endpoint);
    if (!failed(st) && row->location)
        st = bind_location(endpoint);
    if (!failed(st) && row->limit == LIMIT_LOGINS)
        st = bind_email(endpoint);
    return st;
}

static struct status add_row(struct router *router, struct arena *arena, const struct route *row)
{
    struct endpoint *endpoint = arena_alloc(arena, sizeof(*endpoint));
    endpoint->route = row;
    struct status st = OK;
    if (row->service != LOCAL)
        st = bind_rpc(router, arena, endpoint);
    struct node *node = &router->root;
    const char *path = row->path, *end = path + strlen(path);
    while (!failed(st) && path < end) {
        const char *segment;
        size_t length = next_segment(&path, end, &segment);
        node = add_child(arena, node, segment, length);
        if (node->parameter && row->service != LOCAL)
            st = bind_parameter(arena, endpoint, segment, length);
    }
    if (failed(st))
        return st;
    if (node->endpoints[row->method])
        return unfit(row, "stands in the table twice");
    node->endpoints[row->method] = endpoint;
    node->allowed |= 1U << row->method;
    endpoint->counts = arena_alloc(arena, sizeof(*endpoint->counts));
    endpoint->seconds = metrics_duration(
        "baro_http_request_seconds", "Time from the request line to the answer",
        text_printf(arena, "route=\"%s %s\"", method_words[row->method], row->path));
    return OK;
}

struct status router_create(struct arena *arena, const struct route *rows, size_t count,
                            struct router **router)
{
    struct router *made = arena_alloc(arena, sizeof(*made));
    made->rows = rows;
    made->row_count = count;
    for (size_t i = 0; i < count; i++) {
        struct status st = add_row(made, arena, &rows[i]);
        if (failed(st))
            return st;
    }
    *router = made;
    return OK;
}

struct taken_fields endpoint_taken(const struct endpoint *endpoint)
{
    struct taken_fields taken = {0};
    for (size_t i = 0; i < endpoint->parameter_count; i++)
        taken.fields[taken.count++] = endpoint->parameters[i];
    if (endpoint->wait_field)
        taken.fields[taken.count++] = endpoint->wait_field;
    if (endpoint->after_field)
        taken.fields[taken.count++] = endpoint->after_field;
    return taken;
}

static struct metric *register_count(const struct endpoint *endpoint, unsigned int status)
{
    char labels[200];
    const struct route *row = endpoint ? endpoint->route : NULL;
    snprintf(labels, sizeof(labels), "route=\"%s%s%s\",code=\"%u\"",
             row ? method_words[row->method] : "none", row ? " " : "", row ? row->path : "",
             status);
    return metrics_counter("baro_http_requests_total", "Requests answered", labels);
}

void endpoint_observe(const struct endpoint *endpoint, unsigned int status, int64_t took_us)
{
    assert(status < STATUS_COUNTS);
    _Atomic(struct metric *) *slot = &(endpoint ? endpoint->counts : &no_route)->by_status[status];
    struct metric *count = atomic_load_explicit(slot, memory_order_acquire);
    if (!count) {
        count = register_count(endpoint, status);
        atomic_store_explicit(slot, count, memory_order_release);
    }
    metric_add(count, 1);
    if (endpoint)
        metric_observe(endpoint->seconds, took_us);
}
