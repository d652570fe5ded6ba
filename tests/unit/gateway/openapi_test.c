// The API's description says what the table says, once, and refers to nothing that it lacks.

#include "gateway/openapi.h"

#include "gateway/errors.h"
#include "lib/base/macros.h"
#include "lib/base/text.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <string.h>

static struct arena *arena;
static struct router *router;
static json_t *root;

static void set_up(void)
{
    arena = arena_create();
    cr_assert(!failed(router_create(arena, route_table, route_count, &router)));
    root = json_loads(openapi_make(arena, router), JSON_REJECT_DUPLICATES, NULL);
    cr_assert(root, "the description is no JSON");
}

static void tear_down(void)
{
    json_decref(root);
    arena_destroy(arena);
}

TestSuite(openapi, .init = set_up, .fini = tear_down);

// What stands at "a/b/c"; "~" stands for a slash inside of a name.
static json_t *at(json_t *json, const char *path)
{
    const char **parts;
    size_t count = text_split(arena, path, '/', &parts);
    for (size_t i = 0; json && i < count; i++) {
        char *name = text_copy(arena, parts[i]);
        for (char *c = name; *c; c++)
            *c = *c == '~' ? '/' : *c;
        json = json_is_array(json) ? json_array_get(json, (size_t)strtoul(name, NULL, 10))
                                   : json_object_get(json, name);
    }
    return json;
}

static const char *word_at(json_t *json, const char *path)
{
    const char *word = json_string_value(at(json, path));
    return word ? word : "";
}

static json_t *operation_of(const struct route *row)
{
    static const char *const words[] = {"get", "post", "put", "patch", "delete"};
    json_t *item = json_object_get(json_object_get(root, "paths"), row->path);
    return json_object_get(item, words[row->method]);
}

static bool refers_to(json_t *list, const char *ref)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(word_at(json_array_get(list, i), "$ref"), ref) == 0)
            return true;
    return false;
}

Test(openapi, every_route_is_described_and_nothing_else)
{
    size_t described = 0;
    const char *path;
    json_t *item;
    json_object_foreach (json_object_get(root, "paths"), path, item)
        described += json_object_size(item);
    cr_assert_eq(described, route_count);
    for (size_t i = 0; i < route_count; i++)
        cr_expect(operation_of(&route_table[i]), "%s", route_table[i].path);
}

Test(openapi, every_operation_has_a_summary_of_one_sentence)
{
    for (size_t i = 0; i < route_count; i++) {
        const char *summary = word_at(operation_of(&route_table[i]), "summary");
        const char *stop = strchr(summary, '.');
        cr_expect(stop, "%s %s: comment its rpc", route_table[i].path, summary);
        cr_expect_lt(strlen(summary), 110, "%s", summary);
    }
}

Test(openapi, operation_ids_are_unique)
{
    json_t *seen = json_object();
    for (size_t i = 0; i < route_count; i++) {
        const char *id = word_at(operation_of(&route_table[i]), "operationId");
        cr_expect(*id || route_table[i].service == LOCAL);
        cr_expect_null(json_object_get(seen, id), "%s", id);
        if (*id)
            json_object_set_new(seen, id, json_true());
    }
    json_decref(seen);
}

static size_t check_references(json_t *json)
{
    size_t count = 0, i;
    const char *key;
    json_t *member;
    if (json_is_array(json)) {
        json_array_foreach (json, i, member)
            count += check_references(member);
        return count;
    }
    json_object_foreach (json, key, member) {
        if (strcmp(key, "$ref") == 0 && json_is_string(member)) {
            const char *ref = json_string_value(member);
            cr_expect(strncmp(ref, "#/", 2) == 0 && at(root, ref + 2), "%s", ref);
            count++;
        }
        count += check_references(member);
    }
    return count;
}

Test(openapi, says_what_a_body_must_have)
{
    json_t *needed = json_object_get(at(root, "components/schemas/NewOptionInput"), "required");
    cr_assert_eq(json_array_size(needed), 1);
    cr_expect_str_eq(json_string_value(json_array_get(needed, 0)), "price");
}

Test(openapi, references_lead_somewhere)
{
    cr_assert_gt(check_references(root), 100);
}

Test(openapi, two_messages_never_share_a_schema)
{
    const ProtobufCMessageDescriptor *seen[256];
    size_t count = 0;
    for (size_t i = 0; i < route_count; i++) {
        if (route_table[i].service == LOCAL)
            continue;
        struct path_match match;
        router_match(router, route_table[i].method, route_table[i].path,
                     strlen(route_table[i].path), &match);
        const ProtobufCMessageDescriptor *type = match.endpoint->output;
        for (size_t k = 0; k < count; k++)
            cr_expect(seen[k] == type || strcmp(seen[k]->short_name, type->short_name) != 0, "%s",
                      type->name);
        seen[count++] = type;
    }
}

