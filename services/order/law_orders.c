// Four streams sorted by order id advance together; what the services know of an order is compared
// with what its status demands. An order whose saga is open is skipped: its facts are on their way.
//
// The services have no common moment. What looks wrong is put aside and looked at again by id, the
// orders last; only what stays wrong for a second is.

#include "services/order/law_orders.h"

#include "lib/base/text.h"
#include "lib/laws/facts.h"

#include <inttypes.h>
#include <time.h>

enum { LOOKS = 6, LOOK_PERIOD_MS = 200, SUSPECTS_MAX = 5000, SUSPECTS_PAGE = 250 };

// Everything that is known about one order id; NULL: a service knows nothing of it.
struct known {
    int64_t order_id;
    const Baro__OrderFact *by[LAW_PLACES];
};

static int64_t value_of(const struct known *known, enum law_place place, int value)
{
    return known->by[place] ? known->by[place]->values[value] : 0;
}

// What a status demands, by its number. Money is what the wallet has paid and not got back.
enum demand { NONE, EACH };

static const struct demands {
    const char *status;
    bool checked; // false: a saga is under way, or must be
    bool money;   // the final amount is paid and kept
    enum demand completed, refunded, held, confirmed;
    bool coupon_used, coupon_held;
} DEMANDS[] = {
    {"",          false, false, NONE, NONE, NONE, NONE, false, false},
    {"PENDING",   true,  false, NONE, NONE, EACH, NONE, false, true },
    {"PAYING",    false, false, NONE, NONE, NONE, NONE, false, false},
    {"HELD",      false, false, NONE, NONE, NONE, NONE, false, false},
    {"PAID",      true,  true,  EACH, NONE, NONE, EACH, true,  false},
    {"PREPARING", true,  true,  EACH, NONE, NONE, EACH, true,  false},
    {"SHIPPING",  true,  true,  EACH, NONE, NONE, EACH, true,  false},
    {"DELIVERED", true,  true,  EACH, NONE, NONE, EACH, true,  false},
    {"FAILED",    true,  false, NONE, NONE, NONE, NONE, false, false},
    {"EXPIRED",   true,  false, NONE, NONE, NONE, NONE, false, false},
    {"CANCELLED", true,  false, NONE, NONE, NONE, NONE, false, false},
    {"REFUNDING", false, false, NONE, NONE, NONE, NONE, false, false},
    {"REFUNDED",  true,  false, NONE, EACH, NONE, NONE, false, false},
};

static void check_number(struct report *report, const struct known *known, const char *what,
                         int64_t found, int64_t demanded)
{
    if (found != demanded)
        report_violation(report, LAW_ORDER,
                         "order %" PRId64 " (%s): %s %" PRId64 ", must be %" PRId64,
                         known->order_id, DEMANDS[value_of(known, LAW_ORDERS, FACT_STATUS)].status,
                         what, found, demanded);
}

static void check_payment(struct report *report, const struct known *known,
                          const struct demands *want)
{
    int64_t final_won = value_of(known, LAW_ORDERS, FACT_FINAL);
    int64_t completed = value_of(known, LAW_ORDERS, FACT_COMPLETED);
    int64_t used = value_of(known, LAW_USER, FACT_USED);
    check_number(report, known, "completed payments", completed, want->completed == EACH);
    check_number(report, known, "refunded payments", value_of(known, LAW_ORDERS, FACT_REFUNDED),
                 want->refunded == EACH);
    if (completed == 1)
        check_number(report, known, "amount of the payment",
                     value_of(known, LAW_ORDERS, FACT_COMPLETED_AMOUNT), final_won);
    check_number(report, known, "won kept", used - value_of(known, LAW_USER, FACT_GIVEN_BACK),
                 want->money ? final_won : 0);
    if (used)
        check_number(report, known, "payer", value_of(known, LAW_USER, FACT_PAYER),
                     value_of(known, LAW_ORDERS, FACT_OWNER));
}

static void check_stock(struct report *report, const struct known *known,
                        const struct demands *want)
{
    int64_t lines = value_of(known, LAW_ORDERS, FACT_LINES);
    check_number(report, known, "held lines", value_of(known, LAW_PRODUCT, FACT_HELD),
                 want->held == EACH ? lines : 0);
    check_number(report, known, "confirmed lines", value_of(known, LAW_PRODUCT, FACT_CONFIRMED),
                 want->confirmed == EACH ? lines : 0);
    if (want->held == EACH || want->confirmed == EACH)
        check_number(report, known, "units held or confirmed",
                     value_of(known, LAW_PRODUCT, FACT_HELD_UNITS),
                     value_of(known, LAW_ORDERS, FACT_UNITS));
}

