// One operation a row of the route table. Its words are the comment of its RPC: the first sentence is
// the summary, and each problem code that the comment names is a response, beside those that follow
// from the row's own rules (who may call, key, body).
//
// Invariant: nothing is described that is not served, and nothing is served that is not described;
// what a status means is the table of errors.c.

#include "gateway/openapi.h"

#include "gateway/comments.h"
#include "gateway/errors.h"
#include "gateway/openapi_parts.h"
#include "gateway/openapi_schema.h"
#include "gateway/transcode.h"
#include "lib/base/macros.h"
#include "lib/base/text.h"
#include "lib/base/version.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct document {
    struct arena *arena;
    json_t *paths;
    json_t *schemas;
};

static bool always(const struct route *row)
{
    return row->service != LOCAL;
}

static bool knows_caller(const struct route *row)
{
    return row->access != PUBLIC;
}

static bool wants_admin(const struct route *row)
{
    return row->access == ADMIN;
}

static bool writes(const struct route *row)
{
    return row->method != HTTP_GET;
}

static bool takes_key(const struct route *row)
{
    return row->key != NO_KEY;
}

static bool takes_body(const struct route *row)
{
    return row->body != NO_BODY;
}

// Refusals that follow from a row, whatever its RPC says.
static const struct {
    enum reason reason;
    bool (*applies)(const struct route *row);
} implied[] = {
    {REASON_VALIDATION_ERROR,       always      },
    {REASON_UNAUTHENTICATED,        knows_caller},
    {REASON_TOKEN_EXPIRED,          knows_caller},
    {REASON_FORBIDDEN,              wants_admin },
    {REASON_REQUEST_IN_PROGRESS,    takes_key   },
    {REASON_UNSUPPORTED_MEDIA_TYPE, takes_body  },
    {REASON_IDEMPOTENCY_KEY_REUSED, takes_key   },
    {REASON_CONFLICT,               writes      },
    {REASON_INTERNAL,               always      },
    {REASON_SYSTEM_FAILURE,         writes      },
    {REASON_OUTCOME_UNKNOWN,        writes      },
    {REASON_OVERLOADED,             always      },
    {REASON_UNAVAILABLE,            always      },
    {REASON_DEADLINE_EXCEEDED,      always      },
};

static bool names_word(const char *text, const char *word)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    for (const char *at = strstr(text, word); at; at = strstr(at + 1, word)) {
        bool begins = at == text || !strchr(letters, at[-1]);
        char after = at[strlen(word)];
        if (begins && (after == '\0' || !strchr(letters, after)))
            return true;
    }
    return false;
}

static bool may_refuse(const struct route *row, const char *comment, enum reason reason)
{
    for (size_t i = 0; i < COUNT(implied); i++)
        if (implied[i].reason == reason && implied[i].applies(row))
            return true;
    return names_word(comment, reason_word(reason));
}

// The status's shared response, with the codes that this operation may have.
static void add_refusals(json_t *responses, const struct route *row, const char *comment)
{
    for (unsigned status = 400; status < 600; status++) {
        char codes[512] = "", ref[64], key[8];
        for (size_t i = 1; i < REASON_COUNT; i++) {
            enum reason reason = (enum reason)i;
            if (problem_kind(reason)->http_status != status || !may_refuse(row, comment, reason))
                continue;
            size_t length = strlen(codes);
            snprintf(codes + length, sizeof(codes) - length, "%s%s", length ? ", " : "",
                     reason_word(reason));
        }
        if (!*codes)
            continue;
        snprintf(key, sizeof(key), "%u", status);
        snprintf(ref, sizeof(ref), "#/components/responses/Problem%u", status);
        json_object_set_new(responses, key,
                            json_pack("{s:s, s:s}", "$ref", ref, "description", codes));
    }
    json_object_set_new(responses, "default",
                        json_pack("{s:s}", "$ref", "#/components/responses/Problem"));
}

// The header is one of openapi_headers(), or NULL.
static json_t *success_response(const char *description, json_t *schema, const char *header)
{
    json_t *response = json_pack("{s:s}", "description", description);
    char ref[64];
    snprintf(ref, sizeof(ref), "#/components/headers/%s", header ? header : "");
    if (header)
        json_object_set_new(response, "headers", json_pack("{s:{s:s}}", header, "$ref", ref));
    if (schema)
        json_object_set_new(response, "content",
                            json_pack("{s:{s:o}}", "application/json", "schema", schema));
    return response;
}

