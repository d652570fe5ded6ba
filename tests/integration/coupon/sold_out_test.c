// "Sold out" said early by Redis, on a Redis of each test's own: it refuses nobody whom PostgreSQL
// would not, whatever becomes of it. booth_close() asserts law 3 after each.

#include "tests/integration/coupon/booth.h"
#include "tests/support/database.h"
#include "tests/support/redis.h"
#include "tests/support/stand.h"

#include "lib/base/clock.h"
#include "lib/base/metrics.h"
#include "lib/base/text.h"
#include "lib/cache/cache.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <signal.h>
#include <sodium.h>
#include <string.h>

enum { OWNER = 7, STRANGER = 8, COUPONS = 3 };

static struct redis_server redis;
static struct booth *booth;

static void set_up(void)
{
    cr_assert(sodium_init() >= 0);
    redis_server_init(&redis);
    redis_server_start(&redis, "");
    booth = booth_open((struct rig_size){.write_workers = 2});
    booth_connect(booth, redis.url);
}

static void tear_down(void)
{
    booth_close(booth);
    redis_server_fini(&redis);
}

TestSuite(sold_out, .init = set_up, .fini = tear_down);

static void say_sold_out(void)
{
    struct status st = booth_run_job(booth, "say_sold_out");
    cr_assert(!failed(st), "%s", st.message);
}

// A campaign whose coupons are all claimed: by OWNER, and users from 1,000 on.
static int64_t given_sold_out(struct terms terms)
{
    terms.total_quantity = COUPONS;
    int64_t campaign = given_campaign_of(booth, terms);
    coupon_of(claim_as(booth, as_user(OWNER), campaign));
    for (int64_t user = 1000; user < 1000 + COUPONS - 1; user++)
        coupon_of(claim_as(booth, as_user(user), campaign));
    return campaign;
}

static int64_t early_refusals(void)
{
    return metric_value(metrics_counter("baro_coupon_early_refusals_total", "", NULL));
}

// Sends a command, over a connection of its own.
static void send_to_redis(const char *const *words, size_t count)
{
    SCOPED(arena) *arena = arena_create();
    struct cache_value value;
    struct cache *cache;
    cr_assert(!failed(cache_create(redis.url, &cache)));
    cr_assert(!failed(cache_wait(cache, 5000)));
    struct status st = cache_call(cache, (struct cache_command){.words = words, .count = count},
                                  clock_monotonic_us() + 5 * US_PER_S, arena, &value);
    cr_assert(!failed(st), "%s", st.message);
    cache_destroy(cache);
}

static void empty_redis(void)
{
    const char *words[] = {"FLUSHALL"};
    send_to_redis(words, 1);
}

// Keeps PostgreSQL from deciding anything about the campaign.
static struct db *block(int64_t campaign)
{
    static const struct statement LOCK = {
        "test_block", "SELECT id FROM campaign WHERE id = $1::bigint FOR UPDATE"};
    struct db *db = rig_db(booth->rig);
    struct rows rows;
    cr_assert(!failed(db_begin(db)));
    cr_assert(!failed(db_query(db, &LOCK, PARAMS(p_int64(campaign)), &rows)));
    return db;
}

Test(sold_out, is_said_without_postgresql)
{
    int64_t campaign = given_sold_out((struct terms){0}), before = early_refusals();
    say_sold_out();
    struct db *blocker = block(campaign);
    for (int64_t user = 2000; user < 2050; user++) {
        const struct asked *asked = claim_as(booth, as_user(user), campaign);
        expect_refused(asked, REASON_COUPON_SOLD_OUT);
        cr_assert_str_eq(asked->message, "all coupons are claimed");
    }
    cr_assert_geq(early_refusals() - before, 45, "but for those who seem to be owners");
    db_destroy(blocker);
}

