#pragma once
// All SQL of the order service. No decisions: rows in, rows out.
//
// Reads of one batch that belong together are sent together: `.._send` queues the statements,
// `db_flush` waits, `.._take` makes the structures. Everything taken is copied into the arena.

#include "lib/db/db.h"
#include "lib/saga/saga.h"
#include "proto/order.pb-c.h"
#include "services/order/order.h"
#include "services/order/payment.h"
#include "services/order/sink_event.h"

// Orders (store_order.c)

// Orders by id.
struct order_set {
    struct order *orders;
    size_t count;
};

// NULL when the order is not in the set.
struct order *order_set_find(const struct order_set *set, int64_t id);

// Pointers to all of them, in arena.
struct order **order_set_list(const struct order_set *set, struct arena *arena);

enum order_load {
    ORDER_LOAD_ROW = 0,
    ORDER_LOAD_LOCKED = 1, // FOR UPDATE, in id order
    ORDER_LOAD_PARTS = 2,  // with lines, timeline, payments and their histories
    ORDER_LOAD_TIMELINE = 4,
};

struct order_query {
    unsigned load;
    struct rows orders, lines, changes, payments, payment_changes;
};

struct status order_query_send(struct order_query *query, struct db *db, const int64_t *ids,
                               size_t count, unsigned load);
void order_query_take(const struct order_query *query, struct arena *arena, struct order_set *set);

// Both, in one round trip.
struct status store_load_orders(struct db *db, struct arena *arena, const int64_t *ids,
                                size_t count, unsigned load, struct order_set *set);

// Locks up to `limit` PENDING orders whose time is over and that nobody else has locked.
struct status store_lock_expired(struct db *db, struct arena *arena, int64_t limit,
                                 struct order_set *set);

// Writes what is new in the orders: rows, lines, timeline, attempts and their histories, and one
// event per new timeline entry. Queued.
struct status store_save_orders(struct db *db, struct arena *arena, struct order *const *orders,
                                size_t count);

// The same for the orders of a set.
struct status store_save_set(struct db *db, struct arena *arena, const struct order_set *set);

// Keeps the set of the PENDING orders; part of store_save_orders.
struct status store_save_pending(struct db *db, struct arena *arena, struct order *const *orders,
                                 size_t count);

// Ids of a user's orders, newest first, below before_id; status 0: any.
struct status store_list_orders(struct db *db, struct arena *arena, int64_t user_id, int64_t status,
                                int64_t before_id, int64_t limit, int64_t **ids, size_t *count);

// Of the given orders, those that may still want their holds.
struct status store_find_live(struct db *db, struct arena *arena, const int64_t *ids, size_t count,
                              int64_t **live, size_t *live_count);

// Until the transaction ends no other has locked any of these users. Queued.
struct status store_lock_users(struct db *db, const int64_t *user_ids, size_t count);

// For each user how many orders that were placed since then are PENDING, PAYING or HELD; counts no
// further than limit.
struct status store_count_open(struct db *db, struct arena *arena, const int64_t *user_ids,
                               size_t count, int64_t since_us, int64_t limit, int64_t **open);

struct status store_make_partitions(struct db *db);

// Payments (store_payment.c): queued by store_save_orders and order_query_send

struct status store_save_payments(struct db *db, struct arena *arena, struct order *const *orders,
                                  size_t count);
struct status store_send_payments(struct db *db, const int64_t *order_ids, size_t count,
                                  struct rows *payments, struct rows *changes);
void store_take_payments(const struct rows *payments, const struct rows *changes,
                         struct arena *arena, struct order_set *set);

// A page of (order id, payment id) of a user's attempts, newest order first, below the given pair.
struct payment_key {
    int64_t order_id, payment_id;
};
struct status store_list_payments(struct db *db, struct arena *arena, int64_t user_id,
                                  struct payment_key before, int64_t limit,
                                  struct payment_key **keys, size_t *count);

