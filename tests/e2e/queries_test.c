// Every endpoint costs a fixed number of statements, whatever it shows: each route of the API is asked
// for little and for much, and PostgreSQL counts (pg_stat_statements).
//
// Each request is made a few times in a row, and what was not run about as often is not counted: that
// leaves out most of the jobs and pollers that share the databases. What follows a request on its own
// (events, for example) may join what follows the next, so a few statements more or less say nothing;
// one more for each row would be MUCH - 1 more, whenever one looks.

#include "lib/base/macros.h"
#include "tests/e2e/letter.h"
#include "tests/support/database.h"
#include "tests/support/shop.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TIMES = 8,
    SLACK = 9,
    LOOKS = 3,
    MUCH = 20, // lines of an order, options of a product; fewer than what a page may show
    PAGE_MAX = 100,
    PRICE_WON = 100,
    WORD_MAX = 256,
    TEXT_MAX = 2048,
};

// One of the two who ask: for little, or for much.
struct side {
    bool much;
    struct http_client *customer, *admin, *anybody;
    int64_t user_id;
    int64_t options[MUCH];     // each of another product
    char ids[TIMES][WORD_MAX]; // what a route is asked about: "$id"
};

static unsigned fresh(void)
{
    static unsigned number;
    return ++number;
}

// Found by every search for a part of it: a question may be asked anew each time, past all caches.
static const char DESCRIPTION[] = "zqxjkvbpygfwmucldrhsnioate";

typedef void prepare(struct side *side, size_t i);

// Makes what the i-th request is about.
static prepare a_product, a_product_twin, an_option, an_order, a_paid_order, a_payment,
    a_cancelled_order, a_campaign, a_coupon, a_cart_line, a_full_cart, a_session, a_saga, a_letter;

enum asker { ANYBODY, CUSTOMER, AN_ADMIN };

