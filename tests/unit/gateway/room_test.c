// How many calls a service gets, by how long it takes to answer.

#include "gateway/room.h"

#include "lib/base/clock.h"

#include <criterion/criterion.h>

enum { MAX = 8000, BEGIN = MAX / 4, DELAY_MS = 500, QUARTER_US = 250 * US_PER_MS, FLOOR = 256 };

static struct room *room;
static int64_t now_us;

static void given_room(void)
{
    room = room_create("test", MAX, DELAY_MS);
    now_us = clock_monotonic_us();
}

static void end_room(void)
{
    room_destroy(room);
}

TestSuite(room, .init = given_room, .fini = end_room);

static void enter(enum errand errand, int calls)
{
    for (int i = 0; i < calls; i++)
        room_enter(room, errand);
}

static void leave(enum errand errand, int calls)
{
    for (int i = 0; i < calls; i++)
        room_leave(room, errand, now_us, US_PER_MS);
}

// So many answers, evenly over a quarter of a second, each after so long.
static void answers_in_a_quarter(int calls, int64_t took_ms)
{
    enter(ERRAND_BEGINS, calls);
    for (int i = 1; i <= calls; i++)
        room_leave(room, ERRAND_BEGINS, now_us + QUARTER_US * i / calls, took_ms * US_PER_MS);
    now_us += QUARTER_US;
}

static bool begins(void)
{
    return room_has(room, ERRAND_BEGINS, now_us);
}

Test(room, has_a_quarter_of_the_calls_for_what_begins_and_all_for_what_goes_on)
{
    enter(ERRAND_BEGINS, BEGIN - 1);
    cr_expect(begins());
    enter(ERRAND_BEGINS, 1);
    cr_expect_not(begins());
    enter(ERRAND_GOES_ON, MAX - BEGIN - 1);
    cr_expect(room_has(room, ERRAND_GOES_ON, now_us));
    enter(ERRAND_GOES_ON, 1);
    cr_expect_not(room_has(room, ERRAND_GOES_ON, now_us));
}

Test(room, shrinks_to_what_is_answered_within_the_delay)
{
    for (int quarters = 0; quarters < 3; quarters++)
        answers_in_a_quarter(200, 900); // 800 a second: 400 in half a second
    cr_expect_geq(room_size(room), 390);
    cr_expect_leq(room_size(room), 410);
    enter(ERRAND_BEGINS, (int)room_size(room));
    cr_expect_not(begins());
    cr_expect(room_has(room, ERRAND_GOES_ON, now_us));
}

static void given_little_room(void)
{
    for (int quarters = 0; quarters < 6; quarters++)
        answers_in_a_quarter(3, 4000);
}

Test(room, shrinks_by_half_at_most_for_one_bad_moment)
{
    answers_in_a_quarter(3, 4000);
    cr_expect_eq(room_size(room), BEGIN / 2);
}

Test(room, never_shrinks_so_far_that_nothing_shares_a_batch)
{
    given_little_room();
    cr_expect_eq(room_size(room), FLOOR);
}

Test(room, grows_again_as_soon_as_answers_are_quick)
{
    given_little_room();
    for (int quarters = 0; quarters < 15; quarters++)
        answers_in_a_quarter(100, 20);
    cr_expect_eq(room_size(room), BEGIN);
}

Test(room, is_given_back_when_nobody_asks_any_more)
{
    given_little_room();
    for (int quarters = 0; quarters < 15; quarters++, now_us += QUARTER_US)
        begins();
    cr_expect_eq(room_size(room), BEGIN);
}

Test(room, shrinks_for_a_service_that_answers_nothing)
{
    enter(ERRAND_BEGINS, BEGIN / 2);
    now_us += DELAY_MS * US_PER_MS;
    cr_expect(begins(), "not known yet");
    now_us += (DELAY_MS + 100) * US_PER_MS;
    cr_expect_not(begins());
}

static int begin_all(void)
{
    int count = 0;
    for (; begins(); count++)
        room_enter(room, ERRAND_BEGINS);
    return count;
}

Test(room, that_is_made_at_once_is_not_taken_at_once)
{
    cr_assert_eq(begin_all(), BEGIN);
    leave(ERRAND_BEGINS, BEGIN);
    cr_expect_eq(begin_all(), FLOOR);
    now_us += 100 * US_PER_MS;
    cr_expect_eq(begin_all(), 0, "what was let in is owed");
}

Test(room, lets_begin_a_quarter_more_than_is_answered)
{
    begin_all();
    leave(ERRAND_BEGINS, BEGIN);
    now_us += QUARTER_US; // 8,000 a second
    begins();
    enter(ERRAND_GOES_ON, FLOOR);
    begin_all();
    leave(ERRAND_BEGINS, 100);
    now_us += 10 * US_PER_MS;
    cr_expect_eq(begin_all(), 100);
}

Test(room, stays_as_it_is_when_no_delay_is_meant)
{
    struct room *always = room_create("always", MAX, 0);
    for (int i = 0; i < 100; i++) {
        room_enter(always, ERRAND_BEGINS);
        now_us += QUARTER_US;
        room_leave(always, ERRAND_BEGINS, now_us, 10 * US_PER_S);
    }
    cr_expect_eq(room_size(always), BEGIN);
    for (int i = 0; i < BEGIN; i++) {
        cr_assert(room_has(always, ERRAND_BEGINS, now_us), "%d are inside", i);
        room_enter(always, ERRAND_BEGINS);
    }
    room_destroy(always);
}
