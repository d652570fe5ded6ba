// How fast something may begin, by what was answered.

#include "gateway/pace.h"

#include "lib/base/clock.h"

#include <criterion/criterion.h>

enum { LEAST = 100, MOST = 50 };

static struct pace pace;
static int64_t now_us = 1000 * US_PER_S;

static void given_pace(void)
{
    pace = pace_make(LEAST, MOST, now_us);
}

static int64_t take_all(void)
{
    int64_t count = 0;
    for (; pace_has(&pace, MOST, now_us); count++)
        pace_take(&pace, MOST);
    return count;
}

TestSuite(pace, .init = given_pace);

Test(pace, begins_full)
{
    cr_expect_eq(take_all(), MOST);
}

Test(pace, lets_so_many_begin_a_second)
{
    take_all();
    now_us += US_PER_S / 10;
    cr_expect_eq(take_all(), LEAST / 10);
    now_us += US_PER_S / LEAST - 1;
    cr_expect_eq(take_all(), 0);
    now_us += 1;
    cr_expect_eq(take_all(), 1);
}

Test(pace, keeps_so_many_at_most_for_however_long)
{
    take_all();
    now_us += INT64_C(400) * 24 * 3600 * US_PER_S;
    cr_expect_eq(take_all(), MOST);
    cr_expect_not(pace_has(&pace, MOST, now_us));
}

Test(pace, keeps_fewer_when_fewer_may)
{
    now_us++;
    cr_expect(pace_has(&pace, 3, now_us));
    cr_expect_eq(take_all(), 3);
}

Test(pace, makes_up_for_what_was_let_in_without_one)
{
    take_all();
    pace_take(&pace, MOST);
    now_us += US_PER_S / LEAST;
    cr_expect_eq(take_all(), 0);
    now_us += US_PER_S / LEAST;
    cr_expect_eq(take_all(), 1);
}

Test(pace, owes_no_more_than_it_could_have)
{
    for (int i = 0; i < 1000 * MOST; i++)
        pace_take(&pace, MOST);
    now_us += US_PER_S * MOST / LEAST;
    cr_expect_eq(take_all(), 0);
    now_us += US_PER_S / LEAST;
    cr_expect_eq(take_all(), 1);
}

Test(pace, gets_nothing_for_time_in_which_nothing_could_begin)
{
    take_all();
    now_us += US_PER_S;
    pace_stand_still(&pace, now_us);
    cr_expect_eq(take_all(), 0);
}

Test(pace, does_not_mind_a_clock_that_was_read_earlier)
{
    take_all();
    pace_stand_still(&pace, now_us - US_PER_S);
    cr_expect_not(pace_has(&pace, MOST, now_us - US_PER_S));
    cr_expect_eq(take_all(), 0);
}

Test(pace, is_a_quarter_faster_than_what_is_answered)
{
    pace_follow(&pace, 200, US_PER_S / 4);
    take_all();
    now_us += US_PER_S / 100;
    cr_expect_eq(take_all(), 10);
}

Test(pace, is_half_of_what_it_was_after_a_moment_without_answers_and_never_slower_than_meant)
{
    pace_follow(&pace, 240, US_PER_S); // 300 a second
    pace_follow(&pace, 0, US_PER_S);
    take_all();
    now_us += US_PER_S / 10;
    cr_expect_eq(take_all(), 15);
    pace_follow(&pace, 0, US_PER_S);
    now_us += US_PER_S / 10;
    cr_expect_eq(take_all(), LEAST / 10);
}
