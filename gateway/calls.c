// The connection is suspended before Redis or a service is asked, because the outcome may come, on
// another thread, before that call returns: from that line on the request belongs to the callbacks.
//
// A client that goes away meanwhile is noticed when the answer is written; nothing is cancelled,
// because nothing on the wire could cancel it.

#include "gateway/calls.h"

#include "gateway/catalogue.h"
#include "gateway/message.h"
#include "gateway/quota.h"
#include "gateway/streams.h"
#include "lib/base/clock.h"
#include "lib/base/fault_point.h"
#include "lib/base/protobuf.h"
#include "proto/order.pb-c.h"

#include <assert.h>
#include <string.h>

enum {
    CALL_TIMEOUT_MS = 5000,
    WAIT_DEFAULT_MS = 2000,
    WAIT_MARGIN_MS = 3000, // for what is not waiting
    FAULT_LOG_PERIOD_MS = 1000,
};

// The order is not decided yet; or nobody wanted to wait for it, however quick it was.
static bool is_early(const struct request *request, const ProtobufCMessage *reply)
{
    if (preferences_wait_ms(&request->headers.preferences, WAIT_DEFAULT_MS) == 0)
        return true;
    const Baro__Order__OrderView *order = (const Baro__Order__OrderView *)reply;
    return order->status == BARO__ORDER__ORDER_STATUS__ORDER_STATUS_PAYING ||
           order->status == BARO__ORDER__ORDER_STATUS__ORDER_STATUS_HELD;
}

static void add_location(struct request *request, const ProtobufCMessage *reply)
{
    const struct endpoint *endpoint = request->match.endpoint;
    int64_t id = *(const int64_t *)((const char *)reply + endpoint->id_field->offset);
    answer_add_header(
        request, MHD_HTTP_HEADER_LOCATION,
        text_printf(request->arena, "%s%lld", endpoint->route->location, (long long)id));
}

static void answer_reply(struct request *request, const ProtobufCMessage *reply)
{
    const struct route *route = request->match.endpoint->route;
    unsigned int status =
        route->waits && is_early(request, reply) ? MHD_HTTP_ACCEPTED : route->success;
    if (route->streams) {
        stream_begin(request, (const Baro__Order__OrderEvents *)reply);
        return;
    }
    if (status == MHD_HTTP_NO_CONTENT)
        answer_with(request, status, NULL);
    else
        answer_message(request, status, reply);
    if (route->location && status != MHD_HTTP_OK)
        add_location(request, reply);
}

static void add_preference(struct request *request)
{
    bool early = request->answer.status == MHD_HTTP_ACCEPTED;
    const char *applied = NULL;
    if (request->match.endpoint->route->waits)
        applied = preferences_applied(&request->headers.preferences, early, request->arena);
    if (applied)
        answer_add_header(request, "Preference-Applied", applied);
}

static void log_fault(const struct request *request, struct status st)
{
    static struct log_throttle throttle;
    if (problem_kind(problem_reason(st))->http_status >= 500 &&
        log_once_per(&throttle, FAULT_LOG_PERIOD_MS))
        log_warn("call failed", log_text("method", request->match.endpoint->rpc_method),
                 log_status(st), log_text("trace_id", request->trace.id));
}

static void call_done(void *arg, struct status st, const Baro__RpcReply *reply)
{
    struct request *request = arg;
    const ProtobufCMessage *message = NULL;
    int64_t now_us = clock_monotonic_us();
    fault_point("gateway", "answered");
    room_leave(request->gateway->rooms[request->match.endpoint->route->service], request->errand,
               now_us, now_us - request->called_us);
    if (!failed(st)) {
        message = protobuf_unpack(request->match.endpoint->output, reply->payload.len,
                                  reply->payload.data, request->arena);
        if (!message)
            st = refuse(REASON_INTERNAL, "the service's reply is malformed");
    }
    if (message) {
        catalogue_note_change(request, message);
        answer_reply(request, message);
    } else {
        log_fault(request, st);
        answer_problem(request, st, NULL, reply ? reply->pushback_ms : 0);
    }
    add_preference(request);
    catalogue_deliver(request, st, reply ? reply->pushback_ms : 0);
    quota_settle(request, st, request->answer.status != MHD_HTTP_ACCEPTED, request_resume);
}

static int64_t apply_wait(struct request *request, ProtobufCMessage *message)
{
    const ProtobufCFieldDescriptor *field = request->match.endpoint->wait_field;
    if (!field || !request->match.endpoint->route->waits)
        return CALL_TIMEOUT_MS;
    int64_t wait_ms = preferences_wait_ms(&request->headers.preferences, WAIT_DEFAULT_MS);
    *(int32_t *)((char *)message + field->offset) = (int32_t)wait_ms;
    return wait_ms + WAIT_MARGIN_MS;
}

static void start_rpc(struct request *request)
{
    const struct route *route = request->match.endpoint->route;
    if (route->serve) {
        route->serve(request);
        return;
    }
    const char *key = route->key == NO_KEY ? NULL : request->headers.idempotency_key;
    struct rpc_request call = {
        .method = request->match.endpoint->rpc_method,
        .message = request->message,
        .caller = request->caller,
        .timeout_ms = apply_wait(request, request->message),
        .idempotency_key = key,
        .traceparent = request->trace.parent,
        .idempotent = key || route->method == HTTP_GET,
    };
    request->called_us = clock_monotonic_us();
    room_enter(request->gateway->rooms[route->service], request->errand);
    rpc_call(request->gateway->services[route->service], &call, call_done, request);
    fault_point("gateway", "called");
}

// The end may have come while Redis was asked.
static void go_on(struct request *request)
{
    if (request->answer.status == 0 && atomic_load(&request->gateway->refusing)) {
        struct status st = refuse(REASON_UNAVAILABLE, "this gateway is shutting down");
        answer_problem(request, st, NULL, 0);
        catalogue_deliver(request, st, 0);
    }
    fault_point("gateway", "limited");
    if (request->answer.status == 0)
        start_rpc(request);
    else
        request_resume(request);
}

// A stream stays: there is room for so many only.
static bool take_place(struct request *request)
{
    if (!request->match.endpoint->route->streams)
        return true;
    struct status st = stream_open(request->gateway->streams, request);
    if (failed(st))
        answer_problem(request, st, NULL, 0);
    return !failed(st);
}

bool call_begin(struct request *request)
{
    const struct route *route = request->match.endpoint->route;
    if (route->service == LOCAL) {
        route->serve(request);
        return true;
    }
    if (catalogue_serve(request))
        return true;
    request->message = message_build(request);
    if (!request->message || !take_place(request))
        return true;
    request->phase = PHASE_CALLING;
    fault_point("gateway", "received");
    MHD_suspend_connection(request->connection);
    if (!catalogue_wait(request))
        quota_take(request, go_on);
    return false;
}
