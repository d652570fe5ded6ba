#include "lib/base/macros.h"
#include "lib/base/status.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <string.h>

Test(status, gives_every_reason_a_word_of_its_own_and_a_code)
{
    for (int r = REASON_NONE + 1; r < REASON_COUNT; r++) {
        const char *word = reason_word((enum reason)r);
        cr_assert(word && *word, "reason %d has no row", r);
        for (const char *c = word; *c; c++)
            cr_assert(isupper((unsigned char)*c) || *c == '_', "%s", word);
        cr_assert_eq(reason_parse(word), (enum reason)r, "%s", word);
        cr_assert_neq(reason_code((enum reason)r), STATUS_OK, "%s", word);
    }
}

Test(status, reads_an_unknown_word_as_an_internal_error)
{
    cr_assert_eq(reason_parse("NO_SUCH_REASON"), REASON_INTERNAL);
    cr_assert_eq(reason_parse("insufficient_stock"), REASON_INTERNAL);
    cr_assert_eq(reason_parse(""), REASON_NONE);
    cr_assert_str_eq(reason_word(REASON_NONE), "");
}

Test(status, maps_reasons_to_codes_by_what_a_caller_can_do)
{
    static const struct {
        enum reason reason;
        enum status_code code;
    } rows[] = {
        {REASON_VALIDATION_ERROR,       STATUS_INVALID_ARGUMENT   },
        {REASON_UNAUTHENTICATED,        STATUS_UNAUTHENTICATED    },
        {REASON_TOKEN_EXPIRED,          STATUS_UNAUTHENTICATED    },
        {REASON_FORBIDDEN,              STATUS_PERMISSION_DENIED  },
        {REASON_ORDER_NOT_FOUND,        STATUS_NOT_FOUND          },
        {REASON_EMAIL_TAKEN,            STATUS_ALREADY_EXISTS     },
        {REASON_CODE_TAKEN,             STATUS_ALREADY_EXISTS     },
        {REASON_COUPON_ALREADY_CLAIMED, STATUS_ALREADY_EXISTS     },
        {REASON_RATE_LIMITED,           STATUS_RESOURCE_EXHAUSTED },
        {REASON_TEMPORARILY_BLOCKED,    STATUS_RESOURCE_EXHAUSTED },
        {REASON_OVERLOADED,             STATUS_RESOURCE_EXHAUSTED },
        {REASON_REQUEST_IN_PROGRESS,    STATUS_ABORTED            },
        {REASON_CONFLICT,               STATUS_ABORTED            },
        {REASON_OUTCOME_UNKNOWN,        STATUS_UNKNOWN            },
        {REASON_UNAVAILABLE,            STATUS_UNAVAILABLE        },
        {REASON_DEADLINE_EXCEEDED,      STATUS_DEADLINE_EXCEEDED  },
        {REASON_NOT_IMPLEMENTED,        STATUS_UNIMPLEMENTED      },
        {REASON_INTERNAL,               STATUS_INTERNAL           },
        {REASON_INSUFFICIENT_BALANCE,   STATUS_FAILED_PRECONDITION},
        {REASON_INSUFFICIENT_STOCK,     STATUS_FAILED_PRECONDITION},
        {REASON_HOLD_LOST,              STATUS_FAILED_PRECONDITION},
        {REASON_STEP_COMPENSATED,       STATUS_FAILED_PRECONDITION},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        cr_assert_eq(reason_code(rows[i].reason), rows[i].code, "%s", reason_word(rows[i].reason));
}

Test(status, calls_business_refusals_definite_and_faults_retryable)
{
    static const struct {
        enum status_code code;
        bool definite, retryable;
    } rows[] = {
        {STATUS_OK,                  true,  false},
        {STATUS_CANCELLED,           false, false},
        {STATUS_UNKNOWN,             false, true },
        {STATUS_INVALID_ARGUMENT,    false, false},
        {STATUS_DEADLINE_EXCEEDED,   false, true },
        {STATUS_NOT_FOUND,           true,  false},
        {STATUS_ALREADY_EXISTS,      true,  false},
        {STATUS_PERMISSION_DENIED,   true,  false},
        {STATUS_RESOURCE_EXHAUSTED,  false, true },
        {STATUS_FAILED_PRECONDITION, true,  false},
        {STATUS_ABORTED,             false, true },
        {STATUS_OUT_OF_RANGE,        true,  false},
        {STATUS_UNIMPLEMENTED,       false, false},
        {STATUS_INTERNAL,            false, false},
        {STATUS_UNAVAILABLE,         false, true },
        {STATUS_DATA_LOSS,           false, false},
        {STATUS_UNAUTHENTICATED,     false, false},
        {(enum status_code)99,       false, true }, // a number that no build knows yet
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct status st = {.code = rows[i].code};
        cr_assert_eq(status_is_definite(st), rows[i].definite, "%s", status_code_name(st.code));
        cr_assert_eq(status_is_retryable(st), rows[i].retryable, "%s", status_code_name(st.code));
    }
}

Test(status, names_the_field_that_is_wrong)
{
    struct status st = invalid("amount", "amount must be a multiple of 10");
    cr_assert(failed(st));
    cr_assert_eq(st.code, STATUS_INVALID_ARGUMENT);
    cr_assert_eq(st.reason, REASON_VALIDATION_ERROR);
    cr_assert_str_eq(st.field, "amount");
    cr_assert_not(failed(OK));
}

Test(status, has_grpcs_names_for_the_codes)
{
    cr_assert_str_eq(status_code_name(STATUS_OK), "OK");
    cr_assert_str_eq(status_code_name(STATUS_UNAUTHENTICATED), "UNAUTHENTICATED");
    cr_assert_str_eq(status_code_name((enum status_code)99), "UNKNOWN");
    cr_assert_str_eq(status_code_name((enum status_code) - 1), "UNKNOWN");
}