Test(sold_out, is_the_same_answer_with_and_without_the_hint)
{
    int64_t campaign = given_sold_out((struct terms){0});
    for (int round = 0; round < 2; round++) {
        expect_refused(claim_as(booth, as_user(OWNER), campaign), REASON_COUPON_ALREADY_CLAIMED);
        expect_refused(claim_as(booth, as_user(1000), campaign), REASON_COUPON_ALREADY_CLAIMED);
        expect_refused(claim_as(booth, as_user(STRANGER), campaign), REASON_COUPON_SOLD_OUT);
        expect_refused(claim_as(booth, as_nobody(), campaign), REASON_UNAUTHENTICATED);
        expect_refused(claim_as(booth, as_user(STRANGER), campaign + 1), REASON_COUPON_NOT_FOUND);
        say_sold_out();
    }
}

Test(sold_out, is_kept_under_a_key_like_any_refusal)
{
    int64_t campaign = given_sold_out((struct terms){0});
    struct as stranger = as_user_with_key(STRANGER, "k");
    say_sold_out();
    expect_refused(claim_as(booth, stranger, campaign), REASON_COUPON_SOLD_OUT);
    change_total(booth, campaign, COUPONS + 1);
    expect_refused(claim_as(booth, stranger, campaign), REASON_COUPON_SOLD_OUT);
    expect_refused(claim_as(booth, stranger, campaign + 1), REASON_IDEMPOTENCY_KEY_REUSED);
    cr_assert_eq(coupon_of(claim_as(booth, as_user(STRANGER), campaign))->rank, COUPONS + 1);
}

Test(sold_out, ends_with_a_change_before_the_admin_hears_of_it)
{
    int64_t campaign = given_sold_out((struct terms){0});
    for (int64_t more = 1; more <= 5; more++) {
        say_sold_out();
        expect_refused(claim_as(booth, as_user(STRANGER), campaign), REASON_COUPON_SOLD_OUT);
        change_total(booth, campaign, COUPONS + more);
        cr_assert_eq(coupon_of(claim_as(booth, as_user(2000 + more), campaign))->rank,
                     COUPONS + more);
    }
}

Test(sold_out, cannot_be_said_of_what_was_before_a_change)
{
    int64_t campaign = given_sold_out((struct terms){0});
    struct sold_out_campaign before = {campaign, 0, SOLD_OUT_LIFE_MS};
    change_total(booth, campaign, COUPONS + 1); // while somebody who has seen it sold out is slow
    cr_assert_not(sold_out_write(booth->service.sold_out, &before, NULL, 0));
    cr_assert_not(sold_out_renew(booth->service.sold_out, &before));
    cr_assert_eq(coupon_of(claim_as(booth, as_user(STRANGER), campaign))->rank, COUPONS + 1);
}

struct attempt {
    int64_t campaign;
    enum reason reason;
};

static bool ends_so(void *arg)
{
    const struct attempt *attempt = arg;
    return claim_as(booth, as_user(STRANGER), attempt->campaign)->reason == attempt->reason;
}

Test(sold_out, is_not_said_for_long_when_nobody_renews_it)
{
    int64_t campaign = given_campaign_of(booth, (struct terms){.total_quantity = 1});
    struct sold_out_campaign wrong = {campaign, 0, SOLD_OUT_LIFE_MS}; // there is one left
    struct attempt granted = {campaign, REASON_NONE};
    cr_assert(sold_out_write(booth->service.sold_out, &wrong, NULL, 0));
    expect_refused(claim_as(booth, as_user(STRANGER), campaign), REASON_COUPON_SOLD_OUT);
    cr_assert(stand_wait(ends_so, &granted, SOLD_OUT_LIFE_MS + 2000));
}

Test(sold_out, ends_with_the_window)
{
    int64_t campaign = given_sold_out((struct terms){.ends_in_s = 1});
    struct attempt closed = {campaign, REASON_COUPON_WINDOW_CLOSED};
    say_sold_out();
    cr_assert(stand_wait(ends_so, &closed, SOLD_OUT_LIFE_MS - 500));
    say_sold_out();
    cr_assert(ends_so(&closed));
}

