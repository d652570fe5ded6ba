// What the product service offers, and to whom: the methods as the dispatcher sees them, and for each
// who may call it and what runs it.

#include "services/product/service.h"

#include "lib/base/macros.h"
#include "lib/bus/inbox.h"
#include "lib/saga/barrier.h"
#include "lib/service/access.h"
#include "lib/service/laws.h"
#include "proto/product.pb-c.h"
#include "services/product/laws.h"

static struct status run_permitted(struct batch *batch);

static const struct method METHODS[] = {
    {.name = "ListProducts", .kind = METHOD_READ, .batch_max = 16, .handle = run_permitted},
    {.name = "GetProduct", .kind = METHOD_READ, .batch_max = 64, .handle = run_permitted},
    {.name = "ListPopular", .kind = METHOD_READ, .batch_max = 64, .handle = run_permitted},
    {.name = "CreateProduct",
     .kind = METHOD_WRITE,
     .guard = &idempotency_guard,
     .handle = run_permitted},
    {.name = "UpdateProduct",
     .kind = METHOD_WRITE,
     .guard = &idempotency_guard,
     .handle = run_permitted},
    {.name = "DeleteProduct",
     .kind = METHOD_WRITE,
     .guard = &idempotency_guard,
     .handle = run_permitted},
    {.name = "AddOption",
     .kind = METHOD_WRITE,
     .guard = &idempotency_guard,
     .handle = run_permitted},
    {.name = "UpdateOption",
     .kind = METHOD_WRITE,
     .guard = &idempotency_guard,
     .handle = run_permitted},
    {.name = "ReplaceImages",
     .kind = METHOD_WRITE,
     .guard = &idempotency_guard,
     .handle = run_permitted},
    {.name = "ChangeStock",
     .kind = METHOD_WRITE,
     .guard = &idempotency_guard,
     .handle = run_permitted},
    {.name = "DescribeOptions", .kind = METHOD_READ, .handle = run_permitted},
    // Idempotent by order id: it needs no guard.
    {.name = "HoldStock", .kind = METHOD_WRITE, .handle = run_permitted, .committed = count_holds},
    {.name = "ConfirmStock",
     .kind = METHOD_WRITE,
     .guard = &barrier_guard,
     .handle = run_permitted},
    {.name = "ReleaseStock",
     .kind = METHOD_WRITE,
     .guard = &barrier_guard,
     .handle = run_permitted},
    {.name = "ReturnStock", .kind = METHOD_WRITE, .guard = &barrier_guard, .handle = run_permitted},
    {.name = "CheckLaw", .kind = METHOD_READ, .batch_max = 1, .handle = run_permitted},
    {.name = "ListOrderFacts", .kind = METHOD_READ, .batch_max = 1, .handle = run_permitted},
};

static struct status handle_check_law(struct batch *batch)
{
    return check_law_handle(batch, &product_laws);
}

static struct status handle_list_order_facts(struct batch *batch)
{
    return list_order_facts_handle(batch, &product_laws);
}

static const struct access_rule RULES[] = {
    {"ListProducts",    ACCESS_ANYBODY, handle_list_products   },
    {"GetProduct",      ACCESS_ANYBODY, handle_get_product     },
    {"ListPopular",     ACCESS_ANYBODY, handle_list_popular    },
    {"CreateProduct",   ACCESS_ADMIN,   handle_create_product  },
    {"UpdateProduct",   ACCESS_ADMIN,   handle_update_product  },
    {"DeleteProduct",   ACCESS_ADMIN,   handle_delete_product  },
    {"AddOption",       ACCESS_ADMIN,   handle_add_option      },
    {"UpdateOption",    ACCESS_ADMIN,   handle_update_option   },
    {"ReplaceImages",   ACCESS_ADMIN,   handle_replace_images  },
    {"ChangeStock",     ACCESS_ADMIN,   handle_change_stock    },
    {"DescribeOptions", ACCESS_SERVICE, handle_describe_options},
    {"HoldStock",       ACCESS_SERVICE, handle_hold_stock      },
    {"ConfirmStock",    ACCESS_SERVICE, handle_confirm_stock   },
    {"ReleaseStock",    ACCESS_SERVICE, handle_release_stock   },
    {"ReturnStock",     ACCESS_SERVICE, handle_return_stock    },
    {"CheckLaw",        ACCESS_SERVICE, handle_check_law       },
    {"ListOrderFacts",  ACCESS_SERVICE, handle_list_order_facts},
};

const struct method_table product_methods = {&baro__product__product__descriptor, METHODS,
                                             COUNT(METHODS)};

static struct status run_permitted(struct batch *batch)
{
    return access_handle(batch, RULES, COUNT(RULES));
}
