#include "tests/fault/clients.h"

#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "tests/fault/cluster.h"
#include "tests/fault/report.h"
#include "tests/support/http.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    CLIENTS_MAX = 64,
    TRY_MS = 10000,      // one try of a request
    PATIENCE_MS = 90000, // all tries of it
    AGAIN_MS = 25,
    CHEAP_WON = 100,
    DEAR_WON = 9000000, // what nobody can pay
    CHARGE_WON = 100000,
    STOCK = 10000000,
    RENEW_AT = ORDERS_MAX - 200,
};

struct client {
    struct clients *clients;
    pthread_t thread;
    int index;
    uint64_t random;
    struct http_client *connections[2];
    int preferred; // the gateway that answered last
    struct customer customer;
    bool has_claimed; // in this round
    struct clients_totals totals;
    atomic_bool at_gate;
};

struct clients {
    struct clients_options options;
    int log;
    int64_t cheap_option, dear_option, campaign;
    pthread_mutex_t lock; // of the gate
    pthread_cond_t opened;
    bool open, ending;
    atomic_llong granted; // of this round's campaign
    atomic_llong served_us, longest_stall_us;
    struct client clients[CLIENTS_MAX];
};

const char *promise_word(enum promise promise)
{
    static const char *const WORDS[] = {
        [PROMISE_PLACED] = "placed",     [PROMISE_UNPAID] = "refused", [PROMISE_PAID] = "paid",
        [PROMISE_REFUNDED] = "refunded", [PROMISE_GONE] = "cancelled", [PROMISE_OPEN] = "undecided",
    };
    return WORDS[promise];
}

// --- one request --------------------------------------------------------------------------------

static uint64_t draw(struct client *client)
{
    client->random ^= client->random << 13;
    client->random ^= client->random >> 7;
    client->random ^= client->random << 17;
    return client->random;
}

static bool chance(struct client *client, unsigned percent)
{
    return draw(client) % 100 < percent;
}

// One line a try, written at once; the kernel keeps it whatever happens to us.
static void note(const struct client *client, const char *key, const char *path, int try,
                 const struct http_reply *reply)
{
    char line[512];
    int length = snprintf(line, sizeof(line), "%lld %lld %s %s %d %ld %s %lld %s%s\n",
                          (long long)clock_realtime_us(), (long long)client->customer.user_id, key,
                          path, try, reply->status, json_word(reply->json, "status"),
                          (long long)json_number(reply->json, "id"), json_word(reply->json, "code"),
                          reply->error);
    if (length > 0 && write(client->clients->log, line, (size_t)length) < 0)
        return; // the disk may be full
}

static bool is_definite(const struct http_reply *reply)
{
    if (reply->status == 409)
        return strcmp(json_word(reply->json, "code"), "REQUEST_IN_PROGRESS") != 0;
    // A gateway whose clock is wrong finds that our token has expired, or is none yet.
    return reply->status != 0 && reply->status != 401 && reply->status != 429 &&
           reply->status < 500;
}

// Everybody's silence between two answers is a stall of the shop.
static void note_served(struct clients *clients)
{
    int64_t now_us = clock_monotonic_us();
    int64_t stall_us = now_us - atomic_exchange(&clients->served_us, now_us);
    long long longest_us = atomic_load(&clients->longest_stall_us);
    while (stall_us > longest_us &&
           !atomic_compare_exchange_weak(&clients->longest_stall_us, &longest_us, stall_us))
        continue;
}

struct request {
    const char *method, *path, *body;
    char key[40];
};

static struct http_reply try_once(struct client *client, const struct request *request, int try)
{
    struct http_client *connection = client->connections[client->preferred];
    http_next_key(connection, request->key);
    http_next_header(connection, "Prefer: wait=5");
    struct http_reply reply =
        request->body ? http_call(connection, request->method, request->path, "%s", request->body)
                      : http_call(connection, request->method, request->path, NULL);
    note(client, request->key, request->path, try, &reply);
    if (reply.status == 0 || reply.status == 401 || reply.status >= 500)
        client->preferred = !client->preferred;
    return reply;
}

