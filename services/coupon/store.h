#pragma once
// All SQL of the coupon service. Arrays that come in are borrowed until the next call that waits;
// results are copied into the arena.

#include "lib/db/db.h"
#include "services/coupon/coupon.h"
#include "services/coupon/sold_out.h"

// Pairs of a campaign and a user who asks about it, and what the database says about them.
struct claims {
    int64_t *campaign_ids, *user_ids;
    size_t count;
    struct campaign *campaigns; // by id, ascending; without those that do not exist
    size_t campaign_count;
    bool *claimed; // for each pair
};

// Fills in the second half of the claims; locks the campaigns in id order when `lock` is set.
struct status store_load_claims(struct db *db, struct arena *arena, bool lock,
                                struct claims *claims);

// Locks one campaign for changes; *campaign is NULL when there is none.
struct status store_lock_campaign(struct db *db, struct arena *arena, int64_t id,
                                  struct campaign **campaign);

// Campaigns that are open now with coupons left, newest first, below an id; at most limit.
struct status store_list_campaigns(struct db *db, struct arena *arena, int64_t user_id,
                                   int64_t below_id, int64_t limit, struct campaign **campaigns,
                                   size_t *count);

// CODE_TAKEN when another campaign has the code; sets campaign->id.
struct status store_insert_campaign(struct db *db, struct campaign *campaign, int64_t now_us);
struct status store_update_campaign(struct db *db, const struct campaign *campaign);

// Campaigns that are open and have no coupon left, with at most so many claims; at most limit.
struct status store_sold_out(struct db *db, struct arena *arena, int64_t claimed_max, int64_t limit,
                             struct sold_out_campaign **campaigns, size_t *count);

// Everybody who has claimed from a campaign.
struct status store_owners(struct db *db, struct arena *arena, int64_t campaign_id,
                           int64_t **user_ids, size_t *count);

// Queues the new coupons with their history, and the campaigns' counts.
struct status store_save_claims(struct db *db, struct arena *arena,
                                const struct user_coupon *coupons, size_t count,
                                const struct campaign *campaigns, size_t campaign_count,
                                int64_t now_us);

struct order_list {
    int64_t *ids;
    size_t count;
};

// What a batch asks for: coupons by id, and whatever these orders have HELD or USED.
struct coupon_query {
    int64_t *ids, *order_ids;
    size_t count, order_count;
};

// Coupons by id, ascending, locked in that order, each with its campaign. `given_back`: NULL, or which
// of the query's orders have given back what they may have had.
struct status store_lock_coupons(struct db *db, struct arena *arena,
                                 const struct coupon_query *query, struct user_coupon **coupons,
                                 size_t *count, struct order_list *given_back);

// Queues a note that these orders have given back.
struct status store_note_given_back(struct db *db, const int64_t *order_ids, size_t count);

// Deletes such notes older than keep_ms, at most limit; *deleted says how many.
struct status store_prune_given_back(struct db *db, int64_t keep_ms, int64_t limit,
                                     int64_t *deleted);

// Queues the coupons that have changed, and the entries of their history.
struct status store_save_coupons(struct db *db, struct arena *arena,
                                 const struct user_coupon *coupons, size_t count,
                                 const struct coupon_entry *entries, size_t entry_count,
                                 int64_t now_us);

// One user's coupons of a status (0: any), newest first, below an id; at most limit.
struct status store_list_coupons(struct db *db, struct arena *arena, int64_t user_id,
                                 enum coupon_status status, int64_t below_id, int64_t limit,
                                 struct user_coupon **coupons, size_t *count);

// AVAILABLE coupons whose time is over become EXPIRED, at most limit; rows that somebody works on are
// left for the next run.
struct status store_expire_coupons(struct db *db, int64_t limit, int64_t *expired);

// Takes up to `limit` reservations whose time is over and that nobody else works on, and puts their
// time off by lease_ms: the ids of their orders.
struct status store_claim_stale_holds(struct db *db, struct arena *arena, int64_t limit,
                                      int64_t lease_ms, int64_t **order_ids, size_t *count);

// Makes what these orders have HELD available again, with history.
struct status store_release_holds(struct db *db, struct arena *arena, const int64_t *order_ids,
                                  size_t count);
