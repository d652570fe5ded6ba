#include "lib/saga/timers.h"

#include "lib/base/macros.h"

#include <criterion/criterion.h>
#include <stdlib.h>

Test(timers, come_out_in_the_order_of_their_time)
{
    struct timers timers = {0};
    struct timer all[500] = {0};
    unsigned seed = 7;
    for (size_t i = 0; i < COUNT(all); i++)
        timers_set(&timers, &all[i], rand_r(&seed) % 1000);
    // Half of them are moved, a tenth is taken back.
    for (size_t i = 0; i < COUNT(all); i += 2)
        timers_set(&timers, &all[i], rand_r(&seed) % 1000);
    for (size_t i = 0; i < COUNT(all); i += 10)
        timers_set(&timers, &all[i], TIMER_NEVER);

    size_t taken = 0;
    int64_t last_us = 0;
    struct timer *timer;
    while ((timer = timers_take_due(&timers, 1000))) {
        cr_assert_leq(last_us, timer->due_us);
        last_us = timer->due_us;
        taken++;
    }
    cr_expect_eq(taken, COUNT(all) * 9 / 10);
    cr_expect_eq(timers_next(&timers), TIMER_NEVER);
    timers_fini(&timers);
}

Test(timers, give_nothing_before_its_time)
{
    struct timers timers = {0};
    struct timer one = {0};
    timers_set(&timers, &one, 100);
    cr_expect_null(timers_take_due(&timers, 99));
    cr_expect_eq(timers_next(&timers), 100);
    cr_expect_eq(timers_take_due(&timers, 100), &one);
    cr_expect_null(timers_take_due(&timers, 100));
    timers_fini(&timers);
}
