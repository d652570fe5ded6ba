// The calls that show and edit the catalogue. Edits lock the product's row first and keep its lowest
// price; they run one by one, since admins are few.

#include "proto/product.pb-c.h"
#include "services/product/service.h"
#include "services/product/store.h"
#include "services/product/wire.h"

#include <assert.h>

static struct status no_product(void)
{
    return refuse(REASON_PRODUCT_NOT_FOUND, "there is no such product");
}

static struct status no_option(void)
{
    return refuse(REASON_OPTION_NOT_FOUND, "there is no such option");
}

// Runs the calls of a batch one by one. `one` settles its call; what it returns is a failure of the
// whole batch.
static struct status one_by_one(struct batch *batch,
                                struct status (*one)(struct batch *batch, struct call *call))
{
    struct call *call;
    struct status st = OK;
    for (size_t i = 0; !failed(st) && (call = batch_next(batch, &i)); i++)
        st = one(batch, call);
    return st;
}

static struct status list_products(struct batch *batch, struct call *call)
{
    struct product_query query;
    struct product *products;
    size_t count;
    struct status st =
        wire_product_query((const void *)call->request, batch->now_us, batch->arena, &query);
    if (failed(st)) {
        call_refuse(call, st);
        return OK;
    }
    st = store_list_products(batch->tx, batch->arena, &query, &products, &count);
    if (!failed(st))
        call_reply(call, wire_product_page(&query, products, count, batch->arena));
    return st;
}

struct status handle_list_products(struct batch *batch)
{
    return one_by_one(batch, list_products);
}

static const struct product *find_product(const struct product *products, size_t count, int64_t id)
{
    for (size_t i = 0; i < count; i++)
        if (products[i].id == id)
            return &products[i];
    return NULL;
}

static int64_t product_asked_for(const struct call *call)
{
    return ((const Baro__Product__GetProductRequest *)(const void *)call->request)->product_id;
}

struct status handle_get_product(struct batch *batch)
{
    int64_t *ids = arena_array(batch->arena, batch->count, sizeof(*ids));
    struct product *products;
    size_t id_count = 0, count;
    struct call *call;

    for (size_t i = 0; (call = batch_next(batch, &i)); i++)
        ids[id_count++] = product_asked_for(call);
    struct status st =
        store_find_products(batch->tx, batch->arena, ids, id_count, &products, &count);
    if (failed(st))
        return st;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        const struct product *product = find_product(products, count, product_asked_for(call));
        if (product)
            call_reply(call, wire_product_view(product, batch->arena));
        else
            call_refuse(call, no_product());
    }
    return OK;
}

static struct status create_product(struct batch *batch, struct call *call)
{
    struct product product;
    struct status st = wire_new_product((const void *)call->request, batch->arena, &product);
    if (failed(st)) {
        call_refuse(call, st);
        return OK;
    }
    st = store_insert_product(batch->tx, &product);
    if (!failed(st))
        st = store_insert_options(batch->tx, batch->arena, product.id, product.options,
                                  product.option_count);
    if (!failed(st))
        st = store_replace_images(batch->tx, batch->arena, product.id, product.images,
                                  product.image_count);
    if (!failed(st))
        call_reply(call, wire_admin_product(&product, batch->arena));
    return st;
}

struct status handle_create_product(struct batch *batch)
{
    return one_by_one(batch, create_product);
}

static struct status update_product(struct batch *batch, struct call *call)
{
    const Baro__Product__UpdateProductRequest *request = (const void *)call->request;
    struct product *product;
    struct status st = store_lock_product(batch->tx, batch->arena, request->product_id, &product);
    if (failed(st))
        return st;
    struct status refusal =
        product ? wire_product_changes(request, batch->arena, product) : no_product();
    if (failed(refusal)) {
        call_refuse(call, refusal);
        return OK;
    }
    call_reply(call, wire_admin_product(product, batch->arena));
    return store_update_product(batch->tx, product);
}

struct status handle_update_product(struct batch *batch)
{
    return one_by_one(batch, update_product);
}

