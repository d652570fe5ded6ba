#pragma once
// Customers who shop all the time, keep a log of every request, key and answer, and never take a
// failure for an answer: each request is repeated with its key, at one gateway or the other, until
// somebody says something definite.
//
// From the definite answers follows what the shop owes them (struct promise): check.c holds the
// databases to it. Customers stop at a gate between two journeys when they are asked to.

#include <stdbool.h>
#include <stdint.h>

struct http_client;

// What the last definite answer said of an order.
enum promise {
    PROMISE_PLACED,   // it is there, and waits for its payment
    PROMISE_UNPAID,   // its payment was refused: no money has moved
    PROMISE_PAID,     // it is paid
    PROMISE_REFUNDED, // it was paid, and is not any more
    PROMISE_GONE,     // cancelled before its payment
    PROMISE_OPEN,     // nothing definite was said in time
};
const char *promise_word(enum promise promise);

struct promised_order {
    int64_t id;
    enum promise promise;
    int64_t amount_won; // what the answer said that it costs
};

// A request whose answer is known: the same key must get it again.
struct kept {
    char key[40], path[64], body[128];
    long status;
    int64_t id;
};

enum { ORDERS_MAX = 2000, KEPT_MAX = 4 };

struct customer {
    int64_t user_id;
    int64_t charged_won; // acknowledged
    int64_t user_coupon_id;
    struct promised_order orders[ORDERS_MAX];
    int order_count;
    struct kept kept[KEPT_MAX]; // of this round
    int kept_count;
};

struct clients_options {
    const char *gateways[2]; // "http://127.0.0.1:18080/api/v1"; the second may be NULL
    const char *log_path;
    int count;
    uint64_t seed;
};

struct clients;

// Prepares the shop: an admin's products and campaigns. Ends the program if that fails.
struct clients *clients_open(const struct clients_options *options);

// Opens the gate, with a campaign of so many coupons; closes it, and waits until everybody stands there
// with all requests answered. False when somebody does not come in time.
void clients_release(struct clients *clients, int64_t coupons);
bool clients_hold(struct clients *clients, int64_t timeout_ms);

// While all stand at the gate.
int clients_count(const struct clients *clients);
const struct customer *clients_customer(const struct clients *clients, int index);
int64_t
clients_campaign(const struct clients *clients); // of this round, and how many got one of it
int64_t clients_granted(const struct clients *clients);
bool clients_all_claimed(const struct clients *clients);

// Repeats what was kept of this round; reports what is answered otherwise.
void clients_repeat(struct clients *clients);

struct clients_totals {
    int64_t requests, retried, unanswered; // retried: those that needed more than one try
    int64_t orders, paid, refunded, refused, charges, claims; // acknowledged
    int64_t longest_stall_us;                                 // nobody at all was served
    int64_t longest_request_us; // from its first try to its definite answer
};
struct clients_totals clients_totals(const struct clients *clients);

void clients_close(struct clients *clients);
