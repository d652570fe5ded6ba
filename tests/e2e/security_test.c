// Who may do what with whose things (OWASP API 1, 3, 5 and 9), for every operation that the gateway
// describes: a new route is tried by itself, and one whose parameter nobody here can make an object
// for, or that is open without standing in the list of those that are, fails.

#include "lib/base/macros.h"
#include "tests/e2e/letter.h"
#include "tests/e2e/operations.h"
#include "tests/support/database.h"
#include "tests/support/shop.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define V1 "/api/v1"

enum { PATH_MAX_LENGTH = 512 };

// What may be asked without a token. Everything else must refuse it.
static const char *const OPEN[] = {
    "POST " V1 "/auth/signup",
    "POST " V1 "/auth/login",
    "POST " V1 "/auth/refresh",
    "GET " V1 "/products",
    "GET " V1 "/products/popular",
    "GET " V1 "/products/{product_id}",
    "GET " V1 "/coupons",
    "GET " V1 "/coupons/{coupon_id}",
    "GET " V1 "/problems",
    "GET /livez",
    "GET /readyz",
    "GET /version",
    "GET /metrics",
    "GET /.well-known/jwks.json",
    "GET /openapi.json",
    "GET /docs",
    "GET /docs/{file}",
    "GET /",
    "GET /console/{file}",
};

static const struct operation *list;
static size_t count;

static bool is_listed(const struct operation *operation)
{
    char name[PATH_MAX_LENGTH];
    snprintf(name, sizeof name, "%s %s", operation->method, operation->path);
    for (size_t i = 0; i < COUNT(OPEN); i++)
        if (strcmp(OPEN[i], name) == 0)
            return true;
    return false;
}

// The path with every parameter replaced.
static const char *path_with(const char *template, const char *value)
{
    static char path[PATH_MAX_LENGTH];
    size_t length = 0;
    for (const char *at = template; *at; at++) {
        if (*at == '{') {
            length += (size_t)snprintf(path + length, sizeof path - length, "%s", value);
            at = strchr(at, '}');
        } else {
            path[length++] = *at;
        }
        cr_assert_lt(length, sizeof path);
    }
    path[length] = '\0';
    return path;
}

static const char *body_for(const struct operation *operation)
{
    return operation->schema ? "{}" : NULL;
}

static struct http_reply try_it(struct http_client *client, const struct operation *operation,
                                const char *value)
{
    return operation_call(client, operation->method, path_with(operation->path, value),
                          body_for(operation));
}

Test(security, only_what_is_listed_as_open_is_open)
{
    struct http_client *nobody = operation_client(NULL);
    size_t open = 0;
    count = operations(&list);
    for (size_t i = 0; i < count; i++) {
        bool listed = is_listed(&list[i]);
        open += listed;
        struct http_reply reply = try_it(nobody, &list[i], "1");
        cr_expect_eq(listed, list[i].door == OPEN_DOOR || list[i].door == VISITORS_DOOR, "%s %s",
                     list[i].method, list[i].path);
        if (listed)
            continue;
        cr_expect(reply.status == 401 && !strcmp(json_word(reply.json, "code"), "UNAUTHENTICATED"),
                  "%s %s answers nobody %ld %s", list[i].method, list[i].path, reply.status,
                  reply.body);
    }
    cr_expect_eq(open, COUNT(OPEN), "the list names what there is not");
    http_close(nobody);
}

Test(security, no_operation_of_admins_serves_a_customer)
{
    struct http_client *customer = given_customer(0), *client = operation_client(customer);
    size_t tried = 0;
    count = operations(&list);
    for (size_t i = 0; i < count; i++) {
        bool admins = strncmp(list[i].path, V1 "/admin/", strlen(V1 "/admin/")) == 0;
        cr_expect_eq(list[i].door == ADMINS_DOOR, admins, "%s", list[i].path);
        if (!admins)
            continue;
        struct http_reply reply = try_it(client, &list[i], "1");
        cr_expect(reply.status == 403 && !strcmp(json_word(reply.json, "code"), "FORBIDDEN"),
                  "%s %s answers a customer %ld %s", list[i].method, list[i].path, reply.status,
                  reply.body);
        tried++;
    }
    cr_expect_gt(tried, 15);
    http_close(client);
    http_close(customer);
}

