// Verbs over the calls of the coupon service.

#include "tests/integration/coupon/booth.h"

#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "tests/support/saga_ids.h"
#include "tests/support/stand.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TTL_MS = 600000, DAY_S = 86400 };

extern const struct migration coupon_migrations[];
extern const size_t coupon_migration_count;

// Law 3 as far as this service knows it; and each coupon's history has one ISSUED, and tells of the
// status that the coupon has and of the order that has it.
static const char BROKEN_LAWS[] =
    "SELECT (SELECT count(*) FROM campaign c LEFT JOIN"
    "  (SELECT campaign_id, count(*) AS claims, count(DISTINCT user_id) AS users, max(rank) AS last"
    "   FROM user_coupon GROUP BY 1) u ON u.campaign_id = c.id"
    "  WHERE c.claimed <> coalesce(u.claims, 0) OR c.claimed > c.total_quantity"
    "     OR u.users <> u.claims OR u.last <> u.claims)"
    " + (SELECT count(*) FROM (SELECT FROM user_coupon WHERE status IN ('HELD', 'USED')"
    "    GROUP BY order_id HAVING count(*) > 1) x)"
    " + (SELECT count(*) FROM user_coupon u WHERE"
    "    (SELECT count(*) FROM user_coupon_history h"
    "     WHERE h.user_coupon_id = u.id AND h.change = 'ISSUED') <> 1"
    "    OR u.status <> 'AVAILABLE' AND NOT EXISTS"
    "     (SELECT FROM user_coupon_history h WHERE h.user_coupon_id = u.id"
    "      AND h.change = u.status AND h.order_id IS NOT DISTINCT FROM u.order_id))";

static struct status find_live(void *context, struct arena *arena, const int64_t *order_ids,
                               size_t count, int64_t **live, size_t *live_count)
{
    struct booth *booth = context;
    (void)order_ids;
    (void)count;
    if (booth->when_asked)
        booth->when_asked(booth);
    if (booth->is_order_service_down)
        return refuse(REASON_UNAVAILABLE, "down");
    *live = arena_copy(arena, booth->live, sizeof(booth->live));
    *live_count = booth->live_count;
    return OK;
}

static struct booth *open_on(const char *url, struct booth *first, struct rig_size size)
{
    struct booth *booth = calloc(1, sizeof(*booth));
    cr_assert_not_null(booth);
    booth->first = first;
    booth->service = (struct coupon_service){
        .coupon_ids = ids_create("user_coupon_id"), .orders = {find_live, booth}
    };
    booth->rig = rig_create(url, &coupon_methods, &booth->service, size);
    return booth;
}

struct booth *booth_open(struct rig_size size)
{
    return open_on(rig_database("coupon", coupon_migrations, coupon_migration_count), NULL, size);
}

struct booth *booth_open_replica(struct booth *first, struct rig_size size)
{
    return open_on(first->rig->url, first, size);
}

void booth_close(struct booth *booth)
{
    rig_drain(booth->rig);
    if (!booth->first)
        cr_assert_eq(rig_number(booth->rig, BROKEN_LAWS), 0, "coupons do not obey their laws");
    rig_destroy(booth->rig);
    sold_out_destroy(booth->service.sold_out);
    ids_destroy(booth->service.coupon_ids);
    free(booth);
}

static bool redis_answers(void *arg)
{
    static const struct sold_out_campaign nobodys = {INT64_MAX, 0, SOLD_OUT_LIFE_MS};
    return sold_out_write(arg, &nobodys, NULL, 0);
}

void booth_connect(struct booth *booth, const char *redis_url)
{
    struct status st = sold_out_create(redis_url, &booth->service.sold_out);
    cr_assert(!failed(st), "%s", st.message);
    cr_assert(stand_wait(redis_answers, booth->service.sold_out, 5000));
}

