// The catalogue on a real database: what people find and read, what admins change, who may.

#include "lib/base/macros.h"
#include "lib/base/text.h"
#include "tests/integration/product/depot.h"
#include "tests/support/database.h"

#include <criterion/criterion.h>
#include <string.h>

static char *mutable(const char *text)
{
    return (char *)(uintptr_t)text;
}

// An active product with one option of 10 units.
static int64_t given_named(struct depot *depot, const char *name, const char *description,
                           const char *category, int64_t price)
{
    Baro__Product__CreateProductRequest request;
    Baro__Product__NewOption option, *options[] = {&option};
    baro__product__new_option__init(&option);
    option.name = mutable("M");
    option.price = price;
    option.stock = 10;
    baro__product__create_product_request__init(&request);
    request.name = mutable(name);
    request.description = mutable(description);
    request.category = mutable(category);
    request.options = options;
    request.n_options = 1;
    const Baro__Product__AdminProduct *product =
        rig_done(depot->rig, "CreateProduct", as_admin(), &request.base);
    return product->id;
}

static const struct asked *ask_list(struct depot *depot, const char *search, const char *sort,
                                    int32_t size, const char *token)
{
    Baro__Product__ListProductsRequest request;
    baro__product__list_products_request__init(&request);
    request.search = mutable(search);
    request.sort = mutable(sort);
    request.page_size = size;
    request.page_token = mutable(token);
    return rig_call(depot->rig, "ListProducts", as_nobody(), &request.base);
}

static const Baro__Product__ProductPage *list(struct depot *depot, const char *search,
                                              const char *sort, int32_t size, const char *token)
{
    return reply_of(ask_list(depot, search, sort, size, token));
}

static const struct asked *get(struct depot *depot, int64_t id)
{
    Baro__Product__GetProductRequest request;
    baro__product__get_product_request__init(&request);
    request.product_id = id;
    return rig_call(depot->rig, "GetProduct", as_nobody(), &request.base);
}

static const struct asked *set_active(struct depot *depot, int64_t id, bool value)
{
    Baro__Product__UpdateProductRequest request;
    Baro__Bool active;
    baro__bool__init(&active);
    active.value = value;
    baro__product__update_product_request__init(&request);
    request.product_id = id;
    request.is_active = &active;
    return rig_call(depot->rig, "UpdateProduct", as_admin(), &request.base);
}

static const struct asked *delete_product(struct depot *depot, int64_t id)
{
    Baro__Product__DeleteProductRequest request;
    baro__product__delete_product_request__init(&request);
    request.product_id = id;
    return rig_call(depot->rig, "DeleteProduct", as_admin(), &request.base);
}

Test(catalogue, search_takes_percent_and_underscore_at_their_word)
{
    static const struct {
        const char *search;
        size_t found;
    } cases[] =
        {
            {"100%",    1},
            {"%",       2},
            {"_",       2},
            {"a_b",     1},
            {"COTTON",  2}, // in a name and in a description
            {"cotton",  2},
            {"면",      2},
            {"\\",      1},
            {"\\%",     0},
            {"%\\_",    1},
            {"\\\\",    0},
            {"100_",    0},
            {"면 양말", 1},
            {"양말 면", 0},
            {"éCLAIR",  1},
            {"silk",    0},
            {"",        6},
    };
    struct depot *depot = depot_open((struct rig_size){1, 0});
    given_named(depot, "Cotton shirt", "100% 면", "옷", 1000);
    given_named(depot, "Socks", "of cotton", "옷", 1000);
    given_named(depot, "a_b", "", "책", 1000);
    given_named(depot, "5%\\_x", "", "책", 1000);
    given_named(depot, "따뜻한 면 양말", "", "옷", 1000);
    given_named(depot, "Éclair", "", "빵", 1000);
    for (size_t i = 0; i < COUNT(cases); i++)
        cr_expect_eq(list(depot, cases[i].search, "", 0, "")->n_items, cases[i].found, "'%s'",
                     cases[i].search);
    depot_close(depot);
}

