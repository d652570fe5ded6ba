// Field by field, both directions; the rules are in catalogue.c and stock.c.

#include "services/product/wire.h"

#include "lib/base/protobuf.h"
#include "lib/base/text.h"
#include "lib/service/page.h"

// The keys of a page token: the id, then what the list is sorted by.
enum { PAGE_KEYS_MAX = 3 };

static size_t key_count(enum product_sort sort)
{
    switch (sort) {
    case SORT_LATEST:
        return 1;
    case SORT_PRICE_ASC:
    case SORT_PRICE_DESC:
        return 2;
    case SORT_POPULAR:
        return 3;
    }
    return 0;
}

static void page_keys(enum product_sort sort, const struct product *last,
                      int64_t keys[PAGE_KEYS_MAX])
{
    keys[0] = last->id;
    keys[1] = sort == SORT_POPULAR ? last->units_sold : last->price_won;
    keys[2] = last->last_paid_at_us;
}

struct status wire_product_query(const Baro__Product__ListProductsRequest *request, int64_t now_us,
                                 struct arena *arena, struct product_query *query)
{
    int64_t size, keys[PAGE_KEYS_MAX] = {0};
    struct product_query result = {
        .popular = window_of_days(now_us, POPULAR_DAYS),
        .search = text_trim(arena, request->search),
        .category = text_trim(arena, request->category),
        .from_start = !*request->page_token,
    };
    struct status st = product_sort_parse(request->sort, &result.sort);
    if (!failed(st))
        st = page_size(request->page_size, &size);
    if (!failed(st) && !result.from_start)
        st = page_token_parse(arena, request->page_token, product_sort_name(result.sort), keys,
                              key_count(result.sort));
    if (failed(st))
        return st;
    result.after_id = keys[0];
    result.after_price = result.after_units = keys[1];
    result.after_paid_at_us = keys[2];
    result.limit = size + 1;
    *query = result;
    return OK;
}

struct status wire_images(Baro__Product__Image *const *images, size_t count, struct arena *arena,
                          struct image **result)
{
    struct image *list = arena_array(arena, count + 1, sizeof(*list));
    for (size_t i = 0; i < count; i++)
        list[i] = (struct image){.url = images[i]->url, .sequence = images[i]->sequence};
    struct status st = images_check(list, count);
    if (!failed(st))
        *result = list;
    return st;
}

static struct status new_options(const Baro__Product__CreateProductRequest *request,
                                 struct arena *arena, struct product *product)
{
    product->options = arena_array(arena, request->n_options + 1, sizeof(*product->options));
    product->option_count = request->n_options;
    if (request->n_options > PRODUCT_OPTIONS_MAX)
        return invalid("options", "must be at most 100");
    for (size_t i = 0; i < request->n_options; i++) {
        product->options[i] = (struct option){
            .name = request->options[i]->name,
            .price_won = request->options[i]->price,
            .total = request->options[i]->stock,
        };
        struct status st = option_check(&product->options[i], arena);
        if (failed(st))
            return st;
    }
    return OK;
}

struct status wire_new_product(const Baro__Product__CreateProductRequest *request,
                               struct arena *arena, struct product *product)
{
    *product = (struct product){
        .name = request->name,
        .description = request->description,
        .category = request->category,
        .is_active = true,
        .image_count = request->n_images,
    };
    struct status st = product_check(product, arena);
    if (!failed(st))
        st = new_options(request, arena, product);
    if (!failed(st))
        st = wire_images(request->images, request->n_images, arena, &product->images);
    product->price_won = product_lowest_price(product);
    return st;
}

struct status wire_product_changes(const Baro__Product__UpdateProductRequest *request,
                                   struct arena *arena, struct product *product)
{
    if (request->name)
        product->name = request->name->value;
    if (request->description)
        product->description = request->description->value;
    if (request->category)
        product->category = request->category->value;
    if (request->is_active)
        product->is_active = request->is_active->value;
    return product_check(product, arena);
}

struct hold_wish wire_hold_wish(const Baro__Product__HoldStockRequest *request, struct arena *arena)
{
    struct hold_line *lines = arena_array(arena, request->n_lines + 1, sizeof(*lines));
    for (size_t i = 0; i < request->n_lines; i++)
        lines[i] = (struct hold_line){request->lines[i]->option_id, request->lines[i]->quantity};
    return (struct hold_wish){.order_id = request->order_id,
                              .ttl_ms = request->ttl_ms,
                              .lines = lines,
                              .line_count = request->n_lines};
}

