// One rule for orders, payments and their events.

#include "services/order/owner.h"

struct status owner_check(struct caller caller, int64_t owner_id)
{
    bool allowed =
        caller.role == CALLER_ADMIN || caller.role == CALLER_SERVICE || caller.user_id == owner_id;
    return allowed ? OK : refuse(REASON_FORBIDDEN, "this is not yours");
}
