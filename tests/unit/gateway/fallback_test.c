// Limits without Redis, with time as an argument.

#include "gateway/fallback.h"
#include "lib/base/clock.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>

enum { START = 1000 };

static struct fallback *fallback;
static const struct setting_rate three_a_minute = {3, 60000};

static void set_up(void)
{
    cr_assert(sodium_init() >= 0);
    fallback = fallback_create();
}

static void tear_down(void)
{
    fallback_destroy(fallback);
}

TestSuite(fallback, .init = set_up, .fini = tear_down);

static struct limit_answer take(const char *name, const char *request, int64_t at_ms)
{
    return fallback_take(fallback, &name, 1, three_a_minute, request, (START + at_ms) * US_PER_MS);
}

Test(fallback, as_many_as_the_limit_pass_and_no_more)
{
    static const struct {
        const char *request;
        int64_t at_ms;
        enum limit_verdict verdict;
        int64_t remaining, reset_ms;
    } rows[] = {
        {"a", 0,     LIMIT_PASSED,   2, 60000},
        {"b", 100,   LIMIT_PASSED,   1, 59900},
        {"c", 200,   LIMIT_PASSED,   0, 59800},
        {"d", 300,   LIMIT_EXCEEDED, 0, 59700},
        {"d", 59999, LIMIT_EXCEEDED, 0, 1    },
        {"d", 60000, LIMIT_PASSED,   2, 60000},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct limit_answer answer = take("x", rows[i].request, rows[i].at_ms);
        cr_expect_eq(answer.verdict, rows[i].verdict, "row %zu", i);
        cr_expect_eq(answer.remaining, rows[i].remaining, "row %zu", i);
        cr_expect_eq(answer.reset_ms, rows[i].reset_ms, "row %zu", i);
        cr_expect_not(answer.repeated, "row %zu", i);
    }
}

Test(fallback, everybody_has_buckets_of_their_own)
{
    for (int i = 0; i < 1000; i++) {
        char name[32];
        snprintf(name, sizeof(name), "user-%d", i);
        cr_expect_eq(take(name, "a", 0).remaining, 2, "%s", name);
    }
}

Test(fallback, the_last_request_may_come_again_and_costs_nothing)
{
    take("x", "a", 0);
    take("x", "b", 0);
    take("x", "c", 0);
    struct limit_answer answer = take("x", "c", 1);
    cr_expect_eq(answer.verdict, LIMIT_PASSED);
    cr_expect(answer.repeated);
    cr_expect_eq(take("x", "d", 1).verdict, LIMIT_EXCEEDED);
}

Test(fallback, two_buckets_are_taken_together_or_not_at_all)
{
    static const struct setting_rate one = {1, 1000};
    const char *both[] = {"orders", "payments"};
    cr_expect_eq(fallback_take(fallback, both, 1, one, "a", START).verdict, LIMIT_PASSED);
    cr_expect_eq(fallback_take(fallback, both, 2, one, "b", START).verdict, LIMIT_EXCEEDED);
    cr_expect_eq(fallback_take(fallback, both + 1, 1, one, "c", START).verdict, LIMIT_PASSED,
                 "the refusal has left it alone");
}

// More buckets than there are places: somebody is forgiven, nobody is refused for others.
Test(fallback, a_full_table_refuses_nobody_who_is_new)
{
    for (int i = 0; i < 40000; i++) {
        char name[32];
        snprintf(name, sizeof(name), "user-%d", i);
        cr_assert_eq(take(name, "a", i / 100).verdict, LIMIT_PASSED);
    }
    cr_expect_eq(take("user-39999", "b", 400).remaining, 1, "the newest are kept");
}
