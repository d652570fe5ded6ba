// ListHistory: newest first, page by page, filtered.

#include "tests/integration/user/rig.h"
#include "tests/support/database.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const Baro__User__HistoryPage *list(struct rig *rig, int64_t user,
                                           const Baro__User__ListHistoryRequest *request)
{
    return rig_done(rig, "ListHistory", as_user(user), &request->base);
}

// A user with n charges of 1,000, 1,010, 1,020 ..
static int64_t given_user_with_charges(struct rig *rig, int count)
{
    int64_t user = given_user(rig);
    for (int i = 0; i < count; i++)
        cr_assert_eq(charge(rig, as_user(user), 1000 + 10 * i)->code, STATUS_OK);
    return user;
}

static void debit(struct rig *rig, int64_t user, int64_t order, int64_t amount_won)
{
    Baro__User__DebitWalletRequest request;
    baro__user__debit_wallet_request__init(&request);
    request.user_id = user;
    request.order_id = order;
    request.amount = amount_won;
    rig_done(rig, "DebitWallet", as_service(), &request.base);
}

Test(history, is_empty_for_a_new_user)
{
    struct rig *rig = rig_open((struct rig_size){0});
    Baro__User__ListHistoryRequest request;
    baro__user__list_history_request__init(&request);
    const Baro__User__HistoryPage *page = list(rig, given_user(rig), &request);
    cr_assert_eq(page->n_items, 0);
    cr_assert_str_eq(page->next_page_token, "");
    rig_close(rig);
}

Test(history, comes_newest_first_in_pages_without_gap_or_repeat)
{
    struct rig *rig = rig_open((struct rig_size){0});
    int64_t user = given_user_with_charges(rig, 7);
    given_user_with_charges(rig, 3);
    Baro__User__ListHistoryRequest request;
    baro__user__list_history_request__init(&request);
    request.page_size = 3;
    int64_t expected = 1060;
    for (size_t size = 3; expected >= 1000; size = expected > 1000 ? 3 : 1) {
        const Baro__User__HistoryPage *page = list(rig, user, &request);
        cr_assert_eq(page->n_items, size);
        for (size_t i = 0; i < page->n_items; i++, expected -= 10)
            cr_assert_eq(page->items[i]->amount, expected);
        cr_assert_eq(page->next_page_token[0] == '\0', expected < 1000);
        request.page_token = page->next_page_token;
    }
    rig_close(rig);
}

Test(history, has_no_next_page_when_the_last_one_is_just_full)
{
    struct rig *rig = rig_open((struct rig_size){0});
    int64_t user = given_user_with_charges(rig, 3);
    Baro__User__ListHistoryRequest request;
    baro__user__list_history_request__init(&request);
    request.page_size = 3;
    const Baro__User__HistoryPage *page = list(rig, user, &request);
    cr_assert_eq(page->n_items, 3);
    cr_assert_str_eq(page->next_page_token, "");
    rig_close(rig);
}

Test(history, filters_by_type_and_order)
{
    struct rig *rig = rig_open((struct rig_size){0});
    int64_t user = given_user_with_charges(rig, 2);
    debit(rig, user, 70, 100);
    debit(rig, user, 71, 200);
    Baro__User__ListHistoryRequest request;
    baro__user__list_history_request__init(&request);
    request.type = BARO__USER__ENTRY_TYPE__ENTRY_TYPE_USE;
    const Baro__User__HistoryPage *page = list(rig, user, &request);
    cr_assert_eq(page->n_items, 2);
    cr_assert_eq(page->items[0]->amount, -200);
    cr_assert_eq(page->items[0]->ref_id->value, 71);

    Baro__Int64 order;
    baro__int64__init(&order);
    order.value = 70;
    request.type = BARO__USER__ENTRY_TYPE__ENTRY_TYPE_UNSPECIFIED;
    request.ref_id = &order;
    page = list(rig, user, &request);
    cr_assert_eq(page->n_items, 1);
    cr_assert_eq(page->items[0]->amount, -100);
    rig_close(rig);
}

