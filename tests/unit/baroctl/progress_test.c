#include "deploy/baroctl/progress.h"
#include "lib/base/clock.h"

#include <criterion/criterion.h>

static void expect_line(int64_t done, int64_t after_s, const char *line)
{
    char text[160];
    struct progress progress = {.what = "orders", .total = 1000, .started_us = 5 * US_PER_S};
    progress_line(&progress, done, (5 + after_s) * US_PER_S, text, sizeof(text));
    cr_expect_str_eq(text, line);
}

Test(baroctl_progress, shows_how_much_is_done_and_how_long_the_rest_takes)
{
    expect_line(0, 0, "[                              ]   0 %  0 of 1000 orders, 0 s left");
    expect_line(250, 10, "[########                      ]  25 %  250 of 1000 orders, 30 s left");
    expect_line(1000, 40, "[##############################] 100 %  1000 of 1000 orders, 0 s left");
}
