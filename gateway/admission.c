// The checks stand in the order in which a client should learn of them: a request that could be
// read in two ways, an unknown path, an unknown method, a busy service, who calls, the key, the type of
// the body. Of these a busy service comes as early as it can be known: in a crowd most are refused, and
// what that costs is what the others do not get.

#include "gateway/admission.h"

#include "lib/base/clock.h"

#include <string.h>

typedef struct status check(struct request *request);

// What the gateway answers itself needs no room, nor what the catalogue has kept, and what that fetches
// it fetches once for all. Administrators must be able to look at a crowd.
static struct status check_room(struct request *request)
{
    const struct route *route = request->match.endpoint->route;
    bool goes_on = route->goes_on || route->access == ADMIN;
    request->errand = goes_on ? ERRAND_GOES_ON : ERRAND_BEGINS;
    if (route->serve || route->catalogue)
        return OK;
    if (room_has(request->gateway->rooms[route->service], request->errand, request->started_us))
        return OK;
    return refuse(REASON_OVERLOADED, NULL);
}

static struct status check_access(struct request *request)
{
    enum route_access access = request->match.endpoint->route->access;
    const char *authorization = request->headers.authorization;
    bool stale = false;
    struct status st = OK;
    if (access == PUBLIC || (access == VISITOR && !authorization))
        return st;
    if (!authorization)
        return refuse(REASON_UNAUTHENTICATED, "an access token is needed: Authorization: Bearer");
    st = auth_check(request->gateway->auth, authorization, clock_realtime_us(), request->arena,
                    &request->caller, &stale);
    if (!failed(st) && access == ADMIN && request->caller.role != CALLER_ADMIN)
        st = refuse(REASON_FORBIDDEN, "only an administrator may do this");
    return st;
}

static struct status check_key(struct request *request)
{
    const char *key = request->headers.idempotency_key;
    if (!key && request->match.endpoint->route->key == MUST_KEY)
        return invalid("Idempotency-Key", "this request needs the header Idempotency-Key");
    if (key && !idempotency_key_is_valid(key))
        return invalid("Idempotency-Key", "must be 1 to 255 visible ASCII characters");
    return OK;
}

static bool body_is_announced(const struct headers *headers)
{
    const char *length = headers->content_length;
    return headers->transfer_encoding || (length && length[strspn(length, "0")] != '\0');
}

static struct status check_body(struct request *request)
{
    int64_t length = 0;
    bool announced = body_is_announced(&request->headers);
    if (!announced)
        return OK;
    if (request->headers.content_length &&
        !text_parse_int64(request->headers.content_length, 0, BODY_MAX, &length)) {
        request->answer.close = true; // rather than to read it all
        return invalid("body", "is larger than 64 KiB");
    }
    if (request->match.endpoint->route->body == NO_BODY)
        return invalid("body", "this request takes no body");
    if (!headers_say_json(&request->headers))
        return refuse(REASON_UNSUPPORTED_MEDIA_TYPE, NULL);
    text_buffer_init(&request->body, request->arena, (size_t)length + 1);
    return OK;
}

static check *const checks[] = {check_room, check_access, check_key, check_body};

static void refuse_method(struct request *request)
{
    answer_problem(request, refuse(REASON_METHOD_NOT_ALLOWED, NULL), NULL, 0);
    answer_add_header(request, MHD_HTTP_HEADER_ALLOW,
                      router_allow_header(request->arena, request->match.allowed));
}

// OPTIONS on a path that exists: what it allows; the CORS headers come with every answer.
static void answer_options(struct request *request)
{
    answer_with(request, MHD_HTTP_NO_CONTENT, NULL);
    answer_add_header(request, MHD_HTTP_HEADER_ALLOW,
                      router_allow_header(request->arena, request->match.allowed));
}

// Finds the route; sets the answer when there is none to call.
static bool find_route(struct request *request, const char *word)
{
    enum http_method method = http_method_parse(word);
    router_match(request->gateway->router, method, request->path, request->path_length,
                 &request->match);
    if (request->match.endpoint)
        return true;
    if (request->match.allowed == 0)
        answer_problem(request, refuse(REASON_ROUTE_NOT_FOUND, NULL), NULL, 0);
    else if (strcmp(word, MHD_HTTP_METHOD_OPTIONS) == 0)
        answer_options(request);
    else
        refuse_method(request);
    return false;
}

void admit(struct request *request, const char *method, const char *version)
{
    struct status st = headers_read(request->connection, version, &request->headers);
    trace_begin(&request->trace, request->headers.traceparent, request->headers.request_id,
                request->gateway->settings->trace_share);
    if (failed(st)) {
        request->answer.close = true;
        answer_problem(request, st, NULL, 0);
        return;
    }
    if (!find_route(request, method))
        return;
    for (size_t i = 0; i < COUNT(checks); i++) {
        st = checks[i](request);
        if (failed(st)) {
            answer_problem(request, st, NULL, 0);
            return;
        }
    }
}
