// The rules of the nouns with any numbers and texts, as a peer that skips the gateway could send them. The
// first byte chooses the rule; what it lets through keeps its invariant, what it refuses changes nothing.

#include "lib/base/macros.h"
#include "services/coupon/coupon.h"
#include "services/order/order.h"
#include "services/product/catalogue.h"
#include "services/product/popularity.h"
#include "services/product/stock.h"
#include "services/user/account.h"
#include "services/user/wallet.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

__extension__ typedef __int128 wide;

static void wallet(struct input *input, struct arena *arena)
{
    (void)arena;
    int64_t balance = input_number(input) & INT64_MAX, amount = input_number(input);
    struct wallet wallet = {.user_id = 1, .balance_won = balance};
    struct entry entry = {0};
    enum entry_type type = (enum entry_type)(1 + input_below(input, ENTRY_TYPES - 1));
    struct status st = wallet_apply(&wallet, type, amount, &entry);
    if (failed(st))
        assert(wallet.balance_won == balance && wallet.version == 0);
    else
        assert((wide)balance + amount == wallet.balance_won && wallet.balance_won >= 0 &&
               entry.after_won == wallet.balance_won && entry.number == wallet.version);
}

static struct campaign read_campaign(struct input *input, struct arena *arena)
{
    return (struct campaign){
        .type = (enum coupon_type)input_below(input, 4),
        .value = input_number(input),
        .max_discount_won = input_number(input),
        .min_order_won = input_number(input),
        .total_quantity = input_number(input),
        .claimed = input_number(input),
        .starts_at_us = input_number(input),
        .ends_at_us = input_number(input),
        .valid_days = input_number(input),
        .last_day_us = input_number(input),
        .code = input_line(input, arena, NULL),
        .name = input_line(input, arena, NULL),
    };
}

static void campaign(struct input *input, struct arena *arena)
{
    int64_t amount = input_number(input) & INT64_MAX, now_us = input_number(input);
    struct campaign campaign = read_campaign(input, arena);
    struct user_coupon coupon;
    if (failed(campaign_check(&campaign)))
        return;
    int64_t discount = campaign_discount(&campaign, amount), claimed = campaign.claimed;
    assert(discount >= 0 && discount <= amount);
    assert(!campaign.max_discount_won || discount <= campaign.max_discount_won);
    struct status st = campaign_claim(&campaign, 1, false, now_us, &coupon);
    assert(campaign.claimed == claimed + !failed(st));
    assert(failed(st) || (campaign.claimed <= campaign.total_quantity &&
                          coupon.rank == campaign.claimed && coupon.expires_at_us > now_us));
}

static void stock(struct input *input, struct arena *arena)
{
    (void)arena;
    struct stock stock = {.held = (int64_t)input_byte(input)};
    stock.total = stock.held + input_byte(input);
    int64_t total = stock.total, quantity = input_number(input);
    struct movement movement;
    struct status st =
        stock_change(&stock, (enum stock_operation)input_below(input, 3), quantity, &movement);
    assert(stock.total >= stock.held && stock.total <= STOCK_MAX);
    assert(failed(st) ? stock.total == total : stock.total == total + movement.delta);
}

static void hold(struct input *input, struct arena *arena)
{
    struct hold_wish wish = {input_number(input), input_number(input), NULL, 0};
    struct hold_line *lines = arena_array(arena, 40, sizeof(*lines));
    while (wish.line_count < 40 && !input_is_empty(input))
        lines[wish.line_count++] = (struct hold_line){input_number(input), input_number(input)};
    wish.lines = lines;
    if (failed(hold_check(&wish)))
        return;
    int64_t units = 0;
    for (size_t i = 0; i < wish.line_count; i++)
        units += wish.lines[i].quantity;
    assert(units > 0 && units <= HOLD_UNITS_MAX && wish.order_id > 0);
}