static const Baro__Product__ProductPage *list_category(struct depot *depot, const char *category,
                                                       const char *search, int32_t size,
                                                       const char *token)
{
    Baro__Product__ListProductsRequest request;
    baro__product__list_products_request__init(&request);
    request.category = mutable(category);
    request.search = mutable(search);
    request.page_size = size;
    request.page_token = mutable(token);
    return rig_done(depot->rig, "ListProducts", as_nobody(), &request.base);
}

Test(catalogue, a_category_is_a_whole_word_and_goes_with_a_search)
{
    struct depot *depot = depot_open((struct rig_size){1, 0});
    given_named(depot, "red shirt", "", "옷", 1000);
    given_named(depot, "red book", "", "책", 1000);
    given_named(depot, "blue shirt", "", "옷", 1000);
    cr_expect_eq(list_category(depot, "옷", "", 0, "")->n_items, 2);
    cr_expect_eq(list_category(depot, "옷", "RED", 0, "")->n_items, 1);
    cr_expect_eq(list_category(depot, "%", "", 0, "")->n_items, 0);
    cr_expect_eq(list_category(depot, "음식", "", 0, "")->n_items, 0);
    cr_expect_eq(list_category(depot, "", "", 0, "")->n_items, 3);
    const Baro__Product__ProductPage *first = list_category(depot, "옷", "", 1, "");
    cr_assert_str_eq(first->items[0]->name, "blue shirt");
    const Baro__Product__ProductPage *last =
        list_category(depot, "옷", "", 1, first->next_page_token);
    cr_assert_str_eq(last->items[0]->name, "red shirt");
    cr_assert_str_eq(last->next_page_token, "");
    depot_close(depot);
}

// Walks a list page by page; a product that is inserted on the way must not repeat or hide others.
static void walk(struct depot *depot, const char *sort, const int64_t *expected, size_t count)
{
    const char *token = "";
    size_t seen = 0;
    do {
        const Baro__Product__ProductPage *page = list(depot, "", sort, 2, token);
        for (size_t i = 0; i < page->n_items; i++) {
            if (strcmp(page->items[i]->name, "late") == 0)
                continue;
            cr_assert_lt(seen, count, "%s", sort);
            cr_expect_eq(page->items[i]->id, expected[seen], "%s at %zu", sort, seen);
            seen++;
        }
        token = page->next_page_token;
        given_named(depot, "late", "", "", 2000);
    } while (*token && seen < count);
    cr_expect_eq(seen, count, "%s", sort);
    SCOPED(db) *db = rig_db(depot->rig);
    test_script(db, "UPDATE product SET deleted_at = baro_now() WHERE name = 'late'");
}

Test(catalogue, pages_of_every_order_are_stable_under_inserts)
{
    struct depot *depot = depot_open((struct rig_size){1, 0});
    static const int64_t prices[] = {3000, 1000, 2000, 1000, 3000};
    int64_t p[COUNT(prices)];
    for (size_t i = 0; i < COUNT(prices); i++)
        p[i] = given_named(depot, "early", "", "", prices[i]);
    walk(depot, "latest", (const int64_t[]){p[4], p[3], p[2], p[1], p[0]}, COUNT(p));
    walk(depot, "popular", (const int64_t[]){p[4], p[3], p[2], p[1], p[0]}, COUNT(p));
    walk(depot, "price_asc", (const int64_t[]){p[1], p[3], p[2], p[0], p[4]}, COUNT(p));
    walk(depot, "price_desc", (const int64_t[]){p[4], p[0], p[2], p[3], p[1]}, COUNT(p));
    depot_close(depot);
}

// 5,000 letters of three bytes each.
static char *long_description(void)
{
    static char text[3 * 5000 + 1];
    for (size_t i = 0; i + 3 < sizeof(text); i += 3)
        memcpy(text + i, "가", 3);
    return text;
}

