// The shop's customers, a thread each, and the gate between two rounds.

#include "tests/fault/clients_private.h"

#include "lib/base/clock.h"
#include "tests/fault/cluster.h"
#include "tests/fault/report.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    TRY_MS = 10000, // one try of a request
    CHEAP_WON = 100,
    DEAR_WON = 9000000, // what nobody can pay
    STOCK = 10000000,
    RENEW_AT = ORDERS_MAX / 2, // orders; then another customer comes
};

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
        client_journey(client);
    return NULL;
}

// Until something definite is said: right after a network has healed, calls may still be lost.
static struct http_reply insist(struct http_client *admin, const char *path, const char *body)
{
    struct http_reply reply;
    char key[32];
    int64_t began_us = clock_monotonic_us();
    snprintf(key, sizeof(key), "admin-%llx", (unsigned long long)clock_realtime_us());
    int try = 0;
    do {
        if (try++ > 0)
            pause_ms(AGAIN_MS);
        http_next_key(admin, key);
        reply = http_call(admin, "POST", path, "%s", body);
    } while (!is_definite(&reply) && clock_monotonic_us() - began_us < PATIENCE_MS * US_PER_MS);
    return reply;
}

// Campaigns and products are made when nothing is broken.
static int64_t administer(struct clients *clients, const char *path, const char *body,
                          const char *member)
{
    struct http_client *admin = http_open(clients->options.gateways[0]);
    const char *email = getenv("BARO_ADMIN_EMAIL"), *password = getenv("BARO_ADMIN_PASSWORD");
    char credentials[256];
    snprintf(credentials, sizeof(credentials), "{\"email\": \"%s\", \"password\": \"%s\"}",
             email ? email : "admin@baro.local", password ? password : "Baro!2026");
    struct http_reply reply = insist(admin, "/auth/login", credentials);
    char *token = strdup(json_word(reply.json, "access_token"));
    http_sign_in(admin, token);
    free(token);
    reply = insist(admin, path, body);
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
            client->customer.user_id = 0;
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
    struct http_reply reply = client_insist(client, &request);
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
