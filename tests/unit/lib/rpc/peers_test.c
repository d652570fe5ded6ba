// What a server keeps for each connection, without one.

#include "lib/rpc/peers.h"
#include "proto/common.pb-c.h"

#include <criterion/criterion.h>

enum { PIPE = 7 };

static struct peers *peers;
static struct arena *arena;

static void begin(void)
{
    peers = peers_create();
    arena = arena_create();
    peers_join(peers, PIPE);
}

static void end(void)
{
    peers_destroy(peers);
    arena_destroy(arena);
}

TestSuite(peers, .init = begin, .fini = end);

static void answer(struct peer *peer)
{
    Baro__RpcReply reply;
    baro__rpc_reply__init(&reply);
    peers_answer(peers, peer, parcel_pack(&reply.base, arena));
}

// The channel that answers next, and how many replies it carries.
static struct parked *next(size_t *replies)
{
    struct parcel parcel;
    struct parked *parked = peers_next(peers, &parcel);
    if (!parked)
        return NULL;
    *replies = parcel.count;
    nng_msg_free(parcel.message);
    return parked;
}

Test(peers, get_all_replies_that_are_ready_on_the_channel_that_waited_longest)
{
    struct parked first, second;
    struct peer *peer;
    size_t replies = 0;
    cr_assert_eq(peers_expect(peers, PIPE, &first, 2, &peer), PEER_WAITS);
    cr_assert_eq(peers_expect(peers, PIPE, &second, 1, &peer), PEER_WAITS);
    cr_expect_null(next(&replies));
    for (int i = 0; i < 3; i++)
        answer(peer);
    cr_expect_eq(next(&replies), &first);
    cr_expect_eq(replies, 3);
    cr_expect_null(next(&replies));
    cr_expect(!peers_under_way(peers));
}

Test(peers, get_replies_that_found_no_channel_with_the_next_one)
{
    struct parked first, second;
    struct peer *peer;
    size_t replies = 0;
    cr_assert_eq(peers_expect(peers, PIPE, &first, 2, &peer), PEER_WAITS);
    answer(peer);
    cr_expect_eq(next(&replies), &first);
    answer(peer);
    cr_expect_null(next(&replies));
    cr_assert_eq(peers_expect(peers, PIPE, &second, 0, &peer), PEER_WAITS);
    cr_expect_eq(next(&replies), &second);
    cr_expect_eq(replies, 1);
}

Test(peers, that_ask_for_what_is_not_under_way_are_told_so)
{
    struct parked parked;
    struct peer *peer;
    cr_expect_eq(peers_expect(peers, PIPE, &parked, 0, &peer), PEER_IDLE);
    cr_expect_eq(peers_expect(peers, PIPE + 1, &parked, 1, &peer), PEER_GONE);
    cr_expect(!peers_under_way(peers));
}

Test(peers, with_too_many_channels_get_one_back_empty)
{
    enum { CHANNELS = 5 };
    struct parked parked[CHANNELS];
    struct peer *peer;
    size_t replies = 1;
    for (int i = 0; i < CHANNELS; i++) {
        cr_expect_null(next(&replies));
        cr_assert_eq(peers_expect(peers, PIPE, &parked[i], 1, &peer), PEER_WAITS);
    }
    cr_expect_eq(next(&replies), &parked[0]);
    cr_expect_eq(replies, 0);
    cr_expect_null(next(&replies));
    for (int i = 0; i < CHANNELS; i++)
        answer(peer);
}

Test(peers, that_leave_give_their_channels_back_and_take_no_replies)
{
    struct parked first, second;
    struct peer *peer;
    size_t replies;
    cr_assert_eq(peers_expect(peers, PIPE, &first, 1, &peer), PEER_WAITS);
    cr_assert_eq(peers_expect(peers, PIPE, &second, 1, &peer), PEER_WAITS);
    cr_expect_eq(peers_leave(peers, PIPE), &first);
    cr_expect_eq(first.next, &second);
    cr_expect(peers_under_way(peers), "whoever answers still holds the peer");
    answer(peer);
    answer(peer); // frees it
    cr_expect(!peers_under_way(peers));
    cr_expect_null(next(&replies));
}

Test(peers, get_parcels_of_a_limited_size)
{
    struct parked parked[2];
    struct peer *peer;
    size_t replies = 0;
    enum { CALLS = PARCEL_ITEMS_MAX + 1 };
    cr_assert_eq(peers_expect(peers, PIPE, &parked[0], CALLS, &peer), PEER_WAITS);
    cr_assert_eq(peers_expect(peers, PIPE, &parked[1], 0, &peer), PEER_WAITS);
    for (int i = 0; i < CALLS; i++)
        answer(peer);
    cr_expect_eq(next(&replies), &parked[0]);
    cr_expect_eq(replies, PARCEL_ITEMS_MAX);
    cr_expect_eq(next(&replies), &parked[1]);
    cr_expect_eq(replies, 1);
}
