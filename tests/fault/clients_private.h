#pragma once
// What the parts of the clients share: a customer's requests (request.c), what he does with them
// (journeys.c), and the gate (clients.c).

#include "tests/fault/clients.h"
#include "tests/support/http.h"

#include <pthread.h>
#include <stdatomic.h>

enum { CLIENTS_MAX = 64, PATIENCE_MS = 90000, AGAIN_MS = 25 };

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
    atomic_bool open;
    bool ending;
    atomic_llong granted; // of this round's campaign
    atomic_llong served_us, longest_stall_us;
    struct client clients[CLIENTS_MAX];
};

uint64_t client_draw(struct client *client);
bool client_chance(struct client *client, unsigned percent);

struct request {
    const char *method, *path, *body;
    char key[40];
};

// Repeats it until something definite is said; reports it when nothing is in all the time.
struct http_reply client_insist(struct client *client, const struct request *request);

// The same, under a key of its own that is kept for the repetition at the end of the round.
struct http_reply client_post(struct client *client, const char *path, const char *body);
struct http_reply client_get(struct client *client, const char *path);

// Whether an answer says what has become of the request.
bool is_definite(const struct http_reply *reply);

// One thing that a customer does in the shop, from its first request to its last answer.
void client_journey(struct client *client);