// Until something definite is said; a status of 0 or of 500 and more: nothing was, in all the time.
static struct http_reply insist(struct client *client, const struct request *request)
{
    int64_t began_us = clock_monotonic_us(), took_us = 0;
    struct http_reply reply = {0};
    int try = 0;
    do {
        if (try > 0)
            pause_ms(AGAIN_MS);
        reply = try_once(client, request, ++try);
        took_us = clock_monotonic_us() - began_us;
    } while (!is_definite(&reply) && took_us < PATIENCE_MS * US_PER_MS);
    client->totals.requests++;
    client->totals.retried += try > 1;
    if (took_us > client->totals.longest_request_us)
        client->totals.longest_request_us = took_us;
    if (reply.status >= 200 && reply.status < 300)
        note_served(client->clients);
    if (!is_definite(&reply)) {
        client->totals.unanswered++;
        report_violation("%s %s of user %lld was not answered in %d s: %ld %s%s", request->method,
                         request->path, (long long)client->customer.user_id, PATIENCE_MS / 1000,
                         reply.status, reply.body, reply.error);
    }
    return reply;
}

static void fresh_key(struct client *client, struct request *request)
{
    snprintf(request->key, sizeof(request->key), "%016llx%016llx", (unsigned long long)draw(client),
             (unsigned long long)clock_monotonic_us());
}

static void keep(struct client *client, const struct request *request,
                 const struct http_reply *reply)
{
    struct customer *customer = &client->customer;
    bool room = customer->kept_count < KEPT_MAX;
    if (!room && !chance(client, 25))
        return;
    struct kept *kept =
        &customer->kept[room ? customer->kept_count++ : (int)(draw(client) % KEPT_MAX)];
    snprintf(kept->key, sizeof(kept->key), "%s", request->key);
    snprintf(kept->path, sizeof(kept->path), "%s", request->path);
    snprintf(kept->body, sizeof(kept->body), "%s", request->body);
    kept->status = reply->status;
    kept->id = json_number(reply->json, "id");
}

static struct http_reply post(struct client *client, const char *path, const char *body)
{
    struct request request = {.method = "POST", .path = path, .body = body};
    fresh_key(client, &request);
    struct http_reply reply = insist(client, &request);
    // Neither what is still under way nor bad input is kept under a key.
    if (is_definite(&reply) && reply.status != 202 && reply.status != 400)
        keep(client, &request, &reply);
    return reply;
}

static struct http_reply get(struct client *client, const char *path)
{
    const struct request request = {.method = "GET", .path = path};
    return insist(client, &request);
}

// --- journeys -----------------------------------------------------------------------------------

static struct promised_order *note_order(struct client *client, int64_t id, enum promise promise,
                                         const struct http_reply *reply)
{
    struct customer *customer = &client->customer;
    struct promised_order *order = &customer->orders[customer->order_count++];
    *order = (struct promised_order){id, promise, json_number(reply->json, "final_amount")};
    client->totals.orders++;
    return order;
}

static enum promise promise_of(const char *status)
{
    static const struct {
        const char *status;
        enum promise promise;
    } ROWS[] = {
        {"PAID",      PROMISE_PAID    },
        {"REFUNDED",  PROMISE_REFUNDED},
        {"PENDING",   PROMISE_PLACED  },
        {"FAILED",    PROMISE_UNPAID  },
        {"EXPIRED",   PROMISE_GONE    },
        {"CANCELLED", PROMISE_GONE    },
    };
    for (size_t i = 0; i < COUNT(ROWS); i++)
        if (strcmp(ROWS[i].status, status) == 0)
            return ROWS[i].promise;
    return PROMISE_OPEN;
}

// For answers that came before the end: asks until the order has one.
static void await_end(struct client *client, struct promised_order *order)
{
    char path[64];
    int64_t until_us = clock_monotonic_us() + PATIENCE_MS * US_PER_MS;
    snprintf(path, sizeof(path), "/orders/%lld", (long long)order->id);
    do {
        struct http_reply reply = get(client, path);
        order->promise = promise_of(json_word(reply.json, "status"));
        order->amount_won = json_number(reply.json, "final_amount");
        if (order->promise == PROMISE_OPEN)
            pause_ms(AGAIN_MS);
    } while (order->promise == PROMISE_OPEN && clock_monotonic_us() < until_us);
    if (order->promise == PROMISE_OPEN)
        report_violation("order %lld does not end", (long long)order->id);
}

static void settle(struct client *client, struct promised_order *order,
                   const struct http_reply *reply)
{
    if (reply->status == 202) {
        order->promise = PROMISE_OPEN;
        await_end(client, order);
    } else if (reply->status == 200) {
        order->promise = promise_of(json_word(reply->json, "status"));
        order->amount_won = json_number(reply->json, "final_amount");
    } else if (is_definite(reply)) {
        order->promise = PROMISE_UNPAID;
    } else {
        order->promise = PROMISE_OPEN;
    }
    client->totals.paid += order->promise == PROMISE_PAID;
    client->totals.refunded += order->promise == PROMISE_REFUNDED;
    client->totals.refused += order->promise == PROMISE_UNPAID;
}