struct popular_wish wire_popular_wish(const Baro__Product__ListPopularRequest *request)
{
    return (struct popular_wish){
        .has_days = request->days,
        .days = request->days ? request->days->value : 0,
        .has_limit = request->limit,
        .limit = request->limit ? request->limit->value : 0,
        .has_from = request->from,
        .from_us = request->from ? request->from->us : 0,
        .has_to = request->to,
        .to_us = request->to ? request->to->us : 0,
        .snapshot = request->snapshot,
    };
}

size_t wire_sales(const Baro__Order__OrderChanged *order, struct sale *sales)
{
    for (size_t i = 0; i < order->n_items; i++)
        sales[i] = (struct sale){
            .product_id = order->items[i]->product_id,
            .option_id = order->items[i]->option_id,
            .units = order->items[i]->quantity,
            .paid_at_us = order->paid_at->us,
        };
    return order->n_items;
}

static Baro__Product__Image **images_out(const struct product *product, struct arena *arena)
{
    Baro__Product__Image **list = arena_array(arena, product->image_count + 1, sizeof(*list));
    for (size_t i = 0; i < product->image_count; i++) {
        list[i] = arena_alloc(arena, sizeof **list);
        baro__product__image__init(list[i]);
        list[i]->url = protobuf_text(product->images[i].url);
        list[i]->sequence = (int32_t)product->images[i].sequence;
    }
    return list;
}

static Baro__Product__Option **options_out(const struct product *product, struct arena *arena)
{
    Baro__Product__Option **list = arena_array(arena, product->option_count + 1, sizeof(*list));
    for (size_t i = 0; i < product->option_count; i++) {
        const struct option *option = &product->options[i];
        list[i] = arena_alloc(arena, sizeof **list);
        baro__product__option__init(list[i]);
        list[i]->id = option->id;
        list[i]->name = protobuf_text(option->name);
        list[i]->price = option->price_won;
        list[i]->available = option->total - option->held;
    }
    return list;
}

static Baro__Product__AdminOption **admin_options_out(const struct product *product,
                                                      struct arena *arena)
{
    Baro__Product__AdminOption **list =
        arena_array(arena, product->option_count + 1, sizeof(*list));
    for (size_t i = 0; i < product->option_count; i++) {
        const struct option *option = &product->options[i];
        list[i] = arena_alloc(arena, sizeof **list);
        baro__product__admin_option__init(list[i]);
        list[i]->id = option->id;
        list[i]->name = protobuf_text(option->name);
        list[i]->price = option->price_won;
        list[i]->available = option->total - option->held;
        list[i]->total = option->total;
        list[i]->held = option->held;
    }
    return list;
}

static Baro__Product__ProductView *product_view(const struct product *product, struct arena *arena)
{
    Baro__Product__ProductView *view = arena_alloc(arena, sizeof(*view));
    baro__product__product_view__init(view);
    view->id = product->id;
    view->name = protobuf_text(product->name);
    view->description = protobuf_text(product->description);
    view->category = protobuf_text(product->category);
    view->is_active = product->is_active;
    view->price = product->price_won;
    view->n_options = product->option_count;
    view->options = options_out(product, arena);
    view->n_images = product->image_count;
    view->images = images_out(product, arena);
    view->created_at = wire_time(arena, product->created_at_us);
    return view;
}

const ProtobufCMessage *wire_product_view(const struct product *product, struct arena *arena)
{
    return &product_view(product, arena)->base;
}

const ProtobufCMessage *wire_admin_product(const struct product *product, struct arena *arena)
{
    Baro__Product__AdminProduct *view = arena_alloc(arena, sizeof(*view));
    baro__product__admin_product__init(view);
    view->id = product->id;
    view->name = protobuf_text(product->name);
    view->description = protobuf_text(product->description);
    view->category = protobuf_text(product->category);
    view->is_active = product->is_active;
    view->price = product_lowest_price(product);
    view->n_options = product->option_count;
    view->options = admin_options_out(product, arena);
    view->n_images = product->image_count;
    view->images = images_out(product, arena);
    view->created_at = wire_time(arena, product->created_at_us);
    return &view->base;
}

