// What a client sends who means no good (OWASP API 2, 4 and 8): tokens that are almost right, bodies
// that parsers disagree about, sign-ins that feel their way, and words that want to be something else
// in a header or a log. Whatever it is, the answer is a refusal that tells nothing.

#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "lib/base/text.h"
#include "tests/e2e/operations.h"
#include "tests/support/shop.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define V1 "/api/v1"

static struct arena *arena;

static void set_up(void)
{
    arena = arena_create();
}

static void tear_down(void)
{
    arena_destroy(arena);
}

TestSuite(hostile, .init = set_up, .fini = tear_down, .timeout = 180);

// Tokens

static long answer_to(struct http_client *client, const char *token)
{
    http_sign_in(client, token);
    struct http_reply reply = http_call(client, "GET", "/me", NULL);
    cr_expect_null(json_at(reply.json, "email"));
    return reply.status;
}

static void expect_no_token(struct http_client *client, const char *token, const char *what)
{
    long status = answer_to(client, token);
    // 503: its key is unknown, and may be one of which the gateway has not heard yet.
    cr_expect(status == 401 || status == 503, "%s is answered %ld: %s", what, status, token);
}

// header.claims.signature with one of them replaced.
static const char *with_part(const char *token, int index, const char *replacement)
{
    const char **parts;
    cr_assert_eq(text_split(arena, token, '.', &parts), 3);
    parts[index] = replacement;
    return text_printf(arena, "%s.%s.%s", parts[0], parts[1], parts[2]);
}

static const char *encoded(const char *text)
{
    return text_base64url(arena, text, strlen(text));
}

// Its claims, with one text put for another.
static const char *changed_claims(const char *token, const char *from, const char *to)
{
    const char **parts;
    uint8_t *claims;
    size_t size;
    text_split(arena, token, '.', &parts);
    cr_assert(text_parse_base64url(arena, parts[1], &claims, &size));
    const char *text = text_copy_n(arena, (const char *)claims, size);
    const char *at = strstr(text, from);
    cr_assert(at, "no %s in %s", from, text);
    return encoded(text_printf(arena, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)));
}

Test(hostile, tokens_that_somebody_made_are_no_tokens)
{
    static const char *const HEADERS[] = {
        "{\"alg\":\"none\",\"typ\":\"JWT\"}",
        "{\"alg\":\"HS256\",\"typ\":\"JWT\"}",
        "{\"alg\":\"ES256\",\"kid\":\"../../../../dev/null\"}",
        "{\"alg\":\"ES256\",\"kid\":\"' OR 1=1 --\"}",
        "{\"alg\":\"ES256\",\"jku\":\"http://127.0.0.1/keys\"}",
        "{\"alg\":\"ES256\",\"jwk\":{\"kty\":\"EC\"}}",
        "{}",
        "[]",
    };
    struct http_client *customer = given_customer(0), *client = http_open(NULL);
    const char *good = text_copy(arena, http_token(customer));
    for (size_t i = 0; i < COUNT(HEADERS); i++) {
        expect_no_token(client, with_part(good, 0, encoded(HEADERS[i])), HEADERS[i]);
        expect_no_token(client,
                        text_printf(arena, "%s.%s.", encoded(HEADERS[i]), strchr(good, '.') + 1),
                        HEADERS[i]);
    }
    expect_no_token(client, with_part(good, 1, changed_claims(good, "USER", "ADMIN")), "an admin");
    expect_no_token(client, with_part(good, 1, changed_claims(good, "baro", "ours")), "an issuer");
    expect_no_token(client, with_part(good, 2, ""), "no signature");
    expect_no_token(client, with_part(good, 2, encoded("AAAA")), "a short signature");
    http_sign_in(client, good);
    expect_reply(http_call(client, "GET", "/me", NULL), 200, NULL);
    http_close(client);
    http_close(customer);
}

