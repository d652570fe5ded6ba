// The table of errors is complete, and the problem document says what clients need and no more.

#include "gateway/errors.h"

#include "lib/base/macros.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <string.h>

Test(errors, every_reason_has_a_row)
{
    for (int i = REASON_NONE + 1; i < REASON_COUNT; i++) {
        const struct problem_kind *kind = problem_kind((enum reason)i);
        cr_expect(kind->http_status >= 400 && kind->http_status < 600, "%s",
                  reason_word((enum reason)i));
        cr_expect(kind->title && *kind->title, "%s", reason_word((enum reason)i));
    }
}

Test(errors, the_codes_of_the_specification_have_their_statuses)
{
    static const struct {
        enum reason reason;
        unsigned status;
    } rows[] = {
        {REASON_VALIDATION_ERROR,       400},
        {REASON_UNAUTHENTICATED,        401},
        {REASON_TOKEN_EXPIRED,          401},
        {REASON_FORBIDDEN,              403},
        {REASON_USER_NOT_FOUND,         404},
        {REASON_PRODUCT_NOT_FOUND,      404},
        {REASON_OPTION_NOT_FOUND,       404},
        {REASON_ORDER_NOT_FOUND,        404},
        {REASON_COUPON_NOT_FOUND,       404},
        {REASON_CART_ITEM_NOT_FOUND,    404},
        {REASON_PAYMENT_NOT_FOUND,      404},
        {REASON_EMAIL_TAKEN,            409},
        {REASON_IDEMPOTENCY_KEY_REUSED, 422},
        {REASON_REQUEST_IN_PROGRESS,    409},
        {REASON_RATE_LIMITED,           429},
        {REASON_TEMPORARILY_BLOCKED,    429},
        {REASON_PRODUCT_NOT_ORDERABLE,  409},
        {REASON_INSUFFICIENT_BALANCE,   402},
        {REASON_INSUFFICIENT_STOCK,     409},
        {REASON_ORDER_NOT_PAYABLE,      409},
        {REASON_ORDER_EXPIRED,          409},
        {REASON_ORDER_ALREADY_PAID,     409},
        {REASON_ILLEGAL_TRANSITION,     409},
        {REASON_COUPON_ALREADY_CLAIMED, 409},
        {REASON_COUPON_SOLD_OUT,        410},
        {REASON_COUPON_WINDOW_CLOSED,   403},
        {REASON_COUPON_NOT_USABLE,      400},
        {REASON_OVERLOADED,             503},
        {REASON_DEADLINE_EXCEEDED,      504},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        cr_expect_eq(problem_kind(rows[i].reason)->http_status, rows[i].status, "%s",
                     reason_word(rows[i].reason));
}

Test(errors, a_status_without_a_reason_is_shown_by_its_code)
{
    cr_expect_eq(problem_reason((struct status){.code = STATUS_UNAVAILABLE}), REASON_UNAVAILABLE);
    cr_expect_eq(problem_reason((struct status){.code = STATUS_UNKNOWN}), REASON_OUTCOME_UNKNOWN);
    cr_expect_eq(problem_reason((struct status){.code = STATUS_DATA_LOSS}), REASON_INTERNAL);
    struct status st = {.code = STATUS_ABORTED};
    int strange = 9999; // of a newer peer
    memcpy(&st.reason, &strange, sizeof(strange));
    cr_expect_eq(problem_reason(st), REASON_CONFLICT);
    memcpy(&st.code, &strange, sizeof(strange));
    cr_expect_eq(problem_reason(st), REASON_INTERNAL);
}

static json_t *problem_in(enum language language, struct status st,
                          const struct field_errors *errors)
{
    SCOPED(arena) *arena = arena_create();
    struct text_buffer out;
    text_buffer_init(&out, arena, 16);
    problem_write(&(struct problem){st, errors, "/api/v1/x\"\r\n", "00ff", language}, &out);
    json_t *json = json_loads(out.data, JSON_REJECT_DUPLICATES, NULL);
    cr_assert_not_null(json, "%s", out.data);
    return json;
}

static json_t *problem_of(struct status st, const struct field_errors *errors)
{
    return problem_in(ENGLISH, st, errors);
}

static const char *member(const json_t *json, const char *name)
{
    return json_string_value(json_object_get(json, name));
}

Test(errors, a_problem_has_all_members)
{
    json_t *json = problem_of(refuse(REASON_INSUFFICIENT_BALANCE, "3,000 won are missing"), NULL);
    cr_expect_str_eq(member(json, "type"), "urn:baro:problem:INSUFFICIENT_BALANCE");
    cr_expect_str_eq(member(json, "title"), "The balance is too low");
    cr_expect_eq(json_integer_value(json_object_get(json, "status")), 402);
    cr_expect_str_eq(member(json, "detail"), "3,000 won are missing");
    cr_expect_str_eq(member(json, "instance"), "/api/v1/x\"\r\n");
    cr_expect_str_eq(member(json, "code"), "INSUFFICIENT_BALANCE");
    cr_expect_str_eq(member(json, "trace_id"), "00ff");
    cr_expect(json_is_false(json_object_get(json, "retryable")));
    cr_expect_eq(json_array_size(json_object_get(json, "errors")), 0);
    json_decref(json);
}

Test(errors, a_field_of_a_service_becomes_an_entry)
{
    json_t *json = problem_of(invalid("amount", "must be a multiple of 10"), NULL);
    const json_t *entry = json_array_get(json_object_get(json, "errors"), 0);
    cr_expect_str_eq(member(entry, "field"), "amount");
    cr_expect_str_eq(member(entry, "message"), "must be a multiple of 10");
    json_decref(json);
}

Test(errors, all_field_errors_are_listed)
{
    struct field_errors errors = {0};
    field_errors_add(&errors, "a", "one");
    field_errors_add(&errors, "b\"", "two");
    json_t *json = problem_of(refuse(REASON_VALIDATION_ERROR, NULL), &errors);
    cr_expect_eq(json_array_size(json_object_get(json, "errors")), 2);
    cr_expect_str_eq(member(json, "detail"), "a: one");
    cr_expect_str_eq(member(json_array_get(json_object_get(json, "errors"), 1), "field"), "b\"");
    json_decref(json);
}

Test(errors, every_title_is_also_in_korean)
{
    SCOPED(arena) *arena = arena_create();
    for (int i = REASON_NONE + 1; i < REASON_COUNT; i++) {
        const char *title = problem_kind((enum reason)i)->title;
        const char *korean = sentence_in(KOREAN, title, arena);
        cr_expect(korean && strcmp(korean, title) != 0, "%s", reason_word((enum reason)i));
    }
}

Test(errors, a_korean_reader_gets_the_same_code_in_korean_words)
{
    json_t *json = problem_in(KOREAN, invalid("page_size", "must be 1 to 100"), NULL);
    cr_expect_str_eq(member(json, "code"), "VALIDATION_ERROR");
    cr_expect_str_eq(member(json, "title"), "요청이 올바르지 않습니다");
    cr_expect_str_eq(member(json, "detail"), "page_size: 1에서 100 사이여야 합니다");
    const json_t *entry = json_array_get(json_object_get(json, "errors"), 0);
    cr_expect_str_eq(member(entry, "message"), "1에서 100 사이여야 합니다");
    json_decref(json);
}

Test(errors, an_internal_fault_keeps_its_details)
{
    json_t *json = problem_of(refuse(REASON_INTERNAL, "relation \"wallet\" does not exist"), NULL);
    cr_expect_str_eq(member(json, "detail"), "Something went wrong here");
    json_decref(json);
}

Test(errors, what_may_succeed_later_is_retryable)
{
    json_t *json = problem_of(refuse(REASON_UNAVAILABLE, NULL), NULL);
    cr_expect(json_is_true(json_object_get(json, "retryable")));
    cr_expect_eq(problem_kind(REASON_UNAVAILABLE)->retry_after_s, 1);
    json_decref(json);
}

Test(errors, nobody_is_asked_to_retry_what_was_given_back)
{
    json_t *json = problem_of(refuse(REASON_SYSTEM_FAILURE, NULL), NULL);
    cr_expect(json_is_false(json_object_get(json, "retryable")));
    cr_expect_eq(problem_kind(REASON_SYSTEM_FAILURE)->retry_after_s, 0);
    json_decref(json);
}
