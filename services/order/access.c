// The gateway vouches for who calls; what a caller may do is decided here, by this table.

#include "services/order/access.h"

#include "lib/base/macros.h"

#include <string.h>

enum {
    USER = 1 << CALLER_USER,
    ADMIN = 1 << CALLER_ADMIN,
    SERVICE = 1 << CALLER_SERVICE,
};

static const struct {
    const char *method;
    unsigned callers;
} ACCESS[] = {
    {"GetCart",        USER | ADMIN          },
    {"AddCartItem",    USER | ADMIN          },
    {"SetCartItem",    USER | ADMIN          },
    {"RemoveCartItem", USER | ADMIN          },
    {"PlaceOrder",     USER | ADMIN          },
    {"PayOrder",       USER | ADMIN          },
    {"Checkout",       USER | ADMIN          },
    {"CancelOrder",    USER | ADMIN          },
    {"GetOrder",       USER | ADMIN | SERVICE},
    {"ListOrders",     USER | ADMIN          },
    {"ListPayments",   USER | ADMIN          },
    {"GetPayment",     USER | ADMIN          },
    {"SetOrderStatus", ADMIN                 },
    {"ListSagas",      ADMIN | SERVICE       },
    {"GetSaga",        ADMIN | SERVICE       },
    {"RetrySaga",      ADMIN                 },
    {"FindLiveOrders", SERVICE               },
    {"FetchEvents",    SERVICE               },
    {"EndSaga",        SERVICE               },
    {"RecordSaga",     SERVICE               },
    {"FindCartItems",  SERVICE               },
    {"ReserveIds",     SERVICE               },
};

static unsigned callers_of(const char *method)
{
    for (size_t i = 0; i < COUNT(ACCESS); i++)
        if (strcmp(ACCESS[i].method, method) == 0)
            return ACCESS[i].callers;
    return 0;
}

struct status access_check(const char *method, struct caller caller)
{
    bool signed_in = caller.role == CALLER_SERVICE || caller.user_id > 0;
    if (signed_in && (callers_of(method) & 1U << caller.role))
        return OK;
    if (!signed_in || caller.role == CALLER_NOBODY)
        return refuse(REASON_UNAUTHENTICATED, "sign in first");
    return refuse(REASON_FORBIDDEN, "you may not do this");
}

void access_filter(struct batch *batch)
{
    struct call *call;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        struct status st = access_check(call->method->name, call->caller);
        if (failed(st))
            call_refuse(call, st);
    }
}

struct status access_check_owner(struct caller caller, int64_t owner_id)
{
    bool allowed =
        caller.role == CALLER_ADMIN || caller.role == CALLER_SERVICE || caller.user_id == owner_id;
    return allowed ? OK : refuse(REASON_FORBIDDEN, "this is not yours");
}
