// A flash sale against a running shop: more buyers than there is stock, all at the same moment, over
// the same API that everybody uses. Whoever meets a fault asks again with the same key, as a client
// should. In the end the shop's own books are asked whether not one too many was sold.

#include "deploy/baroctl/commands.h"
#include "deploy/baroctl/crowd.h"
#include "deploy/baroctl/gateway.h"
#include "deploy/baroctl/output.h"
#include "deploy/baroctl/progress.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define PRICE_TEXT "1000" // PRICE_WON

enum {
    PRICE_WON = 1000,
    ARRIVE_AT_ONCE = 8, // sign-ups cost the shop 20 ms of a processor each
    AGAIN_MS = 100,
    PATIENCE_MS = 60000,
    BOOKS_TRIES = 50,
    BOOKS_PAUSE_MS = 100,
    HTTP_OK = 200,
    HTTP_CREATED = 201,
    HTTP_ACCEPTED = 202,
    HTTP_TOO_MANY = 429,
    HTTP_FAULTS = 500,
};

enum stage { SIGNUP, CHARGE, WAITING, CHECKOUT, FOLLOW, SOLD, REFUSED, FAILED };

struct buyer {
    enum stage stage;
    char *token;
    char key[64];
    const char *path; // of the order that is not decided yet
    int64_t took_us;
};

struct sale {
    struct arena *arena;
    struct gateway *gateway;
    char run[32];
    int64_t stock, product_id, option_id;
    struct buyer *buyers;
    size_t count, arrived;
    struct progress progress;
    int64_t began_us, ended_us;
    const char *trouble; // what a buyer who failed was told last
    int64_t left;
    bool lawful;
};

static int64_t number_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static const char *word_of(const json_t *object, const char *name)
{
    const char *word = json_string_value(json_object_get(object, name));
    return word ? word : "";
}

static struct status put_on_the_shelf(struct sale *sale)
{
    SCOPED_JSON *wish =
        json_pack("{s:s, s:s, s:s, s:[{s:s, s:i, s:I}], s:[]}", "name",
                  text_printf(sale->arena, "flash sale %s", sale->run), "description",
                  "gone in a moment", "category", "sale", "options", "name", "one", "price",
                  PRICE_WON, "stock", (json_int_t)sale->stock, "images");
    json_t *reply = NULL;
    struct status st = gateway_call(sale->gateway, "POST", "/admin/products", wish, &reply);
    SCOPED_JSON *product = reply;
    if (failed(st))
        return st;
    sale->product_id = number_of(product, "id");
    sale->option_id = number_of(json_array_get(json_object_get(product, "options"), 0), "id");
    return OK;
}

// What buyers do

static bool next_request(void *arg, size_t member, struct crowd_request *request)
{
    struct sale *sale = arg;
    struct buyer *buyer = &sale->buyers[member];
    *request = (struct crowd_request){.method = "POST", .token = buyer->token, .key = buyer->key};
    switch (buyer->stage) {
    case SIGNUP:
        request->path = "/auth/signup";
        request->key = NULL;
        request->body =
            text_printf(sale->arena,
                        "{\"email\": \"sale-%s-%zu@example.com\", \"password\": \"Flash!2026\", "
                        "\"name\": \"buyer %zu\"}",
                        sale->run, member, member);
        return true;
    case CHARGE:
        request->path = "/me/balance/charges";
        request->body = "{\"amount\": " PRICE_TEXT "}";
        return true;
    case CHECKOUT:
        request->path = "/checkout";
        request->prefer = "wait=20";
        request->body =
            text_printf(sale->arena, "{\"items\": [{\"option_id\": %" PRId64 ", \"quantity\": 1}]}",
                        sale->option_id);
        return true;
    case FOLLOW:
        request->method = "GET";
        request->path = buyer->path;
        request->key = NULL;
        return true;
    case WAITING:
    case SOLD:
    case REFUSED:
    case FAILED:
        break;
    }
    return false;
}

