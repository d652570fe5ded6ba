// One lock for all: it is held for moments, and there are as many peers as processes that call.

#include "lib/rpc/peers.h"

#include "lib/base/memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

// More channels than this are of no use to a peer: its next parcel brings another.
enum { PARKED_MAX = 4 };

// One reply: memory of its own, as a peer that is never without replies would keep an arena for ever.
struct reply {
    struct reply *next;
    size_t size;
    uint8_t bytes[];
};

struct peer {
    uint32_t pipe;
    bool gone;        // the connection: the last answer frees the peer
    size_t under_way; // calls without a reply
    struct reply *replies, *last_reply;
    size_t bytes; // of the replies
    struct parked *parked, **parked_end;
    size_t parked_count;
    struct peer *next;
};

struct peers {
    pthread_mutex_t lock;
    struct peer *list;
    size_t under_way; // of all peers, also of those that are gone
};

struct peers *peers_create(void)
{
    struct peers *peers = memory_alloc(sizeof(*peers));
    pthread_mutex_init(&peers->lock, NULL);
    return peers;
}

static void drop_first(struct peer *peer)
{
    struct reply *reply = peer->replies;
    peer->replies = reply->next;
    peer->bytes -= reply->size;
    free(reply);
}

static void peer_destroy(struct peer *peer)
{
    while (peer->replies)
        drop_first(peer);
    free(peer);
}

void peers_destroy(struct peers *peers)
{
    struct peer *peer, *next;
    if (!peers)
        return;
    for (peer = peers->list; peer; peer = next) {
        next = peer->next;
        peer_destroy(peer);
    }
    pthread_mutex_destroy(&peers->lock);
    free(peers);
}

void peers_join(struct peers *peers, uint32_t pipe)
{
    struct peer *peer = memory_alloc(sizeof(*peer));
    peer->pipe = pipe;
    peer->parked_end = &peer->parked;
    pthread_mutex_lock(&peers->lock);
    LL_PREPEND(peers->list, peer);
    pthread_mutex_unlock(&peers->lock);
}

// (lock)
static struct peer *find(const struct peers *peers, uint32_t pipe)
{
    struct peer *peer = peers->list;
    while (peer && peer->pipe != pipe)
        peer = peer->next;
    return peer;
}

struct parked *peers_leave(struct peers *peers, uint32_t pipe)
{
    struct parked *parked = NULL;
    pthread_mutex_lock(&peers->lock);
    struct peer *peer = find(peers, pipe);
    if (peer) {
        LL_DELETE(peers->list, peer);
        parked = peer->parked;
        peer->gone = true;
        if (peer->under_way == 0)
            peer_destroy(peer);
    }
    pthread_mutex_unlock(&peers->lock);
    return parked;
}

// (lock)
static void park(struct peer *peer, struct parked *parked)
{
    parked->next = NULL;
    *peer->parked_end = parked;
    peer->parked_end = &parked->next;
    peer->parked_count++;
}

// (lock)
static struct parked *unpark(struct peer *peer)
{
    struct parked *parked = peer->parked;
    if (!parked)
        return NULL;
    peer->parked = parked->next;
    if (--peer->parked_count == 0)
        peer->parked_end = &peer->parked;
    return parked;
}

enum peer_state peers_expect(struct peers *peers, uint32_t pipe, struct parked *parked,
                             size_t calls, struct peer **peer)
{
    enum peer_state state = PEER_WAITS;
    pthread_mutex_lock(&peers->lock);
    struct peer *found = find(peers, pipe);
    if (!found) {
        state = PEER_GONE;
    } else if (calls == 0 && found->under_way == 0 && !found->replies) {
        state = PEER_IDLE;
    } else {
        park(found, parked);
        found->under_way += calls;
        peers->under_way += calls;
        *peer = found;
    }
    pthread_mutex_unlock(&peers->lock);
    return state;
}

// (lock)
static void append(struct peer *peer, struct parcel_item item)
{
    struct reply *reply = memory_alloc(sizeof(*reply) + item.size);
    reply->size = item.size;
    memcpy(reply->bytes, item.bytes, item.size);
    if (peer->replies)
        peer->last_reply->next = reply;
    else
        peer->replies = reply;
    peer->last_reply = reply;
    peer->bytes += item.size;
}

void peers_answer(struct peers *peers, struct peer *peer, struct parcel_item reply)
{
    pthread_mutex_lock(&peers->lock);
    peer->under_way--;
    peers->under_way--;
    if (!peer->gone)
        append(peer, reply);
    else if (peer->under_way == 0)
        peer_destroy(peer);
    pthread_mutex_unlock(&peers->lock);
}

// (lock) What fits of the replies, in order.
static void gather(struct peer *peer, struct parcel *parcel)
{
    parcel_begin(parcel, peer->bytes < PARCEL_BYTES_MAX ? peer->bytes : PARCEL_BYTES_MAX);
    for (; peer->replies; drop_first(peer)) {
        struct parcel_item item = {peer->replies->bytes, peer->replies->size};
        if (parcel_is_full(parcel, item))
            break;
        parcel_add(parcel, item);
    }
}

struct parked *peers_next(struct peers *peers, struct parcel *parcel)
{
    struct parked *parked = NULL;
    pthread_mutex_lock(&peers->lock);
    for (struct peer *peer = peers->list; peer && !parked; peer = peer->next)
        if ((peer->replies && peer->parked) || peer->parked_count > PARKED_MAX) {
            parked = unpark(peer);
            gather(peer, parcel);
        }
    pthread_mutex_unlock(&peers->lock);
    return parked;
}

bool peers_under_way(struct peers *peers)
{
    pthread_mutex_lock(&peers->lock);
    bool some = peers->under_way > 0;
    pthread_mutex_unlock(&peers->lock);
    return some;
}