// Twenty of the largest do not fit a message between services.
Test(catalogue, a_page_of_large_products_is_shorter_and_the_next_goes_on_from_there)
{
    enum { PRODUCTS = 20 };
    struct depot *depot = depot_open((struct rig_size){1, 0});
    int64_t ids[PRODUCTS];
    for (size_t i = 0; i < PRODUCTS; i++)
        ids[i] = given_named(depot, "large", long_description(), "", 1000);
    const Baro__Product__ProductPage *page = list(depot, "", "", 0, "");
    cr_assert(page->n_items > 10 && page->n_items < PRODUCTS, "%zu", page->n_items);
    cr_expect_eq(page->items[page->n_items - 1]->id, ids[PRODUCTS - page->n_items]);
    size_t rest = PRODUCTS - page->n_items;
    page = list(depot, "", "", 0, page->next_page_token);
    cr_assert_eq(page->n_items, rest);
    cr_expect_eq(page->items[0]->id, ids[rest - 1]);
    cr_expect_str_empty(page->next_page_token);
    depot_close(depot);
}

Test(catalogue, lists_refuse_what_they_do_not_know)
{
    struct depot *depot = depot_open((struct rig_size){1, 0});
    for (int i = 0; i < 3; i++)
        given_named(depot, "a", "", "", 1000);
    const char *token = list(depot, "", "latest", 1, "")->next_page_token;
    cr_assert(*token);
    expect_invalid(ask_list(depot, "", "cheap", 0, ""), "sort");
    expect_invalid(ask_list(depot, "", "", 101, ""), "page_size");
    expect_invalid(ask_list(depot, "", "", -1, ""), "page_size");
    expect_invalid(ask_list(depot, "", "", 0, "nonsense!"), "page_token");
    expect_invalid(ask_list(depot, "", "price_asc", 0, token), "page_token");
    depot_close(depot);
}

Test(catalogue, inactive_products_are_readable_but_not_listed_and_deleted_ones_are_gone)
{
    struct depot *depot = depot_open((struct rig_size){1, 0});
    int64_t id = given_named(depot, "a", "", "", 1000);
    reply_of(set_active(depot, id, false));
    cr_expect_eq(list(depot, "", "", 0, "")->n_items, 0);
    const Baro__Product__ProductView *view = reply_of(get(depot, id));
    cr_expect(!view->is_active);
    reply_of(set_active(depot, id, true));
    cr_expect_eq(list(depot, "", "", 0, "")->n_items, 1);
    reply_of(delete_product(depot, id));
    cr_expect_eq(list(depot, "", "", 0, "")->n_items, 0);
    expect_refused(get(depot, id), REASON_PRODUCT_NOT_FOUND);
    expect_refused(delete_product(depot, id), REASON_PRODUCT_NOT_FOUND);
    expect_refused(set_active(depot, id, true), REASON_PRODUCT_NOT_FOUND);
    depot_close(depot);
}

static const struct asked *add_option(struct depot *depot, int64_t product_id, int64_t price)
{
    Baro__Product__AddOptionRequest request;
    baro__product__add_option_request__init(&request);
    request.product_id = product_id;
    request.name = mutable("XL");
    request.price = price;
    request.stock = 3;
    return rig_call(depot->rig, "AddOption", as_admin(), &request.base);
}

static const struct asked *set_price(struct depot *depot, int64_t option_id, int64_t price)
{
    Baro__Product__UpdateOptionRequest request;
    Baro__Int64 value;
    baro__int64__init(&value);
    value.value = price;
    baro__product__update_option_request__init(&request);
    request.option_id = option_id;
    request.price = &value;
    return rig_call(depot->rig, "UpdateOption", as_admin(), &request.base);
}

