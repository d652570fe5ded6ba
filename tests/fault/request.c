// A request is known by its key. Every try of it, with what was answered, is a line of the log.

#include "tests/fault/clients_private.h"

#include "lib/base/clock.h"
#include "lib/base/random.h"
#include "tests/fault/cluster.h"
#include "tests/fault/report.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

uint64_t client_draw(struct client *client)
{
    return random_next(&client->random);
}

bool client_chance(struct client *client, unsigned percent)
{
    return client_draw(client) % 100 < percent;
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

bool is_definite(const struct http_reply *reply)
{
    const char *code = json_word(reply->json, "code");
    if (reply->status == 409)
        return strcmp(code, "REQUEST_IN_PROGRESS") != 0;
    if (strcmp(code, "SYSTEM_FAILURE") == 0) // recovery has given the order up
        return true;
    // A gateway whose clock is wrong finds that our token has expired, or is none yet.
    return reply->status != 0 && reply->status != 401 && reply->status != 429 &&
           reply->status < 500;
}

// Everybody's silence between two answers is a stall of the shop, while all want something.
static void note_served(struct clients *clients)
{
    int64_t now_us = clock_monotonic_us();
    int64_t stall_us = now_us - atomic_exchange(&clients->served_us, now_us);
    long long longest_us = atomic_load(&clients->longest_stall_us);
    while (atomic_load(&clients->open) && stall_us > longest_us &&
           !atomic_compare_exchange_weak(&clients->longest_stall_us, &longest_us, stall_us))
        continue;
}

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
struct http_reply client_insist(struct client *client, const struct request *request)
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
    snprintf(request->key, sizeof(request->key), "%016llx%016llx",
             (unsigned long long)client_draw(client), (unsigned long long)clock_monotonic_us());
}

static void keep(struct client *client, const struct request *request,
                 const struct http_reply *reply)
{
    struct customer *customer = &client->customer;
    bool room = customer->kept_count < KEPT_MAX;
    if (!room && !client_chance(client, 25))
        return;
    struct kept *kept =
        &customer->kept[room ? customer->kept_count++ : (int)(client_draw(client) % KEPT_MAX)];
    snprintf(kept->key, sizeof(kept->key), "%s", request->key);
    snprintf(kept->path, sizeof(kept->path), "%s", request->path);
    snprintf(kept->body, sizeof(kept->body), "%s", request->body);
    kept->status = reply->status;
    kept->id = json_number(reply->json, "id");
}

struct http_reply client_post(struct client *client, const char *path, const char *body)
{
    struct request request = {.method = "POST", .path = path, .body = body};
    fresh_key(client, &request);
    struct http_reply reply = client_insist(client, &request);
    // Neither what is still under way nor bad input is kept under a key.
    if (is_definite(&reply) && reply.status != 202 && reply.status != 400)
        keep(client, &request, &reply);
    return reply;
}

struct http_reply client_get(struct client *client, const char *path)
{
    const struct request request = {.method = "GET", .path = path};
    return client_insist(client, &request);
}