// $id: what was prepared; $size: 1, or a whole page; $lines: of an order; $options: of a product;
// $i: a number that is new each time; $word: 10 letters of DESCRIPTION, others each time.
static const struct question {
    const char *route;
    const char *path; // NULL: the route's
    const char *body;
    enum asker asker;
    prepare *prepare;
    long status;
    bool list; // shows more than one item when it is asked for much
} QUESTIONS[] = {
#define V1 "/api/v1"
    // clang-format off
    {"POST " V1 "/auth/signup", NULL, "{\"email\":\"q$i@example.com\",\"password\":\"Secret!2026\",\"name\":\"손님\"}", ANYBODY, NULL, 201, false},
    {"POST " V1 "/auth/login", NULL, "{\"email\":\"$email\",\"password\":\"Secret!2026\"}", ANYBODY, NULL, 200, false},
    {"POST " V1 "/auth/refresh", NULL, "{\"refresh_token\":\"$id\"}", ANYBODY, a_session, 200, false},
    {"POST " V1 "/auth/logout", NULL, "{\"refresh_token\":\"$id\"}", CUSTOMER, a_session, 204, false},
    {"GET " V1 "/me", NULL, NULL, CUSTOMER, NULL, 200, false},
    {"PATCH " V1 "/me", NULL, "{\"name\":\"단골\"}", CUSTOMER, NULL, 200, false},
    {"GET " V1 "/me/balance", NULL, NULL, CUSTOMER, NULL, 200, false},
    {"POST " V1 "/me/balance/charges", NULL, "{\"amount\":1000}", CUSTOMER, NULL, 201, false},

    {"POST " V1 "/admin/products", NULL, "{\"name\":\"q\",\"description\":\"\",\"category\":\"q\",\"options\":$options,\"images\":[]}", AN_ADMIN, NULL, 201, false},
    {"GET " V1 "/products/{product_id}", "/products/$id", NULL, ANYBODY, a_product, 200, false},
    {"PATCH " V1 "/admin/products/{product_id}", "/admin/products/$id", "{\"category\":\"r\"}", AN_ADMIN, a_product, 200, false},
    {"DELETE " V1 "/admin/products/{product_id}", "/admin/products/$id", NULL, AN_ADMIN, a_product, 204, false},
    {"POST " V1 "/admin/products/{product_id}/options", "/admin/products/$id/options", "{\"name\":\"more\",\"price\":100,\"stock\":1}", AN_ADMIN, a_product, 201, false},
    {"PUT " V1 "/admin/products/{product_id}/images", "/admin/products/$id/images", "{\"images\":$images}", AN_ADMIN, a_product, 200, false},
    {"PATCH " V1 "/admin/options/{option_id}", "/admin/options/$id", "{\"price\":200}", AN_ADMIN, an_option, 200, false},
    {"PATCH " V1 "/admin/options/{option_id}/stock", "/admin/options/$id/stock", "{\"operation\":\"increase\",\"quantity\":5}", AN_ADMIN, an_option, 200, false},

    {"POST " V1 "/me/cart", NULL, "{\"option_id\":$id,\"quantity\":1}", CUSTOMER, an_option, 200, false},
    {"PATCH " V1 "/me/cart/{item_id}", "/me/cart/$id", "{\"quantity\":2}", CUSTOMER, a_cart_line, 200, false},
    {"DELETE " V1 "/me/cart/{item_id}", "/me/cart/$id", NULL, CUSTOMER, a_cart_line, 204, false},
    {"GET " V1 "/me/cart", NULL, NULL, CUSTOMER, a_full_cart, 200, true},

    {"POST " V1 "/orders", NULL, "{\"items\":$lines}", CUSTOMER, NULL, 201, false},
    {"POST " V1 "/checkout", NULL, "{\"items\":$lines}", CUSTOMER, NULL, 200, false},
    {"POST " V1 "/orders/{order_id}/payment", "/orders/$id/payment", "{}", CUSTOMER, an_order, 200, false},
    {"POST " V1 "/orders/{order_id}/cancel", "/orders/$id/cancel", "{}", CUSTOMER, an_order, 200, false},
    {"GET " V1 "/orders/{order_id}", "/orders/$id", NULL, CUSTOMER, a_paid_order, 200, false},
    {"GET " V1 "/orders/{order_id}/events", "/orders/$id/events", NULL, CUSTOMER, a_cancelled_order, 200, false},
    {"GET " V1 "/payments/{payment_id}", "/payments/$id", NULL, CUSTOMER, a_payment, 200, false},
    {"PATCH " V1 "/admin/orders/{order_id}/status", "/admin/orders/$id/status", "{\"status\":\"PREPARING\"}", AN_ADMIN, a_paid_order, 200, false},
    {"GET " V1 "/me/orders", "/me/orders?page_size=$size", NULL, CUSTOMER, NULL, 200, true},
    {"GET " V1 "/me/payments", "/me/payments?page_size=$size", NULL, CUSTOMER, NULL, 200, true},
    {"GET " V1 "/me/balance/history", "/me/balance/history?page_size=$size", NULL, CUSTOMER, NULL, 200, true},

    {"POST " V1 "/admin/coupons", NULL, "$campaign", AN_ADMIN, NULL, 201, false},
    {"GET " V1 "/coupons/{coupon_id}", "/coupons/$id", NULL, CUSTOMER, a_campaign, 200, false},
    {"PATCH " V1 "/admin/coupons/{coupon_id}", "/admin/coupons/$id", "{\"name\":\"other\"}", AN_ADMIN, a_campaign, 200, false},
    {"POST " V1 "/coupons/{coupon_id}/claims", "/coupons/$id/claims", "{}", CUSTOMER, a_campaign, 201, false},
    {"POST " V1 "/admin/user-coupons/{user_coupon_id}/cancel", "/admin/user-coupons/$id/cancel", "{}", AN_ADMIN, a_coupon, 200, false},
    {"GET " V1 "/coupons", "/coupons?page_size=$size", NULL, CUSTOMER, NULL, 200, true},
    {"GET " V1 "/me/coupons", "/me/coupons?page_size=$size", NULL, CUSTOMER, NULL, 200, true},
    {"GET " V1 "/products", "/products?search=$word&page_size=$size", NULL, ANYBODY, a_product_twin, 200, true},
    {"GET " V1 "/products/popular", "/products/popular?days=$day&limit=$size", NULL, ANYBODY, a_paid_order, 200, true},

    {"POST " V1 "/admin/users/{user_id}/balance/adjustments", "/admin/users/$user/balance/adjustments", "{\"amount\":10,\"note\":\"gift\"}", AN_ADMIN, NULL, 201, false},
    {"GET " V1 "/admin/sagas", "/admin/sagas?page_size=$size", NULL, AN_ADMIN, NULL, 200, true},
    {"GET " V1 "/admin/sagas/{saga_id}", "/admin/sagas/$id", NULL, AN_ADMIN, a_saga, 200, false},
    {"POST " V1 "/admin/sagas/{saga_id}/retry", "/admin/sagas/$id/retry", "{}", AN_ADMIN, a_saga, 409, false},
    {"GET " V1 "/admin/dead-letters", "/admin/dead-letters?page_size=$size", NULL, AN_ADMIN, a_letter, 200, true},
    {"POST " V1 "/admin/dead-letters/{dead_letter_id}/replay", "/admin/dead-letters/$id/replay", "{}", AN_ADMIN, a_letter, 409, false},
    {"GET " V1 "/admin/operations", NULL, NULL, AN_ADMIN, NULL, 200, false},
    {"GET " V1 "/admin/invariants", NULL, NULL, AN_ADMIN, NULL, 200, false},
    {"GET " V1 "/admin/faults", NULL, NULL, AN_ADMIN, NULL, 200, false},
    {"POST " V1 "/admin/faults", NULL, "{}", AN_ADMIN, NULL, 404, false},
    {"GET " V1 "/problems", NULL, NULL, ANYBODY, NULL, 200, false},

    {"GET /livez", NULL, NULL, ANYBODY, NULL, 200, false},
    {"GET /readyz", NULL, NULL, ANYBODY, NULL, 200, false},
    {"GET /version", NULL, NULL, ANYBODY, NULL, 200, false},
    {"GET /metrics", NULL, NULL, ANYBODY, NULL, 200, false},
    {"GET /openapi.json", NULL, NULL, ANYBODY, NULL, 200, false},
    {"GET /docs", NULL, NULL, ANYBODY, NULL, 200, false},
    {"GET /docs/{file}", "/docs/docs.js", NULL, ANYBODY, NULL, 200, false},
    {"GET /", NULL, NULL, ANYBODY, NULL, 200, false},
    {"GET /console/{file}", "/console/app.js", NULL, ANYBODY, NULL, 200, false},
    {"GET /.well-known/jwks.json", NULL, NULL, ANYBODY, NULL, 200, false},
    // clang-format on
};