Test(catalogue, a_products_price_follows_its_cheapest_option)
{
    struct depot *depot = depot_open((struct rig_size){1, 0});
    int64_t id = given_named(depot, "a", "", "", 1000);
    const Baro__Product__AdminProduct *product = reply_of(add_option(depot, id, 500));
    cr_assert_eq(product->n_options, 2);
    cr_expect_eq(product->price, 500);
    cr_expect_eq(product->options[1]->total, 3);
    int64_t added = product->options[1]->id;
    product = reply_of(set_price(depot, added, 1500));
    cr_expect_eq(product->price, 1000);
    const Baro__Product__ProductView *view = reply_of(get(depot, id));
    cr_expect_eq(view->price, 1000);
    cr_expect_eq(view->options[1]->price, 1500);
    expect_invalid(set_price(depot, added, 150), "price");
    expect_refused(set_price(depot, added + 999, 100), REASON_OPTION_NOT_FOUND);
    expect_refused(add_option(depot, id + 999, 100), REASON_PRODUCT_NOT_FOUND);
    depot_close(depot);
}

static const struct asked *set_images(struct depot *depot, int64_t id, const char *first,
                                      const char *second)
{
    Baro__Product__ReplaceImagesRequest request;
    Baro__Product__Image images[2], *list_of[] = {&images[0], &images[1]};
    for (size_t i = 0; i < 2; i++)
        baro__product__image__init(&images[i]);
    images[0].url = mutable(first);
    images[0].sequence = 2;
    images[1].url = mutable(second);
    images[1].sequence = 1;
    baro__product__replace_images_request__init(&request);
    request.product_id = id;
    request.images = list_of;
    request.n_images = 2;
    return rig_call(depot->rig, "ReplaceImages", as_admin(), &request.base);
}

Test(catalogue, images_are_replaced_as_a_whole_and_shown_by_sequence)
{
    struct depot *depot = depot_open((struct rig_size){1, 0});
    int64_t id = given_named(depot, "a", "", "", 1000);
    reply_of(set_images(depot, id, "/old-1.png", "/old-2.png"));
    reply_of(set_images(depot, id, "/b.png", "/a.png"));
    const Baro__Product__ProductView *view = reply_of(get(depot, id));
    cr_assert_eq(view->n_images, 2);
    cr_expect_str_eq(view->images[0]->url, "/a.png");
    cr_expect_str_eq(view->images[1]->url, "/b.png");
    expect_invalid(set_images(depot, id, "javascript:1", "/a.png"), "images");
    depot_close(depot);
}

static const struct asked *change_stock(struct depot *depot, struct as as, int64_t option_id,
                                        const char *operation, int64_t quantity)
{
    Baro__Product__ChangeStockRequest request;
    baro__product__change_stock_request__init(&request);
    request.option_id = option_id;
    request.operation = mutable(operation);
    request.quantity = quantity;
    request.note = mutable("재고 조사");
    return rig_call(depot->rig, "ChangeStock", as, &request.base);
}

Test(stock, every_change_by_hand_is_a_movement_and_never_goes_below_what_is_held)
{
    struct depot *depot = depot_open((struct rig_size){1, 0});
    int64_t option = given_stock(depot, 10);
    reply_of(hold(depot, 1, option, 4));
    const Baro__Product__StockLevel *level =
        reply_of(change_stock(depot, as_admin(), option, "decrease", 6));
    cr_expect_eq(level->total, 4);
    cr_expect_eq(level->held, 4);
    cr_expect_eq(level->available, 0);
    expect_refused(change_stock(depot, as_admin(), option, "decrease", 1),
                   REASON_INSUFFICIENT_STOCK);
    reply_of(change_stock(depot, as_admin(), option, "increase", 1));
    reply_of(change_stock(depot, as_admin(), option, "set", 5)); // as it is
    cr_expect_eq(rig_number(depot->rig, "SELECT count(*) FROM stock_movement WHERE kind = 'ADMIN'"
                                        " AND note = '재고 조사'"),
                 2);
    expect_invalid(change_stock(depot, as_admin(), option, "double", 1), "operation");
    expect_invalid(change_stock(depot, as_admin(), option, "increase", 0), "quantity");
    expect_refused(change_stock(depot, as_admin(), option + 999, "set", 1),
                   REASON_OPTION_NOT_FOUND);
    depot_close(depot);
}

