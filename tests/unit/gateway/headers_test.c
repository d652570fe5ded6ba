// Words of headers, trace contexts and queries: what is taken over, what is refused.

#include "gateway/headers.h"
#include "gateway/query.h"
#include "gateway/trace.h"
#include "lib/base/macros.h"
#include "proto/product.pb-c.h"
#include "proto/user.pb-c.h"

#include <criterion/criterion.h>
#include <string.h>

Test(headers, json_is_told_by_its_type)
{
    static const struct {
        const char *type;
        bool json;
    } rows[] = {
        {"application/json",                   true },
        {"Application/JSON",                   true },
        {"application/json; charset=utf-8",    true },
        {"application/json;charset=\"UTF-8\"", true },
        {"application/json; charset=latin1",   false},
        {"application/jsonx",                  false},
        {"application/problem+json",           false},
        {"text/plain",                         false},
        {"",                                   false},
        {NULL,                                 false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct headers headers = {.content_type = rows[i].type};
        cr_expect_eq(headers_say_json(&headers), rows[i].json, "%s",
                     rows[i].type ? rows[i].type : "none");
    }
}

Test(headers, an_idempotency_key_is_visible_ascii)
{
    char longest[257];
    memset(longest, 'k', sizeof(longest));
    longest[255] = '\0';
    cr_expect(idempotency_key_is_valid(longest));
    longest[255] = 'k';
    longest[256] = '\0';
    cr_expect_not(idempotency_key_is_valid(longest));
    cr_expect(idempotency_key_is_valid("a-1_!~"));
    cr_expect_not(idempotency_key_is_valid(""));
    cr_expect_not(idempotency_key_is_valid("a b"));
    cr_expect_not(idempotency_key_is_valid("a\tb"));
    cr_expect_not(idempotency_key_is_valid("\xed\x95\x9c"));
    cr_expect_not(idempotency_key_is_valid("a\x7f"));
}

static const char good_parent[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

Test(trace, a_valid_context_goes_on_with_a_span_of_our_own)
{
    struct trace trace;
    trace_begin(&trace, good_parent, "order-42.a:b_C", 100);
    cr_assert_str_eq(trace.id, "0af7651916cd43dd8448eb211c80319c");
    cr_assert_eq(strncmp(trace.parent, good_parent, 36), 0);
    cr_assert_neq(strncmp(trace.parent + 36, good_parent + 36, 16), 0);
    cr_assert_str_eq(trace.parent + 52, "-00");
    cr_assert_str_eq(trace.request_id, "order-42.a:b_C");
}

Test(trace, what_is_not_valid_is_replaced_and_never_echoed)
{
    static const char *const parents[] = {
        NULL,
        "",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-00",
        "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
        "00-00000000000000000000000000000000-b7ad6b7169203331-00",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-00",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00-x",
        "00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-00",
    };
    for (size_t i = 0; i < COUNT(parents); i++) {
        struct trace trace;
        trace_begin(&trace, parents[i], NULL, 100);
        cr_expect_eq(strlen(trace.parent), 55);
        cr_expect_eq(strspn(trace.id, "0123456789abcdef"), 32);
        cr_expect_neq(strncmp(trace.id, "0af7651916cd43dd8448eb211c80319c", 32), 0);
        cr_expect_str_eq(trace.request_id, trace.id);
    }
    char longer[130];
    memset(longer, 'a', 129);
    longer[129] = '\0';
    const char *const ids[] = {"a b", "", "a\r\nX-Evil: 1", "a\"", "한", longer};
    for (size_t i = 0; i < COUNT(ids); i++) {
        struct trace trace;
        trace_begin(&trace, NULL, ids[i], 100);
        cr_expect_str_eq(trace.request_id, trace.id, "%s", ids[i]);
    }
}

Test(trace, ids_differ)
{
    struct trace a, b;
    trace_begin(&a, NULL, NULL, 100);
    trace_begin(&b, NULL, NULL, 100);
    cr_assert_str_neq(a.id, b.id);
    cr_assert_neq(strncmp(a.parent + 36, b.parent + 36, 16), 0);
}

static Baro__Product__ListProductsRequest *read_list(struct arena *arena, const char *query,
                                                     struct field_errors *errors)
{
    ProtobufCMessage *message =
        message_create(&baro__product__list_products_request__descriptor, arena);
    *errors = (struct field_errors){.arena = arena};
    query_read(query, NULL, 0, message, errors);
    return (Baro__Product__ListProductsRequest *)message;
}

Test(query, parameters_are_decoded_once)
{
    SCOPED(arena) *arena = arena_create();
    struct field_errors errors;
    const Baro__Product__ListProductsRequest *list = read_list(
        arena, "search=100%25+%EB%B9%A8%2525&page_size=20&sort=&&page_token=a%3Db", &errors);
    cr_assert_eq(errors.count, 0);
    cr_assert_str_eq(list->search, "100% 빨%25");
    cr_assert_eq(list->page_size, 20);
    cr_assert_str_eq(list->sort, "");
    cr_assert_str_eq(list->page_token, "a=b");
    read_list(arena, NULL, &errors);
    read_list(arena, "", &errors);
    cr_assert_eq(errors.count, 0);
}

Test(query, what_is_wrong_is_named)
{
    static const struct {
        const char *query, *field, *message;
    } rows[] = {
        {"colour=red",                     "colour",    "not a parameter"},
        {"=x",                             "",          "not a parameter"},
        {"search=a&search=a",              "search",    "more than once" },
        {"page_size=ten",                  "page_size", "integer"        },
        {"page_size=",                     "page_size", "integer"        },
        {"page_size=1.5",                  "page_size", "integer"        },
        {"page_size=2147483648",           "page_size", "range"          },
        {"page_size=99999999999999999999", "page_size", "integer"        },
        {"search=%",                       "search",    "well-formed"    },
        {"search=%4",                      "search",    "well-formed"    },
        {"search=%zz",                     "search",    "well-formed"    },
        {"search=a%00b",                   "search",    "well-formed"    },
        {"search=%ff",                     "search",    "well-formed"    },
        {"search=%ed%a0%80",               "search",    "well-formed"    },
        {"%ff=1",                          "",          "well-formed"    },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        SCOPED(arena) *arena = arena_create();
        struct field_errors errors;
        read_list(arena, rows[i].query, &errors);
        cr_assert_eq(errors.count, 1, "%s", rows[i].query);
        cr_expect_str_eq(errors.items[0].field, rows[i].field, "%s", rows[i].query);
        cr_expect(strstr(errors.items[0].message, rows[i].message), "%s: %s", rows[i].query,
                  errors.items[0].message);
    }
}

Test(query, times_enums_and_optional_numbers_are_read)
{
    SCOPED(arena) *arena = arena_create();
    struct field_errors errors = {.arena = arena};
    ProtobufCMessage *message =
        message_create(&baro__user__list_history_request__descriptor, arena);
    query_read("from=2026-01-31T09:00:00Z&to=2026-02-01&type=REFUND&ref_id=77", NULL, 0, message,
               &errors);
    const Baro__User__ListHistoryRequest *list = (const Baro__User__ListHistoryRequest *)message;
    cr_assert_eq(errors.count, 0);
    cr_assert_eq(list->from->us, INT64_C(1769850000) * 1000000);
    cr_assert_eq(list->to->us, INT64_C(1769904000) * 1000000);
    cr_assert_eq(list->type, BARO__USER__ENTRY_TYPE__ENTRY_TYPE_REFUND);
    cr_assert_eq(list->ref_id->value, 77);
}