struct status booth_run_job(struct booth *booth, const char *name)
{
    static const struct coupon_settings settings = {.sweep_period_ms = 1000};
    struct job jobs[COUPON_JOB_COUNT];
    SCOPED(db) *db = rig_db(booth->rig);
    SCOPED(arena) *arena = arena_create();
    coupon_jobs_init(&settings, jobs);
    for (size_t i = 0; i < COUPON_JOB_COUNT; i++)
        if (!strcmp(jobs[i].name, name))
            return jobs[i].run(&booth->service, db, arena);
    cr_assert_fail("no job %s", name);
    return OK;
}

static Baro__Timestamp after_s(int64_t seconds)
{
    Baro__Timestamp time;
    baro__timestamp__init(&time);
    time.us = clock_realtime_us() + seconds * US_PER_S;
    return time;
}

int64_t given_campaign_of(struct booth *booth, struct terms terms)
{
    static int made;
    char name[] = "봄맞이 할인", code[32];
    Baro__Decimal value = BARO__DECIMAL__INIT;
    Baro__Int64 max = BARO__INT64__INIT;
    Baro__Timestamp starts = after_s(terms.starts_in_s ? terms.starts_in_s : -60);
    Baro__Timestamp ends = after_s(terms.ends_in_s ? terms.ends_in_s : DAY_S);
    Baro__Coupon__CreateCampaignRequest request;
    baro__coupon__create_campaign_request__init(&request);

    snprintf(code, sizeof(code), "SPRING-%d", ++made);
    value.hundredths = terms.percent_hundredths ? terms.percent_hundredths : 100000;
    max.value = terms.max_discount_won;
    request.name = name;
    request.code = code;
    request.type = terms.percent_hundredths ? BARO__COUPON__COUPON_TYPE__COUPON_TYPE_PERCENT
                                            : BARO__COUPON__COUPON_TYPE__COUPON_TYPE_FIXED;
    request.value = &value;
    request.max_discount_amount = terms.max_discount_won ? &max : NULL;
    request.min_order_amount = terms.min_order_won;
    request.total_quantity = terms.total_quantity ? terms.total_quantity : 10;
    request.starts_at = &starts;
    request.ends_at = &ends;
    request.valid_days = (int32_t)(terms.valid_days ? terms.valid_days : 7);
    const Baro__Coupon__Campaign *campaign =
        rig_done(booth->rig, "CreateCampaign", as_admin(), &request.base);
    return campaign->id;
}

int64_t given_coupon(struct booth *booth, int64_t user_id, struct terms terms)
{
    return coupon_of(claim_as(booth, as_user(user_id), given_campaign_of(booth, terms)))->id;
}

void change_total(struct booth *booth, int64_t campaign_id, int64_t total_quantity)
{
    Baro__Int64 total = BARO__INT64__INIT;
    Baro__Coupon__UpdateCampaignRequest request;
    baro__coupon__update_campaign_request__init(&request);
    total.value = total_quantity;
    request.coupon_id = campaign_id;
    request.total_quantity = &total;
    rig_done(booth->rig, "UpdateCampaign", as_admin(), &request.base);
}

struct asked *start_claim(struct booth *booth, struct as as, int64_t campaign_id)
{
    Baro__Coupon__ClaimRequest request;
    baro__coupon__claim_request__init(&request);
    request.coupon_id = campaign_id;
    return rig_start(booth->rig, "Claim", as, &request.base);
}

const struct asked *claim_as(struct booth *booth, struct as as, int64_t campaign_id)
{
    return rig_await(start_claim(booth, as, campaign_id));
}

const Baro__Coupon__UserCoupon *coupon_of(const struct asked *asked)
{
    return reply_of(asked);
}

struct asked *start_hold(struct booth *booth, struct wish wish)
{
    Baro__Coupon__HoldCouponRequest request;
    baro__coupon__hold_coupon_request__init(&request);
    request.user_id = wish.user_id;
    request.user_coupon_id = wish.coupon_id;
    request.order_id = wish.order_id;
    request.amount = wish.amount_won;
    request.ttl_ms = TTL_MS;
    return rig_start(booth->rig, "HoldCoupon", as_service(), &request.base);
}

