// What customers do, and what the shop owes them by its answers.

#include "tests/fault/clients_private.h"

#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "tests/fault/cluster.h"
#include "tests/fault/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHARGE_WON = 100000 };

const char *promise_word(enum promise promise)
{
    static const char *const WORDS[] = {
        [PROMISE_PLACED] = "placed",     [PROMISE_UNPAID] = "refused", [PROMISE_PAID] = "paid",
        [PROMISE_REFUNDED] = "refunded", [PROMISE_GONE] = "cancelled", [PROMISE_OPEN] = "undecided",
    };
    return WORDS[promise];
}

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
        struct http_reply reply = client_get(client, path);
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
    return client->customer.user_coupon_id && client_chance(client, 50);
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
    struct http_reply reply = client_post(client, path, body);
    if (reply.status < 300 || strcmp(what, "payment") == 0)
        settle(client, order, &reply); // a cancellation that is refused changes nothing
}

// Who used a coupon wants it back.
static void cancel_sometimes(struct client *client, struct promised_order *order, bool with_coupon)
{
    bool cancellable = order->promise == PROMISE_PAID || order->promise == PROMISE_PLACED;
    if (cancellable && client_chance(client, with_coupon ? 95 : 25))
        act_on(client, order, "cancel", "{}");
}

static void place_and_pay(struct client *client)
{
    char body[128];
    bool dear = client_chance(client, 25), with_coupon = wants_coupon(client);
    struct http_reply reply =
        client_post(client, "/orders", order_body(client, body, sizeof(body), dear, with_coupon));
    if (reply.status != 201) {
        client->totals.refused += is_definite(&reply);
        return;
    }
    struct promised_order *order =
        note_order(client, json_number(reply.json, "id"), PROMISE_PLACED, &reply);
    if (client_chance(client, 90))
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
    bool dear = client_chance(client, 30), with_coupon = wants_coupon(client);
    struct http_reply reply =
        client_post(client, "/checkout", order_body(client, body, sizeof(body), dear, with_coupon));
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
    struct http_reply reply = client_post(client, "/me/balance/charges", body);
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
    struct http_reply reply = client_post(client, path, "{}");
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
             (unsigned long long)client_draw(client), (unsigned long long)clock_realtime_us());
    for (int i = 0; i < 2; i++)
        http_sign_in(client->connections[i], NULL);
    const struct request request = {.method = "POST", .path = "/auth/signup", .body = body};
    struct http_reply reply = client_insist(client, &request);
    // Sign-in answers are kept under no key: who has not heard the first one signs in.
    if (reply.status == 409) {
        const struct request login = {.method = "POST", .path = "/auth/login", .body = body};
        *strstr(body, ", \"name\"") = '}';
        body[strcspn(body, "}") + 1] = '\0';
        reply = client_insist(client, &login);
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

void client_journey(struct client *client)
{
    if (!client->customer.user_id)
        sign_up(client);
    else if (!client->has_claimed || client_chance(client, 3)) // once more than is permitted
        claim(client);
    else if (client_chance(client, 5) || client->customer.order_count == ORDERS_MAX)
        charge(client);
    else if (client_chance(client, 40))
        check_out(client);
    else
        place_and_pay(client);
}
