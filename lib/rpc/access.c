// The check stands in front of the handlers, not in them: a handler cannot forget it, and what each
// method asks of its callers is read from its row.

#include "lib/rpc/access.h"

static bool admits(enum access access, struct caller caller, bool saga)
{
    switch (access) {
    case ACCESS_NOBODY:
        return false;
    case ACCESS_ANYBODY:
        return true;
    case ACCESS_USER:
        return caller.user_id > 0 && (caller.role == CALLER_USER || caller.role == CALLER_ADMIN);
    case ACCESS_ADMIN:
        return caller.role == CALLER_ADMIN;
    case ACCESS_SERVICE:
        return saga || caller.role == CALLER_SERVICE;
    }
    return false;
}

struct status access_check(enum access access, struct caller caller, bool saga)
{
    if (admits(access, caller, saga))
        return OK;
    if (caller.role == CALLER_NOBODY)
        return refuse(REASON_UNAUTHENTICATED, "sign in first");
    return refuse(REASON_FORBIDDEN, "the caller may not do this");
}