Test(hostile, a_token_with_any_character_changed_or_missing_is_refused)
{
    struct http_client *customer = given_customer(0), *client = http_open(NULL);
    char *token = text_copy(arena, http_token(customer));
    size_t length = strlen(token);
    // The last character carries two bits that no byte has: it is cut off below.
    for (size_t i = 0; i + 1 < length; i++) {
        char kept = token[i];
        token[i] = kept == 'A' ? 'Q' : 'A';
        expect_no_token(client, token, "a changed token");
        token[i] = kept;
    }
    for (size_t cut = 1; cut < length; cut += 7) {
        char *rest = text_copy_n(arena, token, length - cut);
        expect_no_token(client, rest, "a token that is cut off");
    }
    http_close(client);
    http_close(customer);
}

// Bodies

// $ stands for a field that the operation has.
static const struct {
    const char *body;
    bool wrong; // in every operation; else only no fault of ours
} BODIES[] = {
    {"{\"$\": 1, \"$\": 1}",                  true },
    {"{\"$\": \"\\ud800\"}",                  true },
    {"{\"$\": \"\\udc00\\ud800\"}",           true },
    {"{\"$\": \"a\\u0000b\"}",                true },
    {"{\"$\": \"\xff\xfe\"}",                 true },
    {"{\"$\": \"\xed\xa0\x80\"}",             true },
    {"{\"$\": 1e400}",                        true },
    {"{\"$\": 1e5}",                          true },
    {"{\"$\": -0.0}",                         true },
    {"{\"$\": 9223372036854775808}",          true },
    {"{\"$\": -9223372036854775809}",         true },
    {"{\"$\": 1.0}",                          false},
    {"{\"$\": -0}",                           false},
    {"{\"$\": 9223372036854775807}",          false},
    {"{\"$\": -9223372036854775808}",         false},
    {"{\"$\": NaN}",                          true },
    {"{\"$\": 01}",                           true },
    {"{\"$\": 0x10}",                         true },
    {"{\"$\": [[[[[[[[[[1]]]]]]]]]]}",        true },
    {"{\"$\": {\"$\": {\"$\": {\"$\": 1}}}}", true },
    {"{\"$\": 1} {\"$\": 1}",                 true },
    {"{\"$\": 1",                             true },
    {"\xef\xbb\xbf{}",                        true },
    {"null",                                  true },
    {"[]",                                    true },
    {"\"$\"",                                 true },
};

static const char *fill_in(const char *body, const char *field)
{
    struct text_buffer text;
    text_buffer_init(&text, arena, 128);
    for (; *body; body++)
        if (*body == '$')
            text_append(&text, field);
        else
            text_append_char(&text, *body);
    return text.data;
}

static const char *path_of(const struct operation *operation)
{
    struct text_buffer text;
    text_buffer_init(&text, arena, 128);
    for (const char *at = operation->path; *at; at++)
        if (*at == '{') {
            text_append(&text, "1");
            at = strchr(at, '}');
        } else {
            text_append_char(&text, *at);
        }
    return text.data;
}

static void try_bodies(struct http_client *client, const struct operation *operation,
                       const char *field)
{
    for (size_t i = 0; i < COUNT(BODIES); i++) {
        const char *body = fill_in(BODIES[i].body, field);
        struct http_reply reply =
            operation_call(client, operation->method, path_of(operation), body);
        cr_expect(BODIES[i].wrong ? reply.status == 400 : reply.status < 500 && reply.status > 0,
                  "%s %s with %s: %ld %s", operation->method, operation->path, body, reply.status,
                  reply.body);
    }
}

Test(hostile, bodies_that_parsers_disagree_about_are_refused_by_every_operation)
{
    struct http_client *customer = given_customer(0), *admin = given_admin();
    struct http_client *clients[] = {operation_client(NULL), operation_client(NULL),
                                     operation_client(customer), operation_client(admin)};
    const struct operation *list;
    size_t count = operations(&list), tried = 0;
    for (size_t i = 0; i < count; i++) {
        const char *field;
        json_t *schema;
        json_t *properties = json_object_get(list[i].schema, "properties");
        json_object_foreach (properties, field, schema) {
            const char *type = json_word(operation_schema(schema), "type");
            if (strcmp(type, "integer") != 0 && strcmp(type, "string") != 0)
                continue;
            try_bodies(clients[list[i].door], &list[i], field);
            tried++;
        }
    }
    cr_expect_geq(tried, 30);
    printf("hostile: %zu fields x %zu bodies\n", tried, COUNT(BODIES));
    for (size_t i = 0; i < COUNT(clients); i++)
        http_close(clients[i]);
    http_close(customer);
    http_close(admin);
    expect_laws_hold();
}

