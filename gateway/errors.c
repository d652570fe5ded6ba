// THE table at the border between reasons and HTTP.
//
// Invariant: every reason has a row; the test of this file finds the one without.

#include "gateway/errors.h"

#include "lib/base/macros.h"

#include <assert.h>
#include <string.h>

// clang-format off
static const struct problem_kind kinds[] = {
    [REASON_VALIDATION_ERROR]       = {400,   0, "The request is not valid"},
    [REASON_COUPON_NOT_USABLE]      = {400,   0, "The coupon cannot be used here"},
    [REASON_UNAUTHENTICATED]        = {401,   0, "Sign in first"},
    [REASON_TOKEN_EXPIRED]          = {401,   0, "The access token has expired"},
    [REASON_INSUFFICIENT_BALANCE]   = {402,   0, "The balance is too low"},
    [REASON_FORBIDDEN]              = {403,   0, "This is not yours to see or change"},
    [REASON_COUPON_WINDOW_CLOSED]   = {403,   0, "The coupon is not being issued now"},
    [REASON_USER_NOT_FOUND]         = {404,   0, "There is no such user"},
    [REASON_PRODUCT_NOT_FOUND]      = {404,   0, "There is no such product"},
    [REASON_OPTION_NOT_FOUND]       = {404,   0, "There is no such option"},
    [REASON_ORDER_NOT_FOUND]        = {404,   0, "There is no such order"},
    [REASON_COUPON_NOT_FOUND]       = {404,   0, "There is no such coupon"},
    [REASON_CART_ITEM_NOT_FOUND]    = {404,   0, "There is no such line in the cart"},
    [REASON_PAYMENT_NOT_FOUND]      = {404,   0, "There is no such payment"},
    [REASON_SAGA_NOT_FOUND]         = {404,   0, "There is no such saga"},
    [REASON_DEAD_LETTER_NOT_FOUND]  = {404,   0, "There is no such dead letter"},
    [REASON_ROUTE_NOT_FOUND]        = {404,   0, "There is nothing at this path"},
    [REASON_METHOD_NOT_ALLOWED]     = {405,   0, "This path does not know the method"},
    [REASON_EMAIL_TAKEN]            = {409,   0, "The e-mail address is taken"},
    [REASON_CODE_TAKEN]             = {409,   0, "The code is taken"},
    [REASON_REQUEST_IN_PROGRESS]    = {409,   1, "The same request is still running"},
    [REASON_PRODUCT_NOT_ORDERABLE]  = {409,   0, "The product cannot be ordered"},
    [REASON_INSUFFICIENT_STOCK]     = {409,   0, "The stock does not suffice"},
    [REASON_ORDER_NOT_PAYABLE]      = {409,   0, "The order cannot be paid"},
    [REASON_ORDER_EXPIRED]          = {409,   0, "The order has expired"},
    [REASON_ORDER_ALREADY_PAID]     = {409,   0, "The order is paid already"},
    [REASON_ILLEGAL_TRANSITION]     = {409,   0, "The state does not allow this"},
    [REASON_HOLD_LOST]              = {409,   0, "The stock is no longer held for this order"},
    [REASON_COUPON_ALREADY_CLAIMED] = {409,   0, "The coupon was claimed before"},
    [REASON_STEP_COMPENSATED]       = {409,   0, "This was taken back already"},
    [REASON_CONFLICT]               = {409,   1, "Somebody else changed this at the same time"},
    [REASON_COUPON_SOLD_OUT]        = {410,   0, "The coupon is sold out"},
    [REASON_UNSUPPORTED_MEDIA_TYPE] = {415,   0, "The body must be application/json"},
    [REASON_IDEMPOTENCY_KEY_REUSED] = {422,   0, "The idempotency key belongs to another request"},
    [REASON_RATE_LIMITED]           = {429,   1, "Too many requests"},
    [REASON_TEMPORARILY_BLOCKED]    = {429, 600, "Blocked after too many failures"},
    [REASON_INTERNAL]               = {500,   0, "Something went wrong here"},
    [REASON_NOT_IMPLEMENTED]        = {501,   0, "This is not offered yet"},
    [REASON_SYSTEM_FAILURE]         = {503,   0, "A part of the system failed"}, // all is given back
    [REASON_OUTCOME_UNKNOWN]        = {503,   1, "The outcome is not known yet"},
    [REASON_OVERLOADED]             = {503,   1, "Too much to do at the moment"},
    [REASON_UNAVAILABLE]            = {503,   1, "A part of the system cannot be reached"},
    [REASON_DEADLINE_EXCEEDED]      = {504,   1, "It took too long"},
};
// clang-format on
static_assert(COUNT(kinds) <= REASON_COUNT, "rows are reasons");