// Fills in the last attempt of those orders that have had one; their rows must be locked.
struct status store_find_last_attempts(struct db *db, struct arena *arena, struct order_set *set);

// The order of each payment; unknown ids are left out.
struct status store_find_payments(struct db *db, struct arena *arena, const int64_t *ids,
                                  size_t id_count, struct payment_key **keys, size_t *count);

// Sagas (store_saga.c)

struct saga_row {
    int64_t id;
    int64_t order_id;
    int64_t order_version; // the change of status that began it
    int64_t created_at_us;
    int64_t updated_at_us;
    int64_t age_us; // of a saga that is taken over
    int64_t attempts;
    const char *kind;
    const char *owner;
    const char *step; // where it stands; NULL before the first record
    enum saga_state state;
    bool held;
    bool parked;
    struct status failure;
    struct bytes context;  // packed PayContext or OrderContext
    struct bytes timeline; // packed SagaTimeline; data NULL before the first record
};

struct saga_set {
    struct saga_row *rows;
    size_t count;
};

struct saga_row *saga_set_find(const struct saga_set *set, int64_t id);

// Inserts new sagas, leased to `owner` for lease_ms from now_us. Queued.
struct status store_insert_sagas(struct db *db, struct arena *arena, struct saga_row *const *rows,
                                 size_t count, const char *owner, int64_t lease_ms);

// FOR UPDATE, in id order.
struct status saga_query_send(struct rows *rows, struct db *db, const int64_t *ids, size_t count);

// All sagas of these orders.
struct status sagas_of_orders_send(struct rows *rows, struct db *db, const int64_t *order_ids,
                                   size_t count);
void saga_query_take(const struct rows *rows, struct arena *arena, struct saga_set *set);

struct status store_load_sagas(struct db *db, struct arena *arena, const int64_t *ids, size_t count,
                               struct saga_set *set);

// Writes state, failure, progress. Queued; the rows must be locked.
struct status store_save_sagas(struct db *db, struct arena *arena, struct saga_row *const *rows,
                               size_t count, int64_t now_us);

// Renews the leases that `owner` has on these sagas and that end before half of lease_ms.
struct status store_renew_leases(struct db *db, const char *owner, const int64_t *ids, size_t count,
                                 int64_t lease_ms);

// Ends the leases of `owner`, so that others may take over at once.
struct status store_release_leases(struct db *db, const char *owner);

// Ends the lease of one saga that is not `owner`'s. Queued.
struct status store_expire_lease(struct db *db, int64_t id, const char *owner);

// Claims up to `limit` sagas that nobody works for: their lease ran out, or they belong to an earlier
// life of this instance (owners are "instance#start").
struct status store_take_over(struct db *db, struct arena *arena, const char *owner,
                              int64_t lease_ms, int64_t limit, struct saga_set *set);

// Parks sagas of `owner` that nobody can walk: they belong to nobody, and are looked at again after
// lease_ms.
struct status store_park_sagas(struct db *db, const char *owner, const int64_t *ids, size_t count,
                               int64_t lease_ms);

// A page of sagas, newest first.
struct saga_query {
    int64_t state;    // enum saga_state; -1: any
    bool parked;      // only those
    int64_t order_id; // 0: any
    int64_t before_id;
    int64_t limit;
};
struct status store_list_sagas(struct db *db, struct arena *arena, const struct saga_query *query,
                               struct saga_set *set);

// Forgets sagas that have ended that long ago, at most `limit`.
struct status store_prune_sagas(struct db *db, int64_t keep_ms, int64_t limit, int64_t *deleted);

// Sinks (store_sink.c)

// A page of dead letters, newest first, below before_id. sink "" and state 0: any.
struct status store_list_dead_letters(struct db *db, struct arena *arena, const char *sink,
                                      int64_t state, int64_t before_id, int64_t limit,
                                      struct sink_event_set *set);