// What answers tell

static void expect_discreet(struct http_reply reply, const char *what)
{
    static const char *const TELLING[] = {
        "Server:", "X-Powered-By:", "Access-Control-", "libmicrohttpd", "PostgreSQL", "postgres",
        "SELECT ", "nng",           "/services/",      ".c:",           "ipc://",     "baro_"};
    if (reply.status >= 400)
        for (size_t i = 0; i < COUNT(TELLING); i++)
            cr_expect(!strstr(reply.headers, TELLING[i]) && !strstr(reply.body, TELLING[i]),
                      "%s tells %s: %s%s", what, TELLING[i], reply.headers, reply.body);
    cr_expect(strcasestr(reply.headers, "X-Content-Type-Options: nosniff"), "%s: %s", what,
              reply.headers);
    cr_expect_null(strcasestr(reply.headers, "Server:"), "%s", what);
    cr_expect_null(strcasestr(reply.headers, "Access-Control-"), "%s", what);
}

Test(hostile, no_answer_tells_what_it_is_made_of)
{
    static const char *const MORE[] = {"/",
                                       "/nowhere",
                                       "/api/v1/orders/%00",
                                       "/api/v1/products?search=%ff",
                                       "/api/v1/products/9223372036854775808",
                                       "/docs/../etc/passwd",
                                       "/console/%2e%2e%2fpasswd",
                                       "/api/v1/products?page_token=AAAA"};
    struct http_client *client = operation_client(NULL);
    const struct operation *list;
    size_t count = operations(&list);
    for (size_t i = 0; i < count; i++) {
        http_next_header(client, "Origin: https://evil.example");
        struct http_reply reply =
            operation_call(client, list[i].method, path_of(&list[i]), list[i].schema ? "{" : NULL);
        expect_discreet(reply, list[i].path);
        cr_expect_lt(reply.status, 500, "%s", list[i].path);
    }
    for (size_t i = 0; i < COUNT(MORE); i++) {
        struct http_reply reply = operation_call(client, "GET", MORE[i], NULL);
        expect_discreet(reply, MORE[i]);
        cr_expect(reply.status >= 200 && reply.status < 500, "%s: %ld", MORE[i], reply.status);
    }
    http_close(client);
}

// Signing in

enum { LOGINS = 40 };

