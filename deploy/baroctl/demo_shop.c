// The customers, the catalogue and the campaigns. Nothing here is an order's.

#include "deploy/baroctl/demo.h"
#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "lib/base/text.h"

enum {
    STOCK_LOW = 50,
    STOCK_HIGH = 500,
    CAMPAIGN_VALID_DAYS = 14,
    KNOWN_BEFORE_DAYS = 30, // customers and products are older than the first order
};

static const char *const ADJECTIVES[] = {"바로",   "포근한", "가벼운", "튼튼한",   "부드러운",
                                         "산뜻한", "작은",   "커다란", "오래가는", "새로운"};
static const char *const COLOURS[] = {"빨강", "파랑", "검정"};

static const struct {
    const char *name, *category;
    int64_t price_won;
} GOODS[] = {
    {"티셔츠", "clothes", 12900},
    {"후드",   "clothes", 39000},
    {"청바지", "clothes", 45000},
    {"운동화", "shoes",   69000},
    {"슬리퍼", "shoes",   9900 },
    {"가방",   "bags",    54000},
    {"지갑",   "bags",    29000},
    {"머그컵", "home",    8900 },
    {"담요",   "home",    24000},
    {"노트",   "office",  3500 },
    {"만년필", "office",  32000},
    {"우산",   "outdoor", 15900},
};

static const struct {
    const char *name;
    enum coupon_type type;
    int64_t value; // hundredths
    int64_t max_discount_won, min_order_won;
} CAMPAIGNS[] = {
    {"10 % 할인",    COUPON_PERCENT, 1000,   5000, 10000},
    {"3,000원 쿠폰", COUPON_FIXED,   300000, 0,    15000},
    {"5.5 % 할인",   COUPON_PERCENT, 550,    0,    0    },
};

static void open_account(struct demo *demo, struct demo_user *user, const char *password_hash)
{
    int64_t id = user->wallet.user_id;
    struct copy *rows = &demo->rows[ROWS_ACCOUNT];
    copy_row(rows);
    copy_int64(rows, id);
    copy_text(rows, text_printf(demo->arena, "demo%lld@example.com", (long long)id));
    copy_text(rows, "데모 손님");
    copy_text(rows, "USER");
    copy_text(rows, password_hash);
    user->wallet.updated_at_us =
        demo->start_us - demo_random(demo, 1, KNOWN_BEFORE_DAYS * US_PER_DAY);
    copy_time(rows, user->wallet.updated_at_us);
}

static void stock_option(struct demo *demo, struct stock *stock, size_t good, int64_t at_us)
{
    stock->price_won = GOODS[good].price_won + 100 * demo_random(demo, -20, 50);
    stock->total = demo_random(demo, STOCK_LOW, STOCK_HIGH);
    struct movement first = {stock->option_id, stock->total, MOVEMENT_INITIAL, 0, ""};
    demo_movement(demo, &first, at_us);
}

static void list_product(struct demo *demo, const struct demo_product *product, size_t good,
                         int64_t price_won, int64_t at_us)
{
    struct copy *rows = &demo->rows[ROWS_PRODUCT];
    copy_row(rows);
    copy_int64(rows, product->id);
    copy_text(rows, product->name);
    copy_text(rows, "바로 받는 데모 상품");
    copy_text(rows, GOODS[good].category);
    copy_bool(rows, true);
    copy_int64(rows, price_won);
    copy_time(rows, at_us);
    rows = &demo->rows[ROWS_IMAGE];
    copy_row(rows);
    copy_int64(rows, product->id);
    copy_int32(rows, 1);
    copy_text(rows, text_printf(demo->arena, "/images/demo-%zu.jpg", good));
    copy_int32(rows, 0);
}

size_t demo_options_of(size_t product)
{
    return 1 + product % COUNT(COLOURS);
}

