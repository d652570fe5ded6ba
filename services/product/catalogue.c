// What a catalogue entry may say. Limits on length are ours: generous for people, small for a page.

#include "services/product/catalogue.h"

#include "lib/base/macros.h"
#include "lib/base/text.h"
#include "services/product/stock.h"

#include <string.h>

enum {
    NAME_MAX_LENGTH = 200,
    DESCRIPTION_MAX_LENGTH = 5000,
    CATEGORY_MAX_LENGTH = 50,
    OPTION_NAME_MAX_LENGTH = 100,
    URL_MAX_BYTES = 2048,
    PRICE_UNIT = 100,
    PRICE_MAX = 10000000,
};

static const char *const SORTS[] = {
    [SORT_LATEST] = "latest",
    [SORT_PRICE_ASC] = "price_asc",
    [SORT_PRICE_DESC] = "price_desc",
    [SORT_POPULAR] = "popular",
};

struct status product_sort_parse(const char *word, enum product_sort *sort)
{
    for (size_t i = 0; i < COUNT(SORTS); i++)
        if (strcmp(*word ? word : SORTS[SORT_LATEST], SORTS[i]) == 0) {
            *sort = (enum product_sort)i;
            return OK;
        }
    return invalid("sort", "must be latest, price_asc, price_desc or popular");
}

const char *product_sort_name(enum product_sort sort)
{
    return SORTS[sort];
}

static bool has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7F)
            return true;
    return false;
}

struct status product_check(struct product *product, struct arena *arena)
{
    product->name = text_trim(arena, product->name);
    product->category = text_trim(arena, product->category);
    size_t length = text_length_utf8(product->name);
    if (length < 1 || length > NAME_MAX_LENGTH || has_control(product->name))
        return invalid("name", "must be 1 to 200 characters");
    if (text_length_utf8(product->description) > DESCRIPTION_MAX_LENGTH)
        return invalid("description", "must be at most 5,000 characters");
    if (text_length_utf8(product->category) > CATEGORY_MAX_LENGTH || has_control(product->category))
        return invalid("category", "must be at most 50 characters");
    return OK;
}

struct status option_check(struct option *option, struct arena *arena)
{
    option->name = text_trim(arena, option->name);
    size_t length = text_length_utf8(option->name);
    if (length < 1 || length > OPTION_NAME_MAX_LENGTH || has_control(option->name))
        return invalid("name", "an option's name must be 1 to 100 characters");
    if (option->price_won < 0 || option->price_won > PRICE_MAX || option->price_won % PRICE_UNIT)
        return invalid("price", "must be a multiple of 100, 0 to 10,000,000");
    if (option->total < 0 || option->total > STOCK_MAX)
        return invalid("stock", "must be 0 to 1,000,000,000");
    return OK;
}

// A colon before any slash, ? or # ends a scheme; of schemes only http and https are safe to show.
static bool is_safe_url(const char *url)
{
    size_t size = strlen(url), before = strcspn(url, ":/?#");
    if (size < 1 || size > URL_MAX_BYTES || has_control(url) || strchr(url, ' '))
        return false;
    return url[before] != ':' || !strncasecmp(url, "https://", 8) ||
           !strncasecmp(url, "http://", 7);
}

struct status images_check(const struct image *images, size_t count)
{
    if (count > PRODUCT_IMAGES_MAX)
        return invalid("images", "must be at most 20");
    for (size_t i = 0; i < count; i++) {
        if (!is_safe_url(images[i].url))
            return invalid("images", "a url must be http, https or relative");
        if (images[i].sequence < 0)
            return invalid("images", "a sequence must not be negative");
    }
    return OK;
}

int64_t product_lowest_price(const struct product *product)
{
    int64_t lowest = product->option_count ? product->options[0].price_won : 0;
    for (size_t i = 1; i < product->option_count; i++)
        if (product->options[i].price_won < lowest)
            lowest = product->options[i].price_won;
    return lowest;
}