Test(sold_out, is_said_again_after_redis_was_emptied)
{
    int64_t campaign = given_sold_out((struct terms){0});
    say_sold_out();
    empty_redis();
    expect_refused(claim_as(booth, as_user(STRANGER), campaign), REASON_COUPON_SOLD_OUT);
    say_sold_out();
    struct db *blocker = block(campaign);
    expect_refused(claim_as(booth, as_user(STRANGER), campaign), REASON_COUPON_SOLD_OUT);
    db_destroy(blocker);
}

Test(sold_out, is_postgresqls_to_say_when_redis_is_gone_or_stands_still)
{
    int64_t sold_out = given_sold_out((struct terms){0});
    int64_t open = given_campaign_of(booth, (struct terms){0});
    say_sold_out();
    kill(redis.pid, SIGSTOP);
    expect_refused(claim_as(booth, as_user(STRANGER), sold_out), REASON_COUPON_SOLD_OUT);
    cr_assert_eq(coupon_of(claim_as(booth, as_user(STRANGER), open))->rank, 1);
    change_total(booth, sold_out, COUPONS + 1);
    redis_server_kill(&redis);
    cr_assert_eq(coupon_of(claim_as(booth, as_user(STRANGER), sold_out))->rank, COUPONS + 1);
    say_sold_out(); // harms nothing
    expect_refused(claim_as(booth, as_user(STRANGER + 1), sold_out), REASON_COUPON_SOLD_OUT);
    cr_assert_eq(coupon_of(claim_as(booth, as_user(STRANGER + 1), open))->rank, 2);
}

Test(sold_out, takes_no_notice_of_what_else_lies_in_redis)
{
    int64_t campaign = given_campaign_of(booth, (struct terms){.total_quantity = 2});
    SCOPED(arena) *arena = arena_create();
    const char *key = text_printf(arena, "baro:coupon:{%" PRId64 "}:sold_out", campaign);
    const char *list[] = {"RPUSH", key, "not a string"}, *gone[] = {"DEL", key};
    const char *text[] = {"SET", key, "too short to be one"};
    send_to_redis(list, 3);
    cr_assert_eq(coupon_of(claim_as(booth, as_user(OWNER), campaign))->rank, 1);
    send_to_redis(gone, 2);
    send_to_redis(text, 3);
    cr_assert_eq(coupon_of(claim_as(booth, as_user(STRANGER), campaign))->rank, 2);
}

Test(sold_out, leaves_ranks_whole_while_redis_is_emptied_and_killed)
{
    enum { USERS = 1000, PRIZES = 100, REPLICAS = 2 };
    static struct asked *asked[USERS];
    struct booth *replicas[REPLICAS] = {
        booth, booth_open_replica(booth, (struct rig_size){.write_workers = 2})};
    int64_t campaign = given_campaign_of(booth, (struct terms){.total_quantity = PRIZES});
    size_t granted = 0;

    booth_connect(replicas[1], redis.url);
    for (int64_t i = 0; i < USERS; i++) {
        asked[i] = start_claim(replicas[i % REPLICAS], as_user(1 + i), campaign);
        if (i % 100 == 99)
            say_sold_out();
        if (i == 250 || i == 450)
            empty_redis();
        if (i == 650)
            redis_server_kill(&redis);
        if (i == 750)
            redis_server_start(&redis, "");
    }
    for (size_t i = 0; i < USERS; i++) {
        if (rig_await(asked[i])->code == STATUS_OK)
            granted++;
        else
            expect_refused(asked[i], REASON_COUPON_SOLD_OUT);
    }
    cr_assert_eq(granted, PRIZES);
    cr_assert_eq(rig_number(booth->rig, "SELECT max(rank) FROM user_coupon"), PRIZES);
    booth_close(replicas[1]);
}