static int64_t fail(struct sale *sale, struct buyer *buyer, long status, const json_t *reply)
{
    buyer->stage = FAILED;
    sale->trouble = status ? text_printf(sale->arena, "%ld %s: %s", status, word_of(reply, "code"),
                                         word_of(reply, "detail"))
                           : "the gateway cannot be reached";
    return 0;
}

// What may succeed later is asked again, with the same key.
static bool passes(long status)
{
    return status == 0 || status == HTTP_TOO_MANY || status >= HTTP_FAULTS;
}

static int64_t arrive(struct sale *sale, struct buyer *buyer, long status, const json_t *reply)
{
    if (status != HTTP_CREATED)
        return fail(sale, buyer, status, reply);
    if (buyer->stage == SIGNUP) {
        buyer->token = text_copy(sale->arena, word_of(reply, "access_token"));
        buyer->stage = CHARGE;
        return 0;
    }
    buyer->stage = WAITING;
    progress_show(&sale->progress, (int64_t)++sale->arrived);
    return 0;
}

// What an order that was answered means for its buyer.
static enum stage stage_of(const char *status)
{
    if (strcmp(status, "PAID") == 0)
        return SOLD;
    return strcmp(status, "PAYING") == 0 || strcmp(status, "HELD") == 0 ? FOLLOW : REFUSED;
}

static int64_t buy(struct sale *sale, struct buyer *buyer, long status, const json_t *reply)
{
    bool gone = strcmp(word_of(reply, "code"), "INSUFFICIENT_STOCK") == 0;
    if (!gone && status != HTTP_OK && status != HTTP_ACCEPTED)
        return fail(sale, buyer, status, reply);
    buyer->took_us = clock_monotonic_us() - sale->began_us;
    buyer->stage = gone ? REFUSED : stage_of(word_of(reply, "status"));
    if (buyer->stage != FOLLOW)
        return 0;
    buyer->path = text_printf(sale->arena, "/orders/%" PRId64, number_of(reply, "id"));
    return AGAIN_MS;
}

static int64_t take_answer(void *arg, size_t member, long status, const json_t *reply)
{
    struct sale *sale = arg;
    struct buyer *buyer = &sale->buyers[member];
    bool patient = clock_monotonic_us() - sale->began_us < PATIENCE_MS * US_PER_MS;
    if (passes(status) && patient)
        return AGAIN_MS;
    return buyer->stage < WAITING ? arrive(sale, buyer, status, reply)
                                  : buy(sale, buyer, status, reply);
}

static void run_crowd(struct sale *sale, const char *url, size_t at_once)
{
    sale->began_us = clock_monotonic_us();
    crowd_run(url, sale->count, at_once, sale->arena, next_request, take_answer, sale);
    sale->ended_us = clock_monotonic_us();
}

static size_t count_in(const struct sale *sale, enum stage stage)
{
    size_t count = 0;
    for (size_t i = 0; i < sale->count; i++)
        count += sale->buyers[i].stage == stage;
    return count;
}

static void let_them_in(struct sale *sale, const char *url)
{
    progress_start(&sale->progress, "buyers have come", (int64_t)sale->count);
    run_crowd(sale, url, ARRIVE_AT_ONCE);
    progress_end(&sale->progress);
    for (size_t i = 0; i < sale->count; i++)
        if (sale->buyers[i].stage == WAITING)
            sale->buyers[i].stage = CHECKOUT;
}

// What came of it

// Other gateways may show a product as it was a second ago, so the books are looked at until they agree.
static struct status read_books(struct sale *sale)
{
    int64_t sold = (int64_t)count_in(sale, SOLD);
    struct status st = OK;
    for (int tries = 0; tries < BOOKS_TRIES; tries++) {
        json_t *product = NULL, *laws = NULL;
        st = gateway_call(sale->gateway, "GET",
                          text_printf(sale->arena, "/products/%" PRId64, sale->product_id), NULL,
                          &product);
        if (!failed(st))
            st = gateway_call(sale->gateway, "GET", "/admin/invariants", NULL, &laws);
        const json_t *option = json_array_get(json_object_get(product, "options"), 0);
        sale->left = number_of(option, "available");
        sale->lawful = json_is_true(json_object_get(laws, "ok"));
        json_decref(product);
        json_decref(laws);
        if (!failed(st) && sale->lawful && sale->left == sale->stock - sold)
            return OK;
        nanosleep(&(struct timespec){.tv_nsec = BOOKS_PAUSE_MS * 1000000L}, NULL);
    }
    return st;
}

