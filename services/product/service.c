// What the product service offers, and to whom.

#include "services/product/service.h"

#include "lib/base/macros.h"
#include "lib/bus/inbox.h"
#include "lib/saga/barrier.h"
#include "lib/service/laws.h"
#include "proto/product.pb-c.h"
#include "services/product/laws.h"

static struct status handle_check_law(struct batch *batch)
{
    return check_law_handle(batch, &product_laws);
}

static struct status handle_list_order_facts(struct batch *batch)
{
    return list_order_facts_handle(batch, &product_laws);
}

// clang-format off
static const struct method METHODS[] = {
    {"ListProducts",    METHOD_READ,  ACCESS_ANYBODY, handle_list_products,    .batch_max = 16},
    {"GetProduct",      METHOD_READ,  ACCESS_ANYBODY, handle_get_product,      .batch_max = 64},
    {"ListPopular",     METHOD_READ,  ACCESS_ANYBODY, handle_list_popular,     .batch_max = 64},
    {"CreateProduct",   METHOD_WRITE, ACCESS_ADMIN,   handle_create_product,   .guard = &idempotency_guard},
    // They lock rows one after the other: in a batch, in any order.
    {"UpdateProduct",   METHOD_WRITE, ACCESS_ADMIN,   handle_update_product,   .guard = &idempotency_guard, .batch_max = 1},
    {"DeleteProduct",   METHOD_WRITE, ACCESS_ADMIN,   handle_delete_product,   .guard = &idempotency_guard, .batch_max = 1},
    {"AddOption",       METHOD_WRITE, ACCESS_ADMIN,   handle_add_option,       .guard = &idempotency_guard, .batch_max = 1},
    {"UpdateOption",    METHOD_WRITE, ACCESS_ADMIN,   handle_update_option,    .guard = &idempotency_guard, .batch_max = 1},
    {"ReplaceImages",   METHOD_WRITE, ACCESS_ADMIN,   handle_replace_images,   .guard = &idempotency_guard, .batch_max = 1},
    {"ChangeStock",     METHOD_WRITE, ACCESS_ADMIN,   handle_change_stock,     .guard = &idempotency_guard, .batch_max = 1},
    {"DescribeOptions", METHOD_READ,  ACCESS_SERVICE, handle_describe_options},
    // Idempotent by order id: it needs no guard.
    {"HoldStock",       METHOD_WRITE, ACCESS_SERVICE, handle_hold_stock,       .committed = count_holds},
    {"ConfirmStock",    METHOD_WRITE, ACCESS_SERVICE, handle_confirm_stock,    .guard = &barrier_guard},
    {"ReleaseStock",    METHOD_WRITE, ACCESS_SERVICE, handle_release_stock,    .guard = &barrier_guard},
    {"ReturnStock",     METHOD_WRITE, ACCESS_SERVICE, handle_return_stock,     .guard = &barrier_guard},
    {"CheckLaw",        METHOD_READ,  ACCESS_SERVICE, handle_check_law,        .batch_max = 1},
    {"ListOrderFacts",  METHOD_READ,  ACCESS_SERVICE, handle_list_order_facts, .batch_max = 1},
};
// clang-format on

const struct method_table product_methods = {
    .service = &baro__product__product__descriptor,
    .methods = METHODS,
    .count = COUNT(METHODS),
};
