#pragma once
// What the files of the client share: client.c makes calls and judges their tries, replica.c speaks
// with one address, keeper.c is the thread that opens, pings, retries and closes.
//
// One lock guards the replicas, their exchanges and the waiting calls. It is never held while nng is
// asked to send, receive, open or close.

#include "lib/base/arena.h"
#include "lib/rpc/budget.h"
#include "lib/rpc/client.h"
#include "lib/rpc/resolver.h"
#include "lib/rpc/seal.h"

#include <pthread.h>
#include <stdatomic.h>

struct line;
struct metric;
struct replica;

enum { CLIENT_STATUS_CODES = STATUS_UNAUTHENTICATED + 1 };

// A call from rpc_call to its `done`, through all its tries.
struct client_call {
    struct rpc_client *client;
    struct arena *arena;
    Baro__RpcRequest envelope;
    Baro__SagaStep saga;
    bool idempotent;
    bool directed; // to one replica: never sent again
    rpc_done *done;
    void *arg;
    int64_t deadline_us;
    int64_t due_us;                  // while it waits: not before
    int64_t patience_us;             // while it waits: for a replica, not longer than
    const struct replica *last;      // the replica of the last try; compared, never followed
    struct client_call *prev, *next; // among those that wait, or in the pool (next)
};

enum exchange_phase { EXCHANGE_SENDING, EXCHANGE_RECEIVING };

// One REQ context: one try of a call at one replica, or a ping.
struct exchange {
    struct replica *replica;
    struct client_call *call; // NULL: a ping
    nng_ctx context;
    nng_aio *aio;
    enum exchange_phase phase;
    bool busy;
    struct exchange *next_free;
    struct exchange *next; // of all exchanges of the replica
};

struct replica {
    struct rpc_client *client;
    char *url;
    nng_socket socket;
    struct line *line;
    struct exchange ping;
    struct exchange *exchanges, *free;
    size_t in_flight;
    _Atomic size_t
        starting; // threads before the end of exchange_start(), which may outlast an answer
    size_t pipes;
    int failures;  // transport failures in a row
    bool open;     // the breaker: no calls until a ping is answered
    bool answers;  // the last ping was answered over a pipe that still lives
    bool serving;  // what the last answer said
    bool vanished; // its address is gone: closed when idle
    int64_t next_ping_us;
    struct replica *next;
};

struct rpc_client {
    struct arena *arena; // of all that lives as long as the client
    char *service;
    struct seal_key key;
    size_t max_in_flight;
    struct resolver *resolver;
    pthread_t keeper;

    pthread_mutex_t lock;
    pthread_cond_t wake; // the keeper's
    bool closing;
    struct replica *replicas;
    struct arena *urls_arena;
    char **urls; // of the resolver, until the keeper has applied them
    size_t url_count;
    bool urls_changed;
    struct client_call *waiting;
    struct client_call *pool;
    size_t pooled;
    size_t in_flight;
    struct retry_budget budget;
    uint64_t random;

    _Atomic uint64_t next_call_id;
    struct metric *_Atomic done[CLIENT_STATUS_CODES];
    struct metric *retries;
    struct metric *open_breakers;
};

// How a try ended.
enum try_end {
    TRY_ANSWERED,
    TRY_NOT_SENT, // nothing happened
    TRY_LOST,     // sent; the outcome is not known
    TRY_TIMED_OUT,
};

// replica.c; functions marked (lock) want the client's lock held.

struct replica *replica_open(struct rpc_client *client, const char *url); // NULL when nng refuses
void replica_close(struct replica *replica);                              // wants idle exchanges
bool replica_is_usable(const struct replica *replica);                    // (lock)
bool replica_is_ready(const struct replica *replica);                     // (lock)
struct exchange *replica_take(struct replica *replica,
                              struct client_call *call);             // (lock) NULL: out of memory
void replica_give_back(struct exchange *exchange, enum try_end end); // (lock)
size_t replica_cancel_exchanges(struct replica *replica); // (lock) returns how many are busy
void replica_ping(struct replica *replica);
void exchange_start(struct exchange *exchange, nng_msg *message, int64_t timeout_ms);
void exchange_abandon(struct exchange *exchange); // one that is not started

// client.c

// Sends the call to a replica, or lets it wait for one.
void client_launch(struct client_call *call);

// Takes a call in and fills its envelope; NULL: *st is the outcome, which nobody was told yet.
struct client_call *client_begin(struct rpc_client *client, const struct rpc_request *request,
                                 rpc_done *done, void *arg, struct status *st);

// Sends the next try.
void client_send(struct client_call *call, struct exchange *exchange);

// What a try brought; message is the sealed answer of TRY_ANSWERED and becomes the client's.
void client_try_ended(struct exchange *exchange, enum try_end end, nng_msg *message);

// Ends a call that waits for nothing any more.
void client_finish(struct client_call *call, struct status st, const Baro__RpcReply *reply);
uint64_t client_random(struct rpc_client *client); // (lock)
int64_t client_remaining_ms(const struct client_call *call);

// keeper.c

void *keeper_main(void *client);
void keeper_addresses_changed(void *client, const char *const *urls, size_t count);
