#include "tests/e2e/operations.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct operation list[OPERATIONS_MAX];
static size_t count;
static json_t *description;

const json_t *operation_schema(const json_t *schema)
{
    const char *reference = json_string_value(json_object_get(schema, "$ref"));
    if (!reference)
        return schema;
    const char *name = strrchr(reference, '/') + 1;
    const json_t *schemas = json_at(description, "components.schemas");
    const json_t *found = json_object_get(schemas, name);
    cr_assert(found, "%s leads nowhere", reference);
    return found;
}

static const json_t *schema_of(const json_t *operation)
{
    const json_t *content = json_at(operation, "requestBody.content");
    const json_t *json = json_object_get(content, "application/json");
    return json ? operation_schema(json_object_get(json, "schema")) : NULL;
}

static enum door door_of(const json_t *operation)
{
    size_t ways = json_array_size(json_object_get(operation, "security"));
    const char *words = json_word(operation, "description");
    if (ways == 0)
        return OPEN_DOOR;
    if (ways == 2)
        return VISITORS_DOOR;
    return strstr(words, "Admins only.") ? ADMINS_DOOR : USERS_DOOR;
}

static void add(const char *method, const char *path, const json_t *operation)
{
    cr_assert_lt(count, OPERATIONS_MAX);
    struct operation *added = &list[count++];
    for (size_t i = 0; i < sizeof added->method - 1 && method[i]; i++)
        added->method[i] = (char)toupper((unsigned char)method[i]);
    added->path = path;
    added->door = door_of(operation);
    added->parameters = json_object_get(operation, "parameters");
    added->schema = schema_of(operation);
}

static void read_description(void)
{
    struct http_client *client = operation_client(NULL);
    struct http_reply reply = operation_call(client, "GET", "/openapi.json", NULL);
    const char *path, *method;
    json_t *methods, *operation;
    cr_assert_eq(reply.status, 200);
    description = json_deep_copy(reply.json);
    http_close(client);
    json_object_foreach (json_object_get(description, "paths"), path, methods) {
        json_object_foreach (methods, method, operation) {
            add(method, path, operation);
        }
    }
}

size_t operations(const struct operation **all)
{
    if (!description)
        read_description();
    *all = list;
    return count;
}

struct http_reply operation_call(struct http_client *client, const char *method, const char *path,
                                 const char *body)
{
    return body ? http_call(client, method, path, "%s", body)
                : http_call(client, method, path, NULL);
}

struct http_client *operation_client(const struct http_client *like)
{
    char root[256];
    const char *api = getenv("BARO_TEST_API"); // "http://127.0.0.1:18000/api/v1"
    cr_assert(api, "BARO_TEST_API names the gateway; `make test` sets it");
    snprintf(root, sizeof root, "%s", api);
    *strstr(root, "/api/v1") = '\0';
    struct http_client *client = http_open(root);
    http_sign_in(client, like ? http_token(like) : NULL);
    return client;
}
