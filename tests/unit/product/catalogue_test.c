// What a catalogue entry may say.

#include "lib/base/macros.h"
#include "services/product/catalogue.h"
#include "services/product/stock.h"

#include <criterion/criterion.h>
#include <string.h>

static const char *repeat(struct arena *arena, const char *text, size_t count)
{
    size_t length = strlen(text);
    char *result = arena_alloc(arena, length * count + 1);
    for (size_t i = 0; i < count; i++)
        memcpy(result + i * length, text, length);
    return result;
}

static void expect(struct status st, const char *field, const char *what)
{
    cr_expect_eq(failed(st), field != NULL, "%s", what);
    if (field && failed(st))
        cr_expect_str_eq(st.field, field, "%s", what);
}

Test(catalogue, products_have_a_trimmed_name_of_up_to_200_characters)
{
    SCOPED(arena) *arena = arena_create();
    const struct {
        const char *name, *description, *category, *field;
    } cases[] = {
        {"티셔츠", "", "", NULL},
        {"", "", "", "name"},
        {"  \t ", "", "", "name"},
        {"a\nb", "", "", "name"},
        {repeat(arena, "가", 200), "", "", NULL},
        {repeat(arena, "가", 201), "", "", "name"},
        {"a", repeat(arena, "나\n", 2500), "", NULL},
        {"a", repeat(arena, "나", 5001), "", "description"},
        {"a", "", repeat(arena, "다", 50), NULL},
        {"a", "", repeat(arena, "다", 51), "category"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct product product = {.name = cases[i].name,
                                  .description = cases[i].description,
                                  .category = cases[i].category};
        expect(product_check(&product, arena), cases[i].field, cases[i].name);
    }
    struct product product = {.name = "  셔츠 ", .description = "", .category = " 옷 "};
    cr_assert(!failed(product_check(&product, arena)));
    cr_expect_str_eq(product.name, "셔츠");
    cr_expect_str_eq(product.category, "옷");
}

Test(catalogue, prices_are_multiples_of_100_up_to_ten_million)
{
    SCOPED(arena) *arena = arena_create();
    static const struct {
        const char *name;
        int64_t price, stock;
        const char *field;
    } cases[] = {
        {"L", 0,         0,             NULL   },
        {"L", 100,       STOCK_MAX,     NULL   },
        {"L", 10000000,  1,             NULL   },
        {"L", 10000100,  1,             "price"},
        {"L", 150,       1,             "price"},
        {"L", 99,        1,             "price"},
        {"L", -100,      1,             "price"},
        {"L", INT64_MIN, 1,             "price"},
        {"L", 100,       -1,            "stock"},
        {"L", 100,       STOCK_MAX + 1, "stock"},
        {" ", 100,       1,             "name" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct option option = {
            .name = cases[i].name, .price_won = cases[i].price, .total = cases[i].stock};
        expect(option_check(&option, arena), cases[i].field, cases[i].name);
    }
}

Test(catalogue, images_are_safe_to_show)
{
    SCOPED(arena) *arena = arena_create();
    const struct {
        const char *url;
        int64_t sequence;
        bool good;
    } cases[] = {
        {"https://cdn.example/a.png", 0, true},
        {"HTTP://cdn.example/a.png", 0, true},
        {"/images/a.png?v=1:2", 3, true},
        {"a.png", 0, true},
        {"", 0, false},
        {"javascript:alert(1)", 0, false},
        {"data:image/png;base64,AA", 0, false},
        {"https:a.png", 0, false},
        {"a b.png", 0, false},
        {"a\r\nb.png", 0, false},
        {"a.png", -1, false},
        {repeat(arena, "a", 2048), 0, true},
        {repeat(arena, "a", 2049), 0, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct image image = {cases[i].url, cases[i].sequence};
        expect(images_check(&image, 1), cases[i].good ? NULL : "images", cases[i].url);
    }
    struct image many[PRODUCT_IMAGES_MAX + 1];
    for (size_t i = 0; i < COUNT(many); i++)
        many[i] = (struct image){"a.png", 0};
    expect(images_check(many, PRODUCT_IMAGES_MAX), NULL, "20 images");
    expect(images_check(many, COUNT(many)), "images", "21 images");
}

Test(catalogue, lists_are_sorted_by_one_of_four_words)
{
    static const enum product_sort sorts[] = {SORT_LATEST, SORT_PRICE_ASC, SORT_PRICE_DESC,
                                              SORT_POPULAR};
    enum product_sort sort = SORT_POPULAR;
    for (size_t i = 0; i < COUNT(sorts); i++) {
        cr_expect(!failed(product_sort_parse(product_sort_name(sorts[i]), &sort)));
        cr_expect_eq(sort, sorts[i]);
    }
    cr_expect(!failed(product_sort_parse("", &sort)) && sort == SORT_LATEST);
    expect(product_sort_parse("price", &sort), "sort", "price");
}

Test(catalogue, a_product_costs_what_its_cheapest_option_costs)
{
    struct option options[] = {{.price_won = 300}, {.price_won = 100}, {.price_won = 200}};
    struct product product = {.options = options, .option_count = COUNT(options)};
    cr_expect_eq(product_lowest_price(&product), 100);
    product.option_count = 0;
    cr_expect_eq(product_lowest_price(&product), 0);
}
