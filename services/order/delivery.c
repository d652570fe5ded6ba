#include "services/order/delivery.h"

#include "lib/base/backoff.h"
#include "lib/base/clock.h"

enum { REST_MAX_MS = 60 * 1000, PAUSE_MAX_MS = 5 * 60 * 1000, HOPELESS = 3 };

static bool got_through(const struct delivery *item)
{
    return item->verdict == DELIVERED || item->verdict == REFUSED;
}

bool lot_is_hopeless(const struct lot *lot)
{
    size_t fruitless = 0;
    for (size_t i = 0; i < lot->count; i++) {
        if (got_through(lot->items[i]))
            return false;
        fruitless += lot->items[i]->verdict == UNREACHABLE;
    }
    return fruitless >= HOPELESS;
}

bool lot_is_blocked(const struct lot *lot, size_t index)
{
    const struct delivery *item = lot->items[index];
    for (size_t i = 0; i < index; i++) {
        const struct delivery *earlier = lot->items[i];
        if (earlier->row.event->key == item->row.event->key && earlier->verdict != DELIVERED &&
            earlier->row.state != SINK_EVENT_REPLAYING)
            return true;
    }
    return false;
}

size_t delivery_probes(struct delivery *items, size_t count, uint32_t random,
                       struct delivery **probes)
{
    size_t chosen = 0;
    for (size_t i = 0; i < count && chosen < DELIVERY_PROBES; i++) {
        // The first order, then others from anywhere: should those in front be at fault themselves,
        // the sink is not held to be down for ever.
        size_t at = chosen ? (i + random) % count : i;
        bool known = items[at].behind;
        for (size_t j = 0; j < at && !known; j++)
            known = items[j].row.event->key == items[at].row.event->key;
        for (size_t j = 0; j < chosen && !known; j++)
            known = probes[j] == &items[at];
        if (!known)
            probes[chosen++] = &items[at];
    }
    return chosen;
}

// Doubles with each fruitless round.
static int64_t rest_after(const struct delivery_rules *rules, int64_t failures, uint32_t random)
{
    return backoff(rules->retry_first_ms, REST_MAX_MS, failures - 1, random);
}

// As long as it has waited: so the pauses double, and need no counter.
static int64_t pause_of(const struct delivery_rules *rules, const struct delivery *item,
                        const struct delivery_round *round)
{
    int64_t waited_ms = 0;
    if (item->row.state != SINK_EVENT_NEW)
        waited_ms = (round->now_us - item->row.since_us) / US_PER_MS;
    int64_t ms = waited_ms > rules->retry_first_ms ? waited_ms : rules->retry_first_ms;
    if (ms > PAUSE_MAX_MS)
        ms = PAUSE_MAX_MS;
    uint32_t random = round->random ^ (uint32_t)item->row.event->id * UINT32_C(2654435761);
    return backoff_jitter(ms, random);
}

static bool is_too_old(const struct delivery_rules *rules, int64_t since_us, int64_t now_us)
{
    return now_us - since_us >= rules->give_up_ms * US_PER_MS;
}

static bool any_delivered(const struct delivery_round *round)
{
    for (size_t i = 0; i < round->count; i++)
        if (round->items[i].verdict == DELIVERED)
            return true;
    return false;
}

// Takes back the refusals that are one too many in a row: then the sink refuses, not the events.
static void weigh_refusals(struct delivery_round *round, struct sink_state *sink)
{
    bool delivered = any_delivered(round);
    for (size_t i = 0; i < round->count; i++) {
        struct delivery *item = &round->items[i];
        if (item->verdict == REFUSED && !delivered && sink->refusals >= DELIVERY_REFUSALS_MAX)
            item->verdict = UNREACHABLE;
        else if (item->verdict == REFUSED)
            sink->refusals++;
    }
    if (delivered)
        sink->refusals = 0;
}