Test(stock, a_change_under_a_key_is_made_once)
{
    struct depot *depot = depot_open((struct rig_size){1, 0});
    int64_t option = given_stock(depot, 10);
    struct as as = as_admin();
    as.key = "count-1";
    for (int i = 0; i < 3; i++) {
        const Baro__Product__StockLevel *level =
            reply_of(change_stock(depot, as, option, "increase", 5));
        cr_expect_eq(level->total, 15);
    }
    expect_refused(change_stock(depot, as, option, "increase", 6), REASON_IDEMPOTENCY_KEY_REUSED);
    cr_expect_eq(total_of(depot, option), 15);
    depot_close(depot);
}

Test(stock, options_are_described_to_other_services_as_far_as_they_are_known)
{
    struct depot *depot = depot_open((struct rig_size){1, 0});
    int64_t option = given_stock(depot, 10), ids[] = {option + 999, option};
    Baro__Product__DescribeOptionsRequest request;
    reply_of(hold(depot, 1, option, 4));
    baro__product__describe_options_request__init(&request);
    request.option_ids = ids;
    request.n_option_ids = COUNT(ids);
    const Baro__Product__DescribeOptionsReply *reply =
        rig_done(depot->rig, "DescribeOptions", as_service(), &request.base);
    cr_assert_eq(reply->n_options, 1);
    cr_expect_eq(reply->options[0]->option_id, option);
    cr_expect_eq(reply->options[0]->available, 6);
    cr_expect(reply->options[0]->orderable);
    depot_close(depot);
}

// Sends every method an empty request as somebody else: none may get further than the door.
Test(access, methods_turn_away_whoever_they_are_not_for)
{
    static const struct {
        const char *method;
        bool admin, service;
    } rows[] = {
        {"CreateProduct",   true,  false},
        {"UpdateProduct",   true,  false},
        {"DeleteProduct",   true,  false},
        {"AddOption",       true,  false},
        {"UpdateOption",    true,  false},
        {"ReplaceImages",   true,  false},
        {"ChangeStock",     true,  false},
        {"DescribeOptions", false, true },
        {"HoldStock",       false, true },
        {"ConfirmStock",    false, true },
        {"ReleaseStock",    false, true },
        {"ReturnStock",     false, true },
        {"CheckLaw",        false, true },
        {"ListOrderFacts",  false, true },
    };
    struct depot *depot = depot_open((struct rig_size){1, 0});
    cr_expect_eq(COUNT(rows) + 3, product_methods.count, "three are for anybody");
    for (size_t i = 0; i < COUNT(rows); i++) {
        SCOPED(arena) *arena = arena_create();
        const ProtobufCMethodDescriptor *method = protobuf_c_service_descriptor_get_method_by_name(
            product_methods.service, rows[i].method);
        ProtobufCMessage *request = arena_alloc(arena, method->input->sizeof_message);
        method->input->message_init(request);
        expect_refused(rig_call(depot->rig, rows[i].method, as_nobody(), request),
                       REASON_UNAUTHENTICATED);
        expect_refused(rig_call(depot->rig, rows[i].method, as_user(7), request), REASON_FORBIDDEN);
        if (!rows[i].admin)
            expect_refused(rig_call(depot->rig, rows[i].method, as_admin(), request),
                           REASON_FORBIDDEN);
        if (!rows[i].service)
            expect_refused(rig_call(depot->rig, rows[i].method, as_service(), request),
                           REASON_FORBIDDEN);
    }
    depot_close(depot);
}