// Writing questions

static void write_lines(const struct side *side, size_t number, char *text)
{
    (void)number;
    size_t count = side->much ? MUCH : 1, length = 0;
    for (size_t i = 0; i < count; i++)
        length += (size_t)sprintf(text + length, "%s{\"option_id\":%" PRId64 ",\"quantity\":1}",
                                  i ? "," : "[", side->options[i]);
    strcpy(text + length, "]");
}

static void write_options(const struct side *side, size_t number, char *text)
{
    (void)number;
    size_t count = side->much ? MUCH : 1, length = 0;
    for (size_t i = 0; i < count; i++)
        length +=
            (size_t)sprintf(text + length, "%s{\"name\":\"o%zu\",\"price\":%d,\"stock\":100000}",
                            i ? "," : "[", i, PRICE_WON);
    strcpy(text + length, "]");
}

static void write_images(const struct side *side, size_t number, char *text)
{
    (void)number;
    size_t count = side->much ? MUCH : 1, length = 0;
    for (size_t i = 0; i < count; i++)
        length += (size_t)sprintf(text + length, "%s{\"url\":\"/%zu.jpg\",\"sequence\":%zu}",
                                  i ? "," : "[", i, i);
    strcpy(text + length, "]");
}

static void write_campaign(const struct side *side, size_t number, char *text)
{
    (void)side, (void)number;
    sprintf(text,
            "{\"name\":\"q\",\"code\":\"Q%d-%u\",\"type\":\"FIXED\",\"value\":100,"
            "\"min_order_amount\":0,\"total_quantity\":1000,\"starts_at\":\"2026-01-01T00:00:00Z\","
            "\"ends_at\":\"2126-01-01T00:00:00Z\",\"valid_days\":7}",
            (int)getpid(), fresh());
}

static void write_email(const struct side *side, size_t number, char *text)
{
    (void)number;
    struct http_reply profile = http_call(side->customer, "GET", V1 "/me", NULL);
    strcpy(text, json_word(profile.json, "email"));
}