static void check_coupon(struct report *report, const struct known *known,
                         const struct demands *want)
{
    int64_t coupon = value_of(known, LAW_ORDERS, FACT_COUPON);
    int64_t used = value_of(known, LAW_COUPONS, FACT_COUPONS_USED);
    int64_t held = value_of(known, LAW_COUPONS, FACT_COUPONS_HELD);
    check_number(report, known, "used coupons", used, want->coupon_used && coupon);
    // An admin may have cancelled the coupon of an order that waits: then none is held.
    if (held)
        check_number(report, known, "held coupons", held, want->coupon_held && coupon);
    if (used + held == 1 && coupon)
        check_number(report, known, "coupon", value_of(known, LAW_COUPONS, FACT_COUPON_ID), coupon);
}

// Money, stock and coupons of an order that was never inserted: holds have a time to live.
static void check_stray(struct report *report, const struct known *known)
{
    int64_t taken =
        value_of(known, LAW_USER, FACT_USED) - value_of(known, LAW_USER, FACT_GIVEN_BACK);
    if (taken)
        report_violation(report, LAW_ORDER,
                         "order %" PRId64 " does not exist, but %" PRId64 " won were taken",
                         known->order_id, taken);
    if (value_of(known, LAW_PRODUCT, FACT_CONFIRMED) ||
        value_of(known, LAW_PRODUCT, FACT_STALE_HOLDS))
        report_violation(report, LAW_ORDER, "order %" PRId64 " does not exist, but has stock",
                         known->order_id);
    if (value_of(known, LAW_COUPONS, FACT_COUPONS_USED) ||
        value_of(known, LAW_COUPONS, FACT_STALE_COUPONS))
        report_violation(report, LAW_COUPON,
                         "order %" PRId64 " does not exist, but has coupon %" PRId64,
                         known->order_id, value_of(known, LAW_COUPONS, FACT_COUPON_ID));
}

static void judge(struct report *report, const struct known *known)
{
    int64_t status = value_of(known, LAW_ORDERS, FACT_STATUS);
    if (!known->by[LAW_ORDERS]) {
        check_stray(report, known);
    } else if (value_of(known, LAW_ORDERS, FACT_UNDER_WAY)) {
        report->under_way++;
    } else if (status < 1 || status >= (int64_t)COUNT(DEMANDS)) {
        report_violation(report, LAW_ORDER, "order %" PRId64 " has the unknown status %" PRId64,
                         known->order_id, status);
    } else if (!DEMANDS[status].checked) {
        report_violation(report, LAW_ORDER, "order %" PRId64 " is %s without an open saga",
                         known->order_id, DEMANDS[status].status);
    } else {
        check_payment(report, known, &DEMANDS[status]);
        check_stock(report, known, &DEMANDS[status]);
        check_coupon(report, known, &DEMANDS[status]);
    }
}

// Streams

struct stream {
    const struct law_source *source;
    size_t values;
    struct arena *arena; // of the page
    const Baro__OrderFacts *page;
    size_t next;
};

static const size_t VALUES[LAW_PLACES] = {
    [LAW_USER] = USER_FACTS,
    [LAW_PRODUCT] = PRODUCT_FACTS,
    [LAW_COUPONS] = COUPON_FACTS,
    [LAW_ORDERS] = ORDER_FACTS,
};

// A service of another build may know less or more: then nothing can be said.
static struct status check_values(const Baro__OrderFacts *facts, size_t values)
{
    for (size_t i = 0; i < facts->n_facts; i++)
        if (facts->facts[i]->n_values != values)
            return refuse(REASON_UNAVAILABLE, "a service tells other facts than expected");
    return OK;
}

static struct status fetch(const struct law_source *source, size_t values,
                           const Baro__ListOrderFactsRequest *request, struct arena *arena,
                           const Baro__OrderFacts **facts)
{
    struct status st = source->facts(source->context, request, arena, facts);
    return failed(st) ? st : check_values(*facts, values);
}

static struct status fetch_page(struct stream *stream, int64_t after)
{
    Baro__ListOrderFactsRequest request;
    baro__list_order_facts_request__init(&request);
    request.after = after;
    stream->next = 0;
    stream->page = NULL;
    arena_reset(stream->arena);
    return fetch(stream->source, stream->values, &request, stream->arena, &stream->page);
}

static int64_t key_of(const struct stream *stream)
{
    return stream->next < stream->page->n_facts ? stream->page->facts[stream->next]->order_id
                                                : INT64_MAX;
}

// The page's facts live until its last one was judged.
static struct status renew(struct stream *streams, const struct law_going *going)
{
    struct status st = OK;
    for (int i = 0; i < LAW_PLACES && !failed(st); i++) {
        struct stream *stream = &streams[i];
        size_t count = stream->page->n_facts;
        if (count == 0 || stream->next < count)
            continue;
        st = law_going_on(going);
        if (!failed(st))
            st = fetch_page(stream, stream->page->facts[count - 1]->order_id);
    }
    return st;
}

