// What a reader of an order's journal sees, from wherever it goes on.

#include "services/order/journal.h"

#include "lib/base/macros.h"
#include "lib/base/text.h"

#include <criterion/criterion.h>
#include <string.h>

enum { LIMIT = 100 };

static struct arena *arena;

static void begin(void)
{
    arena = arena_create();
}

static void end(void)
{
    arena_destroy(arena);
}

TestSuite(order_journal, .init = begin, .fini = end);

// A timeline whose entries are a second apart.
static struct order order_of(const enum order_status *statuses, size_t count)
{
    struct order order = {.version = (int64_t)count, .change_count = count};
    order.changes = arena_array(arena, count, sizeof(*order.changes));
    for (size_t i = 0; i < count; i++)
        order.changes[i] =
            (struct order_change){.status = statuses[i], .at_us = (int64_t)(i + 1) * 1000000};
    return order;
}
#define ORDER_OF(...)                                                                              \
    order_of((const enum order_status[]){__VA_ARGS__},                                             \
             COUNT(((const enum order_status[]){__VA_ARGS__})))

static struct journal read_after(const char *after, const struct order *order,
                                 const struct journal_step *steps, size_t count, size_t limit)
{
    struct journal_place place;
    struct journal_step *own = arena_array(arena, count + 1, sizeof(*own));
    for (size_t i = 0; i < count; i++)
        own[i] = steps[i];
    cr_assert(journal_place_parse(after, &place));
    return journal_after(place, order, own, count, arena, limit);
}

// "PENDING@1.0.0 PAYING@2.0.0 step@2.2.1 .."
static const char *told(const struct journal *journal)
{
    struct text_buffer out;
    text_buffer_init(&out, arena, 256);
    for (size_t i = 0; i < journal->count; i++) {
        const struct journal_entry *entry = &journal->entries[i];
        text_appendf(&out, "%s%s@%s", i ? " " : "",
                     entry->change ? order_status_name(entry->change->status) : "step",
                     journal_place_text(arena, entry->place));
    }
    return out.data;
}

Test(order_journal, steps_stand_between_the_changes_that_begin_and_end_their_saga)
{
    struct order order = ORDER_OF(ORDER_PENDING, ORDER_PAYING, ORDER_PAID);
    const struct journal_step steps[] = {
        {.saga_began = 2, .step = 3},
        {.saga_began = 2, .step = 2},
    };
    struct journal journal = read_after("", &order, steps, COUNT(steps), LIMIT);
    cr_assert_str_eq(told(&journal), "PENDING@1.0.0 PAYING@2.0.0 step@2.2.2 step@2.2.3 PAID@3.2.3");
    cr_assert(!journal.ended && !journal.more);
}

Test(order_journal, a_reader_that_goes_on_from_any_event_misses_none_and_sees_none_twice)
{
    struct order order = ORDER_OF(ORDER_PENDING, ORDER_PAYING, ORDER_PENDING, ORDER_PAYING,
                                  ORDER_PAID, ORDER_REFUNDING, ORDER_REFUNDED);
    const struct journal_step steps[] = {
        {.saga_began = 2, .step = 1},
        {.saga_began = 2, .step = 2},
        {.saga_began = 4, .step = 2},
        {.saga_began = 4, .step = 3},
        {.saga_began = 6, .step = 1},
    };
    struct journal whole = read_after("", &order, steps, COUNT(steps), LIMIT);
    cr_assert_eq(whole.count, 12);
    cr_assert(whole.ended);
    for (size_t i = 0; i < whole.count; i++) {
        const char *id = journal_place_text(arena, whole.entries[i].place);
        struct journal rest = read_after(id, &order, steps, COUNT(steps), LIMIT);
        cr_assert_eq(rest.count, whole.count - i - 1, "after %s", id);
        for (size_t j = 0; j < rest.count; j++)
            cr_assert_eq(memcmp(&rest.entries[j].place, &whole.entries[i + 1 + j].place,
                                sizeof(struct journal_place)),
                         0);
    }
}

