// Each reason has one row: its word for clients and the gRPC code that tells callers how to react.
// The gateway's table gives it an HTTP status; nothing else knows about reasons as a whole.
//
// Invariant: every reason has a row. The array is as long as the enum, and the test of this file
// finds a row without a word.

#include "lib/base/status.h"

#include "lib/base/macros.h"
#include "lib/base/text.h"

#include <assert.h>
#include <string.h>

static const struct {
    const char *word;
    enum status_code code;
} reasons[] = {
    // clang-format off: the rows are named
    [REASON_NONE]                   = {"", STATUS_OK},
    [REASON_VALIDATION_ERROR]       = {"VALIDATION_ERROR", STATUS_INVALID_ARGUMENT},
    [REASON_UNAUTHENTICATED]        = {"UNAUTHENTICATED", STATUS_UNAUTHENTICATED},
    [REASON_TOKEN_EXPIRED]          = {"TOKEN_EXPIRED", STATUS_UNAUTHENTICATED},
    [REASON_FORBIDDEN]              = {"FORBIDDEN", STATUS_PERMISSION_DENIED},
    [REASON_USER_NOT_FOUND]         = {"USER_NOT_FOUND", STATUS_NOT_FOUND},
    [REASON_PRODUCT_NOT_FOUND]      = {"PRODUCT_NOT_FOUND", STATUS_NOT_FOUND},
    [REASON_OPTION_NOT_FOUND]       = {"OPTION_NOT_FOUND", STATUS_NOT_FOUND},
    [REASON_ORDER_NOT_FOUND]        = {"ORDER_NOT_FOUND", STATUS_NOT_FOUND},
    [REASON_COUPON_NOT_FOUND]       = {"COUPON_NOT_FOUND", STATUS_NOT_FOUND},
    [REASON_CART_ITEM_NOT_FOUND]    = {"CART_ITEM_NOT_FOUND", STATUS_NOT_FOUND},
    [REASON_PAYMENT_NOT_FOUND]      = {"PAYMENT_NOT_FOUND", STATUS_NOT_FOUND},
    [REASON_SAGA_NOT_FOUND]         = {"SAGA_NOT_FOUND", STATUS_NOT_FOUND},
    [REASON_DEAD_LETTER_NOT_FOUND]  = {"DEAD_LETTER_NOT_FOUND", STATUS_NOT_FOUND},
    [REASON_ROUTE_NOT_FOUND]        = {"ROUTE_NOT_FOUND", STATUS_NOT_FOUND},
    [REASON_METHOD_NOT_ALLOWED]     = {"METHOD_NOT_ALLOWED", STATUS_INVALID_ARGUMENT},
    [REASON_UNSUPPORTED_MEDIA_TYPE] = {"UNSUPPORTED_MEDIA_TYPE", STATUS_INVALID_ARGUMENT},
    [REASON_EMAIL_TAKEN]            = {"EMAIL_TAKEN", STATUS_ALREADY_EXISTS},
    [REASON_CODE_TAKEN]             = {"CODE_TAKEN", STATUS_ALREADY_EXISTS},
    [REASON_IDEMPOTENCY_KEY_REUSED] = {"IDEMPOTENCY_KEY_REUSED", STATUS_FAILED_PRECONDITION},
    [REASON_REQUEST_IN_PROGRESS]    = {"REQUEST_IN_PROGRESS", STATUS_ABORTED},
    [REASON_RATE_LIMITED]           = {"RATE_LIMITED", STATUS_RESOURCE_EXHAUSTED},
    [REASON_TEMPORARILY_BLOCKED]    = {"TEMPORARILY_BLOCKED", STATUS_RESOURCE_EXHAUSTED},
    [REASON_PRODUCT_NOT_ORDERABLE]  = {"PRODUCT_NOT_ORDERABLE", STATUS_FAILED_PRECONDITION},
    [REASON_INSUFFICIENT_BALANCE]   = {"INSUFFICIENT_BALANCE", STATUS_FAILED_PRECONDITION},
    [REASON_INSUFFICIENT_STOCK]     = {"INSUFFICIENT_STOCK", STATUS_FAILED_PRECONDITION},
    [REASON_ORDER_NOT_PAYABLE]      = {"ORDER_NOT_PAYABLE", STATUS_FAILED_PRECONDITION},
    [REASON_ORDER_EXPIRED]          = {"ORDER_EXPIRED", STATUS_FAILED_PRECONDITION},
    [REASON_ORDER_ALREADY_PAID]     = {"ORDER_ALREADY_PAID", STATUS_FAILED_PRECONDITION},
    [REASON_ILLEGAL_TRANSITION]     = {"ILLEGAL_TRANSITION", STATUS_FAILED_PRECONDITION},
    [REASON_HOLD_LOST]              = {"HOLD_LOST", STATUS_FAILED_PRECONDITION},
    [REASON_COUPON_ALREADY_CLAIMED] = {"COUPON_ALREADY_CLAIMED", STATUS_ALREADY_EXISTS},
    [REASON_COUPON_SOLD_OUT]        = {"COUPON_SOLD_OUT", STATUS_FAILED_PRECONDITION},
    [REASON_COUPON_WINDOW_CLOSED]   = {"COUPON_WINDOW_CLOSED", STATUS_FAILED_PRECONDITION},
    [REASON_COUPON_NOT_USABLE]      = {"COUPON_NOT_USABLE", STATUS_FAILED_PRECONDITION},
    [REASON_SYSTEM_FAILURE]         = {"SYSTEM_FAILURE", STATUS_FAILED_PRECONDITION},
    [REASON_STEP_COMPENSATED]       = {"STEP_COMPENSATED", STATUS_FAILED_PRECONDITION},
    [REASON_CONFLICT]               = {"CONFLICT", STATUS_ABORTED},
    [REASON_OUTCOME_UNKNOWN]        = {"OUTCOME_UNKNOWN", STATUS_UNKNOWN},
    [REASON_OVERLOADED]             = {"OVERLOADED", STATUS_RESOURCE_EXHAUSTED},
    [REASON_UNAVAILABLE]            = {"UNAVAILABLE", STATUS_UNAVAILABLE},
    [REASON_DEADLINE_EXCEEDED]      = {"DEADLINE_EXCEEDED", STATUS_DEADLINE_EXCEEDED},
    [REASON_NOT_IMPLEMENTED]        = {"NOT_IMPLEMENTED", STATUS_UNIMPLEMENTED},
    [REASON_INTERNAL]               = {"INTERNAL", STATUS_INTERNAL},
    // clang-format on
};
static_assert(COUNT(reasons) == REASON_COUNT, "a reason without a row");

