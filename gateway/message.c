// Each place of a request fills fields of its own: what path and headers have set is nobody else's, and
// a route reads its query or its body, never both.

#include "gateway/message.h"

#include "gateway/query.h"

static void read_path(struct request *request, ProtobufCMessage *message,
                      struct field_errors *errors)
{
    const struct path_match *match = &request->match;
    for (size_t i = 0; i < match->endpoint->parameter_count; i++) {
        const char *text =
            text_copy_n(request->arena, match->parameters[i], match->parameter_lengths[i]);
        transcode_text(match->endpoint->parameters[i], text, message, errors);
    }
}

// Where a stream goes on.
static void read_last_event(const struct request *request, ProtobufCMessage *message,
                            struct field_errors *errors)
{
    const ProtobufCFieldDescriptor *field = request->match.endpoint->after_field;
    if (field && request->headers.last_event_id)
        transcode_text(field, request->headers.last_event_id, message, errors);
}

static void read_query(struct request *request, const struct taken_fields *taken,
                       ProtobufCMessage *message, struct field_errors *errors)
{
    if (request->match.endpoint->route->body == NO_BODY)
        query_read(request->query, taken->fields, taken->count, message, errors);
    else // the fields belong to the body: every parameter is one too many
        query_read(request->query, NULL, 0, message_create(&baro__empty__descriptor, errors->arena),
                   errors);
}

static void read_body(struct request *request, const struct taken_fields *taken,
                      ProtobufCMessage *message, struct field_errors *errors)
{
    enum body_rule rule = request->match.endpoint->route->body;
    if (request->body.length > 0)
        transcode_body(request->body.data, request->body.length, taken->fields, taken->count,
                       message, errors);
    else if (rule == BODY)
        field_errors_add(errors, "body", "must be a JSON object");
}

ProtobufCMessage *message_build(struct request *request)
{
    const struct endpoint *endpoint = request->match.endpoint;
    struct taken_fields taken = endpoint_taken(endpoint);
    struct field_errors errors = {.arena = request->arena};
    ProtobufCMessage *message = message_create(endpoint->input, request->arena);
    read_path(request, message, &errors);
    read_last_event(request, message, &errors);
    read_query(request, &taken, message, &errors);
    read_body(request, &taken, message, &errors);
    if (errors.count == 0)
        return message;
    answer_problem(request, refuse(REASON_VALIDATION_ERROR, NULL), &errors, 0);
    return NULL;
}
