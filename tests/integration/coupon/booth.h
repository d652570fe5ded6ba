#pragma once
// The coupon service in a rig (tests/support/rig.h), with an order service that says what the test
// wants, and the verbs of its tests.

#include "proto/coupon.pb-c.h"
#include "services/coupon/service.h"
#include "tests/support/rig.h"

enum { LIVE_MAX = 16 };

struct booth {
    struct coupon_service service;
    struct rig *rig;
    struct booth *first; // NULL, or the replica whose database this one shares

    // What the order service answers about lives.
    int64_t live[LIVE_MAX];
    size_t live_count;
    bool is_order_service_down;
    void (*when_asked)(struct booth *booth); // in the middle of a sweep; may be NULL
};

// A service on a database of its own; a second replica of one.
struct booth *booth_open(struct rig_size size);
struct booth *booth_open_replica(struct booth *first, struct rig_size size);

// Stops the service and, for the first replica, asserts law 3 of SPEC 8, and that history tells what
// is so, over all that is in the database. Replicas are closed before the first.
void booth_close(struct booth *booth);

// Lets the service ask this Redis, and waits until it is connected; before any claim.
void booth_connect(struct booth *booth, const char *redis_url);

// Runs a job once, as the job thread would.
struct status booth_run_job(struct booth *booth, const char *name);

// Terms of a campaign that is open now: 1,000 won off, 10 coupons, valid for 7 days; what is 0 stays
// like that.
struct terms {
    int64_t total_quantity;
    int64_t percent_hundredths; // instead of the fixed value
    int64_t max_discount_won, min_order_won;
    int64_t starts_in_s, ends_in_s; // from now
    int64_t valid_days;
};
int64_t given_campaign_of(struct booth *booth, struct terms terms);

// A coupon that the user has claimed from a campaign of these terms.
int64_t given_coupon(struct booth *booth, int64_t user_id, struct terms terms);

// Changes how many there are.
void change_total(struct booth *booth, int64_t campaign_id, int64_t total_quantity);

struct asked *start_claim(struct booth *booth, struct as as, int64_t campaign_id);
const struct asked *claim_as(struct booth *booth, struct as as, int64_t campaign_id);
const Baro__Coupon__UserCoupon *coupon_of(const struct asked *asked);

// What an order wants.
struct wish {
    int64_t user_id, coupon_id, order_id, amount_won;
};
struct asked *start_hold(struct booth *booth, struct wish wish);
const struct asked *hold(struct booth *booth, struct wish wish);

// The saga step redeem_coupon of a saga: its action and its compensation.
struct asked *start_redeem(struct booth *booth, int64_t saga_id, struct wish wish);
const struct asked *redeem(struct booth *booth, int64_t saga_id, struct wish wish);
const struct asked *restore(struct booth *booth, int64_t saga_id, struct wish wish);

// The step of a saga that gives back what its order has, whatever the pay saga has done.
struct asked *start_release(struct booth *booth, int64_t saga_id, struct wish wish);
const struct asked *release(struct booth *booth, int64_t saga_id, struct wish wish);

const struct asked *cancel(struct booth *booth, struct as as, int64_t coupon_id);

void expect_discount(const struct asked *asked, int64_t discount_won);
void expect_status(struct booth *booth, int64_t coupon_id, const char *status);

// The coupon's history, oldest first: "ISSUED HELD:7 USED:7".
void expect_history(struct booth *booth, int64_t coupon_id, const char *history);
