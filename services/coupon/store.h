#pragma once
// All SQL of the coupon service. Arrays that come in are borrowed until the next call that waits;
// results are copied into the arena.

#include "lib/db/db.h"
#include "services/coupon/coupon.h"

// Campaigns by id, ascending; locked in that order for changes when `lock` is set.
// `user_id` (0: nobody) tells claimed_by_caller.
struct status store_load_campaigns(struct db *db, struct arena *arena, const int64_t *ids,
                                   size_t count, bool lock, struct campaign **campaigns,
                                   size_t *found);

// For each pair whether the user has claimed from the campaign, in the order of the pairs.
struct status store_find_claims(struct db *db, struct arena *arena, const int64_t *campaign_ids,
                                const int64_t *user_ids, size_t count, bool **claimed);

// Campaigns that are open now with coupons left, newest first, below an id; at most limit.
struct status store_list_campaigns(struct db *db, struct arena *arena, int64_t user_id,
                                   int64_t below_id, int64_t limit, struct campaign **campaigns,
                                   size_t *found);

// CODE_TAKEN when another campaign has the code; sets campaign->id.
struct status store_insert_campaign(struct db *db, struct campaign *campaign, int64_t now_us);
struct status store_update_campaign(struct db *db, const struct campaign *campaign);

// Queues the new coupons with their history, and the campaigns' counts.
struct status store_save_claims(struct db *db, struct arena *arena,
                                const struct user_coupon *coupons, size_t count,
                                const struct campaign *campaigns, size_t campaign_count,
                                int64_t now_us);

// Coupons by id, ascending, locked in that order, each with its campaign.
struct status store_lock_coupons(struct db *db, struct arena *arena, const int64_t *ids,
                                 size_t count, struct user_coupon **coupons, size_t *found);

// Queues the coupons that have changed, with their history.
struct status store_save_coupons(struct db *db, struct arena *arena,
                                 const struct user_coupon *coupons, size_t count, int64_t now_us);

// One user's coupons of a status (0: any), newest first, below an id; at most limit.
struct status store_list_coupons(struct db *db, struct arena *arena, int64_t user_id,
                                 enum coupon_status status, int64_t below_id, int64_t limit,
                                 struct user_coupon **coupons, size_t *found);

// AVAILABLE coupons whose time is over become EXPIRED, at most limit; rows that somebody works on are
// left for the next run.
struct status store_expire_coupons(struct db *db, int64_t limit, int64_t *expired);

// Reservations whose time is over: coupon and order ids, at most limit.
struct status store_find_stale_holds(struct db *db, struct arena *arena, int64_t limit,
                                     int64_t **order_ids, size_t *found);

// Gives the stale reservations of dead orders back; extends those of live ones.
struct status store_release_stale_holds(struct db *db, const int64_t *order_ids, size_t count);
struct status store_extend_holds(struct db *db, const int64_t *order_ids, size_t count,
                                 int64_t extension_ms);