static void set_clock(struct rig *rig, const char *time)
{
    SCOPED(db) *db = rig_db(rig);
    char sql[256];
    snprintf(sql, sizeof(sql),
             "CREATE OR REPLACE FUNCTION baro_now() RETURNS timestamptz LANGUAGE sql STABLE"
             " AS $$ SELECT '%s'::timestamptz $$",
             time);
    test_script(db, sql);
}

Test(history, filters_by_time_from_inclusive_to_exclusive)
{
    enum { NOON_S = 1803124800 }; // 2027-02-20T12:00:00Z
    struct rig *rig = rig_open((struct rig_size){0});
    int64_t user = given_user(rig);
    static const char *const TIMES[] = {"2027-01-31 23:59:59.9Z", "2027-02-20 12:00:00Z",
                                        "2027-02-20 12:00:00.5Z", "2027-02-20 12:00:01Z"};
    for (int i = 0; i < 4; i++) {
        set_clock(rig, TIMES[i]);
        cr_assert_eq(charge(rig, as_user(user), 1000 + 10 * i)->code, STATUS_OK);
    }
    Baro__Timestamp from, to;
    baro__timestamp__init(&from);
    baro__timestamp__init(&to);
    from.us = NOON_S * INT64_C(1000000);
    to.us = from.us + 500000;
    Baro__User__ListHistoryRequest request;
    baro__user__list_history_request__init(&request);
    request.from = &from;
    cr_assert_eq(list(rig, user, &request)->n_items, 3);
    request.to = &to;
    const Baro__User__HistoryPage *page = list(rig, user, &request);
    cr_assert_eq(page->n_items, 1);
    cr_assert_eq(page->items[0]->amount, 1010);
    request.from = NULL;
    cr_assert_eq(list(rig, user, &request)->n_items, 2);
    rig_close(rig);
}

Test(history, refuses_pages_and_filters_that_make_no_sense)
{
    struct rig *rig = rig_open((struct rig_size){0});
    int64_t user = given_user(rig);
    Baro__User__ListHistoryRequest request;
    baro__user__list_history_request__init(&request);
    static char junk[] = "junk!";
    Baro__Timestamp never;
    baro__timestamp__init(&never);
    never.us = INT64_MAX;

    request.page_size = 101;
    expect_invalid(rig_call(rig, "ListHistory", as_user(user), &request.base), "page_size");
    request.page_size = -1;
    expect_invalid(rig_call(rig, "ListHistory", as_user(user), &request.base), "page_size");
    request.page_size = 100;
    request.page_token = junk;
    expect_invalid(rig_call(rig, "ListHistory", as_user(user), &request.base), "page_token");
    baro__user__list_history_request__init(&request);
    memset(&request.type, 1, sizeof(request.type)); // no type that there is
    expect_invalid(rig_call(rig, "ListHistory", as_user(user), &request.base), "type");
    request.type = BARO__USER__ENTRY_TYPE__ENTRY_TYPE_UNSPECIFIED;
    request.from = &never;
    expect_invalid(rig_call(rig, "ListHistory", as_user(user), &request.base), "from");
    rig_close(rig);
}

Test(history, of_many_callers_at_once_is_told_apart)
{
    enum { USERS = 10 };
    struct rig *rig = rig_open((struct rig_size){0});
    int64_t users[USERS];
    struct asked *asked[USERS];
    Baro__User__ListHistoryRequest request;
    baro__user__list_history_request__init(&request);
    for (int i = 0; i < USERS; i++)
        users[i] = given_user_with_charges(rig, i);
    for (int i = 0; i < USERS; i++)
        asked[i] = rig_start(rig, "ListHistory", as_user(users[i]), &request.base);
    for (int i = 0; i < USERS; i++) {
        const Baro__User__HistoryPage *page = (const void *)rig_await(asked[i])->reply;
        cr_assert_not_null(page);
        cr_assert_eq(page->n_items, (size_t)i);
    }
    rig_close(rig);
}
