#pragma once
// The other services, as small as their contracts allow: wallets, stock and coupons in memory behind
// real RPC servers, real command receivers and real publishers. Effects are idempotent by order, as
// the real ones are by their barriers. Each method can be told to be silent.

#include "lib/bus/bus.h"
#include "lib/rpc/server.h"

#define SHOP_SECRET "a secret that the tests share"

// State of what one order holds.
enum shop_hold { SHOP_NONE, SHOP_HELD, SHOP_CONFIRMED, SHOP_RELEASED, SHOP_RETURNED };
enum shop_coupon { SHOP_AVAILABLE, SHOP_COUPON_HELD, SHOP_USED };

// Facts of the shop: options 1..9 belong to product 1, 10..19 to product 2, and so on. A price is
// 1,000 won. Stock is 100 a piece. Options from 90 on do not exist. Coupon 7 takes 500 won off and
// belongs to everybody; coupon 8 is not usable.
enum {
    SHOP_PRICE = 1000,
    SHOP_STOCK = 100,
    SHOP_COUPON = 7,
    SHOP_BAD_COUPON = 8,
    SHOP_DISCOUNT = 500
};

struct shop;

// The order service's publisher must be there already.
struct shop *shop_open(const char *order_bus);
void shop_close(struct shop *shop);

// "tcp://127.0.0.1:port" of a service's server and publisher.
const char *shop_rpc(const struct shop *shop, const char *service);
const char *shop_bus(const struct shop *shop, const char *service);

void shop_set_balance(struct shop *shop, int64_t user_id, int64_t balance_won);
int64_t shop_balance(struct shop *shop, int64_t user_id);
int64_t shop_available(struct shop *shop, int64_t option_id);

// The first option of the last ReleaseStock for an order that had no hold; 0: there was none.
int64_t shop_early_release(struct shop *shop);

enum shop_hold shop_hold_of(struct shop *shop, int64_t order_id);
enum shop_coupon shop_coupon_state(struct shop *shop);
void shop_lose_hold(struct shop *shop, int64_t order_id);

// From now on the method answers UNAVAILABLE after `passes` more calls, until it is told to speak.
void shop_silence(struct shop *shop, const char *method, int passes);
void shop_speak(struct shop *shop, const char *method);

// How often the method has been called, silent or not.
int shop_calls(struct shop *shop, const char *method);
