// Words that hold for every operation, and the problems: one response a status, out of errors.c.

#include "gateway/openapi_parts.h"

#include "gateway/comments.h"
#include "gateway/errors.h"
#include "gateway/routes.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

const char openapi_introduction[] =
    "Baro, an order platform for a shop. Amounts are won; ids and amounts are integers; times are "
    "RFC 3339 in UTC. Lists come in pages: `next_page_token` of one page is the `page_token` of "
    "the next, empty at the end; a page is shorter than asked for when its rows are large. Errors "
    "are `application/problem+json` (RFC 9457) with a stable `code`; their `title`, `detail` and "
    "`errors[].message` are in the language of `Accept-Language` (`en`, `ko`). "
    "Sign in with `POST /api/v1/auth/login` and send `Authorization: Bearer ACCESS_TOKEN`.";

static json_t *parsed(const char *text)
{
    json_t *json = json_loads(text, 0, NULL);
    assert(json);
    return json;
}

json_t *openapi_tags(void)
{
    json_t *tags = json_array();
    for (size_t i = 0; i < DESCRIPTOR_COUNT; i++)
        json_array_append_new(tags, json_pack("{s:s, s:s}", "name",
                                              service_descriptors[i]->short_name, "description",
                                              comment_of(service_descriptors[i]->name, NULL)));
    json_array_append_new(tags, json_pack("{s:s, s:s}", "name", "Operations", "description",
                                          "Probes, metrics and this description."));
    return tags;
}

json_t *openapi_headers(void)
{
    return parsed("{\"Location\": {\"description\": \"The path of what was made or is under way\", "
                  "\"schema\": {\"type\": \"string\"}}, "
                  "\"ETag\": {\"description\": \"Names these bytes; send it as If-None-Match\", "
                  "\"schema\": {\"type\": \"string\"}}, "
                  "\"ContentLanguage\": {\"description\": \"The language of title, detail and "
                  "errors[].message\", \"schema\": {\"type\": \"string\", \"enum\": [\"en\", "
                  "\"ko\"]}}, "
                  "\"RetryAfter\": {\"description\": \"Seconds to wait before the next try\", "
                  "\"schema\": {\"type\": \"integer\"}}}");
}

static json_t *key_parameter(bool required)
{
    return json_pack("{s:s, s:s, s:b, s:s, s:{s:s, s:s}}", "name", "Idempotency-Key", "in",
                     "header", "required", required, "description",
                     "The same key with the same body gets the first answer again, for 24 hours; "
                     "with another body IDEMPOTENCY_KEY_REUSED",
                     "schema", "type", "string", "pattern", "^[!-~]{1,255}$");
}

json_t *openapi_header_parameters(void)
{
    json_t *prefer = json_pack(
        "{s:s, s:s, s:s, s:{s:s}, s:s}", "name", "Prefer", "in", "header", "description",
        "`wait=N`: how many seconds to wait for the outcome (at most 25, else 2) before 202; "
        "`respond-async`: do not wait",
        "schema", "type", "string", "example", "wait=10");
    json_t *if_none_match = json_pack(
        "{s:s, s:s, s:s, s:{s:s}}", "name", "If-None-Match", "in", "header", "description",
        "Tags (`ETag`) of what you have: 304 when one is still right", "schema", "type", "string");
    json_t *last_event_id =
        json_pack("{s:s, s:s, s:s, s:{s:s}}", "name", "Last-Event-ID", "in", "header",
                  "description", "The id of the last event that was seen: what came after follows",
                  "schema", "type", "string");
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "IfNoneMatch", if_none_match, "IdempotencyKey",
                     key_parameter(false), "RequiredIdempotencyKey", key_parameter(true), "Prefer",
                     prefer, "LastEventId", last_event_id);
}

json_t *openapi_security_schemes(void)
{
    return parsed("{\"bearer\": {\"type\": \"http\", \"scheme\": \"bearer\", "
                  "\"bearerFormat\": \"JWT\", \"description\": "
                  "\"The access_token of signup, login or refresh; good for an hour\"}}");
}

// The codes of a status; of all for 0.
static json_t *codes_of(unsigned status)
{
    json_t *codes = json_array();
    for (size_t i = 1; i < REASON_COUNT; i++) {
        unsigned its = problem_kind((enum reason)i)->http_status;
        if (its != 0 && (status == 0 || its == status))
            json_array_append_new(codes, json_string(reason_word((enum reason)i)));
    }
    return codes;
}

void openapi_add_problem_schema(json_t *schemas)
{
    json_t *problem = parsed(
        "{\"type\": \"object\", \"description\": \"RFC 9457; switch on `code`\", "
        "\"required\": [\"type\", \"title\", \"status\", \"detail\", \"instance\", \"code\", "
        "\"errors\", \"trace_id\", \"retryable\"], \"properties\": {"
        "\"type\": {\"type\": \"string\", \"format\": \"uri\"}, \"title\": {\"type\": \"string\"}, "
        "\"status\": {\"type\": \"integer\"}, "
        "\"detail\": {\"type\": \"string\", \"description\": \"For people\"}, "
        "\"instance\": {\"type\": \"string\", \"description\": \"The path that was asked for\"}, "
        "\"errors\": {\"type\": \"array\", \"description\": \"What is wrong with the request\", "
        "\"items\": {\"type\": \"object\", \"required\": [\"field\", \"message\"], \"properties\": "
        "{\"field\": {\"type\": \"string\"}, \"message\": {\"type\": \"string\"}}}}, "
        "\"trace_id\": {\"type\": \"string\"}, \"retryable\": {\"type\": \"boolean\", "
        "\"description\": \"The same request may succeed later\"}}}");
    json_object_set_new(json_object_get(problem, "properties"), "code",
                        json_pack("{s:s, s:o}", "type", "string", "enum", codes_of(0)));
    json_object_set_new(schemas, "Problem", problem);
}

static bool says_when(unsigned status)
{
    for (size_t i = 1; i < REASON_COUNT; i++) {
        const struct problem_kind *kind = problem_kind((enum reason)i);
        if (kind->http_status == status && kind->retry_after_s > 0)
            return true;
    }
    return false;
}

static json_t *problem_response(const char *description, json_t *schema, bool with_retry_after)
{
    json_t *response = json_pack("{s:s, s:{s:{s:o}}}", "description", description, "content",
                                 "application/problem+json", "schema", schema);
    json_t *headers =
        json_pack("{s:{s:s}}", "Content-Language", "$ref", "#/components/headers/ContentLanguage");
    if (with_retry_after)
        json_object_set_new(headers, "Retry-After",
                            json_pack("{s:s}", "$ref", "#/components/headers/RetryAfter"));
    json_object_set_new(response, "headers", headers);
    return response;
}

json_t *openapi_problem_responses(void)
{
    static const char base[] = "#/components/schemas/Problem";
    json_t *responses = json_pack(
        "{s:o}", "Problem", problem_response("A problem", json_pack("{s:s}", "$ref", base), true));
    for (unsigned status = 400; status < 600; status++) {
        json_t *codes = codes_of(status);
        if (json_array_size(codes) == 0) {
            json_decref(codes);
            continue;
        }
        char name[32];
        snprintf(name, sizeof(name), "Problem%u", status);
        json_t *schema =
            json_pack("{s:[{s:s}, {s:{s:{s:i}, s:{s:o}}}]}", "allOf", "$ref", base, "properties",
                      "status", "const", (int)status, "code", "enum", codes);
        json_object_set_new(responses, name, problem_response(name, schema, says_when(status)));
    }
    return responses;
}
