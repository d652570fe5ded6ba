// What becomes of a round's events, and of the sink. Events are letters, each of an order of its own
// unless it is behind another: D delivered, R refused, U unreachable, P postponed, b behind, . not tried.
// Outcomes: + delivered, w set aside, x given up, - kept.

#include "tests/unit/order/letters.h"

#include "lib/base/clock.h"
#include "lib/base/macros.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

static const struct delivery_rules RULES = {
    .retry_first_ms = 1000, .tries_max = 5, .give_up_ms = MS_PER_DAY};
static const int64_t NOW_US = INT64_C(1800000000000000);

static struct letters letters;
static struct delivery_round round_;
static struct sink_state sink;
static char outcomes[LETTERS_MAX + 1];

static void settle(struct arena *arena, const char *verdicts)
{
    static const char OUTCOMES[] = {
        [OUTCOME_KEEP] = '-',    [OUTCOME_DELIVER] = '+', [OUTCOME_SET_ASIDE] = 'w',
        [OUTCOME_GIVE_UP] = 'x', [OUTCOME_REPLAY] = '?',
    };
    size_t count = strlen(verdicts);
    letters_write(&letters, arena, count, LETTERS_MAX);
    for (size_t i = 0; i < count; i++) {
        struct delivery *item = &letters.items[i];
        item->verdict =
            (enum verdict)(strchr(".DRUP", verdicts[i] == 'b' ? '.' : verdicts[i]) - ".DRUP");
        item->behind = verdicts[i] == 'b';
        item->tries = item->verdict != NOT_TRIED;
        item->row.event->occurred_at_us = NOW_US;
    }
    round_ = (struct delivery_round){
        .items = letters.items, .count = count, .now_us = NOW_US, .random = 12345, .asked = true};
    delivery_settle(&RULES, &round_, &sink);
    for (size_t i = 0; i < count; i++)
        outcomes[i] = OUTCOMES[letters.items[i].outcome];
    outcomes[count] = '\0';
}

Test(delivery, the_sinks_own_words_are_told_whichever_event_they_were_about)
{
    SCOPED(arena) *arena = arena_create();
    letters_write(&letters, arena, 3, LETTERS_MAX);
    round_ = (struct delivery_round){.items = letters.items, .count = 3};
    cr_assert_str_eq(delivery_error(&round_), "the sink was away");
    letters.items[1].error = "HTTP 500";
    letters.items[2].error = "HTTP 502";
    cr_assert_str_eq(delivery_error(&round_), "HTTP 500");
}

Test(delivery, of_what_does_not_get_through_is_judged_by_what_does)
{
    static const struct {
        const char *verdicts;
        int64_t refusals;
        const char *outcomes;
        int64_t cursor, failures;
    } CASES[] = {
        {"DDD",  0,  "+++",  3, 0},
        {"DUD",  0,  "+w+",  3, 0}, // at fault itself
        {"DDU",  0,  "++-",  2, 0}, // not known yet
        {"UUU",  0,  "---",  0, 1}, // the sink is down
        {"U",    0,  "-",    0, 1},
        {"P",    0,  "-",    0, 1},
        {"PD",   0,  "w+",   2, 0},
        {"R",    0,  "x",    1, 0},
        {"RU",   0,  "x-",   1, 0},
        {"UR",   0,  "wx",   2, 0},
        {"D..",  0,  "+--",  1, 0},
        {"D.D",  0,  "+w+",  3, 0},
        {"bD",   0,  "w+",   2, 0},
        {"Db",   0,  "+w",   2, 0},
        {"Dbb.", 0,  "+ww-", 3, 0},
        {"Ub",   0,  "--",   0, 1},
        {"bbU",  0,  "ww-",  2, 1},
        {"bb",   0,  "ww",   2, 0},
        {"RRR",  9,  "x--",  1, 0}, // the tenth in a row is the last that is believed
        {"RRR",  10, "---",  0, 1},
        {"RRD",  10, "xx+",  3, 0},
    };
    SCOPED(arena) *arena = arena_create();
    for (size_t i = 0; i < COUNT(CASES); i++) {
        sink = (struct sink_state){.refusals = CASES[i].refusals};
        settle(arena, CASES[i].verdicts);
        cr_expect_str_eq(outcomes, CASES[i].outcomes, "%s: %s", CASES[i].verdicts, outcomes);
        cr_expect_eq(sink.last_id, CASES[i].cursor, "%s: %lld", CASES[i].verdicts,
                     (long long)sink.last_id);
        cr_expect_eq(sink.failures, CASES[i].failures, "%s", CASES[i].verdicts);
    }
}

Test(delivery, to_a_sink_that_is_down_pauses_for_longer_and_longer_up_to_a_minute)
{
    SCOPED(arena) *arena = arena_create();
    sink = (struct sink_state){0};
    for (int64_t limit_ms = 1000, i = 0; i < 100; i++) {
        settle(arena, "U");
        cr_assert(sink.rest_ms >= limit_ms / 2 && sink.rest_ms <= limit_ms, "%lld after %lld",
                  (long long)sink.rest_ms, (long long)sink.failures);
        limit_ms = limit_ms * 2 < 60000 ? limit_ms * 2 : 60000;
    }
    settle(arena, "D");
    cr_expect_eq(sink.failures, 0);
    cr_expect_eq(sink.rest_ms, 0);
}

Test(delivery, goes_on_only_while_there_may_be_more_to_do)
{
    SCOPED(arena) *arena = arena_create();
    sink = (struct sink_state){0};
    settle(arena, "DD");
    cr_expect(sink.goes_on);
    settle(arena, "UU");
    cr_expect_not(sink.goes_on);
    settle(arena, "bb"); // what waits is out of the way
    cr_expect(sink.goes_on);
}

// One that asks first may be at fault itself: the others come from anywhere.
Test(delivery, asks_a_sink_that_was_down_with_events_of_different_orders)
{
    enum { EVENTS = 60, ORDERS = 20, TURNS = 300 };
    SCOPED(arena) *arena = arena_create();
    bool seen[ORDERS + 1] = {false};
    letters_write(&letters, arena, EVENTS, ORDERS);
    letters.items[0].behind = true;
    for (uint32_t turn = 0; turn < TURNS; turn++) {
        struct delivery *probes[DELIVERY_PROBES];
        size_t count = delivery_probes(letters.items, EVENTS, turn * UINT32_C(2654435761), probes);
        cr_assert_eq(count, DELIVERY_PROBES);
        for (size_t i = 0; i < count; i++) {
            cr_assert_not(probes[i]->behind);
            cr_assert_leq(probes[i]->row.event->id, ORDERS, "not the first of its order");
            for (size_t j = 0; j < i; j++)
                cr_assert_neq(probes[i], probes[j]);
            seen[probes[i]->row.event->key] = true;
        }
    }
    for (int64_t order = 2; order <= ORDERS; order++)
        cr_expect(seen[order], "order %lld never asks", (long long)order);
    cr_expect_not(seen[1]);
}
