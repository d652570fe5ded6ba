// Each answers at once, from memory: a probe must not depend on what it probes.

#include "gateway/ops.h"

#include "gateway/request.h"
#include "lib/base/metrics.h"
#include "lib/base/version.h"

static struct text_buffer *begin_body(struct request *request, size_t capacity)
{
    text_buffer_init(&request->answer.body, request->arena, capacity);
    return &request->answer.body;
}

void ops_livez(struct request *request)
{
    text_append(begin_body(request, 32), "{\"status\":\"alive\"}");
    answer_with(request, MHD_HTTP_OK, "application/json");
}

void ops_readyz(struct request *request)
{
    static const char *const WORDS[] = {
        [GATEWAY_NOT_READY] = "not ready",
        [GATEWAY_DEGRADED] = "degraded",
        [GATEWAY_READY] = "ready",
    };
    struct gateway *gateway = request->gateway;
    enum gateway_readiness readiness = gateway_readiness(gateway);
    struct text_buffer *body = begin_body(request, 256);
    text_appendf(body, "{\"status\":\"%s\",\"draining\":%s,\"keys\":%s", WORDS[readiness],
                 atomic_load(&gateway->draining) ? "true" : "false",
                 auth_has_keys(gateway->auth) ? "true" : "false");
    for (size_t i = 0; i < SERVICE_COUNT; i++)
        text_appendf(body, ",\"%s\":%s", service_names[i],
                     gateway_reaches(gateway, (enum service)i) ? "true" : "false");
    text_append_char(body, '}');
    answer_with(request,
                readiness == GATEWAY_NOT_READY ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK,
                "application/json");
}

void ops_version(struct request *request)
{
    text_append(begin_body(request, 64), "{\"name\":\"baro\",\"version\":\"" BARO_VERSION "\"}");
    answer_with(request, MHD_HTTP_OK, "application/json");
}

void ops_metrics(struct request *request)
{
    metrics_write(begin_body(request, 64 * 1024));
    answer_with(request, MHD_HTTP_OK, "text/plain; version=0.0.4");
}

void ops_problems(struct request *request)
{
    enum language language = language_wanted(request->headers.accept_language);
    problem_write_kinds(language, begin_body(request, 8 * 1024));
    answer_with(request, MHD_HTTP_OK, "application/json");
    answer_add_language(request, language);
    answer_add_header(request, MHD_HTTP_HEADER_CACHE_CONTROL, "public, max-age=60");
    request->answer.cacheable = true;
}

void ops_jwks(struct request *request)
{
    auth_write_keys(request->gateway->auth, begin_body(request, 1024));
    answer_with(request, MHD_HTTP_OK, "application/jwk-set+json");
    answer_add_header(request, MHD_HTTP_HEADER_CACHE_CONTROL, "public, max-age=60");
    request->answer.cacheable = true;
}
