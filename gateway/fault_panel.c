// A fault is sent off and not waited for: what comes of it is what the operations page shows. A kill
// goes to one replica, the rest to all of a service.

#include "gateway/fault_panel.h"

#include "gateway/request.h"
#include "lib/base/macros.h"
#include "lib/base/memory.h"
#include "lib/base/protobuf.h"
#include "lib/cache/prompt.h"
#include "proto/gateway.pb-c.h"

#include <stdlib.h>
#include <string.h>

enum {
    TIMEOUT_MS = 1000,
    SECONDS_DEFAULT = 10,
    SECONDS_MAX = 60,
    DELAY_DEFAULT_MS = 500,
    DELAY_MAX_MS = 5000,
    MS_PER_SECOND = 1000,
};

struct fault_panel {
    struct prompt *redis;
};

struct status fault_panel_create(const char *redis_url, struct fault_panel **panel)
{
    struct fault_panel *made = memory_alloc(sizeof(*made));
    struct status st = prompt_create(redis_url, TIMEOUT_MS, &made->redis);
    if (failed(st))
        free(made);
    else
        *panel = made;
    return st;
}

void fault_panel_stop(struct fault_panel *panel)
{
    if (panel)
        prompt_stop(panel->redis);
}

void fault_panel_destroy(struct fault_panel *panel)
{
    if (!panel)
        return;
    prompt_destroy(panel->redis);
    free(panel);
}

static void answer(struct request *request, const ProtobufCMessage *message)
{
    answer_message(request, request->match.endpoint->route->success, message);
    request_resume(request);
}

static void refuse_request(struct request *request, struct status st)
{
    answer_problem(request, st, NULL, 0);
    request_resume(request);
}

void fault_panel_serve(struct request *request)
{
    static const Baro__FaultKind kinds[] = {
        BARO__FAULT_KIND__FAULT_KIND_KILL,
        BARO__FAULT_KIND__FAULT_KIND_DELAY,
        BARO__FAULT_KIND__FAULT_KIND_DROP_BUS,
        BARO__FAULT_KIND__FAULT_KIND_EMPTY_REDIS,
    };
    Baro__Gateway__Faults faults;
    baro__gateway__faults__init(&faults);
    char *names[SERVICE_COUNT];
    for (size_t i = 0; i < SERVICE_COUNT; i++)
        names[i] = protobuf_text(service_names[i]);
    if (request->gateway->fault_panel) {
        faults.n_kinds = COUNT(kinds);
        faults.kinds = arena_copy(request->arena, kinds, sizeof(kinds));
        faults.n_services = SERVICE_COUNT;
        faults.services = names;
    }
    answer(request, &faults.base);
}

// SERVICE_COUNT for none named, which means all; beyond for one that is not there.
static size_t service_named(const char *name)
{
    if (!*name)
        return SERVICE_COUNT;
    for (size_t i = 0; i < SERVICE_COUNT; i++)
        if (strcmp(service_names[i], name) == 0)
            return i;
    return SERVICE_COUNT + 1;
}

static struct status check(const Baro__Gateway__Fault *fault)
{
    size_t service = service_named(fault->service);
    bool kills = fault->kind == BARO__FAULT_KIND__FAULT_KIND_KILL;
    if (fault->kind == BARO__FAULT_KIND__FAULT_KIND_UNSPECIFIED)
        return invalid("kind", "must be KILL, DELAY, DROP_BUS or EMPTY_REDIS");
    if (service > SERVICE_COUNT || (kills && service == SERVICE_COUNT))
        return invalid("service", "must be user, product, order or coupon");
    if (fault->seconds < 0 || fault->seconds > SECONDS_MAX)
        return invalid("seconds", "must be 1 to 60");
    if (fault->delay_ms < 0 || fault->delay_ms > DELAY_MAX_MS)
        return invalid("delay_ms", "must be 1 to 5,000");
    return OK;
}

static void suffered(void *arg, struct status st, const Baro__RpcReply *reply)
{
    (void)arg, (void)reply;
    if (failed(st))
        log_warn("a fault could not be caused", log_status(st));
}

static void forgotten(void *arg, const struct cache_value *value)
{
    (void)arg;
    if (!value)
        log_warn("Redis could not be emptied");
}

static void send_off(struct request *request, const Baro__Gateway__Fault *fault)
{
    Baro__SufferRequest wish;
    baro__suffer_request__init(&wish);
    wish.kind = fault->kind;
    wish.duration_ms = (fault->seconds ? fault->seconds : SECONDS_DEFAULT) * MS_PER_SECOND;
    wish.delay_ms = fault->delay_ms ? fault->delay_ms : DELAY_DEFAULT_MS;
    const struct rpc_request call = {
        .method = "baro.Health/Suffer",
        .message = &wish.base,
        .caller = request->caller,
        .timeout_ms = TIMEOUT_MS,
        .traceparent = request->trace.parent,
    };
    size_t service = service_named(fault->service);
    struct rpc_client *const *clients = request->gateway->services;
    if (fault->kind == BARO__FAULT_KIND__FAULT_KIND_KILL) {
        rpc_call(clients[service], &call, suffered, NULL);
        return;
    }
    for (size_t i = 0; i < SERVICE_COUNT; i++)
        if (service == SERVICE_COUNT || service == i)
            rpc_call_each(clients[i], &call, suffered, NULL);
}

void fault_panel_cause(struct request *request)
{
    const Baro__Gateway__Fault *fault = (const Baro__Gateway__Fault *)request->message;
    struct fault_panel *panel = request->gateway->fault_panel;
    if (!panel) {
        refuse_request(request, refuse(REASON_ROUTE_NOT_FOUND, NULL));
        return;
    }
    struct status st = check(fault);
    if (failed(st)) {
        refuse_request(request, st);
        return;
    }
    log_warn("a fault is caused on purpose", log_int("kind", fault->kind),
             log_text("service", fault->service), log_int("by", request->caller.user_id));
    const char *const forget_all[] = {"FLUSHALL"};
    if (fault->kind == BARO__FAULT_KIND__FAULT_KIND_EMPTY_REDIS)
        prompt_ask(panel->redis, (struct cache_command){.words = forget_all, .count = 1}, forgotten,
                   NULL);
    else
        send_off(request, fault);
    answer(request, &fault->base);
}