const ProtobufCMessage *wire_stock_level(const struct stock *stock, struct arena *arena)
{
    Baro__Product__StockLevel *level = arena_alloc(arena, sizeof(*level));
    baro__product__stock_level__init(level);
    level->option_id = stock->option_id;
    level->total = stock->total;
    level->held = stock->held;
    level->available = stock->total - stock->held;
    return &level->base;
}

const ProtobufCMessage *wire_product_page(const struct product_query *query,
                                          const struct product *products, size_t count,
                                          struct arena *arena)
{
    Baro__Product__ProductPage *page = arena_alloc(arena, sizeof(*page));
    size_t size = (size_t)query->limit - 1, shown = count > size ? size : count;

    baro__product__product_page__init(page);
    page->items = arena_array(arena, shown + 1, sizeof(*page->items));
    for (size_t i = 0; i < shown; i++)
        page->items[i] = product_view(&products[i], arena);
    page->n_items = shown = page_fit(page->items, shown);
    if (count > shown) {
        int64_t keys[PAGE_KEYS_MAX];
        page_keys(query->sort, &products[shown - 1], keys);
        page->next_page_token =
            page_token(arena, product_sort_name(query->sort), keys, key_count(query->sort));
    }
    return &page->base;
}

static Baro__Product__OptionFacts *option_facts(const struct stock *stock, struct arena *arena)
{
    Baro__Product__OptionFacts *facts = arena_alloc(arena, sizeof(*facts));
    baro__product__option_facts__init(facts);
    facts->option_id = stock->option_id;
    facts->product_id = stock->product_id;
    facts->product_name = protobuf_text(stock->product_name);
    facts->option_name = protobuf_text(stock->option_name);
    facts->price = stock->price_won;
    facts->available = stock->total - stock->held;
    facts->orderable = stock->orderable;
    return facts;
}

const ProtobufCMessage *wire_options_described(const struct book *book, const int64_t *option_ids,
                                               size_t count, struct arena *arena)
{
    Baro__Product__DescribeOptionsReply *reply = arena_alloc(arena, sizeof(*reply));
    baro__product__describe_options_reply__init(reply);
    reply->options = arena_array(arena, count + 1, sizeof(*reply->options));
    for (size_t i = 0; i < count; i++) {
        const struct stock *stock = book_stock(book, option_ids[i]);
        if (stock)
            reply->options[reply->n_options++] = option_facts(stock, arena);
    }
    return &reply->base;
}

const ProtobufCMessage *wire_held(const struct book *book, const struct hold_wish *wish,
                                  struct arena *arena)
{
    Baro__Product__HoldStockReply *reply = arena_alloc(arena, sizeof(*reply));
    const struct order_holds *order = book_order(book, wish->order_id);

    baro__product__hold_stock_reply__init(reply);
    reply->lines = arena_array(arena, wish->line_count + 1, sizeof(*reply->lines));
    reply->n_lines = wish->line_count;
    for (size_t i = 0; i < wish->line_count; i++)
        reply->lines[i] = option_facts(book_stock(book, wish->lines[i].option_id), arena);
    reply->expires_at = wire_time(arena, book->holds[order->first].expires_at_us);
    return &reply->base;
}

static Baro__Product__PopularProduct *ranked_out(const struct ranked *ranked, struct arena *arena)
{
    Baro__Product__PopularProduct *row = arena_alloc(arena, sizeof(*row));
    baro__product__popular_product__init(row);
    row->rank = ranked->rank;
    row->product_id = ranked->product_id;
    row->name = protobuf_text(ranked->name);
    row->price = ranked->price_won;
    row->units_sold = ranked->units_sold;
    row->last_paid_at = wire_time(arena, ranked->last_paid_at_us);
    return row;
}

const ProtobufCMessage *wire_ranking(const struct ranked *ranking, size_t count,
                                     struct arena *arena)
{
    Baro__Product__PopularPage *page = arena_alloc(arena, sizeof(*page));
    baro__product__popular_page__init(page);
    page->items = arena_array(arena, count + 1, sizeof(*page->items));
    page->n_items = count;
    for (size_t i = 0; i < count; i++)
        page->items[i] = ranked_out(&ranking[i], arena);
    return &page->base;
}
