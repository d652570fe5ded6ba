// Sales are kept by the hour, so a window is made of whole hours: those that it touches. That makes
// the answer independent of the minute in which somebody asks, and never leaves out a payment that
// lies in the window.

#include "services/product/popularity.h"

#include "lib/base/text.h"

#include <string.h>

enum { DATE_LENGTH = 10 }; // "2026-11-21"

static int64_t floor_to(int64_t time_us, int64_t unit_us)
{
    int64_t rest = time_us % unit_us;
    return time_us - (rest < 0 ? rest + unit_us : rest);
}

int64_t hour_of(int64_t time_us)
{
    return floor_to(time_us, US_PER_HOUR);
}

int64_t day_of(int64_t time_us)
{
    return floor_to(time_us, US_PER_DAY);
}

// The hours that [from, to) touches.
static struct window window_between(int64_t from_us, int64_t to_us)
{
    return (struct window){.from_us = hour_of(from_us), .to_us = hour_of(to_us - 1) + US_PER_HOUR};
}

struct window window_of_days(int64_t now_us, int64_t days)
{
    return window_between(now_us - days * US_PER_DAY, now_us + 1);
}

struct window window_before(int64_t midnight_us, int64_t days)
{
    return window_between(midnight_us - days * US_PER_DAY, midnight_us);
}

static struct status snapshot_of(const struct popular_wish *wish, struct popular_query *query)
{
    if (wish->has_days || wish->has_from || wish->has_to)
        return invalid("snapshot", "a snapshot has its own window");
    if (strlen(wish->snapshot) != DATE_LENGTH || !text_parse_time(wish->snapshot, &query->day_us))
        return invalid("snapshot", "must be a day, such as 2026-11-21");
    query->of_snapshot = true;
    return OK;
}

static struct status days_of(const struct popular_wish *wish, int64_t now_us,
                             struct popular_query *query)
{
    int64_t days = wish->has_days ? wish->days : POPULAR_DAYS;
    if (days < 1 || days > POPULAR_DAYS_MAX)
        return invalid("days", "must be 1 to 30");
    query->window = window_of_days(now_us, days);
    return OK;
}

static bool is_time(int64_t us)
{
    return us >= -TIME_LAST_US && us <= TIME_LAST_US;
}

static struct status period_of(const struct popular_wish *wish, int64_t now_us,
                               struct popular_query *query)
{
    if (wish->has_from && !is_time(wish->from_us))
        return invalid("from", "must be before the year 10000");
    if (wish->has_to && !is_time(wish->to_us))
        return invalid("to", "must be before the year 10000");
    int64_t to_us = wish->has_to ? wish->to_us : now_us + 1;
    int64_t from_us = wish->has_from ? wish->from_us : to_us - POPULAR_DAYS * US_PER_DAY;
    if (wish->has_days)
        return invalid("days", "give either days, or from and to");
    if (from_us >= to_us)
        return invalid("from", wish->has_to ? "must be before to" : "must not be in the future");
    query->window = window_between(from_us, to_us);
    return OK;
}

struct status popular_query_of(const struct popular_wish *wish, int64_t now_us,
                               struct popular_query *query)
{
    struct popular_query result = {.limit = wish->has_limit ? wish->limit : POPULAR_LIMIT};
    struct status st;

    if (result.limit < 1 || result.limit > POPULAR_LIMIT_MAX)
        return invalid("limit", "must be 1 to 100");
    if (wish->snapshot && *wish->snapshot)
        st = snapshot_of(wish, &result);
    else if (wish->has_from || wish->has_to)
        st = period_of(wish, now_us, &result);
    else
        st = days_of(wish, now_us, &result);
    if (!failed(st))
        *query = result;
    return st;
}
