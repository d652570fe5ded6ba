// "METHOD /path?query", a line, then the body: through the router, the query and the transcoder, as the
// gateway does. Either the service can read the message, or the answer is a problem that names a field.

#include "gateway/message.h"
#include "lib/base/protobuf.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static struct gateway gateway;

static void start(void)
{
    struct arena *arena = arena_create();
    gateway.requests = request_pool_create();
    struct status st = router_create(arena, route_table, route_count, &gateway.router);
    assert(!failed(st));
}

static void check_problem(const struct request *request, unsigned int status)
{
    const struct answer *answer = &request->answer;
    assert(answer->status == status);
    assert(is_json(answer->body.data, answer->body.length));
    if (status == MHD_HTTP_BAD_REQUEST)
        assert(strstr(answer->body.data, "\"errors\":[{\"field\":"));
}

static void check_message(const struct request *request, const ProtobufCMessage *message)
{
    size_t size;
    uint8_t *bytes = protobuf_pack(message, request->arena, &size);
    assert(protobuf_unpack(message->descriptor, size, bytes, request->arena));
}

// What headers.c lets through.
static bool is_header_value(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            return false;
    return true;
}

static void serve(struct request *request, const char *body, size_t length)
{
    const struct endpoint *endpoint = request->match.endpoint;
    if (endpoint->route->service == LOCAL)
        return;
    text_buffer_init(&request->body, request->arena, length + 1);
    text_append_n(&request->body, body, length);
    if (endpoint->after_field && is_header_value(body))
        request->headers.last_event_id = body;
    ProtobufCMessage *message = message_build(request);
    if (message)
        check_message(request, message);
    else
        check_problem(request, MHD_HTTP_BAD_REQUEST);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = input_arena();
    struct input input = input_of(data, size);
    char *method = input_line(&input, arena, NULL);
    size_t length;
    char *body = input_rest(&input, arena, &length);
    char *target = strchr(method, ' ');
    if (!gateway.router)
        start();
    if (!target)
        return -1;
    *target++ = '\0';

    struct request *request = request_acquire(&gateway, target, NULL);
    router_match(gateway.router, http_method_parse(method), request->path, request->path_length,
                 &request->match);
    if (request->match.endpoint) {
        serve(request, body, length);
    } else {
        answer_problem(request, refuse(REASON_ROUTE_NOT_FOUND, NULL), NULL, 0);
        check_problem(request, MHD_HTTP_NOT_FOUND);
    }
    request_release(request);
    return 0;
}