static struct status delete_product(struct batch *batch, struct call *call)
{
    const Baro__Product__DeleteProductRequest *request = (const void *)call->request;
    bool found;
    struct status st = store_delete_product(batch->tx, request->product_id, &found);
    if (failed(st))
        return st;
    if (found)
        call_reply(call, wire_empty());
    else
        call_refuse(call, no_product());
    return OK;
}

struct status handle_delete_product(struct batch *batch)
{
    return one_by_one(batch, delete_product);
}

// The product with room for one option more.
static struct option *append_option(struct product *product, struct arena *arena)
{
    struct option *options = arena_array(arena, product->option_count + 1, sizeof(*options));
    for (size_t i = 0; i < product->option_count; i++)
        options[i] = product->options[i];
    product->options = options;
    return &options[product->option_count++];
}

static struct status check_new_option(const Baro__Product__AddOptionRequest *request,
                                      struct arena *arena, const struct product *product,
                                      struct option *option)
{
    if (!product)
        return no_product();
    if (product->option_count >= PRODUCT_OPTIONS_MAX)
        return invalid("options", "must be at most 100");
    *option = (struct option){
        .name = request->name, .price_won = request->price, .total = request->stock};
    return option_check(option, arena);
}

static struct status add_option(struct batch *batch, struct call *call)
{
    const Baro__Product__AddOptionRequest *request = (const void *)call->request;
    struct product *product;
    struct option option;
    struct status st = store_lock_product(batch->tx, batch->arena, request->product_id, &product);
    if (failed(st))
        return st;
    struct status refusal = check_new_option(request, batch->arena, product, &option);
    if (failed(refusal)) {
        call_refuse(call, refusal);
        return OK;
    }
    st = store_insert_options(batch->tx, batch->arena, product->id, &option, 1);
    if (failed(st))
        return st;
    *append_option(product, batch->arena) = option;
    call_reply(call, wire_admin_product(product, batch->arena));
    return store_update_product(batch->tx, product);
}

struct status handle_add_option(struct batch *batch)
{
    return one_by_one(batch, add_option);
}

static struct option *find_option(const struct product *product, int64_t id)
{
    for (size_t i = 0; i < product->option_count; i++)
        if (product->options[i].id == id)
            return &product->options[i];
    return NULL;
}

static struct status change_option(const Baro__Product__UpdateOptionRequest *request,
                                   struct arena *arena, struct option *option)
{
    if (!option)
        return no_option();
    if (request->name)
        option->name = request->name->value;
    if (request->price)
        option->price_won = request->price->value;
    return option_check(option, arena);
}

static struct status update_option(struct batch *batch, struct call *call)
{
    const Baro__Product__UpdateOptionRequest *request = (const void *)call->request;
    struct product *product;
    struct status st =
        store_lock_product_of_option(batch->tx, batch->arena, request->option_id, &product);
    if (failed(st))
        return st;
    struct option *option = product ? find_option(product, request->option_id) : NULL;
    struct status refusal = change_option(request, batch->arena, option);
    if (failed(refusal)) {
        call_refuse(call, refusal);
        return OK;
    }
    call_reply(call, wire_admin_product(product, batch->arena));
    st = store_update_option(batch->tx, option);
    return failed(st) ? st : store_update_product(batch->tx, product);
}

struct status handle_update_option(struct batch *batch)
{
    return one_by_one(batch, update_option);
}

static struct status replace_images(struct batch *batch, struct call *call)
{
    const Baro__Product__ReplaceImagesRequest *request = (const void *)call->request;
    struct product *product;
    struct image *images = NULL;
    struct status st = store_lock_product(batch->tx, batch->arena, request->product_id, &product);
    if (failed(st))
        return st;
    struct status refusal =
        product ? wire_images(request->images, request->n_images, batch->arena, &images)
                : no_product();
    if (failed(refusal)) {
        call_refuse(call, refusal);
        return OK;
    }
    assert(product);
    product->images = images;
    product->image_count = request->n_images;
    call_reply(call, wire_admin_product(product, batch->arena));
    return store_replace_images(batch->tx, batch->arena, product->id, images, request->n_images);
}

struct status handle_replace_images(struct batch *batch)
{
    return one_by_one(batch, replace_images);
}