// How a caller reacts to a code.
static const struct {
    const char *name;
    bool definite;
    bool retryable;
} codes[] = {
    // clang-format off: the rows are named
    [STATUS_OK]                  = {"OK", true, false},
    [STATUS_CANCELLED]           = {"CANCELLED", false, false},
    [STATUS_UNKNOWN]             = {"UNKNOWN", false, true},
    [STATUS_INVALID_ARGUMENT]    = {"INVALID_ARGUMENT", false, false},
    [STATUS_DEADLINE_EXCEEDED]   = {"DEADLINE_EXCEEDED", false, true},
    [STATUS_NOT_FOUND]           = {"NOT_FOUND", true, false},
    [STATUS_ALREADY_EXISTS]      = {"ALREADY_EXISTS", true, false},
    [STATUS_PERMISSION_DENIED]   = {"PERMISSION_DENIED", true, false},
    [STATUS_RESOURCE_EXHAUSTED]  = {"RESOURCE_EXHAUSTED", false, true},
    [STATUS_FAILED_PRECONDITION] = {"FAILED_PRECONDITION", true, false},
    [STATUS_ABORTED]             = {"ABORTED", false, true},
    [STATUS_OUT_OF_RANGE]        = {"OUT_OF_RANGE", true, false},
    [STATUS_UNIMPLEMENTED]       = {"UNIMPLEMENTED", false, false},
    [STATUS_INTERNAL]            = {"INTERNAL", false, false},
    [STATUS_UNAVAILABLE]         = {"UNAVAILABLE", false, true},
    [STATUS_DATA_LOSS]           = {"DATA_LOSS", false, false},
    [STATUS_UNAUTHENTICATED]     = {"UNAUTHENTICATED", false, false},
    // clang-format on
};
static_assert(COUNT(codes) == STATUS_CODES, "a code without a row");

struct status refuse(enum reason reason, const char *message)
{
    assert(reason != REASON_NONE);
    return (struct status){.code = reason_code(reason), .reason = reason, .message = message};
}

struct status invalid(const char *field, const char *message)
{
    struct status st = refuse(REASON_VALIDATION_ERROR, message);
    st.field = field;
    return st;
}

struct status status_keep(struct status st, struct arena *arena)
{
    st.field = text_copy_if(arena, st.field);
    st.message = text_copy_if(arena, st.message);
    return st;
}

const char *reason_word(enum reason reason)
{
    assert((size_t)reason < COUNT(reasons));
    return reasons[reason].word;
}

enum reason reason_parse(const char *word)
{
    for (size_t i = 0; i < COUNT(reasons); i++)
        if (strcmp(reasons[i].word, word) == 0)
            return (enum reason)i;
    return REASON_INTERNAL;
}

enum status_code reason_code(enum reason reason)
{
    assert((size_t)reason < COUNT(reasons));
    return reasons[reason].code;
}

// A peer's number may be none of ours: it is then as good as unknown.
static enum status_code known(enum status_code code)
{
    return (size_t)code < COUNT(codes) ? code : STATUS_UNKNOWN;
}

const char *status_code_name(enum status_code code)
{
    return codes[known(code)].name;
}

bool status_is_definite(struct status st)
{
    return codes[known(st.code)].definite;
}

bool status_is_retryable(struct status st)
{
    return codes[known(st.code)].retryable;
}