static bool wants_coupon(struct client *client)
{
    return client->customer.user_coupon_id && chance(client, 50);
}

static const char *order_body(struct client *client, char *body, size_t size, bool dear,
                              bool with_coupon)
{
    const struct clients *clients = client->clients;
    char coupon[64] = "";
    if (with_coupon)
        snprintf(coupon, sizeof(coupon), ", \"user_coupon_id\": %lld",
                 (long long)client->customer.user_coupon_id);
    snprintf(body, size, "{\"items\": [{\"option_id\": %lld, \"quantity\": 1}]%s}",
             (long long)(dear ? clients->dear_option : clients->cheap_option), coupon);
    return body;
}

static void act_on(struct client *client, struct promised_order *order, const char *what,
                   const char *body)
{
    char path[64];
    snprintf(path, sizeof(path), "/orders/%lld/%s", (long long)order->id, what);
    struct http_reply reply = post(client, path, body);
    if (reply.status < 300 || strcmp(what, "payment") == 0)
        settle(client, order, &reply); // a cancellation that is refused changes nothing
}

// Who used a coupon wants it back.
static void cancel_sometimes(struct client *client, struct promised_order *order, bool with_coupon)
{
    bool cancellable = order->promise == PROMISE_PAID || order->promise == PROMISE_PLACED;
    if (cancellable && chance(client, with_coupon ? 95 : 25))
        act_on(client, order, "cancel", "{}");
}

static void place_and_pay(struct client *client)
{
    char body[128];
    bool dear = chance(client, 25), with_coupon = wants_coupon(client);
    struct http_reply reply =
        post(client, "/orders", order_body(client, body, sizeof(body), dear, with_coupon));
    if (reply.status != 201) {
        client->totals.refused += is_definite(&reply);
        return;
    }
    struct promised_order *order =
        note_order(client, json_number(reply.json, "id"), PROMISE_PLACED, &reply);
    if (chance(client, 90))
        act_on(client, order, "payment", "{}");
    cancel_sometimes(client, order, with_coupon);
}

// A refused checkout names its order in its words: "order 123: ..".
static int64_t order_in(const struct http_reply *reply)
{
    const char *detail = json_word(reply->json, "detail");
    return strncmp(detail, "order ", 6) == 0 ? strtoll(detail + 6, NULL, 10) : 0;
}

static void check_out(struct client *client)
{
    char body[128];
    bool dear = chance(client, 30), with_coupon = wants_coupon(client);
    struct http_reply reply =
        post(client, "/checkout", order_body(client, body, sizeof(body), dear, with_coupon));
    int64_t id = reply.status < 300 ? json_number(reply.json, "id") : order_in(&reply);
    if (!id) {
        client->totals.refused += is_definite(&reply);
        return;
    }
    struct promised_order *order = note_order(client, id, PROMISE_OPEN, &reply);
    settle(client, order, &reply);
    cancel_sometimes(client, order, with_coupon);
}

static void charge(struct client *client)
{
    char body[64];
    snprintf(body, sizeof(body), "{\"amount\": %d}", CHARGE_WON);
    struct http_reply reply = post(client, "/me/balance/charges", body);
    if (reply.status != 201)
        return;
    client->customer.charged_won += CHARGE_WON;
    client->totals.charges++;
}

static void claim(struct client *client)
{
    char path[64];
    snprintf(path, sizeof(path), "/coupons/%lld/claims", (long long)client->clients->campaign);
    client->has_claimed = true;
    struct http_reply reply = post(client, path, "{}");
    if (reply.status != 201)
        return;
    client->customer.user_coupon_id = json_number(reply.json, "id");
    client->totals.claims++;
    atomic_fetch_add(&client->clients->granted, 1);
}

static void sign_up(struct client *client)
{
    char body[160];
    client->customer = (struct customer){0};
    snprintf(body, sizeof(body),
             "{\"email\": \"f%016llx%llx@example.com\", \"password\": \"Secret!2026\", "
             "\"name\": \"손님\"}",
             (unsigned long long)draw(client), (unsigned long long)clock_realtime_us());
    for (int i = 0; i < 2; i++)
        http_sign_in(client->connections[i], NULL);
    const struct request request = {.method = "POST", .path = "/auth/signup", .body = body};
    struct http_reply reply = insist(client, &request);
    // Sign-in answers are kept under no key: who has not heard the first one signs in.
    if (reply.status == 409) {
        const struct request login = {.method = "POST", .path = "/auth/login", .body = body};
        *strstr(body, ", \"name\"") = '}';
        body[strcspn(body, "}") + 1] = '\0';
        reply = insist(client, &login);
    }
    if (reply.status != 201 && reply.status != 200) {
        report_violation("nobody can sign up: %ld %s", reply.status, reply.body);
        return;
    }
    client->customer.user_id = json_number(reply.json, "user.id");
    const char *token = json_word(reply.json, "access_token");
    char *copy = strdup(token);
    for (int i = 0; i < 2; i++)
        http_sign_in(client->connections[i], copy);
    free(copy);
    charge(client);
}