static void settle_row(const struct delivery_rules *rules, const struct sink_state *sink,
                       const struct delivery_round *round, struct delivery *item)
{
    bool replay = item->row.state == SINK_EVENT_REPLAYING;
    // A try counts when the sink has taken something since the one before.
    bool counts = round->through || sink->through_at_us > item->row.tried_at_us;
    if (item->verdict == NOT_TRIED)
        return;
    if (item->verdict == UNREACHABLE && counts)
        item->row.tries += item->tries;
    if (got_through(item))
        item->row.tries += item->tries;
    item->due_ms = pause_of(rules, item, round);
    if (item->verdict == DELIVERED)
        item->outcome = OUTCOME_DELIVER;
    else if (item->verdict == REFUSED || (replay && counts && item->verdict == UNREACHABLE) ||
             (!replay && (item->row.tries >= rules->tries_max ||
                          is_too_old(rules, item->row.since_us, round->now_us))))
        item->outcome = OUTCOME_GIVE_UP;
    else
        item->outcome = OUTCOME_SET_ASIDE;
}

static void settle_fresh(const struct delivery_rules *rules, const struct delivery_round *round,
                         struct delivery *item)
{
    item->row.tries = item->tries;
    if (item->verdict == DELIVERED)
        item->outcome = OUTCOME_DELIVER;
    else if (item->verdict == REFUSED)
        item->outcome = OUTCOME_GIVE_UP;
    else
        item->outcome = OUTCOME_SET_ASIDE;
    item->due_ms = item->verdict == UNREACHABLE || item->verdict == POSTPONED
                       ? pause_of(rules, item, round)
                       : 0;
}

// Up to where the cursor may move: behind the last event that got through, and what waits behind
// others of its order anyway.
static size_t settled_until(const struct delivery_round *round)
{
    size_t until = round->first_fresh;
    for (size_t i = round->first_fresh; i < round->count; i++)
        if (got_through(&round->items[i]))
            until = i + 1;
    while (until < round->count && round->items[until].behind)
        until++;
    return until;
}

const char *delivery_error(const struct delivery_round *round)
{
    for (size_t i = 0; i < round->count; i++)
        if (round->items[i].error)
            return round->items[i].error;
    return "the sink was away";
}

// Nothing gets through: what has waited for too long is given up, from the oldest on.
static size_t give_up(const struct delivery_rules *rules, struct delivery_round *round, size_t from)
{
    const char *error = delivery_error(round);
    while (from < round->count &&
           is_too_old(rules, round->items[from].row.event->occurred_at_us, round->now_us)) {
        struct delivery *item = &round->items[from++];
        item->row.tries = item->tries;
        item->outcome = OUTCOME_GIVE_UP;
        if (!item->error)
            item->error = error;
    }
    return from;
}

static bool was_tried(const struct delivery *item)
{
    return item->verdict != NOT_TRIED;
}

static bool fresh_were_tried(const struct delivery_round *round)
{
    for (size_t i = round->first_fresh; i < round->count; i++)
        if (was_tried(&round->items[i]))
            return true;
    return false;
}

// What a round says of the sink itself; returns up to where its events are settled.
static size_t judge_sink(const struct delivery_rules *rules, struct delivery_round *round,
                         struct sink_state *sink, size_t until)
{
    bool knocked = round->asked && fresh_were_tried(round);
    sink->rest_ms = round->rest_ms;
    if (round->through) {
        sink->failures = 0;
        sink->through_at_us = round->now_us;
    } else if (knocked || (!round->asked && sink->failures)) {
        sink->failures += knocked;
        until = give_up(rules, round, until);
        int64_t rest_ms = rest_after(rules, sink->failures, round->random);
        sink->rest_ms = rest_ms > round->rest_ms ? rest_ms : round->rest_ms;
    }
    return until;
}

void delivery_settle(const struct delivery_rules *rules, struct delivery_round *round,
                     struct sink_state *sink)
{
    weigh_refusals(round, sink);
    for (size_t i = 0; i < round->count; i++)
        round->through |= got_through(&round->items[i]);
    for (size_t i = 0; i < round->first_fresh; i++)
        settle_row(rules, sink, round, &round->items[i]);
    size_t until = settled_until(round);
    for (size_t i = round->first_fresh; i < until; i++)
        settle_fresh(rules, round, &round->items[i]);

    until = judge_sink(rules, round, sink, until);
    bool moved = until > round->first_fresh;
    if (moved)
        sink->last_id = round->items[until - 1].row.event->id;
    sink->goes_on = round->through ? round->rest_ms == 0 : moved && until == round->count;
    if (sink->goes_on)
        sink->rest_ms = 0;
}