// The events of a stream: OpenAPI 3.1 knows no schema of a part of a text, so words refer to it.
static json_t *stream_response_of(struct document *document, const struct endpoint *endpoint)
{
    const ProtobufCFieldDescriptor *events =
        protobuf_c_message_descriptor_get_field_by_name(endpoint->output, "events");
    const ProtobufCMessageDescriptor *event = events->descriptor;
    json_decref(schema_of_reply(document->schemas, event));
    return json_pack("{s:s, s:{s:{s:{s:s, s:o}}}}", "description", "Server-Sent Events", "content",
                     "text/event-stream", "schema", "type", "string", "description",
                     json_sprintf("`id`, `event` (the type) and `data`: a JSON text like "
                                  "#/components/schemas/%s",
                                  event->short_name));
}

static json_t *rpc_responses(struct document *document, const struct endpoint *endpoint,
                             const char *comment)
{
    const struct route *row = endpoint->route;
    json_t *responses = json_object();
    char key[8];
    snprintf(key, sizeof(key), "%u", row->success);
    json_t *schema = row->success == 204 || row->streams
                         ? NULL
                         : schema_of_reply(document->schemas, endpoint->output);
    if (row->streams) {
        json_object_set_new(responses, key, stream_response_of(document, endpoint));
        add_refusals(responses, row, comment);
        return responses;
    }
    const char *what = row->success == 201   ? "Made"
                       : row->success == 204 ? "Done; there is nothing to say"
                                             : "Done";
    bool created = row->location && row->success != 200;
    const char *header = created ? "Location" : row->catalogue ? "ETag" : NULL;
    json_object_set_new(responses, key, success_response(what, schema, header));
    if (row->catalogue)
        json_object_set_new(responses, "304",
                            success_response("What you have is still right", NULL, "ETag"));
    if (row->waits)
        json_object_set_new(
            responses, "202",
            success_response("Not decided yet: the order as it is; ask again at Location",
                             schema_of_reply(document->schemas, endpoint->output), "Location"));
    add_refusals(responses, row, comment);
    return responses;
}

static json_t *parameter(const ProtobufCMessageDescriptor *type,
                         const ProtobufCFieldDescriptor *field, const char *in)
{
    bool in_path = strcmp(in, "path") == 0;
    json_t *made = json_pack("{s:s, s:s, s:b, s:o}", "name", field->name, "in", in, "required",
                             in_path, "schema", schema_of_parameter(field));
    const char *comment = comment_of(type->name, field->name);
    if (strcmp(field->name, "page_token") == 0)
        comment = "The `next_page_token` of the page before; empty for the first";
    if (*comment)
        json_object_set_new(made, "description", json_string(comment));
    return made;
}

static bool in_query(const struct taken_fields *taken, const ProtobufCFieldDescriptor *field)
{
    return !fields_include(taken->fields, taken->count, field) &&
           field->label != PROTOBUF_C_LABEL_REPEATED;
}

static void add_reference(json_t *parameters, const char *name)
{
    char ref[96];
    snprintf(ref, sizeof(ref), "#/components/parameters/%s", name);
    json_array_append_new(parameters, json_pack("{s:s}", "$ref", ref));
}

static json_t *parameters_of(const struct endpoint *endpoint)
{
    const struct route *row = endpoint->route;
    struct taken_fields taken = endpoint_taken(endpoint);
    json_t *parameters = json_array();
    for (size_t i = 0; i < endpoint->parameter_count; i++)
        json_array_append_new(parameters,
                              parameter(endpoint->input, endpoint->parameters[i], "path"));
    for (unsigned i = 0; row->body == NO_BODY && i < endpoint->input->n_fields; i++)
        if (in_query(&taken, &endpoint->input->fields[i]))
            json_array_append_new(parameters,
                                  parameter(endpoint->input, &endpoint->input->fields[i], "query"));
    if (row->key != NO_KEY)
        add_reference(parameters,
                      row->key == MUST_KEY ? "RequiredIdempotencyKey" : "IdempotencyKey");
    if (row->waits)
        add_reference(parameters, "Prefer");
    if (row->catalogue)
        add_reference(parameters, "IfNoneMatch");
    if (row->streams)
        add_reference(parameters, "LastEventId");
    return parameters;
}