// For statuses without a reason: peers of another build, and nng's own.
static const struct {
    enum status_code code;
    enum reason reason;
} by_code[] = {
    {STATUS_INVALID_ARGUMENT,   REASON_VALIDATION_ERROR },
    {STATUS_UNAUTHENTICATED,    REASON_UNAUTHENTICATED  },
    {STATUS_PERMISSION_DENIED,  REASON_FORBIDDEN        },
    {STATUS_RESOURCE_EXHAUSTED, REASON_OVERLOADED       },
    {STATUS_ABORTED,            REASON_CONFLICT         },
    {STATUS_UNKNOWN,            REASON_OUTCOME_UNKNOWN  },
    {STATUS_CANCELLED,          REASON_UNAVAILABLE      },
    {STATUS_UNAVAILABLE,        REASON_UNAVAILABLE      },
    {STATUS_DEADLINE_EXCEEDED,  REASON_DEADLINE_EXCEEDED},
    {STATUS_UNIMPLEMENTED,      REASON_NOT_IMPLEMENTED  },
};

const struct problem_kind *problem_kind(enum reason reason)
{
    static const struct problem_kind none = {0, 0, ""};
    bool known = (size_t)reason < COUNT(kinds) && kinds[reason].title;
    return known ? &kinds[reason] : &none;
}

enum reason problem_reason(struct status st)
{
    if (st.reason != REASON_NONE && problem_kind(st.reason)->http_status != 0)
        return st.reason;
    for (size_t i = 0; i < COUNT(by_code); i++)
        if (by_code[i].code == st.code)
            return by_code[i].reason;
    return REASON_INTERNAL;
}

static void write_member(struct text_buffer *out, const char *name, const char *value)
{
    text_append(out, name);
    text_append_json(out, value, strlen(value));
}

static const char *title_in(const struct problem_kind *kind, enum language language,
                            struct arena *arena)
{
    const char *title = sentence_in(language, kind->title, arena);
    return title ? title : kind->title;
}

// A sentence in the reader's language. One that this build does not know, of a newer service, is
// better in English than not at all.
static const char *message_in(enum language language, const char *message, struct arena *arena)
{
    const char *said = sentence_in(language, message, arena);
    return said ? said : message;
}

// What the service says; else what is wrong with the first field; else the title. What an internal
// fault says stays inside.
static void write_detail(const struct problem *problem, const struct problem_kind *kind,
                         struct text_buffer *out)
{
    const struct field_errors *errors = problem->errors;
    const char *message = problem->status.message, *field = problem->status.field;
    bool told = kind->http_status != 500 && message && *message;
    if (!told && errors && errors->count > 0) {
        message = errors->items[0].message;
        field = errors->items[0].field;
        told = true;
    }
    const char *said = told ? message_in(problem->language, message, out->arena)
                            : title_in(kind, problem->language, out->arena);
    if (told && field && *field)
        said = text_printf(out->arena, "%s: %s", field, said);
    write_member(out, ",\"detail\":", said);
}

static void write_errors(const struct problem *problem, struct text_buffer *out)
{
    struct field_errors one = {0};
    const struct field_errors *errors = problem->errors;
    struct status st = problem->status;
    if (!errors && st.field && *st.field)
        field_errors_add(&one, st.field, st.message ? st.message : "is not valid");
    if (!errors)
        errors = &one;
    text_append(out, ",\"errors\":[");
    for (size_t i = 0; i < errors->count; i++) {
        write_member(out, i > 0 ? ",{\"field\":" : "{\"field\":", errors->items[i].field);
        write_member(out, ",\"message\":",
                     message_in(problem->language, errors->items[i].message, out->arena));
        text_append_char(out, '}');
    }
    text_append_char(out, ']');
}

void problem_write(const struct problem *problem, struct text_buffer *out)
{
    struct status st = problem->status;
    enum reason reason = problem_reason(st);
    const struct problem_kind *kind = problem_kind(reason);
    text_append(out, "{\"type\":\"urn:baro:problem:");
    text_append(out, reason_word(reason));
    write_member(out, "\",\"title\":", title_in(kind, problem->language, out->arena));
    text_append(out, ",\"status\":");
    text_append_int64(out, kind->http_status);
    write_detail(problem, kind, out);
    write_member(out, ",\"instance\":", problem->instance);
    write_member(out, ",\"code\":", reason_word(reason));
    write_errors(problem, out);
    write_member(out, ",\"trace_id\":", problem->trace_id);
    text_append(out, status_is_retryable(st) ? ",\"retryable\":true}" : ",\"retryable\":false}");
}

void problem_write_kinds(enum language language, struct text_buffer *out)
{
    text_append(out, "{\"items\":[");
    for (size_t i = REASON_NONE + 1; i < REASON_COUNT; i++) {
        const struct problem_kind *kind = problem_kind((enum reason)i);
        write_member(
            out, i > REASON_NONE + 1 ? ",{\"code\":" : "{\"code\":", reason_word((enum reason)i));
        write_member(out, ",\"title\":", title_in(kind, language, out->arena));
        text_append(out, ",\"status\":");
        text_append_int64(out, kind->http_status);
        struct status st = refuse((enum reason)i, NULL);
        text_append(out,
                    status_is_retryable(st) ? ",\"retryable\":true}" : ",\"retryable\":false}");
    }
    text_append(out, "]}");
}