static int compare_times(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static int64_t median(int64_t times[LOGINS])
{
    qsort(times, LOGINS, sizeof *times, compare_times);
    return times[LOGINS / 2];
}

static int64_t time_login(struct http_client *client, const char *email, char **answer)
{
    int64_t began_us = clock_monotonic_us();
    struct http_reply reply = http_call(client, "POST", "/auth/login",
                                        "{\"email\": \"%s\", \"password\": \"Wrong!2026\"}", email);
    int64_t took_us = clock_monotonic_us() - began_us;
    expect_reply(reply, 401, "UNAUTHENTICATED");
    json_t *json = json_deep_copy(reply.json);
    json_object_del(json, "trace_id");
    free(*answer);
    *answer = json_dumps(json, JSON_SORT_KEYS);
    json_decref(json);
    return took_us;
}

Test(hostile, a_sign_in_does_not_tell_whether_the_address_is_known)
{
    struct http_client *customer = given_customer(0), *client = http_open(NULL);
    char *email =
        text_copy(arena, json_word(http_call(customer, "GET", "/me", NULL).json, "email"));
    int64_t known[LOGINS], unknown[LOGINS];
    char *one = NULL, *other = NULL;
    for (int i = 0; i < LOGINS; i++) {
        known[i] = time_login(client, email, &one);
        unknown[i] = time_login(client, text_printf(arena, "x%d-%s", i, email), &other);
        cr_assert_str_eq(one, other);
    }
    int64_t a = median(known), b = median(unknown);
    printf("hostile: a wrong password takes %lld us, an unknown address %lld us\n", (long long)a,
           (long long)b);
    cr_expect(a < 2 * b && b < 2 * a, "%lld us and %lld us", (long long)a, (long long)b);
    free(one);
    free(other);
    http_close(client);
    http_close(customer);
}

enum { FLOOD = 24, EACH = 4 };

static void *sign_in_wrongly(void *arg)
{
    struct http_client *client = http_open(NULL);
    int *wrong = arg;
    for (int i = 0; i < EACH; i++) {
        long status = http_call(client, "POST", "/auth/login",
                                "{\"email\": \"flood@example.com\", \"password\": \"Wrong!2026\"}")
                          .status;
        *wrong += status != 401 && status != 503 && status != 429;
    }
    http_close(client);
    return NULL;
}

// argon2id takes 19 MiB and a core for each: two run at a time, some wait, the rest hears 503.
Test(hostile, a_flood_of_sign_ins_leaves_the_shop_open)
{
    pthread_t threads[FLOOD];
    int wrong[FLOOD] = {0};
    struct http_client *client = given_customer(0);
    for (int i = 0; i < FLOOD; i++)
        pthread_create(&threads[i], NULL, sign_in_wrongly, &wrong[i]);
    for (int i = 0; i < 20; i++)
        expect_reply(http_call(client, "GET", "/me/orders", NULL), 200, NULL);
    for (int i = 0; i < FLOOD; i++) {
        pthread_join(threads[i], NULL);
        cr_expect_eq(wrong[i], 0);
    }
    http_close(client);
}

// Logs

// What a PostgreSQL that dies says between letting a connection in and libpq's handing it over, libpq
// prints itself: nobody can tell it before where to.
static bool is_last_word_of_a_server(const char *line)
{
    static const char WORD[] = "FATAL:  terminating connection due to ";
    return strncmp(line, WORD, strlen(WORD)) == 0;
}

static void check_line(const char *path, const char *line)
{
    json_error_t error;
    json_t *json = json_loads(line, JSON_REJECT_DUPLICATES, &error);
    cr_expect(json_is_object(json), "%s: %s: %s", path, error.text, line);
    cr_expect_str_neq(json_word(json, "event"), "forged", "%s", path);
    json_decref(json);
}

static void check_log(const char *path)
{
    static char line[64 * 1024];
    FILE *file = fopen(path, "r");
    cr_assert(file, "%s", path);
    while (fgets(line, sizeof line, file)) {
        if (!is_last_word_of_a_server(line))
            check_line(path, line);
        cr_expect(!strstr(line, "Secret!2026") && !strstr(line, "eyJ"), "%s: %s", path, line);
    }
    fclose(file);
}

// Every line of every process up to now, with whatever the tests before have sent.
Test(hostile, no_word_of_a_client_forges_a_line_of_a_log_and_no_secret_stands_in_one)
{
    static const char FORGERY[] = "x\\\"}\\n{\\\"event\\\":\\\"forged\\\"}\\n";
    struct http_client *client = http_open(NULL);
    http_call(client, "POST", "/auth/login", "{\"email\": \"%s\", \"password\": \"Secret!2026\"}",
              FORGERY);
    http_call(client, "POST", "/auth/signup",
              "{\"email\": \"%s@example.com\", \"password\": \"Secret!2026\", \"name\": \"%s\"}",
              FORGERY, FORGERY);
    http_next_header(client, "X-Request-Id: x\"}{\"event\":\"forged\"}");
    http_call(client, "GET", "/products/%%0a%%7b%%22event%%22:%%22forged%%22%%7d", NULL);
    http_close(client);

    const char *folder = text_printf(arena, "%s/log", getenv("BARO_STACK_DIR"));
    DIR *logs = opendir(folder);
    cr_assert(logs, "%s", folder);
    const struct dirent *entry;
    size_t count = 0;
    while ((entry = readdir(logs)))
        if (strstr(entry->d_name, ".log")) {
            check_log(text_printf(arena, "%s/%s", folder, entry->d_name));
            count++;
        }
    closedir(logs);
    cr_expect_geq(count, 5);
}
