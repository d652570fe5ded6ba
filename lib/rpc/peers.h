#pragma once
// The clients of a server, one for each connection: the replies that are ready for them, and the
// channels on which they wait for some.

#include "lib/rpc/parcel.h"

#include <stddef.h>
#include <stdint.h>

struct peer;
struct peers;

// In a channel that waits. Replies leave on the channel that has waited longest.
struct parked {
    struct parked *next;
};

struct peers *peers_create(void);

// Wants no calls under way. Accepts NULL.
void peers_destroy(struct peers *peers);

void peers_join(struct peers *peers, uint32_t pipe);

// Forgets the connection and the replies to it; returns the channels that waited, as a list.
struct parked *peers_leave(struct peers *peers, uint32_t pipe);

enum peer_state {
    PEER_WAITS, // the channel waits, and the calls are under way
    PEER_IDLE,  // nothing was sent, nothing is under way, nothing is ready: to be told so
    PEER_GONE,
};

// A parcel has come from a connection on a channel. *peer is the token for peers_answer, and lives
// until that was called for each of the calls.
enum peer_state peers_expect(struct peers *peers, uint32_t pipe, struct parked *parked,
                             size_t calls, struct peer **peer);

// The reply to one of the calls; copied.
void peers_answer(struct peers *peers, struct peer *peer, struct parcel_item reply);

// A channel that must answer now, and with what; NULL: none. A peer with many channels waiting gets
// one back empty, so that its contexts do not run out.
struct parked *peers_next(struct peers *peers, struct parcel *parcel);

// True while calls are not answered.
bool peers_under_way(struct peers *peers);