static json_t *body_of(struct document *document, const struct endpoint *endpoint)
{
    struct taken_fields taken = endpoint_taken(endpoint);
    json_t *schema = schema_of_body(document->schemas, endpoint->input, taken.fields, taken.count);
    return json_pack("{s:b, s:{s:{s:o}}}", "required", endpoint->route->body == BODY, "content",
                     "application/json", "schema", schema);
}

static json_t *security_of(enum route_access access)
{
    switch (access) {
    case PUBLIC:
        return json_array();
    case VISITOR:
        return json_pack("[{s:[]}, {}]", "bearer");
    case SIGNED_IN:
    case ADMIN:
        break;
    }
    return json_pack("[{s:[]}]", "bearer");
}

// "One order." of "One order. ORDER_NOT_FOUND."
static const char *first_sentence(struct arena *arena, const char *comment)
{
    const char *end = strstr(comment, ". ");
    return end ? text_copy_n(arena, comment, (size_t)(end - comment) + 1) : comment;
}

static json_t *rpc_operation(struct document *document, const struct endpoint *endpoint)
{
    const struct route *row = endpoint->route;
    const ProtobufCServiceDescriptor *service = service_descriptors[row->service];
    const char *comment = comment_of(service->name, row->rpc);
    json_t *operation = json_pack(
        "{s:[s], s:s, s:s, s:s, s:o, s:o, s:o}", "tags", service->short_name, "operationId",
        row->rpc, "summary", first_sentence(document->arena, comment), "description",
        text_printf(document->arena, "%s%s", comment, row->access == ADMIN ? " Admins only." : ""),
        "security", security_of(row->access), "parameters", parameters_of(endpoint), "responses",
        rpc_responses(document, endpoint, comment));
    if (row->body != NO_BODY)
        json_object_set_new(operation, "requestBody", body_of(document, endpoint));
    return operation;
}

// What the gateway answers itself is no message of ours: the type alone is said.
// The only parameter of a local row is the last part of its path, a file's name.
static json_t *local_parameters(const struct route *row)
{
    if (!strchr(row->path, '{'))
        return json_array();
    return json_pack("[{s:s, s:s, s:b, s:{s:s}}]", "name", "file", "in", "path", "required", true,
                     "schema", "type", "string");
}

static json_t *local_operation(const struct route *row)
{
    char key[8];
    snprintf(key, sizeof(key), "%u", row->success);
    return json_pack("{s:[s], s:s, s:[], s:o, s:{s:{s:s, s:{s:{}}}, s:{s:s}}}", "tags",
                     "Operations", "summary", row->summary, "security", "parameters",
                     local_parameters(row), "responses", key, "description", "Done", "content",
                     row->media, "default", "description", "Anything else");
}

static void add_row(struct document *document, const struct router *router, const struct route *row)
{
    struct path_match match; // a template matches itself
    router_match(router, row->method, row->path, strlen(row->path), &match);
    assert(match.endpoint && match.endpoint->route == row);
    json_t *item = json_object_get(document->paths, row->path);
    if (!item) {
        item = json_object();
        json_object_set_new(document->paths, row->path, item);
    }
    char *method = text_copy(document->arena, http_method_word(row->method));
    for (char *at = method; *at; at++)
        *at = (char)(*at | 0x20);
    json_object_set_new(item, method,
                        row->service == LOCAL ? local_operation(row)
                                              : rpc_operation(document, match.endpoint));
}

const char *openapi_make(struct arena *arena, const struct router *router)
{
    struct document document = {arena, json_object(), json_object()};
    for (size_t i = 0; i < route_count; i++)
        add_row(&document, router, &route_table[i]);
    openapi_add_problem_schema(document.schemas);
    json_t *root = json_pack(
        "{s:s, s:{s:s, s:s, s:s}, s:[{s:s}], s:o, s:o, s:{s:o, s:o, s:o, s:o, s:o}}", "openapi",
        "3.1.0", "info", "title", "Baro", "version", BARO_VERSION, "description",
        openapi_introduction, "servers", "url", "/", "tags", openapi_tags(), "paths",
        document.paths, "components", "schemas", document.schemas, "responses",
        openapi_problem_responses(), "parameters", openapi_header_parameters(), "headers",
        openapi_headers(), "securitySchemes", openapi_security_schemes());
    assert(root);
    char *text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    const char *made = text_copy(arena, text);
    free(text);
    return made;
}
