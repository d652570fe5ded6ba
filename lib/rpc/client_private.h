#pragma once
// What the files of the client share: client.c makes calls and judges their tries, exchange.c carries
// them to one address and their answers back, replica.c opens that address and knows its health,
// keeper.c is the thread that opens, pings, retries, times out and closes.
//
// One lock guards the replicas, their exchanges and all calls without an outcome. It is never held
// while nng is asked to send, receive, open or close.

#include "lib/rpc/arena_pool.h"
#include "lib/rpc/budget.h"
#include "lib/rpc/client.h"
#include "lib/rpc/parcel.h"
#include "lib/rpc/resolver.h"

#include <pthread.h>
#include <stdatomic.h>
#include <uthash.h>

struct line;
struct metric;
struct replica;

// How a try ended.
enum try_end {
    TRY_ANSWERED,
    TRY_NOT_SENT, // nothing happened
    TRY_LOST,     // sent; the outcome is not known
    TRY_TIMED_OUT,
    TRY_GIVEN_UP, // the client is closing
};

// A call from rpc_call to its `done`, through all its tries.
struct client_call {
    struct rpc_client *client;
    struct arena *arena;
    Baro__RpcRequest envelope;
    Baro__SagaStep saga;
    struct parcel_item packed; // the envelope of this try
    bool idempotent;
    bool directed; // to one replica: never sent again
    rpc_done *done;
    void *arg;
    int64_t deadline_us;
    int64_t due_us;                  // while it waits: not before
    int64_t patience_us;             // while it waits: for a replica, not longer than
    const struct replica *last;      // the replica of the last try; compared, never followed
    uint64_t sequence;               // of the exchange that took it there; 0: it is in the outbox
    struct status outcome;           // once it has ended
    const Baro__RpcReply *reply;     // the same, borrowed from the message that brought it
    struct client_call *prev, *next; // among those that wait, in an outbox, or ended; in the pool
    UT_hash_handle hh;               // among those that its replica has, by call id
};

enum exchange_phase { EXCHANGE_SENDING, EXCHANGE_RECEIVING };

// One REQ context: a parcel of calls goes, a parcel of replies comes, to these calls or to others.
struct exchange {
    struct replica *replica;
    nng_ctx context;
    nng_aio *aio;
    nng_msg *parcel; // to be sealed and sent
    enum exchange_phase phase;
    uint64_t sequence;
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
    size_t out;                 // exchanges that have not come back
    size_t places;              // held for calls to come (client_each.c)
    struct client_call *calls;  // hash: given to this replica, without an outcome
    struct client_call *outbox; // list: those of them that have not left
    size_t outbox_bytes;
    uint64_t sequence; // of the last exchange
    bool sending;      // an exchange is on its way out: what comes now leaves with the next
    // Threads before the end of exchange_start(), which may outlast an answer.
    _Atomic size_t starting;
    int pipe, gone; // ids of the connection, 0: none, and of the last that ended
    int failures;   // transport failures in a row
    bool open;      // the breaker: no calls until a ping is answered
    bool answers;   // the last ping was answered over a pipe that still lives
    bool serving;   // what the last answer said
    bool vanished;  // its address is gone: closed when idle
    int64_t next_ping_us;
    struct replica *next;
};

// Calls in a row that go to one replica.
struct group {
    const struct replica *replica; // compared, never followed
    size_t count;
    int64_t until_us;
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
    struct group group;
    struct arena *urls_arena;
    char **urls; // of the resolver, until the keeper has applied them
    size_t url_count;
    bool urls_changed;
    struct client_call *waiting;
    size_t corks; // of those who have more calls to start
    struct client_call *pool;
    size_t pooled;
    size_t in_flight;
    int64_t next_deadline_us; // no call that a replica has is due before
    struct arena_pool arenas; // of the messages that come in
    struct retry_budget budget;
    uint64_t random; // of backoff and choice

    _Atomic uint64_t next_call_id;
    struct metric *_Atomic done[STATUS_CODES];
    struct metric *retries;
    struct metric *open_breakers;
};

// Functions marked (lock) want the client's lock held.

// replica.c

struct replica *replica_open(struct rpc_client *client, const char *url); // NULL when nng refuses
void replica_close(struct replica *replica);                              // wants no calls
bool replica_is_usable(const struct replica *replica);                    // (lock)
bool replica_is_ready(const struct replica *replica);                     // (lock)
void replica_ping(struct replica *replica);
void replica_failed(struct replica *replica); // (lock) one more transport failure

// exchange.c

int exchange_open(struct exchange *exchange, struct replica *replica, void (*moved)(void *));
void exchange_moved(void *exchange);

// (lock) Gives the call to the replica; it leaves with the next exchange_next().
void exchange_add(struct replica *replica, struct client_call *call);

// (lock) The exchange that must be started now with what waits at the replica; NULL: none.
struct exchange *exchange_next(struct replica *replica);

// Seals and sends the parcel of the exchange. Accepts NULL.
void exchange_start(struct exchange *exchange);

// (lock) Ends the try of a call that the replica has, and puts it among `ended` unless it is tried
// again; client_finish_all ends those.
void exchange_end_call(struct replica *replica, struct client_call *call, enum try_end end,
                       const Baro__RpcReply *reply, struct client_call **ended);

// client.c

// Sends the call to a replica, or lets it wait for one.
void client_launch(struct client_call *call);

// Takes a call in and fills its envelope; NULL: *st is the outcome, which nobody was told yet.
struct client_call *client_begin(struct rpc_client *client, const struct rpc_request *request,
                                 rpc_done *done, void *arg, struct status *st);

// Makes the envelope of the next try; a failure is the call's outcome.
struct status client_pack(struct client_call *call);

// (lock) What the end of a try means: true when the call waits for the next one, else its outcome is
// set.
bool client_judge(struct client_call *call, enum try_end end, const Baro__RpcReply *reply);

// Ends a call that waits for nothing any more; the second with their own outcomes.
void client_finish(struct client_call *call, struct status st, const Baro__RpcReply *reply);
void client_finish_all(struct client_call *ended);
int64_t client_remaining_ms(const struct client_call *call);

// keeper.c

void *keeper_main(void *client);
void keeper_addresses_changed(void *client, const char *const *urls, size_t count);