static void write_id(const struct side *side, size_t i, char *text)
{
    strcpy(text, side->ids[i]);
}

static void write_size(const struct side *side, size_t i, char *text)
{
    (void)i;
    sprintf(text, "%d", side->much ? PAGE_MAX : 1);
}

static void write_user(const struct side *side, size_t i, char *text)
{
    (void)i;
    sprintf(text, "%" PRId64, side->user_id);
}

static void write_day(const struct side *side, size_t i, char *text)
{
    sprintf(text, "%zu", i + 1 + (side->much ? TIMES : 0));
}

static void write_letters(const struct side *side, size_t i, char *text)
{
    sprintf(text, "%.10s", DESCRIPTION + i + (side->much ? TIMES : 0));
}

static void write_number(const struct side *side, size_t i, char *text)
{
    (void)side, (void)i;
    sprintf(text, "%d-%u", (int)getpid(), fresh());
}

static const struct {
    const char *name;
    void (*write)(const struct side *side, size_t i, char *text);
} WORDS[] = {
    {"id",       write_id      },
    {"size",     write_size    },
    {"lines",    write_lines   },
    {"options",  write_options },
    {"images",   write_images  },
    {"campaign", write_campaign},
    {"email",    write_email   },
    {"user",     write_user    },
    {"day",      write_day     },
    {"word",     write_letters },
    {"i",        write_number  },
};

static void write_word(const struct side *side, size_t i, const char *name, char *text)
{
    size_t word = 0;
    while (strcmp(WORDS[word].name, name) != 0) {
        word++;
        cr_assert_lt(word, COUNT(WORDS), "no word $%s", name);
    }
    WORDS[word].write(side, i, text);
}

// Puts in what the words stand for.
static void write_question(const struct side *side, size_t i, const char *pattern, char *text)
{
    char *end = text;
    while (*pattern) {
        char word[16];
        size_t length = strcspn(pattern + 1, "/\",&?@}[]");
        if (*pattern != '$') {
            *end++ = *pattern++;
            continue;
        }
        snprintf(word, sizeof word, "%.*s", (int)length, pattern + 1);
        write_word(side, i, word, end);
        end += strlen(end);
        pattern += 1 + length;
    }
    *end = '\0';
}

static struct http_client *client_of(const struct side *side, enum asker asker)
{
    return asker == ANYBODY ? side->anybody : asker == CUSTOMER ? side->customer : side->admin;
}

static struct http_reply ask(const struct side *side, const struct question *question, size_t i)
{
    char path[TEXT_MAX] = V1, body[TEXT_MAX], method[16];
    size_t length = strcspn(question->route, " ");
    const char *route = question->route + length + 1;
    bool versioned = strncmp(route, V1, strlen(V1)) == 0;
    snprintf(method, sizeof method, "%.*s", (int)length, question->route);
    if (question->path)
        write_question(side, i, question->path, versioned ? path + strlen(V1) : path);
    else
        snprintf(path, sizeof path, "%s", route);
    if (!question->body)
        return http_call(client_of(side, question->asker), method, path, NULL);
    write_question(side, i, question->body, body);
    return http_call(client_of(side, question->asker), method, path, "%s", body);
}

// What questions are about