Test(order_journal, what_became_known_later_is_told_to_a_reader_that_was_there_before)
{
    struct order order = ORDER_OF(ORDER_PENDING, ORDER_PAYING, ORDER_HELD);
    const struct journal_step first = {.saga_began = 2, .step = 1, .finished_at_us = 2500000};
    struct journal journal = read_after("", &order, NULL, 0, LIMIT);
    cr_assert_str_eq(told(&journal), "PENDING@1.0.0 PAYING@2.0.0 HELD@3.0.0");

    // Its place is before HELD; this reader has passed that already.
    journal = read_after("3.0.0", &order, &first, 1, LIMIT);
    cr_assert_str_eq(told(&journal), "step@3.2.1");
    journal = read_after("", &order, &first, 1, LIMIT);
    cr_assert_str_eq(told(&journal), "PENDING@1.0.0 PAYING@2.0.0 step@2.2.1 HELD@3.2.1");
}

Test(order_journal, a_step_that_ended_after_the_silence_is_told_after_it)
{
    struct order order = ORDER_OF(ORDER_PENDING, ORDER_PAYING, ORDER_HELD, ORDER_PAID);
    const struct journal_step steps[] = {
        {.saga_began = 2, .step = 1, .finished_at_us = 2500000},
        {.saga_began = 2, .step = 2, .finished_at_us = 3500000},
    };
    struct journal journal = read_after("", &order, steps, COUNT(steps), LIMIT);
    cr_assert_str_eq(told(&journal), "PENDING@1.0.0 PAYING@2.0.0 step@2.2.1 HELD@3.2.1 step@3.2.2 "
                                     "PAID@4.2.2");
    // A clock that went back changes the order of telling, never what is told.
    const struct journal_step skewed[] = {
        {.saga_began = 2, .step = 1, .finished_at_us = 3500000},
        {.saga_began = 2, .step = 2, .finished_at_us = 2500000},
    };
    journal = read_after("", &order, skewed, COUNT(skewed), LIMIT);
    cr_assert_eq(journal.count, 6);
}

Test(order_journal, ends_with_a_status_that_has_no_way_on)
{
    struct order expired = ORDER_OF(ORDER_PENDING, ORDER_EXPIRED);
    const struct journal_step release = {.saga_began = 2, .step = 1};
    struct journal journal = read_after("", &expired, &release, 1, LIMIT);
    cr_assert_str_eq(told(&journal), "PENDING@1.0.0 EXPIRED@2.0.0");
    cr_assert(journal.ended);
    cr_assert(read_after("2.0.0", &expired, &release, 1, LIMIT).ended);

    struct order delivered = ORDER_OF(ORDER_PENDING, ORDER_DELIVERED);
    cr_assert(read_after("", &delivered, NULL, 0, LIMIT).ended);
    struct order paid = ORDER_OF(ORDER_PENDING, ORDER_PAID);
    cr_assert(!read_after("", &paid, NULL, 0, LIMIT).ended);
}

Test(order_journal, comes_in_parts_when_there_is_no_room)
{
    struct order order = ORDER_OF(ORDER_PENDING, ORDER_PAYING, ORDER_FAILED);
    const struct journal_step step = {.saga_began = 2, .step = 1};
    struct journal journal = read_after("", &order, &step, 1, 2);
    cr_assert_str_eq(told(&journal), "PENDING@1.0.0 PAYING@2.0.0");
    cr_assert(journal.more && !journal.ended);
    journal = read_after("2.0.0", &order, &step, 1, 2);
    cr_assert_str_eq(told(&journal), "step@2.2.1 FAILED@3.2.1");
    cr_assert(journal.ended && !journal.more);
}

Test(order_journal, takes_nothing_but_places_for_places)
{
    static const char *const wrong[] = {"1",      "1.2",    "1.2.",   ".1.2",
                                        "1.2.3.", "1.2.-3", "a.b.c",  "99999999999999999999.1.1",
                                        " 1.2.3", "1.2.3 ", "1..2.3", "x"};
    struct journal_place place;
    for (size_t i = 0; i < COUNT(wrong); i++)
        cr_assert(!journal_place_parse(wrong[i], &place), "%s", wrong[i]);
    cr_assert(journal_place_parse("12.3.4", &place));
    cr_assert_eq(place.version, 12);
    cr_assert_eq(place.saga_began, 3);
    cr_assert_eq(place.step, 4);
}