Test(security, a_path_has_the_methods_that_are_described_and_no_others)
{
    static const char *const METHODS[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"};
    struct http_client *client = operation_client(NULL);
    count = operations(&list);
    for (size_t i = 0; i < count; i++) {
        for (size_t m = 0; m < COUNT(METHODS); m++) {
            bool described = false;
            for (size_t k = 0; k < count; k++)
                described |=
                    !strcmp(list[k].path, list[i].path) && !strcmp(list[k].method, METHODS[m]);
            if (described)
                continue;
            const char *path = path_with(list[i].path, "1");
            struct http_reply reply = operation_call(client, METHODS[m], path, NULL);
            cr_expect_eq(reply.status, 405, "%s %s: %ld", METHODS[m], path, reply.status);
        }
    }
    http_close(client);
}

// Other people's things

// One who owns one of everything, and one who wants it.
static struct {
    struct http_client *victim;
    int64_t option;
} shop;

static int64_t an_order(void)
{
    return place_order(shop.victim, shop.option, 1, 0);
}

static int64_t a_payment(void)
{
    struct http_reply paid = pay_order(shop.victim, an_order(), 0);
    expect_reply(paid, 200, NULL);
    return json_number(paid.json, "payments.0.id");
}

static int64_t a_cart_item(void)
{
    struct http_reply cart =
        http_call(shop.victim, "POST", "/me/cart", "{\"option_id\": %" PRId64 ", \"quantity\": 1}",
                  shop.option);
    expect_reply(cart, 200, NULL);
    return json_number(cart.json, "items.0.id");
}

typedef int64_t maker(void);

// What customers own, by the parameter that names it. SPEC 1 answers 403 for another's and 404 for
// what there is not.
static const struct {
    const char *parameter;
    maker *make;
} OWNED[] = {
    {"order_id",   an_order   },
    {"payment_id", a_payment  },
    {"item_id",    a_cart_item},
};

static maker *maker_of(const char *parameter)
{
    for (size_t i = 0; i < COUNT(OWNED); i++)
        if (strcmp(OWNED[i].parameter, parameter) == 0)
            return OWNED[i].make;
    return NULL;
}

// Of the shop, not of a customer: everybody's to read, and nobody's but an admin's to change.
static const char *const COMMON[] = {"product_id", "coupon_id", "file"};

static const char *parameter_of(const struct operation *operation)
{
    static char name[64];
    const char *from = strchr(operation->path, '{');
    if (!from)
        return NULL;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(from + 1, "}"), from + 1);
    return name;
}

static bool is_common(const char *parameter)
{
    for (size_t i = 0; i < COUNT(COMMON); i++)
        if (strcmp(COMMON[i], parameter) == 0)
            return true;
    return false;
}

// Everything that the victim sees of what is theirs, in one text.
static char *view(void)
{
    static const char *const PATHS[] = {"/me",        "/me/balance", "/me/balance/history",
                                        "/me/cart",   "/me/orders",  "/me/payments",
                                        "/me/coupons"};
    char *text = NULL;
    size_t size;
    FILE *all = open_memstream(&text, &size);
    for (size_t i = 0; i < COUNT(PATHS); i++) {
        struct http_reply reply = http_call(shop.victim, "GET", PATHS[i], NULL);
        expect_reply(reply, 200, NULL);
        fputs(reply.body, all);
    }
    fclose(all);
    return text;
}

// The answer without what differs from one request to the next.
static char *essence(struct http_reply reply)
{
    json_t *json = json_deep_copy(reply.json);
    json_object_del(json, "instance");
    json_object_del(json, "trace_id");
    char *text = json_dumps(json, JSON_SORT_KEYS);
    json_decref(json);
    return text;
}

static void expect_answer(const struct operation *operation, struct http_reply reply, long status,
                          const char *who)
{
    cr_expect_eq(reply.status, status, "%s %s answers %s %ld %s", operation->method,
                 operation->path, who, reply.status, reply.body);
    cr_expect_null(json_at(reply.json, "user_id"));
}

// Two objects of the victim get the same answer, in which nothing of them stands.
static void expect_closed(struct http_client *thief, const struct operation *operation,
                          const char *first, const char *second)
{
    const char *body =
        strcmp(operation->method, "PATCH") == 0 ? "{\"quantity\": 1}" : body_for(operation);
    struct http_client *nobody = operation_client(NULL);
    expect_answer(
        operation,
        operation_call(nobody, operation->method, path_with(operation->path, first), body), 401,
        "nobody");
    struct http_reply reply =
        operation_call(thief, operation->method, path_with(operation->path, first), body);
    expect_answer(operation, reply, 403, "another customer");
    char *one = essence(reply);
    reply = operation_call(thief, operation->method, path_with(operation->path, second), body);
    char *other = essence(reply);
    cr_expect_str_eq(one, other, "%s", operation->path);
    cr_expect_null(strstr(one, first), "%s", one);
    reply = operation_call(thief, operation->method, path_with(operation->path, "999999999"), body);
    expect_answer(operation, reply, 404, "another customer, of nothing,");
    free(one);
    free(other);
    http_close(nobody);
}