__attribute__((format(printf, 5, 6))) static struct http_reply tell(struct http_client *client,
                                                                    long status, const char *method,
                                                                    const char *path,
                                                                    const char *format, ...)
{
    char body[TEXT_MAX], full[TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(body, sizeof body, format, args);
    va_end(args);
    snprintf(full, sizeof full, V1 "%s", path);
    struct http_reply reply = http_call(client, method, full, body[0] ? "%s" : NULL, body);
    expect_reply(reply, status, NULL);
    return reply;
}

static void keep_id(struct side *side, size_t i, const json_t *json, const char *path)
{
    snprintf(side->ids[i], WORD_MAX, "%" PRId64, json_number(json, path));
}

static struct http_reply make_product(struct side *side)
{
    char options[TEXT_MAX];
    write_options(side, 0, options);
    return tell(side->admin, 201, "POST", "/admin/products",
                "{\"name\":\"q\",\"description\":\"%s\",\"category\":\"q\",\"options\":%s,"
                "\"images\":[]}",
                DESCRIPTION, options);
}

static void a_product(struct side *side, size_t i)
{
    keep_id(side, i, make_product(side).json, "id");
}

// Of both sides' products there are many.
static void a_product_twin(struct side *side, size_t i)
{
    make_product(side);
    a_product(side, i);
}

static void an_option(struct side *side, size_t i)
{
    keep_id(side, i, make_product(side).json, "options.0.id");
}

static void an_order(struct side *side, size_t i)
{
    char lines[TEXT_MAX];
    write_lines(side, i, lines);
    keep_id(side, i, tell(side->customer, 201, "POST", "/orders", "{\"items\":%s}", lines).json,
            "id");
}

static struct http_reply act_on(struct side *side, size_t i, const char *what)
{
    char path[WORD_MAX + 32];
    snprintf(path, sizeof path, "/orders/%s/%s", side->ids[i], what);
    http_next_header(side->customer, "Prefer: wait=10");
    return tell(side->customer, 200, "POST", path, "{}");
}

static void a_paid_order(struct side *side, size_t i)
{
    an_order(side, i);
    act_on(side, i, "payment");
}

static void a_payment(struct side *side, size_t i)
{
    an_order(side, i);
    keep_id(side, i, act_on(side, i, "payment").json, "payments.0.id");
}

static void a_cancelled_order(struct side *side, size_t i)
{
    an_order(side, i);
    act_on(side, i, "cancel");
}

static void a_campaign(struct side *side, size_t i)
{
    char campaign[TEXT_MAX];
    write_campaign(side, i, campaign);
    keep_id(side, i, tell(side->admin, 201, "POST", "/admin/coupons", "%s", campaign).json, "id");
}

static void a_coupon(struct side *side, size_t i)
{
    char path[WORD_MAX + 32];
    a_campaign(side, i);
    snprintf(path, sizeof path, "/coupons/%s/claims", side->ids[i]);
    keep_id(side, i, tell(side->customer, 201, "POST", path, "{}").json, "id");
}

static void a_cart_line(struct side *side, size_t i)
{
    char option[WORD_MAX], path[32];
    an_option(side, i);
    snprintf(option, sizeof option, "%s", side->ids[i]);
    struct http_reply cart =
        tell(side->customer, 200, "POST", "/me/cart", "{\"option_id\":%s,\"quantity\":1}", option);
    const json_t *items = json_at(cart.json, "items");
    for (size_t line = 0; line < json_array_size(items); line++) {
        snprintf(path, sizeof path, "%zu.option_id", line);
        if (json_number(items, path) != strtoll(option, NULL, 10))
            continue;
        snprintf(path, sizeof path, "%zu.id", line);
        keep_id(side, i, items, path);
    }
}

// One line, or many: what is too much goes out again.
static void a_full_cart(struct side *side, size_t i)
{
    if (i)
        return;
    char path[32];
    struct http_reply cart = tell(side->customer, 200, "GET", "/me/cart", "%s", "");
    size_t count = json_array_size(json_at(cart.json, "items"));
    for (; !side->much && count > 1; count--) {
        cart = tell(side->customer, 200, "GET", "/me/cart", "%s", "");
        snprintf(path, sizeof path, "/me/cart/%" PRId64, json_number(cart.json, "items.0.id"));
        tell(side->customer, 204, "DELETE", path, "%s", "");
    }
    for (; side->much && count < MUCH; count++)
        a_cart_line(side, i);
}

static void a_session(struct side *side, size_t i)
{
    char email[WORD_MAX];
    write_email(side, i, email);
    struct http_reply session = tell(side->anybody, 200, "POST", "/auth/login",
                                     "{\"email\":\"%s\",\"password\":\"Secret!2026\"}", email);
    snprintf(side->ids[i], WORD_MAX, "%s", json_word(session.json, "refresh_token"));
}

static void a_saga(struct side *side, size_t i)
{
    char path[WORD_MAX + 32];
    a_paid_order(side, i);
    snprintf(path, sizeof path, "/admin/sagas?order_id=%s", side->ids[i]);
    keep_id(side, i, tell(side->admin, 200, "GET", path, "%s", "").json, "items.0.id");
}

static void a_letter(struct side *side, size_t i)
{
    snprintf(side->ids[i], WORD_MAX, "%" PRId64, given_dead_letter("gone"));
}

// Counting

// Statements of the services that each of the requests has run; what frames a transaction is left out.
static const char COUNT_STATEMENTS[] =
    "SELECT coalesce(sum((calls + 1) / %d), 0)::bigint FROM pg_stat_statements s"
    " JOIN pg_database d ON d.oid = s.dbid WHERE d.datname LIKE 'baro\\_%%'"
    " AND query !~ '^(BEGIN|COMMIT|ROLLBACK|SELECT baro_now\\(\\), set_config)'";

static int64_t count_statements(struct side *side, const struct question *question)
{
    char sql[512];
    const char *admin = getenv("BARO_ADMIN_DATABASE_URL");
    for (size_t i = 0; question->prepare && i < TIMES; i++)
        question->prepare(side, i);
    test_number(admin, "SELECT 1 FROM pg_stat_statements_reset()");
    for (size_t i = 0; i < TIMES; i++) {
        struct http_reply reply = ask(side, question, i);
        cr_expect_eq(reply.status, question->status, "%s: %ld %s", question->route, reply.status,
                     reply.body);
        if (question->list && reply.status == 200 && side->much)
            cr_expect_gt(json_array_size(json_at(reply.json, "items")), 1, "%s shows %s",
                         question->route, reply.body);
    }
    snprintf(sql, sizeof sql, COUNT_STATEMENTS, TIMES);
    return test_number(admin, sql);
}

static void open_side(struct side *side, bool much)
{
    char root[256];
    *side = (struct side){.much = much};
    struct http_client *customer = given_customer(1000000), *admin = given_admin();
    snprintf(root, sizeof root, "%s", getenv("BARO_TEST_API"));
    *strstr(root, V1) = '\0';
    side->customer = http_open(root);
    side->admin = http_open(root);
    side->anybody = http_open(root);
    http_sign_in(side->customer, http_token(customer));
    http_sign_in(side->admin, http_token(admin));
    side->user_id = json_number(http_call(side->customer, "GET", V1 "/me", NULL).json, "id");
    for (size_t i = 0; i < (much ? MUCH : 1); i++)
        side->options[i] = json_number(make_product(side).json, "options.0.id");
    http_close(customer);
    http_close(admin);
}

static void close_side(struct side *side)
{
    http_close(side->customer);
    http_close(side->admin);
    http_close(side->anybody);
}

Test(queries, no_endpoint_needs_more_statements_for_many_rows_than_for_one)
{
    static struct side little, much;
    open_side(&little, false);
    open_side(&much, true);
    for (size_t i = 0; i < COUNT(QUESTIONS); i++) {
        int64_t for_little = 0, for_much = INT64_MAX;
        for (int look = 0; look < LOOKS && for_much > for_little + SLACK; look++) {
            for_little = count_statements(&little, &QUESTIONS[i]);
            for_much = count_statements(&much, &QUESTIONS[i]);
        }
        cr_expect_leq(for_much, for_little + SLACK,
                      "%s: %" PRId64 " statements for much, %" PRId64 " for little",
                      QUESTIONS[i].route, for_much, for_little);
        if (getenv("BARO_TEST_COUNTS"))
            fprintf(stderr, "%3" PRId64 " %3" PRId64 "  %s\n", for_little, for_much,
                    QUESTIONS[i].route);
    }
    close_side(&little);
    close_side(&much);
    expect_laws_hold();
}

static bool is_asked(const char *method, const char *path)
{
    for (size_t i = 0; i < COUNT(QUESTIONS); i++) {
        size_t length = strcspn(QUESTIONS[i].route, " ");
        if (strncasecmp(QUESTIONS[i].route, method, length) == 0 && strlen(method) == length &&
            strcmp(QUESTIONS[i].route + length + 1, path) == 0)
            return true;
    }
    return false;
}

Test(queries, every_route_of_the_api_is_among_those_that_are_counted)
{
    static struct side side;
    const char *path, *method;
    json_t *methods, *operation;
    open_side(&side, false);
    struct http_reply api = http_call(side.anybody, "GET", "/openapi.json", NULL);
    expect_reply(api, 200, NULL);
    json_object_foreach ((json_t *)(uintptr_t)json_at(api.json, "paths"), path, methods) {
        json_object_foreach (methods, method, operation) {
            cr_expect(is_asked(method, path), "add %s %s to QUESTIONS", method, path);
        }
    }
    close_side(&side);
}