static void wanted(struct input *input, struct arena *arena)
{
    size_t count = 0;
    struct wanted_line *lines = arena_array(arena, 64, sizeof(*lines));
    while (count < 64 && !input_is_empty(input))
        lines[count++] = (struct wanted_line){input_number(input), input_number(input)};
    if (failed(order_check_wanted(lines, &count)))
        return;
    int64_t units = 0;
    for (size_t i = 0; i < count; i++) {
        units += lines[i].quantity;
        for (size_t j = 0; j < i; j++)
            assert(lines[i].option_id != lines[j].option_id);
    }
    assert(units >= 1 && units <= ORDER_UNITS_MAX);
}

static void total(struct input *input, struct arena *arena)
{
    size_t count = 0;
    struct order_line *lines = arena_array(arena, 64, sizeof(*lines));
    wide sum = 0;
    bool fits = true;
    int64_t total_won = -1;
    for (; count < 64 && !input_is_empty(input); count++) {
        lines[count] = (struct order_line){.price_won = input_number(input) & INT64_MAX,
                                           .quantity = input_number(input) & INT32_MAX};
        sum += (wide)lines[count].price_won * lines[count].quantity;
        fits = fits && sum <= INT64_MAX;
    }
    struct status st = order_total(lines, count, &total_won);
    assert(failed(st) == !fits && (!fits || total_won == sum));
    (void)failed(order_check_products(lines, count));
}

static void account(struct input *input, struct arena *arena)
{
    size_t length;
    const char *email = input_line(input, arena, NULL), *name = input_line(input, arena, &length);
    const char *password = input_line(input, arena, NULL);
    bool good_email = !failed(account_check_email(email));
    assert(!good_email || (strlen(account_email_key(arena, email)) == strlen(email) &&
                           strpbrk(email, " \r\n,;<>\"\\") == NULL));
    bool good_name = !failed(account_check_name(name));
    assert(!good_name || (strlen(name) >= 2 && !strcasestr(name, "admin")));
    bool good_password = !failed(account_check_password(password));
    assert(!good_password || strlen(password) >= 8);
}

static void product(struct input *input, struct arena *arena)
{
    enum product_sort sort;
    struct option option = {.price_won = input_number(input), .total = input_number(input)};
    struct image image = {.sequence = input_number(input)};
    struct product product = {0};
    product.name = input_line(input, arena, NULL);
    product.category = input_line(input, arena, NULL);
    option.name = input_line(input, arena, NULL);
    image.url = input_line(input, arena, NULL);
    product.description = input_line(input, arena, NULL);
    (void)failed(product_sort_parse(product.category, &sort));
    (void)failed(product_check(&product, arena));
    assert(failed(option_check(&option, arena)) ||
           (option.price_won >= 0 && option.price_won <= 10000000 && option.price_won % 100 == 0 &&
            option.total >= 0 && option.total <= STOCK_MAX));
    assert(failed(images_check(&image, 1)) || strncasecmp(image.url, "javascript:", 11) != 0);
}

static void popular(struct input *input, struct arena *arena)
{
    uint8_t has = input_byte(input);
    struct popular_wish wish = {
        .has_days = has & 1,
        .has_limit = has & 2,
        .has_from = has & 4,
        .has_to = has & 8,
        .days = input_number(input),
        .limit = input_number(input),
        .from_us = input_number(input),
        .to_us = input_number(input),
        .snapshot = has & 16 ? input_line(input, arena, NULL) : NULL,
    };
    struct popular_query query;
    if (failed(popular_query_of(&wish, INT64_C(1800000000000000), &query)))
        return;
    assert(query.limit >= 1 && query.limit <= POPULAR_LIMIT_MAX);
    assert(query.of_snapshot || query.window.from_us < query.window.to_us);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const rules[])(struct input *, struct arena *) = {
        wallet, campaign, stock, hold, wanted, total, account, product, popular,
    };
    struct input input = input_of(data, size);
    rules[input_below(&input, COUNT(rules))](&input, input_arena());
    return 0;
}
