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

static struct status handle(struct batch *batch)
{
    return access_handle(batch, RULES, COUNT(RULES));
}

// clang-format off
static const struct method METHODS[] = {
    {"ListProducts",    METHOD_READ,  .handle = handle, .batch_max = 16},
    {"GetProduct",      METHOD_READ,  .handle = handle, .batch_max = 64},
    {"ListPopular",     METHOD_READ,  .handle = handle, .batch_max = 64},
    {"CreateProduct",   METHOD_WRITE, .handle = handle, .guard = &idempotency_guard},
    {"UpdateProduct",   METHOD_WRITE, .handle = handle, .guard = &idempotency_guard},
    {"DeleteProduct",   METHOD_WRITE, .handle = handle, .guard = &idempotency_guard},
    {"AddOption",       METHOD_WRITE, .handle = handle, .guard = &idempotency_guard},
    {"UpdateOption",    METHOD_WRITE, .handle = handle, .guard = &idempotency_guard},
    {"ReplaceImages",   METHOD_WRITE, .handle = handle, .guard = &idempotency_guard},
    {"ChangeStock",     METHOD_WRITE, .handle = handle, .guard = &idempotency_guard},
    {"DescribeOptions", METHOD_READ,  .handle = handle},
    // Idempotent by order id: it needs no guard.
    {"HoldStock",       METHOD_WRITE, .handle = handle, .committed = count_holds},
    {"ConfirmStock",    METHOD_WRITE, .handle = handle, .guard = &barrier_guard},
    {"ReleaseStock",    METHOD_WRITE, .handle = handle, .guard = &barrier_guard},
    {"ReturnStock",     METHOD_WRITE, .handle = handle, .guard = &barrier_guard},
    {"CheckLaw",        METHOD_READ,  .handle = handle, .batch_max = 1},
    {"ListOrderFacts",  METHOD_READ,  .handle = handle, .batch_max = 1},
};
// clang-format on

const struct method_table product_methods = {
    .service = &baro__product__product__descriptor,
    .methods = METHODS,
    .count = COUNT(METHODS),
};