Test(security, what_is_another_customers_stays_theirs, .timeout = 120)
{
    struct http_client *customer = given_customer(0), *thief = operation_client(customer);
    shop.victim = given_customer(100000);
    shop.option = given_option(1000, 1000);
    size_t tried = 0;
    count = operations(&list);
    for (size_t i = 0; i < count; i++) {
        const char *parameter = parameter_of(&list[i]);
        if (!parameter || is_common(parameter) || list[i].door == ADMINS_DOOR)
            continue;
        maker *make = maker_of(parameter);
        cr_assert(make, "%s: say in OWNED or COMMON whose {%s} is", list[i].path, parameter);
        char first[32], second[32];
        snprintf(first, sizeof first, "%" PRId64, make());
        snprintf(second, sizeof second, "%" PRId64, make());
        char *before = view();
        expect_closed(thief, &list[i], first, second);
        char *after = view();
        cr_expect_str_eq(before, after, "%s %s", list[i].method, list[i].path);
        free(before);
        free(after);
        tried++;
    }
    cr_expect_geq(tried, 7);
    expect_laws_hold();
    http_close(thief);
    http_close(customer);
    http_close(shop.victim);
}

// Neighbours of one's own id are the likeliest of all guesses.
Test(security, ids_near_ones_own_show_nothing_of_others, .timeout = 120)
{
    enum { GUESSES = 300 };
    struct http_client *customer = given_customer(0);
    shop.victim = given_customer(0);
    int64_t option = given_option(1000, 1000);
    for (int i = 0; i < 5; i++)
        place_order(shop.victim, option, 1, 0);
    int64_t own = place_order(customer, option, 1, 0);
    size_t seen = 0;
    for (int64_t id = own - GUESSES / 2; id < own + GUESSES / 2; id++) {
        char path[64];
        snprintf(path, sizeof path, "/orders/%" PRId64, id);
        struct http_reply reply = http_call(customer, "GET", path, NULL);
        if (id != own)
            cr_expect(reply.status == 403 || reply.status == 404, "%s: %ld", path, reply.status);
        seen += reply.status == 200;
    }
    cr_expect_eq(seen, 1);
    http_close(customer);
    http_close(shop.victim);
}

// Fields that nobody may set

static const char *const SERVICES[] = {"USER", "PRODUCT", "ORDER", "COUPON"};

// The names of all columns of all tables of all services, each once; the caller frees the result.
static json_t *stored_columns(void)
{
    static const char SQL[] = "SELECT DISTINCT column_name FROM information_schema.columns"
                              " WHERE table_schema = 'public' ORDER BY 1";
    json_t *names = json_object();
    for (size_t i = 0; i < COUNT(SERVICES); i++) {
        char variable[64];
        snprintf(variable, sizeof variable, "BARO_%s_DATABASE_URL", SERVICES[i]);
        PGconn *connection = PQconnectdb(getenv(variable));
        PGresult *rows = PQexec(connection, SQL);
        cr_assert_eq(PQresultStatus(rows), PGRES_TUPLES_OK, "%s", PQerrorMessage(connection));
        for (int row = 0; row < PQntuples(rows); row++)
            json_object_set_new(names, PQgetvalue(rows, row, 0), json_true());
        PQclear(rows);
        PQfinish(connection);
    }
    return names;
}

static bool names_field(struct http_reply reply, const char *field)
{
    const json_t *errors = json_at(reply.json, "errors");
    for (size_t i = 0; i < json_array_size(errors); i++)
        if (strcmp(json_word(json_array_get(errors, i), "field"), field) == 0)
            return true;
    return false;
}

Test(security, no_stored_column_can_be_set_that_is_not_offered, .timeout = 120)
{
    static const char *const MORE[] = {"is_admin", "admin", "password_hash", "__proto__",
                                       "constructor"};
    struct http_client *customer = given_customer(0), *admin = given_admin();
    struct http_client *clients[] = {operation_client(NULL), operation_client(NULL),
                                     operation_client(customer), operation_client(admin)};
    json_t *columns = stored_columns(), *value;
    const char *column;
    char body[256];
    size_t tried = 0;
    count = operations(&list);
    for (size_t i = 0; i < COUNT(MORE); i++)
        json_object_set_new(columns, MORE[i], json_true());
    cr_assert_gt(json_object_size(columns), 80);
    for (size_t i = 0; i < count; i++) {
        const json_t *offered = json_object_get(list[i].schema, "properties");
        if (!list[i].schema)
            continue;
        json_object_foreach (columns, column, value) {
            if (json_object_get(offered, column))
                continue;
            snprintf(body, sizeof body, "{\"%s\": 1}", column);
            struct http_reply reply = operation_call(clients[list[i].door], list[i].method,
                                                     path_with(list[i].path, "1"), body);
            cr_expect(reply.status == 400 && names_field(reply, column), "%s %s takes %s: %ld %s",
                      list[i].method, list[i].path, column, reply.status, reply.body);
            tried++;
        }
    }
    printf("security: %zu operations x columns tried\n", tried);
    json_decref(columns);
    for (size_t i = 0; i < COUNT(clients); i++)
        http_close(clients[i]);
    http_close(customer);
    http_close(admin);
}