static bool take_next(struct stream *streams, struct known *known)
{
    *known = (struct known){.order_id = INT64_MAX};
    for (int i = 0; i < LAW_PLACES; i++)
        if (key_of(&streams[i]) < known->order_id)
            known->order_id = key_of(&streams[i]);
    for (int i = 0; i < LAW_PLACES && known->order_id != INT64_MAX; i++)
        if (key_of(&streams[i]) == known->order_id)
            known->by[i] = streams[i].page->facts[streams[i].next++];
    return known->order_id != INT64_MAX;
}

// Orders that looked wrong.
struct suspects {
    int64_t ids[SUSPECTS_MAX];
    size_t count;
};

static bool looks_wrong(const struct known *known, struct report *report)
{
    SCOPED(arena) *arena = arena_create();
    struct report own = {.arena = arena};
    judge(&own, known);
    report->under_way += own.under_way;
    return !report_is_clean(&own);
}

static struct status walk(struct stream *streams, const struct law_going *going,
                          struct suspects *suspects, struct report *report)
{
    struct known known;
    struct status st = OK;
    for (int i = 0; i < LAW_PLACES && !failed(st); i++)
        st = fetch_page(&streams[i], 0);
    while (!failed(st) && take_next(streams, &known)) {
        bool wrong = looks_wrong(&known, report);
        if (wrong && suspects->count == SUSPECTS_MAX)
            judge(report, &known); // so many are no coincidence
        else if (wrong)
            suspects->ids[suspects->count++] = known.order_id;
        st = renew(streams, going);
    }
    if (failed(st) && st.message)
        st.message = text_copy(report->arena, st.message);
    return st;
}

static struct status find_suspects(const struct law_source *sources, const struct law_going *going,
                                   struct suspects *suspects, struct report *report)
{
    struct stream streams[LAW_PLACES];
    for (int i = 0; i < LAW_PLACES; i++)
        streams[i] = (struct stream){&sources[i], VALUES[i], arena_create(), NULL, 0};
    struct status st = walk(streams, going, suspects, report);
    for (int i = 0; i < LAW_PLACES; i++)
        arena_destroy(streams[i].arena);
    return st;
}

// Second looks

static const Baro__OrderFact *find(const Baro__OrderFacts *facts, int64_t order_id)
{
    for (size_t i = 0; i < facts->n_facts; i++)
        if (facts->facts[i]->order_id == order_id)
            return facts->facts[i];
    return NULL;
}

// Keeps those of the orders that still look wrong; with the last look they are reported.
static struct status look_at(const struct law_source *sources, int64_t *ids, size_t *count,
                             bool last, struct arena *arena, struct report *report)
{
    const Baro__OrderFacts *facts[LAW_PLACES];
    Baro__ListOrderFactsRequest request;
    baro__list_order_facts_request__init(&request);
    request.order_ids = arena_copy(arena, ids, *count * sizeof(*ids));
    request.n_order_ids = *count;
    struct status st = OK;
    for (int i = 0; i < LAW_PLACES && !failed(st); i++)
        st = fetch(&sources[i], VALUES[i], &request, arena, &facts[i]);
    if (failed(st)) {
        st = status_keep(st, report->arena);
        return st;
    }
    size_t asked = *count;
    *count = 0;
    for (size_t i = 0; i < asked; i++) {
        struct known known = {.order_id = request.order_ids[i]};
        for (int place = 0; place < LAW_PLACES; place++)
            known.by[place] = find(facts[place], known.order_id);
        if (last)
            judge(report, &known);
        else if (looks_wrong(&known, report))
            ids[(*count)++] = known.order_id;
    }
    return OK;
}

static struct status look_again(const struct law_source *sources, bool last,
                                struct suspects *suspects, struct report *report)
{
    struct status st = OK;
    size_t left = 0;
    for (size_t at = 0, count; at < suspects->count && !failed(st); at += SUSPECTS_PAGE) {
        SCOPED(arena) *arena = arena_create();
        count = suspects->count - at < SUSPECTS_PAGE ? suspects->count - at : SUSPECTS_PAGE;
        int64_t *ids = arena_copy(arena, &suspects->ids[at], count * sizeof(*ids));
        st = look_at(sources, ids, &count, last, arena, report);
        for (size_t i = 0; i < count && !failed(st); i++)
            suspects->ids[left++] = ids[i];
    }
    suspects->count = left;
    return st;
}

struct status law_orders_check(const struct law_source sources[LAW_PLACES],
                               const struct law_going *going, struct report *report)
{
    struct suspects *suspects = arena_alloc(report->arena, sizeof(*suspects));
    struct status st = find_suspects(sources, going, suspects, report);
    for (int look = 1; look <= LOOKS && suspects->count && !failed(st); look++) {
        nanosleep(&(struct timespec){.tv_nsec = LOOK_PERIOD_MS * 1000000}, NULL);
        st = law_going_on(going);
        if (!failed(st))
            st = look_again(sources, look == LOOKS, suspects, report);
    }
    return st;
}
