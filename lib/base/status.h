#pragma once
// The one error type: a gRPC code, a stable reason that clients switch on, a sentence for people.
//
// Returned by value. `field` and `message` are borrowed: a literal, or memory of the arena of the
// call that failed. Codes say how a caller must react, reasons say what happened (SPEC 1).

#include <stdbool.h>

struct arena;

// gRPC's canonical codes, with gRPC's numbers: they travel on the wire.
enum status_code {
    STATUS_OK = 0,
    STATUS_CANCELLED = 1,
    STATUS_UNKNOWN = 2, // the outcome is not known: asked of COMMIT and of silent peers
    STATUS_INVALID_ARGUMENT = 3,
    STATUS_DEADLINE_EXCEEDED = 4,
    STATUS_NOT_FOUND = 5,
    STATUS_ALREADY_EXISTS = 6,
    STATUS_PERMISSION_DENIED = 7,
    STATUS_RESOURCE_EXHAUSTED = 8,
    STATUS_FAILED_PRECONDITION = 9,
    STATUS_ABORTED = 10, // lost a race: run again
    STATUS_OUT_OF_RANGE = 11,
    STATUS_UNIMPLEMENTED = 12,
    STATUS_INTERNAL = 13,
    STATUS_UNAVAILABLE = 14,
    STATUS_DATA_LOSS = 15,
    STATUS_UNAUTHENTICATED = 16,
};
enum { STATUS_CODES = STATUS_UNAUTHENTICATED + 1 };

// The error codes of SPEC 1, one row each in the table of status.c.
enum reason {
    REASON_NONE = 0,
    REASON_VALIDATION_ERROR,
    REASON_UNAUTHENTICATED,
    REASON_TOKEN_EXPIRED,
    REASON_FORBIDDEN,
    REASON_USER_NOT_FOUND,
    REASON_PRODUCT_NOT_FOUND,
    REASON_OPTION_NOT_FOUND,
    REASON_ORDER_NOT_FOUND,
    REASON_COUPON_NOT_FOUND,
    REASON_CART_ITEM_NOT_FOUND,
    REASON_PAYMENT_NOT_FOUND,
    REASON_SAGA_NOT_FOUND,
    REASON_DEAD_LETTER_NOT_FOUND,
    REASON_ROUTE_NOT_FOUND,
    REASON_METHOD_NOT_ALLOWED,
    REASON_UNSUPPORTED_MEDIA_TYPE,
    REASON_EMAIL_TAKEN,
    REASON_CODE_TAKEN,
    REASON_IDEMPOTENCY_KEY_REUSED,
    REASON_REQUEST_IN_PROGRESS,
    REASON_RATE_LIMITED,
    REASON_TEMPORARILY_BLOCKED,
    REASON_PRODUCT_NOT_ORDERABLE,
    REASON_INSUFFICIENT_BALANCE,
    REASON_INSUFFICIENT_STOCK,
    REASON_ORDER_NOT_PAYABLE,
    REASON_ORDER_EXPIRED,
    REASON_ORDER_ALREADY_PAID,
    REASON_ILLEGAL_TRANSITION,
    REASON_HOLD_LOST,
    REASON_COUPON_ALREADY_CLAIMED,
    REASON_COUPON_SOLD_OUT,
    REASON_COUPON_WINDOW_CLOSED,
    REASON_COUPON_NOT_USABLE,
    REASON_SYSTEM_FAILURE,
    REASON_STEP_COMPENSATED, // an action that came after its compensation
    REASON_CONFLICT,         // lost a race in the database; run again
    REASON_OUTCOME_UNKNOWN,
    REASON_OVERLOADED,
    REASON_UNAVAILABLE,
    REASON_DEADLINE_EXCEEDED,
    REASON_NOT_IMPLEMENTED,
    REASON_INTERNAL,
    REASON_COUNT,
};

struct status {
    enum status_code code;
    enum reason reason;
    const char *field;   // the field of the request that is wrong, or NULL
    const char *message; // one sentence for people, or NULL
};

#define OK ((struct status){.code = STATUS_OK})

static inline bool failed(struct status st)
{
    return st.code != STATUS_OK;
}

// A refusal: the code is the one that the table gives the reason.
struct status refuse(enum reason reason, const char *message);

// VALIDATION_ERROR that names the field.
struct status invalid(const char *field, const char *message);

// A status with its field and message copied into the arena: they often stand in what it is about, which
// may end before they are read.
struct status status_keep(struct status st, struct arena *arena);

// "INSUFFICIENT_STOCK" for REASON_INSUFFICIENT_STOCK; "" for REASON_NONE.
const char *reason_word(enum reason reason);

// The reason with that word; REASON_INTERNAL for a word that this build does not know.
enum reason reason_parse(const char *word);

// The code that the table gives a reason.
enum status_code reason_code(enum reason reason);

// "UNAVAILABLE" for STATUS_UNAVAILABLE.
const char *status_code_name(enum status_code code);

// True when the request was decided: success, or a business refusal that a retry cannot change.
// Such outcomes are kept under the idempotency key (SPEC 1); validation failures and faults are not.
bool status_is_definite(struct status st);

// True when the same request, sent again later, may succeed.
bool status_is_retryable(struct status st);