static size_t open_product(struct demo *demo, size_t index, size_t first_option)
{
    struct demo_product *product = &demo->products[index];
    size_t good = (size_t)demo_random(demo, 0, COUNT(GOODS) - 1);
    const char *adjective = ADJECTIVES[demo_random(demo, 0, COUNT(ADJECTIVES) - 1)];
    int64_t at_us = demo->start_us - demo_random(demo, 1, KNOWN_BEFORE_DAYS * US_PER_DAY);
    int64_t cheapest_won = INT64_MAX;

    product->name = text_printf(demo->arena, "%s %s %zu", adjective, GOODS[good].name, index + 1);
    for (size_t i = 0; i < demo_options_of(index); i++) {
        struct stock *stock = &demo->options[first_option + i];
        stock->product_id = product->id;
        stock->product_name = product->name;
        stock->option_name = COLOURS[i];
        stock_option(demo, stock, good, at_us);
        if (stock->price_won < cheapest_won)
            cheapest_won = stock->price_won;
    }
    list_product(demo, product, good, cheapest_won, at_us);
    return first_option + demo_options_of(index);
}

// One after the other, the last one still open.
static void open_campaign(struct demo *demo, size_t index)
{
    struct campaign *campaign = &demo->campaigns[index];
    size_t kind = index % COUNT(CAMPAIGNS);
    int64_t length_us = (demo->now_us - demo->start_us) / (int64_t)demo->campaign_count;
    int64_t id = campaign->id, starts_us = demo->start_us + (int64_t)index * length_us;
    *campaign = (struct campaign){
        .id = id,
        .name = CAMPAIGNS[kind].name,
        .code = text_printf(demo->arena, "DEMO-%lld", (long long)id),
        .type = CAMPAIGNS[kind].type,
        .value = CAMPAIGNS[kind].value,
        .max_discount_won = CAMPAIGNS[kind].max_discount_won,
        .min_order_won = CAMPAIGNS[kind].min_order_won,
        .total_quantity = demo->size.users,
        .starts_at_us = starts_us,
        .ends_at_us =
            starts_us + length_us - 1 + (index + 1 == demo->campaign_count) * 7 * US_PER_DAY,
        .valid_days = CAMPAIGN_VALID_DAYS,
    };
    struct copy *rows = &demo->rows[ROWS_CAMPAIGN];
    copy_row(rows);
    copy_int64(rows, campaign->id);
    copy_text(rows, campaign->name);
    copy_text(rows, campaign->code);
    copy_text(rows, coupon_type_name(campaign->type));
    copy_int64(rows, campaign->value);
    copy_id(rows, campaign->max_discount_won);
    copy_int64(rows, campaign->min_order_won);
    copy_int64(rows, campaign->total_quantity);
    copy_time(rows, campaign->starts_at_us);
    copy_time(rows, campaign->ends_at_us);
    copy_int32(rows, (int32_t)campaign->valid_days);
    copy_time(rows, campaign->starts_at_us);
}

void demo_open_shop(struct demo *demo, const char *password_hash)
{
    for (int64_t i = 0; i < demo->size.users; i++)
        open_account(demo, &demo->users[i], password_hash);
    for (size_t i = 0, option = 0; i < (size_t)demo->size.products; i++)
        option = open_product(demo, i, option);
    for (size_t i = 0; i < demo->campaign_count; i++)
        open_campaign(demo, i);
}

void demo_close_shop(struct demo *demo)
{
    struct copy *rows = &demo->rows[ROWS_WALLET];
    for (int64_t i = 0; i < demo->size.users; i++) {
        const struct wallet *wallet = &demo->users[i].wallet;
        copy_row(rows);
        copy_int64(rows, wallet->user_id);
        copy_int64(rows, wallet->balance_won);
        copy_int64(rows, wallet->version);
        copy_time(rows, wallet->updated_at_us);
    }
    rows = &demo->rows[ROWS_OPTION];
    for (size_t i = 0; i < demo->option_count; i++) {
        const struct stock *stock = &demo->options[i];
        copy_row(rows);
        copy_int64(rows, stock->option_id);
        copy_int64(rows, stock->product_id);
        copy_text(rows, stock->option_name);
        copy_int64(rows, stock->price_won);
        copy_int64(rows, stock->total);
        copy_int64(rows, stock->held);
    }
}
