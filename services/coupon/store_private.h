#pragma once
// What store.c and store_coupon.c share.

#include "services/coupon/store.h"

// Of `campaign c`.
#define CAMPAIGN_COLUMNS                                                                           \
    "c.id, c.name, c.code, c.type, c.value, c.max_discount, c.min_order, c.total_quantity,"        \
    " c.claimed, c.starts_at, c.ends_at, c.valid_days, c.last_day, c.epoch"
enum { CAMPAIGN_COLUMN_COUNT = 14 };

// Reads CAMPAIGN_COLUMNS, of which the first is `column`; texts are copied into the arena.
void store_read_campaign(const struct rows *rows, size_t row, int column, struct arena *arena,
                         struct campaign *campaign);

// Queues entries of the coupons' history.
struct status store_append_history(struct db *db, struct arena *arena,
                                   const struct coupon_entry *entries, size_t count,
                                   int64_t now_us);
