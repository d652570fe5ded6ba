// What goes out: the body in the request's arena, the headers that every answer has, CORS.
//
// The body stays in the arena until the request is released, so libmicrohttpd sends it from there.

#include "gateway/request.h"

#include "gateway/streams.h"
#include "lib/base/clock.h"

#include <assert.h>
#include <string.h>

void answer_with(struct request *request, unsigned int status, const char *content_type)
{
    request->answer.status = status;
    request->answer.content_type = content_type;
}

void answer_message(struct request *request, unsigned int status, const ProtobufCMessage *message)
{
    text_buffer_init(&request->answer.body, request->arena, 1024);
    transcode_write(message, &request->answer.body);
    answer_with(request, status, "application/json");
}

// Who may keep it must ask again each time: a tag that is still right costs no body. Where signed-in
// users see something else, their answer is theirs alone.
void answer_page(struct request *request, struct page *page)
{
    bool differs = request->match.endpoint->route->access == VISITOR;
    bool personal = request->caller.user_id != 0;
    request->answer.page = page;
    request->answer.cacheable = true;
    answer_add_header(request, MHD_HTTP_HEADER_ETAG, page->tag);
    answer_add_header(request, MHD_HTTP_HEADER_CACHE_CONTROL,
                      personal ? "private, no-cache" : "public, no-cache");
    if (differs)
        answer_add_header(request, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_AUTHORIZATION);
    bool known = entity_tag_is_known(request->headers.if_none_match, page->tag);
    request->answer.body =
        (struct text_buffer){.data = page->data, .length = known ? 0 : page->length};
    if (known)
        answer_with(request, MHD_HTTP_NOT_MODIFIED, NULL);
    else
        answer_with(request, MHD_HTTP_OK, "application/json");
}

void answer_add_header(struct request *request, const char *name, const char *value)
{
    struct answer *answer = &request->answer;
    assert(answer->header_count < ANSWER_HEADERS_MAX);
    answer->headers[answer->header_count++] = (struct answer_header){name, value};
}

static void add_retry_after(struct request *request, int64_t default_s, int64_t pushback_ms)
{
    int64_t wait_s = pushback_ms > 0 ? (pushback_ms + 999) / 1000 : default_s;
    if (wait_s > 0)
        answer_add_header(request, MHD_HTTP_HEADER_RETRY_AFTER,
                          text_printf(request->arena, "%lld", (long long)wait_s));
}

void answer_add_language(struct request *request, enum language language)
{
    answer_add_header(request, MHD_HTTP_HEADER_CONTENT_LANGUAGE, language_tag(language));
    answer_add_header(request, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ACCEPT_LANGUAGE);
}

void answer_problem(struct request *request, struct status st, const struct field_errors *errors,
                    int64_t pushback_ms)
{
    const struct problem_kind *kind = problem_kind(problem_reason(st));
    struct problem problem = {
        .status = st,
        .errors = errors,
        .instance = request->path,
        .trace_id = request->trace.id,
        .language = language_wanted(request->headers.accept_language),
    };
    text_buffer_init(&request->answer.body, request->arena, 512);
    problem_write(&problem, &request->answer.body);
    answer_with(request, kind->http_status, "application/problem+json");
    answer_add_language(request, problem.language);
    add_retry_after(request, kind->retry_after_s, pushback_ms);
    if (kind->http_status == MHD_HTTP_UNAUTHORIZED)
        answer_add_header(request, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer realm=\"baro\"");
}

static bool origin_is_allowed(const struct request *request)
{
    const struct gateway *gateway = request->gateway;
    const char *origin = request->headers.origin;
    for (size_t i = 0; origin && i < gateway->cors_origin_count; i++)
        if (strcmp(gateway->cors_origins[i], origin) == 0)
            return true;
    return false;
}

static void add_cors(const struct request *request, struct MHD_Response *response)
{
    if (request->gateway->cors_origin_count == 0)
        return;
    MHD_add_response_header(response, "Vary", "Origin");
    if (!origin_is_allowed(request))
        return;
    MHD_add_response_header(response, "Access-Control-Allow-Origin", request->headers.origin);
    MHD_add_response_header(response, "Access-Control-Expose-Headers",
                            "ETag, Location, Preference-Applied, RateLimit, RateLimit-Policy, "
                            "Retry-After, traceparent, X-Request-Id");
    if (!request->headers.requested_method)
        return;
    MHD_add_response_header(response, "Access-Control-Allow-Methods",
                            "GET, POST, PUT, PATCH, DELETE");
    MHD_add_response_header(response, "Access-Control-Allow-Headers",
                            "Authorization, Content-Type, Idempotency-Key, If-None-Match, "
                            "Last-Event-ID, Prefer, traceparent, X-Request-Id");
    MHD_add_response_header(response, "Access-Control-Max-Age", "600");
}

static void add_headers(const struct request *request, struct MHD_Response *response)
{
    const struct answer *answer = &request->answer;
    if (answer->content_type)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->content_type);
    if (!answer->cacheable)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "X-Request-Id", request->trace.request_id);
    MHD_add_response_header(response, "traceparent", request->trace.parent);
    for (size_t i = 0; i < answer->header_count; i++)
        MHD_add_response_header(response, answer->headers[i].name, answer->headers[i].value);
    add_cors(request, response);
    if (answer->close || atomic_load(&request->gateway->draining))
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
}

enum MHD_Result answer_send(struct request *request)
{
    const struct answer *answer = &request->answer;
    struct MHD_Response *response =
        answer->streams
            ? stream_response(request->stream)
            : MHD_create_response_from_buffer_static(answer->body.length, answer->body.data);
    if (!response)
        return MHD_NO;
    add_headers(request, response);
    enum MHD_Result result = MHD_queue_response(request->connection, answer->status, response);
    MHD_destroy_response(response);
    int64_t took_us = clock_monotonic_us() - request->started_us;
    endpoint_observe(request->match.endpoint, answer->status, took_us);
    trace_end(request, took_us);
    return result;
}