Test(openapi, who_may_call_is_the_security)
{
    for (size_t i = 0; i < route_count; i++) {
        json_t *security = json_object_get(operation_of(&route_table[i]), "security");
        bool open = route_table[i].access == PUBLIC || route_table[i].access == VISITOR;
        cr_expect(json_is_array(security));
        cr_expect_eq(json_array_size(security), route_table[i].access == VISITOR  ? 2
                                                : route_table[i].access == PUBLIC ? 0
                                                                                  : 1);
        cr_expect(open || at(security, "0/bearer"), "%s", route_table[i].path);
    }
}

Test(openapi, keys_and_prefer_are_parameters_where_they_count)
{
    for (size_t i = 0; i < route_count; i++) {
        const struct route *row = &route_table[i];
        json_t *parameters = json_object_get(operation_of(row), "parameters");
        cr_expect_eq(refers_to(parameters, "#/components/parameters/RequiredIdempotencyKey"),
                     row->key == MUST_KEY, "%s", row->path);
        cr_expect_eq(refers_to(parameters, "#/components/parameters/IdempotencyKey"),
                     row->key == MAY_KEY, "%s", row->path);
        cr_expect_eq(refers_to(parameters, "#/components/parameters/Prefer"), row->waits);
        cr_expect_eq(at(operation_of(row), "responses/202") != NULL,
                     row->waits || row->success == 202);
        cr_expect_eq(at(operation_of(row), "requestBody") != NULL, row->body != NO_BODY);
    }
}

Test(openapi, the_fields_that_paths_and_headers_set_are_not_in_the_body)
{
    json_t *body = at(root, "paths/~api~v1~orders~{order_id}~payment/post/requestBody/content/"
                            "application~json/schema");
    cr_assert_not_null(at(body, "properties/user_coupon_id"));
    cr_assert_null(at(body, "properties/order_id"));
    cr_assert_null(at(body, "properties/wait_ms"));
    cr_assert(json_is_false(at(body, "additionalProperties")));
    json_t *placing = at(root, "paths/~api~v1~orders/post/requestBody/content/application~json/"
                               "schema/properties");
    cr_assert_not_null(at(placing, "items"));
    cr_assert_null(at(placing, "wait_ms"));
}

Test(openapi, types_with_a_json_of_their_own_are_described_as_that)
{
    json_t *order = at(root, "components/schemas/OrderView/properties");
    cr_expect_str_eq(word_at(order, "paid_at/format"), "date-time");
    cr_expect_str_eq(word_at(order, "paid_at/type/1"), "null");
    cr_expect_str_eq(word_at(order, "user_coupon_id/type/0"), "integer");
    cr_expect_str_eq(word_at(order, "status/enum/0"), "PENDING");
    cr_expect_str_eq(word_at(order, "items/items/$ref"), "#/components/schemas/OrderItem");
    json_t *campaign = at(root, "components/schemas/Campaign/properties");
    cr_expect_str_eq(word_at(campaign, "value/type/0"), "number");
    cr_expect_str_eq(word_at(campaign, "value/description"), "won, or percent");
}

Test(openapi, every_code_stands_with_its_status)
{
    for (size_t i = 1; i < REASON_COUNT; i++) {
        enum reason reason = (enum reason)i;
        json_t *codes =
            at(root, text_printf(arena,
                                 "components/responses/Problem%u/content/"
                                 "application~problem+json/schema/allOf/1/properties/code/enum",
                                 problem_kind(reason)->http_status));
        bool found = false;
        for (size_t k = 0; k < json_array_size(codes); k++)
            found = found ||
                    strcmp(json_string_value(json_array_get(codes, k)), reason_word(reason)) == 0;
        cr_expect(found, "%s", reason_word(reason));
    }
}

Test(openapi, codes_that_a_comment_names_are_responses)
{
    json_t *claim = at(root, "paths/~api~v1~coupons~{coupon_id}~claims/post/responses");
    cr_expect_str_eq(word_at(claim, "410/description"), "COUPON_SOLD_OUT");
    cr_expect_str_eq(word_at(claim, "410/$ref"), "#/components/responses/Problem410");
    cr_expect_str_eq(word_at(claim, "409/description"),
                     "REQUEST_IN_PROGRESS, COUPON_ALREADY_CLAIMED, CONFLICT");
    cr_expect_null(at(claim, "402"), "nothing is paid here");
}

Test(openapi, a_stream_is_described_with_its_events)
{
    for (size_t i = 0; i < route_count; i++) {
        const json_t *operation = operation_of(&route_table[i]);
        const json_t *content = json_object_get(
            json_object_get(json_object_get(operation, "responses"), "200"), "content");
        bool described = json_object_get(content, "text/event-stream") != NULL;
        cr_expect_eq(described, route_table[i].streams, "%s", route_table[i].path);
        cr_expect_eq(refers_to(json_object_get(operation, "parameters"),
                               "#/components/parameters/LastEventId"),
                     route_table[i].streams);
    }
    cr_assert(json_object_get(json_object_get(json_object_get(root, "components"), "schemas"),
                              "OrderEvent"));
}
