#pragma once
// The shop of a run: what is for sale, who buys, and what was answered to whom.

#include "tests/simulate/world.h"

enum {
    SHOPPERS = 6,
    HANDS = 3,
    ORDERS_EACH = 5,
    OPTIONS = 5,
    CAMPAIGNS = 3,
    TALE_MAX = HANDS * ORDERS_EACH
};

// What a shopper knows of one order.
struct tale {
    int64_t order_id;               // 0: no answer ever named one
    int64_t expires_us;             // of the world
    bool refused;                   // the order was surely not placed
    bool paid, cancelled, refunded; // acknowledged
};

struct shopper {
    int64_t user_id;
    struct process *process;
    int64_t charges, charges_unknown; // acknowledged, and left without an answer
    int64_t coupons[CAMPAIGNS];       // user coupon ids; 0: none
    struct tale tales[TALE_MAX];
    size_t tale_count;
    uint64_t keys;
    int busy; // fibers that act for it
};

extern struct shopper shoppers[SHOPPERS];

// Puts wallets, options and campaigns into the databases.
void shop_open(void);
// The shoppers begin.
void shop_go(struct process *outside);
bool shop_is_done(void);

// A client was told what cannot be: printed with the violations.
extern const char *shop_complaint;
