// The check stands in front of the handlers, not in them: a handler cannot forget it, and what each
// method asks of its callers is read from one table.

#include "lib/service/access.h"

#include <assert.h>
#include <string.h>

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

static const struct access_rule *find_rule(const char *method, const struct access_rule *rules,
                                           size_t count)
{
    static const struct access_rule refuse_all = {.access = ACCESS_NOBODY};
    for (size_t i = 0; i < count; i++)
        if (strcmp(rules[i].method, method) == 0)
            return &rules[i];
    return &refuse_all;
}

struct status access_handle(struct batch *batch, const struct access_rule *rules, size_t count)
{
    const struct access_rule *rule = find_rule(batch->method->name, rules, count);
    size_t permitted = 0;
    struct call *call;

    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        struct status st = access_check(rule->access, call->caller, call->saga != NULL);
        if (failed(st))
            call_refuse(call, st);
        else
            permitted++;
    }
    if (permitted == 0)
        return OK;
    assert(rule->handle);
    return rule->handle(batch);
}
