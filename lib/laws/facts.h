#pragma once
// What each service knows of an order: the places of the values in its facts (lib/laws/book.h).

// user. A payer of -1: several.
enum user_fact { FACT_PAYER, FACT_USED, FACT_GIVEN_BACK, USER_FACTS };

// product: lines by state, units held or confirmed, lines whose hold is long over.
enum product_fact { FACT_HELD, FACT_CONFIRMED, FACT_HELD_UNITS, FACT_STALE_HOLDS, PRODUCT_FACTS };

// coupon. A used one that an admin has cancelled counts as used: its order has had the discount.
enum coupon_fact {
    FACT_COUPONS_USED,
    FACT_COUPONS_HELD,
    FACT_COUPON_ID,
    FACT_STALE_COUPONS,
    COUPON_FACTS,
};

// order
enum order_fact {
    FACT_STATUS,
    FACT_FINAL,
    FACT_COUPON,
    FACT_OWNER,
    FACT_LINES,
    FACT_UNITS,
    FACT_COMPLETED,
    FACT_COMPLETED_AMOUNT,
    FACT_REFUNDED,
    FACT_UNDER_WAY,
    ORDER_FACTS,
};