const struct asked *hold(struct booth *booth, struct wish wish)
{
    return rig_await(start_hold(booth, wish));
}

static Baro__SagaStep make_step(int64_t saga_id, char *name, bool compensation)
{
    Baro__SagaStep step;
    baro__saga_step__init(&step);
    step.saga_id = saga_begun(saga_id, 0);
    step.step = name;
    step.compensation = compensation;
    return step;
}

static char redeem_step[] = "redeem_coupon", release_step[] = "release_coupon";

struct asked *start_redeem(struct booth *booth, int64_t saga_id, struct wish wish)
{
    Baro__SagaStep step = make_step(saga_id, redeem_step, false);
    Baro__Coupon__RedeemCouponRequest request;
    baro__coupon__redeem_coupon_request__init(&request);
    request.user_id = wish.user_id;
    request.user_coupon_id = wish.coupon_id;
    request.order_id = wish.order_id;
    request.amount = wish.amount_won;
    return rig_start(booth->rig, "RedeemCoupon", as_saga(&step), &request.base);
}

const struct asked *redeem(struct booth *booth, int64_t saga_id, struct wish wish)
{
    return rig_await(start_redeem(booth, saga_id, wish));
}

static struct asked *start_give_back(struct booth *booth, const Baro__SagaStep *step,
                                     struct wish wish)
{
    Baro__Coupon__CouponStepRequest request;
    baro__coupon__coupon_step_request__init(&request);
    request.user_coupon_id = wish.coupon_id;
    request.order_id = wish.order_id;
    return rig_start(booth->rig, "RestoreCoupon", as_saga(step), &request.base);
}

const struct asked *restore(struct booth *booth, int64_t saga_id, struct wish wish)
{
    Baro__SagaStep step = make_step(saga_id, redeem_step, true);
    return rig_await(start_give_back(booth, &step, wish));
}

struct asked *start_release(struct booth *booth, int64_t saga_id, struct wish wish)
{
    Baro__SagaStep step = make_step(saga_id, release_step, false);
    return start_give_back(booth, &step, wish);
}

const struct asked *release(struct booth *booth, int64_t saga_id, struct wish wish)
{
    return rig_await(start_release(booth, saga_id, wish));
}

const struct asked *cancel(struct booth *booth, struct as as, int64_t coupon_id)
{
    Baro__Coupon__CancelUserCouponRequest request;
    baro__coupon__cancel_user_coupon_request__init(&request);
    request.user_coupon_id = coupon_id;
    return rig_call(booth->rig, "CancelUserCoupon", as, &request.base);
}

void expect_discount(const struct asked *asked, int64_t discount_won)
{
    const Baro__Coupon__Discount *discount = reply_of(asked);
    cr_assert_eq(discount->discount, discount_won, "%" PRId64, discount->discount);
}

// The text that a query yields in its first row and column.
static void expect_text(struct booth *booth, const char *sql, const char *expected)
{
    const struct statement statement = {"expect_text", sql};
    SCOPED(db) *db = rig_db(booth->rig);
    struct rows rows;
    struct status st = db_query(db, &statement, NO_PARAMS, &rows);
    cr_assert(!failed(st), "%s", st.message);
    cr_assert_eq(rows.count, 1, "%s", sql);
    cr_assert_str_eq(rows_text(&rows, 0, 0), expected);
}

void expect_status(struct booth *booth, int64_t coupon_id, const char *status)
{
    SCOPED(arena) *arena = arena_create();
    expect_text(booth,
                text_printf(arena, "SELECT status FROM user_coupon WHERE id = %" PRId64, coupon_id),
                status);
}

void expect_history(struct booth *booth, int64_t coupon_id, const char *history)
{
    SCOPED(arena) *arena = arena_create();
    // Rows are only ever appended, so their place in the table is their order.
    expect_text(booth,
                text_printf(arena,
                            "SELECT string_agg(change || coalesce(':' || order_id, ''), ' '"
                            " ORDER BY ctid) FROM user_coupon_history"
                            " WHERE user_coupon_id = %" PRId64,
                            coupon_id),
                history);
}