// FOR UPDATE; *row is NULL when there is no such dead letter.
struct status store_lock_dead_letter(struct db *db, struct arena *arena, int64_t id,
                                     struct sink_event **row);

// Marks it REPLAYING, due at once. Queued.
struct status store_replay_dead_letter(struct db *db, int64_t id);

// A sink's row as one who delivers sees it.
struct sink_row {
    int64_t last_id;
    int64_t failures, refusals;
    int64_t through_at_us;
    int64_t now_us;
    int64_t oldest_us; // when the first event after the cursor occurred; 0: there is none
    bool mine;         // the lease is ours and lasts for a while
    bool free;         // it is ours, or nobody's
    bool resting;
};

// Makes the row of a sink that has none: it gets what happens from now on.
struct status store_register_sink(struct db *db, const char *name);

// NOT_FOUND if it has no row. "A while" is half of lease_ms.
struct status store_read_sink(struct db *db, const char *name, const char *owner, int64_t lease_ms,
                              struct sink_row *row);

// Takes or renews the lease; *taken is false when somebody else was faster.
struct status store_lease_sink(struct db *db, const char *name, const char *owner, int64_t lease_ms,
                               bool *taken);
struct status store_release_sink(struct db *db, const char *name, const char *owner);

// The events that were set aside and are due, the first of each order only, and those to replay.
struct status store_load_sink_events(struct db *db, struct arena *arena, const char *sink,
                                     int64_t limit, struct sink_event_set *set);

// Of these orders, those that have an event waiting.
struct status store_find_waiting(struct db *db, struct arena *arena, const char *sink,
                                 const int64_t *keys, size_t count, int64_t **waiting,
                                 size_t *waiting_count);

struct delivery;
struct sink_state;

// Writes the outcomes of a round (delivery.h), in one transaction. ABORTED, and nothing written, if
// the sink is not `owner`'s any more.
struct status store_save_round(struct db *db, struct arena *arena, const char *sink,
                               const char *owner, const struct sink_state *state,
                               const struct delivery *items, size_t count, int64_t give_up_ms);

// How old the oldest event is that one of the named sinks has still to get; 0: there is none.
struct status store_sinks_behind(struct db *db, const char *const *names, size_t count,
                                 int64_t *behind_ms);

// Forgets what was replayed.
struct status store_prune_sink_events(struct db *db, int64_t keep_ms, int64_t limit,
                                      int64_t *deleted);

// The last check of the laws (store_law.c)

// Ours when nobody else is at the next check, and it is due: period_ms after the last, and not sooner
// than ten times what that took.
struct status store_claim_law_pass(struct db *db, int64_t period_ms, bool *ours);

// Stores a report, unless a younger one is there, and ends the claim.
struct status store_save_law_pass(struct db *db, int64_t checked_at_us, int64_t took_ms,
                                  struct bytes report);

// The last report (data NULL: none yet) in arena, and the database's clock.
struct status store_load_law_pass(struct db *db, struct arena *arena, struct bytes *report,
                                  int64_t *now_us);

// Cart (store_cart.c)

struct cart_line {
    int64_t id;
    int64_t user_id;
    int64_t option_id;
    int64_t quantity;
};

struct cart_set {
    struct cart_line *lines;
    size_t count;
};

struct cart_line *cart_set_find(const struct cart_set *set, int64_t id);

// Lines of these users, or with these ids, in id order.
struct status store_load_cart(struct db *db, struct arena *arena, const int64_t *user_ids,
                              size_t user_count, const int64_t *ids, size_t count, bool locked,
                              struct cart_set *set);

// Inserts the lines without id, updates or (quantity 0) deletes the others. Waits: the new lines get
// their ids.
struct status store_save_cart(struct db *db, struct arena *arena, struct cart_line *lines,
                              size_t count);

// Deletes lines that are locked. Queued.
struct status store_delete_cart(struct db *db, const int64_t *ids, size_t count);
