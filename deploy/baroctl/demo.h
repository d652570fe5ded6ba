#pragma once
// A shop with a past, for demonstrations and for measuring: what `baroctl load-demo` loads.
//
// Orders are lived through one after the other, each from its placing to where it stands now, with the
// services' own pure rules (order_apply, payment_apply, wallet_apply, campaign_claim, ..), so that rows
// and histories are what the services would have written. Customers, products and campaigns are held in
// memory; orders are not: they become rows at once.

#include "deploy/baroctl/copy.h"
#include "lib/base/arena.h"
#include "lib/db/ids.h"
#include "services/coupon/coupon.h"
#include "services/order/order.h"
#include "services/order/pay_saga.h"
#include "services/product/stock.h"
#include "services/user/wallet.h"

enum demo_database { DEMO_USER, DEMO_PRODUCT, DEMO_COUPON, DEMO_ORDER, DEMO_DATABASES };

enum demo_table {
    ROWS_ACCOUNT,
    ROWS_WALLET,
    ROWS_WALLET_HISTORY,
    ROWS_WALLET_ORDER_ENTRY,
    ROWS_PRODUCT,
    ROWS_IMAGE,
    ROWS_OPTION,
    ROWS_HOLD,
    ROWS_MOVEMENT,
    ROWS_CAMPAIGN,
    ROWS_COUPON,
    ROWS_COUPON_HISTORY,
    ROWS_ORDER,
    ROWS_PENDING,
    ROWS_ITEM,
    ROWS_ORDER_HISTORY,
    ROWS_PAYMENT,
    ROWS_PAYMENT_HISTORY,
    ROWS_SAGA,
    DEMO_TABLES
};

// Numbers of a sequence, fetched many at a time.
enum demo_sequence {
    SEQUENCE_ORDER,
    SEQUENCE_PAYMENT,
    SEQUENCE_SAGA,
    SEQUENCE_ENTRY,
    SEQUENCE_COUPON,
    DEMO_SEQUENCES
};

struct demo_size {
    int64_t orders, users, products, seed;
};

struct demo_user {
    struct wallet wallet;
    int64_t busy_until_us;    // its last wallet entry: entries of a user stand in the order of time
    int64_t claimed_campaign; // the last one that it has a coupon of
};

struct demo_product {
    int64_t id;
    const char *name;
};

struct demo {
    struct demo_size size;
    uint64_t random;
    int64_t start_us, now_us; // the shop's past
    struct arena *arena;      // of what lives as long as the load
    struct demo_user *users;
    struct demo_product *products;
    struct stock *options;
    size_t option_count;
    struct campaign *campaigns;
    size_t campaign_count;
    struct demo_sequences *sequences; // of demo_store.c
    struct status failure;            // of the sequences; the rows are worth nothing then
    struct copy rows[DEMO_TABLES];
};

enum { DEMO_LINES_MAX = 4 };

// A number from [low, high], the next of the seed's row.
int64_t demo_random(struct demo *demo, int64_t low, int64_t high);

// The next number of a sequence; 0, and demo->failure, when the database cannot be asked.
int64_t demo_number(struct demo *demo, enum demo_sequence sequence);

// How many options the index-th product has.
size_t demo_options_of(size_t product);

// Customers, products with their first stock, campaigns: rows of what orders refer to.
void demo_open_shop(struct demo *demo, const char *password_hash);

// What the orders have made of them: wallets and options.
void demo_close_shop(struct demo *demo);

// What is to become of an order.
struct demo_fate;

// By chance; `until_young` counts down to the orders that are so young that they may be PENDING: before
// them come those that a load has one of.
const struct demo_fate *demo_draw_fate(struct demo *demo, int64_t until_young);

// An order that is placed at a time: rows of all that happened to it until now. The arena is the order's.
void demo_live(struct demo *demo, struct arena *arena, const struct demo_fate *fate,
               int64_t placed_us);

// For the parts of the demo only

// An order while it is lived through.
struct demo_life {
    struct demo *demo;
    struct arena *arena;
    struct demo_user *user;
    struct stock *stocks[DEMO_LINES_MAX]; // of its lines
    struct order order;
    enum hold_status holds;
    struct user_coupon coupon; // id 0: none
    bool checkout;
    int64_t at_us; // how far it has come
};

// What a saga of the order did, and what stopped it.
struct demo_saga {
    const struct saga_definition *definition;
    ProtobufCMessage *context;
    const char *stopped_at;    // a step; NULL: none
    enum saga_outcome outcome; // of that step
    struct status failure;
    bool held;
    bool parked; // and it still is
};

// The saga's row with its timeline; order.saga_id becomes its id, at_us when it ended.
void demo_saga(struct demo_life *life, const struct demo_saga *saga);

void demo_movement(struct demo *demo, const struct movement *movement, int64_t at_us);

// The first history row of the coupon, and one for what it has become.
void demo_coupon_issued(struct demo_life *life);
void demo_coupon_change(struct demo_life *life, const struct user_coupon *before, int64_t at_us);

// The wallet's entry of this amount, which the rules allow.
void demo_entry(struct demo_life *life, enum entry_type type, int64_t amount_won);

// The rows of the order itself.
void demo_order_rows(struct demo_life *life);
