// A saga's steps stand behind the change of status that began it and before the one that ends it.
// Between the two there may be HELD: which steps came before it, their times tell.
//
// Nothing relies on those times but the order in which a reader sees HELD and a step: what has been
// seen is compared for changes and steps apart.

#include "services/order/journal.h"

#include "lib/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static int compare(int64_t left, int64_t right)
{
    return (left > right) - (left < right);
}

static int compare_steps(const void *a, const void *b)
{
    const struct journal_step *left = a, *right = b;
    int by_saga = compare(left->saga_began, right->saga_began);
    return by_saga ? by_saga : compare(left->step, right->step);
}

static bool has_way_on(enum order_status status)
{
    enum order_status to;
    for (int event = 0; event < ORDER_EVENT_COUNT; event++)
        if (order_next(status, (enum order_event)event, &to))
            return true;
    return false;
}

// The change of status behind which a step is told.
static int64_t version_before(const struct order *order, const struct journal_step *step)
{
    size_t next = (size_t)step->saga_began; // of the changes, which count from 1
    bool held = next < order->change_count && order->changes[next].status == ORDER_HELD &&
                order->changes[next].at_us < step->finished_at_us;
    return step->saga_began + held;
}

static bool is_seen(struct journal_place place, const struct journal_step *step)
{
    int by_saga = compare(step->saga_began, place.saga_began);
    return by_saga < 0 || (by_saga == 0 && step->step <= place.step);
}

// The journal in the making, and where its reader stands.
struct writing {
    struct journal journal;
    size_t limit;
    struct journal_place place;
};

static bool has_room(struct writing *writing)
{
    writing->journal.more = writing->journal.count == writing->limit;
    return !writing->journal.more;
}

static void add(struct writing *writing, const struct order_change *change,
                const struct journal_step *step)
{
    writing->journal.entries[writing->journal.count++] =
        (struct journal_entry){writing->place, change, step};
}

static void add_change(struct writing *writing, int64_t version, const struct order_change *change)
{
    if (version <= writing->place.version || !has_room(writing))
        return;
    writing->place.version = version;
    add(writing, change, NULL);
}

static void add_step(struct writing *writing, const struct journal_step *step)
{
    if (is_seen(writing->place, step) || !has_room(writing))
        return;
    writing->place.saga_began = step->saga_began;
    writing->place.step = step->step;
    add(writing, NULL, step);
}

struct journal journal_after(struct journal_place after, const struct order *order,
                             struct journal_step *steps, size_t step_count, struct arena *arena,
                             size_t limit)
{
    struct writing writing = {.place = after, .limit = limit};
    size_t next = 0;
    writing.journal.entries = arena_array(arena, limit, sizeof(*writing.journal.entries));
    qsort(steps, step_count, sizeof(*steps), compare_steps);
    for (size_t i = 0; i < order->change_count && !writing.journal.more; i++) {
        int64_t version = (int64_t)i + 1;
        add_change(&writing, version, &order->changes[i]);
        if (!has_way_on(order->changes[i].status)) {
            writing.journal.ended = !writing.journal.more;
            break;
        }
        while (next < step_count && !writing.journal.more &&
               version_before(order, &steps[next]) <= version)
            add_step(&writing, &steps[next++]);
    }
    return writing.journal;
}

const char *journal_place_text(struct arena *arena, struct journal_place place)
{
    return text_printf(arena, "%" PRId64 ".%" PRId64 ".%" PRId64, place.version, place.saga_began,
                       place.step);
}

// Digits up to `end`; moves *text behind it.
static bool parse_number(const char **text, char end, int64_t *value)
{
    enum { NUMBER_MAX = 1000000000 };
    const char *at = *text;
    for (*value = 0; *at >= '0' && *at <= '9' && *value < NUMBER_MAX; at++)
        *value = *value * 10 + (*at - '0');
    bool good = at > *text && *at == end;
    *text = good && end ? at + 1 : at;
    return good;
}

bool journal_place_parse(const char *text, struct journal_place *place)
{
    struct journal_place read = {0};
    bool good = *text == '\0' || (parse_number(&text, '.', &read.version) &&
                                  parse_number(&text, '.', &read.saga_began) &&
                                  parse_number(&text, '\0', &read.step));
    if (good)
        *place = read;
    return good;
}