static void journey(struct client *client)
{
    if (!client->customer.user_id)
        sign_up(client);
    else if (!client->has_claimed || chance(client, 3)) // once more than is permitted
        claim(client);
    else if (chance(client, 5))
        charge(client);
    else if (chance(client, 40))
        check_out(client);
    else
        place_and_pay(client);
}

// --- the gate -----------------------------------------------------------------------------------

// Where customers wait between rounds; false at the end.
static bool pass_gate(struct client *client)
{
    struct clients *clients = client->clients;
    pthread_mutex_lock(&clients->lock);
    while (!clients->open && !clients->ending) {
        atomic_store(&client->at_gate, true);
        pthread_cond_wait(&clients->opened, &clients->lock);
    }
    atomic_store(&client->at_gate, false);
    bool go_on = !clients->ending;
    pthread_mutex_unlock(&clients->lock);
    return go_on;
}

static void *shop(void *arg)
{
    struct client *client = arg;
    while (pass_gate(client))
        journey(client);
    return NULL;
}

// Campaigns and products are made when nothing is broken.
static int64_t administer(struct clients *clients, const char *path, const char *body,
                          const char *member)
{
    struct http_client *admin = http_open(clients->options.gateways[0]);
    const char *email = getenv("BARO_ADMIN_EMAIL"), *password = getenv("BARO_ADMIN_PASSWORD");
    struct http_reply reply =
        http_call(admin, "POST", "/auth/login", "{\"email\": \"%s\", \"password\": \"%s\"}",
                  email ? email : "admin@baro.local", password ? password : "Baro!2026");
    char *token = strdup(json_word(reply.json, "access_token"));
    http_sign_in(admin, token);
    free(token);
    reply = http_call(admin, "POST", path, "%s", body);
    if (reply.status != 201)
        report_violation("the admin's %s: %ld %s%s", path, reply.status, reply.body, reply.error);
    int64_t id = json_number(reply.json, member);
    http_close(admin);
    return id;
}

static int64_t make_option(struct clients *clients, int price_won)
{
    char body[320];
    snprintf(body, sizeof(body),
             "{\"name\": \"Fault\", \"description\": \"\", \"category\": \"test\", \"images\": [], "
             "\"options\": [{\"name\": \"L\", \"price\": %d, \"stock\": %d}]}",
             price_won, STOCK);
    return administer(clients, "/admin/products", body, "options.0.id");
}

static int64_t make_campaign(struct clients *clients, int64_t coupons)
{
    char body[512], from[32], to[32];
    time_t now = time(NULL), before = now - 86400, after = now + 86400;
    struct tm utc;
    strftime(from, sizeof(from), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&before, &utc));
    strftime(to, sizeof(to), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&after, &utc));
    snprintf(body, sizeof(body),
             "{\"name\": \"Fault\", \"code\": \"F%llx\", \"type\": \"FIXED\", \"value\": 10, "
             "\"min_order_amount\": 0, \"total_quantity\": %lld, \"starts_at\": \"%s\", "
             "\"ends_at\": \"%s\", \"valid_days\": 7}",
             (unsigned long long)clock_realtime_us(), (long long)coupons, from, to);
    return administer(clients, "/admin/coupons", body, "id");
}

static void open_client(struct clients *clients, int index)
{
    struct client *client = &clients->clients[index];
    const char *const *gateways = clients->options.gateways;
    client->clients = clients;
    client->index = index;
    client->random = (clients->options.seed + 1) * UINT64_C(0x9E3779B97F4A7C15) + (uint64_t)index;
    for (int i = 0; i < 2; i++) {
        client->connections[i] = http_open(gateways[i] ? gateways[i] : gateways[0]);
        http_set_timeout(client->connections[i], TRY_MS);
    }
    client->preferred = index % 2;
    if (pthread_create(&client->thread, NULL, shop, client) != 0)
        exit(1);
}