static int compare_times(const void *a, const void *b)
{
    const struct buyer *left = a, *right = b;
    return (left->took_us > right->took_us) - (left->took_us < right->took_us);
}

static double share_of_times_ms(struct sale *sale, size_t percent)
{
    qsort(sale->buyers, sale->count, sizeof(*sale->buyers), compare_times);
    size_t index = (sale->count - 1) * percent / 100;
    return (double)sale->buyers[index].took_us / 1000.0;
}

static enum exit_code report(struct sale *sale, bool json)
{
    int64_t sold = (int64_t)count_in(sale, SOLD), refused = (int64_t)count_in(sale, REFUSED);
    int64_t lost = (int64_t)sale->count - sold - refused;
    int64_t due = sale->stock < (int64_t)sale->count ? sale->stock : (int64_t)sale->count;
    bool exact = sold <= sale->stock && sale->left == sale->stock - sold && sale->lawful;
    bool fine = exact && lost == 0 && sold == due;
    int64_t ms = (sale->ended_us - sale->began_us) / US_PER_MS;
    double p50_ms = share_of_times_ms(sale, 50), p99_ms = share_of_times_ms(sale, 99);
    if (json) {
        SCOPED_JSON *told =
            json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:I, s:b, s:b}", "stock",
                      (json_int_t)sale->stock, "buyers", (json_int_t)sale->count, "sold",
                      (json_int_t)sold, "refused", (json_int_t)refused, "failed", (json_int_t)lost,
                      "ms", (json_int_t)ms, "p50_ms", p50_ms, "p99_ms", p99_ms, "left",
                      (json_int_t)sale->left, "laws_hold", sale->lawful, "ok", fine);
        output_json(stdout, told);
        return fine ? EXIT_DONE : EXIT_WRONG;
    }
    printf("%zu buyers at once, %" PRId64 " in stock: %" PRId64 " sold, %" PRId64
           " refused, %" PRId64 " failed in %" PRId64 " ms (half knew after %.0f ms, 99 %% after "
           "%.0f ms)\n",
           sale->count, sale->stock, sold, refused, lost, ms, p50_ms, p99_ms);
    if (lost)
        printf("a buyer who failed was told: %s\n", sale->trouble ? sale->trouble : "nothing");
    printf("%" PRId64 " left on the shelf; %s; %s\n", sale->left,
           sale->lawful ? "the conservation laws hold" : "A CONSERVATION LAW IS BROKEN",
           exact ? "not one too many was sold" : "THE BOOKS DO NOT AGREE WITH THE BUYERS");
    return fine ? EXIT_DONE : EXIT_WRONG;
}

static void name_run(struct sale *sale)
{
    unsigned salt = 0;
    if (getrandom(&salt, sizeof(salt), 0) != sizeof(salt))
        abort();
    snprintf(sale->run, sizeof(sale->run), "%08x", salt);
    for (size_t i = 0; i < sale->count; i++)
        snprintf(sale->buyers[i].key, sizeof(sale->buyers[i].key), "sale-%s-%zu", sale->run, i);
}

enum exit_code flash_sale_run(const struct arguments *arguments, struct arena *arena)
{
    struct sale sale = {
        .arena = arena,
        .stock = arguments->stock,
        .count = (size_t)arguments->buyers,
        .buyers = arena_array(arena, (size_t)arguments->buyers, sizeof(struct buyer)),
    };
    name_run(&sale);
    struct status st = gateway_open(arguments->gateway, arena, &sale.gateway);
    if (!failed(st))
        st = put_on_the_shelf(&sale);
    if (!failed(st)) {
        const char *url = gateway_url(sale.gateway);
        let_them_in(&sale, url);
        run_crowd(&sale, url, sale.count);
        st = read_books(&sale);
    }
    gateway_close(sale.gateway);
    return failed(st) ? complain("flash-sale", st) : report(&sale, arguments->json);
}
