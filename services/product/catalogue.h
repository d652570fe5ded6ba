#pragma once
// Products, options and images as admins edit them and people read them; pure rules.

#include "lib/base/arena.h"
#include "lib/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PRODUCT_OPTIONS_MAX = 100, PRODUCT_IMAGES_MAX = 20 };

// A sellable variant of a product. What can be bought now is total - held.
struct option {
    int64_t id;
    int64_t product_id;
    const char *name;
    int64_t price_won;
    int64_t total;
    int64_t held;
};

struct image {
    const char *url;
    int64_t sequence;
};

struct product {
    int64_t id;
    const char *name;
    const char *description;
    const char *category;
    bool is_active;
    int64_t price_won; // of the cheapest option, 0 without options
    int64_t created_at_us;
    struct option *options; // by id
    size_t option_count;
    struct image *images; // by sequence
    size_t image_count;
    int64_t units_sold; // of lists by popularity
    int64_t last_paid_at_us;
};

// POPULAR is by what sold in the last 3 days (SPEC 6), what did not sell last.
enum product_sort { SORT_LATEST, SORT_PRICE_ASC, SORT_PRICE_DESC, SORT_POPULAR };

// "latest", "price_asc", "price_desc", "popular", and "" for the first. VALIDATION_ERROR on "sort".
struct status product_sort_parse(const char *word, enum product_sort *sort);
const char *product_sort_name(enum product_sort sort);

// Trims name and category into arena and checks the texts. VALIDATION_ERROR names the field.
struct status product_check(struct product *product, struct arena *arena);

// Trims the name and checks name, price (a multiple of 100, 0 to 10,000,000) and stock (`total`).
struct status option_check(struct option *option, struct arena *arena);

// URLs of http, https or without scheme, sequences from 0. VALIDATION_ERROR on "images".
struct status images_check(const struct image *images, size_t count);

// The lowest price of the options, 0 without any.
int64_t product_lowest_price(const struct product *product);