struct clients *clients_open(const struct clients_options *options)
{
    struct clients *clients = calloc(1, sizeof(*clients));
    if (!clients || options->count > CLIENTS_MAX)
        exit(1);
    clients->options = *options;
    clients->log = open(options->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (clients->log < 0) {
        perror(options->log_path);
        exit(1);
    }
    pthread_mutex_init(&clients->lock, NULL);
    pthread_cond_init(&clients->opened, NULL);
    clients->cheap_option = make_option(clients, CHEAP_WON);
    clients->dear_option = make_option(clients, DEAR_WON);
    if (report_violations())
        exit(1);
    for (int i = 0; i < options->count; i++)
        open_client(clients, i);
    return clients;
}

void clients_release(struct clients *clients, int64_t coupons)
{
    clients->campaign = make_campaign(clients, coupons);
    atomic_store(&clients->granted, 0);
    for (int i = 0; i < clients->options.count; i++) {
        struct client *client = &clients->clients[i];
        client->has_claimed = false;
        client->customer.kept_count = 0;
        if (client->customer.order_count > RENEW_AT)
            client->customer.user_id = 0; // another customer takes the place
    }
    atomic_store(&clients->served_us, clock_monotonic_us());
    pthread_mutex_lock(&clients->lock);
    clients->open = true;
    pthread_cond_broadcast(&clients->opened);
    pthread_mutex_unlock(&clients->lock);
}

static bool all_at_gate(const struct clients *clients)
{
    for (int i = 0; i < clients->options.count; i++)
        if (!atomic_load(&clients->clients[i].at_gate))
            return false;
    return true;
}

bool clients_hold(struct clients *clients, int64_t timeout_ms)
{
    int64_t until_us = clock_monotonic_us() + timeout_ms * US_PER_MS;
    pthread_mutex_lock(&clients->lock);
    clients->open = false;
    pthread_mutex_unlock(&clients->lock);
    while (!all_at_gate(clients)) {
        if (clock_monotonic_us() > until_us)
            return false;
        pause_ms(2);
    }
    return true;
}

int clients_count(const struct clients *clients)
{
    return clients->options.count;
}

const struct customer *clients_customer(const struct clients *clients, int index)
{
    return &clients->clients[index].customer;
}

int64_t clients_campaign(const struct clients *clients)
{
    return clients->campaign;
}

int64_t clients_granted(const struct clients *clients)
{
    return atomic_load(&clients->granted);
}

bool clients_all_claimed(const struct clients *clients)
{
    for (int i = 0; i < clients->options.count; i++)
        if (!clients->clients[i].has_claimed)
            return false;
    return true;
}

static void repeat(struct client *client, const struct kept *kept)
{
    struct request request = {.method = "POST", .path = kept->path, .body = kept->body};
    snprintf(request.key, sizeof(request.key), "%s", kept->key);
    struct http_reply reply = insist(client, &request);
    int64_t id = json_number(reply.json, "id");
    if (reply.status != kept->status || id != kept->id)
        report_violation("key %s of %s: first %ld with id %lld, then %ld with id %lld %s",
                         kept->key, kept->path, kept->status, (long long)kept->id, reply.status,
                         (long long)id, reply.status >= 300 ? reply.body : "");
}

void clients_repeat(struct clients *clients)
{
    for (int i = 0; i < clients->options.count; i++)
        for (int j = 0; j < clients->clients[i].customer.kept_count; j++)
            repeat(&clients->clients[i], &clients->clients[i].customer.kept[j]);
}

struct clients_totals clients_totals(const struct clients *clients)
{
    struct clients_totals sum = {.longest_stall_us = atomic_load(&clients->longest_stall_us)};
    for (int i = 0; i < clients->options.count; i++) {
        const struct clients_totals *one = &clients->clients[i].totals;
        sum.requests += one->requests;
        sum.retried += one->retried;
        sum.unanswered += one->unanswered;
        sum.orders += one->orders;
        sum.paid += one->paid;
        sum.refunded += one->refunded;
        sum.refused += one->refused;
        sum.charges += one->charges;
        sum.claims += one->claims;
        if (one->longest_request_us > sum.longest_request_us)
            sum.longest_request_us = one->longest_request_us;
    }
    return sum;
}

void clients_close(struct clients *clients)
{
    pthread_mutex_lock(&clients->lock);
    clients->ending = true;
    pthread_cond_broadcast(&clients->opened);
    pthread_mutex_unlock(&clients->lock);
    for (int i = 0; i < clients->options.count; i++) {
        pthread_join(clients->clients[i].thread, NULL);
        for (int j = 0; j < 2; j++)
            http_close(clients->clients[i].connections[j]);
    }
    close(clients->log);
    free(clients);
}
