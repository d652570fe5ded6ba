#pragma once
// What sells: hours, windows and what may be asked; pure rules (SPEC 6).

#include "lib/base/clock.h"
#include "lib/base/status.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    POPULAR_DAYS = 3, // also of sort=popular and of the midnight snapshot
    POPULAR_DAYS_MAX = 30,
    POPULAR_LIMIT = 5,
    POPULAR_LIMIT_MAX = 100, // also of the midnight snapshot
    SALES_KEEP_DAYS = 60,
};

// Units of one option that one order paid for, or got its money back for.
struct sale {
    int64_t product_id;
    int64_t option_id;
    int64_t units;
    int64_t paid_at_us;
};

// Whole hours: from the first, before `to_us`. Times stand at full hours.
struct window {
    int64_t from_us;
    int64_t to_us;
};

// A line of the ranking; the first has rank 1.
struct ranked {
    int64_t rank;
    int64_t product_id;
    const char *name;
    int64_t price_won;
    int64_t units_sold;
    int64_t last_paid_at_us;
};

// What somebody asks for; what is not asked for is absent (has_..) or NULL.
struct popular_wish {
    bool has_days, has_limit, has_from, has_to;
    int64_t days;
    int64_t limit;
    int64_t from_us;
    int64_t to_us;
    const char *snapshot; // "2026-11-21"; NULL or ""
};

// Either a window, or the snapshot of the midnight at which a day begins.
struct popular_query {
    bool of_snapshot;
    int64_t day_us;
    struct window window;
    int64_t limit;
};

// The start of the hour in which the time lies.
int64_t hour_of(int64_t time_us);

// The start of the day (UTC) in which the time lies.
int64_t day_of(int64_t time_us);

// The last `days` days: the hour that runs counts, and so does the whole hour of the window's start.
struct window window_of_days(int64_t now_us, int64_t days);

// The days before a midnight.
struct window window_before(int64_t midnight_us, int64_t days);

// The last 3 days and 5 products unless asked otherwise. The hours that [from, to) touches count
// whole; without `to` the window ends now, without `from` it begins 3 days before `to`.
// VALIDATION_ERROR names the field.
struct status popular_query_of(const struct popular_wish *wish, int64_t now_us,
                               struct popular_query *query);
