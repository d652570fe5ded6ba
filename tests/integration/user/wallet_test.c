// Wallets on a real database: batches, races, repeats. rig_close() asserts law 1 after each.

#include "lib/base/macros.h"
#include "lib/base/timeid.h"
#include "tests/integration/user/rig.h"
#include "tests/support/database.h"
#include "tests/support/saga_ids.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const Baro__User__WalletChange *change_of(const struct asked *asked)
{
    cr_assert_eq(asked->code, STATUS_OK, "%s %s", reason_word(asked->reason), asked->message);
    return (const void *)asked->reply;
}

static struct asked *start_charge(struct rig *rig, struct as as, int64_t amount_won)
{
    Baro__User__ChargeRequest request;
    baro__user__charge_request__init(&request);
    request.amount = amount_won;
    return rig_start(rig, "Charge", as, &request.base);
}

static struct asked *start_debit(struct rig *rig, struct as as, int64_t user, int64_t order,
                                 int64_t amount_won)
{
    Baro__User__DebitWalletRequest request;
    baro__user__debit_wallet_request__init(&request);
    request.user_id = user;
    request.order_id = order;
    request.amount = amount_won;
    return rig_start(rig, "DebitWallet", as, &request.base);
}

static const struct asked *debit(struct rig *rig, struct as as, int64_t user, int64_t order,
                                 int64_t amount_won)
{
    return rig_await(start_debit(rig, as, user, order, amount_won));
}

static const struct asked *refund(struct rig *rig, struct as as, int64_t user, int64_t order)
{
    Baro__User__RefundWalletRequest request;
    baro__user__refund_wallet_request__init(&request);
    request.user_id = user;
    request.order_id = order;
    return rig_call(rig, "RefundWallet", as, &request.base);
}

static const struct asked *adjust(struct rig *rig, int64_t user, int64_t amount_won,
                                  const char *note)
{
    Baro__User__AdjustBalanceRequest request;
    baro__user__adjust_balance_request__init(&request);
    char text[512];
    snprintf(text, sizeof(text), "%s", note);
    request.user_id = user;
    request.amount = amount_won;
    request.note = text;
    return rig_call(rig, "AdjustBalance", as_admin(), &request.base);
}

static void expect_moved(const struct asked *asked, int64_t balance_won, int64_t amount_won)
{
    cr_assert_eq(asked->code, STATUS_OK, "%s %s", reason_word(asked->reason), asked->message);
    const Baro__User__WalletMoved *moved = (const void *)asked->reply;
    cr_assert_eq(moved->balance, balance_won);
    cr_assert_eq(moved->amount, amount_won);
}

// What the barrier has forgotten is a week old, and so is its saga.
static void forget(const struct rig *rig)
{
    static const struct statement gone = {"gone", "DELETE FROM barrier"};
    SCOPED(db) *db = rig_db(rig);
    rig_shift_clock(rig, "8 days");
    cr_assert(!failed(db_execute(db, &gone, NO_PARAMS, NULL)));
}

static Baro__SagaStep step(int64_t saga, bool compensation)
{
    Baro__SagaStep made;
    baro__saga_step__init(&made);
    static char name[] = "debit_wallet";
    made.saga_id = saga_begun(saga, 0);
    made.step = name;
    made.compensation = compensation;
    return made;
}

Test(wallet_calls, a_charge_answers_the_new_balance_and_its_history_row)
{
    struct rig *rig = rig_open((struct rig_size){0});
    int64_t user = given_user(rig);
    cr_assert_eq(wallet_balance(rig, user), 0);
    const Baro__User__WalletChange *change = change_of(charge(rig, as_user(user), 1000));
    cr_assert_eq(change->balance, 1000);
    cr_assert_eq(change->entry->type, BARO__USER__ENTRY_TYPE__ENTRY_TYPE_CHARGE);
    cr_assert_eq(change->entry->amount, 1000);
    cr_assert_eq(change->entry->before, 0);
    cr_assert_eq(change->entry->after, 1000);
    cr_assert_null(change->entry->ref_id);
    cr_assert_eq(change->entry->created_at->us / 1000000, time_id_us(change->entry->id) / 1000000);
    cr_assert_eq(wallet_balance(rig, user), 1000);
    rig_close(rig);
}

Test(wallet_calls, charges_outside_the_rules_change_nothing)
{
    struct rig *rig = rig_open((struct rig_size){0});
    int64_t user = given_user_with(rig, 9900000);
    expect_invalid(charge(rig, as_user(user), 999), "amount");
    expect_invalid(charge(rig, as_user(user), 1001), "amount");
    expect_invalid(charge(rig, as_user(user), 100010), "amount");
    change_of(charge(rig, as_user(user), 100000));
    expect_invalid(charge(rig, as_user(user), 1000), "amount");
    cr_assert_eq(wallet_balance(rig, user), 10000000);
    rig_close(rig);
}

Test(wallet_calls, the_caller_without_an_account_is_not_found)
{
    struct rig *rig = rig_open((struct rig_size){0});
    expect_refused(charge(rig, as_user(999999), 1000), REASON_USER_NOT_FOUND);
    expect_refused(adjust(rig, 999999, 5, ""), REASON_USER_NOT_FOUND);
    rig_close(rig);
}

Test(wallet_calls, fifty_charges_of_one_user_at_once_all_succeed)
{
    enum { CALLS = 50 };
    struct rig *first = rig_open((struct rig_size){.write_workers = 4, .batch_max = 1});
    struct rig *second = rig_open_replica(first, (struct rig_size){.write_workers = 4});
    int64_t user = given_user(first);
    struct asked *asked[CALLS];
    for (int i = 0; i < CALLS; i++)
        asked[i] = start_charge(i % 2 ? first : second, as_user(user), 1000);
    for (int i = 0; i < CALLS; i++)
        change_of(rig_await(asked[i]));
    cr_assert_eq(wallet_balance(first, user), CALLS * 1000);
    rig_close(second);
    rig_close(first);
}

Test(wallet_calls, charges_of_many_users_share_batches_and_stay_apart)
{
    enum { USERS = 20, CALLS = 600 };
    struct rig *rig = rig_open((struct rig_size){.write_workers = 4, .batch_max = 64});
    int64_t users[USERS];
    struct asked *asked[CALLS];
    for (int i = 0; i < USERS; i++)
        users[i] = given_user(rig);
    for (int i = 0; i < CALLS; i++)
        asked[i] = start_charge(rig, as_user(users[i % USERS]), 1000 + 10 * (i % USERS));
    for (int i = 0; i < CALLS; i++)
        change_of(rig_await(asked[i]));
    for (int i = 0; i < USERS; i++)
        cr_assert_eq(wallet_balance(rig, users[i]), CALLS / USERS * (1000 + 10 * i));
    rig_close(rig);
}

Test(wallet_calls, a_charge_under_one_key_happens_once)
{
    enum { COPIES = 8 };
    struct rig *rig = rig_open((struct rig_size){.write_workers = 2});
    int64_t user = given_user(rig);
    struct as as = as_user_with_key(user, "charge-1");
    const Baro__User__WalletChange *once = change_of(charge(rig, as, 5000));
    const Baro__User__WalletChange *again = change_of(charge(rig, as, 5000));
    cr_assert_eq(once->entry->id, again->entry->id);
    cr_assert_eq(again->balance, 5000);
    expect_refused(charge(rig, as, 6000), REASON_IDEMPOTENCY_KEY_REUSED);

    struct asked *copies[COPIES];
    for (int i = 0; i < COPIES; i++)
        copies[i] = start_charge(rig, as_user_with_key(user, "charge-2"), 1000);
    for (int i = 0; i < COPIES; i++)
        cr_assert(rig_await(copies[i])->code == STATUS_OK ||
                  copies[i]->reason == REASON_REQUEST_IN_PROGRESS);
    cr_assert_eq(wallet_balance(rig, user), 6000);
    change_of(charge(rig, as_user_with_key(given_user(rig), "charge-1"), 5000));
    rig_close(rig);
}

Test(wallet_calls, a_charge_above_the_cap_is_not_kept_under_its_key)
{
    struct rig *rig = rig_open((struct rig_size){0});
    int64_t user = given_user_with(rig, 10000000);
    struct as as = as_user_with_key(user, "too much");
    expect_invalid(charge(rig, as, 1000), "amount");
    cr_assert_eq(adjust(rig, user, -1000, "")->code, STATUS_OK);
    cr_assert_eq(change_of(charge(rig, as, 1000))->balance, 10000000);
    cr_assert_eq(change_of(charge(rig, as, 1000))->balance, 10000000, "once");
    rig_close(rig);
}

Test(wallet_calls, an_order_is_paid_and_refunded_at_most_once)
{
    struct rig *rig = rig_open((struct rig_size){0});
    int64_t user = given_user_with(rig, 10000);
    expect_moved(debit(rig, as_service(), user, 77, 1005), 8995, 1005);
    expect_refused(debit(rig, as_service(), user, 77, 1005), REASON_ORDER_ALREADY_PAID);
    expect_moved(refund(rig, as_service(), user, 77), 10000, 1005);
    expect_moved(refund(rig, as_service(), user, 77), 10000, 1005);
    expect_moved(refund(rig, as_service(), user, 78), 10000, 0);
    cr_assert_eq(rig_number(rig, "SELECT count(*) FROM wallet_history WHERE ref_id = 77"), 2);
    rig_close(rig);
}

Test(wallet_calls, a_refund_passes_the_cap)
{
    struct rig *rig = rig_open((struct rig_size){0});
    int64_t user = given_user_with(rig, 10000000);
    expect_moved(debit(rig, as_service(), user, 77, 250000), 9750000, 250000);
    change_of(charge(rig, as_user(user), 100000));
    expect_moved(refund(rig, as_service(), user, 77), 10100000, 250000);
    rig_close(rig);
}

Test(wallet_calls, orders_paid_at_once_take_what_the_balance_permits_and_no_more)
{
    enum { CALLS = 40 };
    struct rig *rig = rig_open((struct rig_size){.write_workers = 4, .batch_max = 4});
    int64_t user = given_user_with(rig, 10000);
    struct asked *asked[CALLS];
    int paid = 0;
    for (int i = 0; i < CALLS; i++)
        asked[i] = start_debit(rig, as_service(), user, 1000 + i, 1000);
    for (int i = 0; i < CALLS; i++) {
        if (rig_await(asked[i])->code == STATUS_OK)
            paid++;
        else
            expect_refused(asked[i], REASON_INSUFFICIENT_BALANCE);
    }
    cr_assert_eq(paid, 10);
    cr_assert_eq(wallet_balance(rig, user), 0);
    rig_close(rig);
}

Test(wallet_calls, one_order_debited_by_many_at_once_is_paid_once)
{
    enum { CALLS = 16 };
    struct rig *rig = rig_open((struct rig_size){.write_workers = 4, .batch_max = 1});
    int64_t user = given_user_with(rig, 100000);
    struct asked *asked[CALLS];
    int paid = 0;
    for (int i = 0; i < CALLS; i++)
        asked[i] = start_debit(rig, as_service(), user, 77, 1000);
    for (int i = 0; i < CALLS; i++) {
        if (rig_await(asked[i])->code == STATUS_OK)
            paid++;
        else
            expect_refused(asked[i], REASON_ORDER_ALREADY_PAID);
    }
    cr_assert_eq(paid, 1);
    cr_assert_eq(wallet_balance(rig, user), 99000);
    rig_close(rig);
}

Test(wallet_calls, a_saga_command_that_comes_twice_gets_the_first_answer)
{
    struct rig *rig = rig_open((struct rig_size){.write_workers = 2, .batch_max = 1});
    int64_t user = given_user_with(rig, 5000);
    Baro__SagaStep action = step(900, false), compensation = step(900, true);
    struct asked *twice[] = {start_debit(rig, as_saga(&action), user, 77, 2000),
                             start_debit(rig, as_saga(&action), user, 77, 2000)};
    expect_moved(rig_await(twice[0]), 3000, 2000);
    expect_moved(rig_await(twice[1]), 3000, 2000);
    expect_moved(refund(rig, as_saga(&compensation), user, 77), 5000, 2000);
    expect_moved(refund(rig, as_saga(&compensation), user, 77), 5000, 2000);
    expect_refused(debit(rig, as_saga(&action), user, 77, 2000), REASON_STEP_COMPENSATED);
    cr_assert_eq(wallet_balance(rig, user), 5000);
    rig_close(rig);
}

Test(wallet_calls, a_debit_that_the_barrier_has_forgotten_is_given_back)
{
    struct rig *rig = rig_open((struct rig_size){0});
    int64_t user = given_user_with(rig, 5000);
    Baro__SagaStep action = step(903, false), compensation = step(903, true);
    expect_moved(debit(rig, as_saga(&action), user, 77, 2000), 3000, 2000);
    forget(rig);
    expect_moved(refund(rig, as_saga(&compensation), user, 77), 5000, 2000);
    expect_refused(debit(rig, as_saga(&action), user, 77, 2000), REASON_STEP_COMPENSATED);
    forget(rig);
    expect_refused(debit(rig, as_saga(&action), user, 77, 2000), REASON_ORDER_ALREADY_PAID);
    cr_assert_eq(wallet_balance(rig, user), 5000);
    rig_close(rig);
}

Test(wallet_calls, a_debit_that_the_barrier_has_forgotten_succeeds_again)
{
    struct rig *rig = rig_open((struct rig_size){0});
    int64_t user = given_user_with(rig, 5000);
    Baro__SagaStep action = step(904, false), other = step(905, false);
    expect_moved(debit(rig, as_saga(&action), user, 77, 2000), 3000, 2000);
    expect_refused(debit(rig, as_saga(&other), user, 77, 2000), REASON_ORDER_ALREADY_PAID);
    forget(rig);
    expect_moved(debit(rig, as_saga(&action), user, 77, 2000), 3000, 2000);
    forget(rig);
    expect_refused(debit(rig, as_saga(&action), user, 77, 2100), REASON_ORDER_ALREADY_PAID);
    cr_assert_eq(wallet_balance(rig, user), 3000);
    rig_close(rig);
}

Test(wallet_calls, a_refusal_of_a_saga_step_stays_a_refusal)
{
    struct rig *rig = rig_open((struct rig_size){0});
    int64_t user = given_user_with(rig, 500);
    Baro__SagaStep action = step(901, false), compensation = step(901, true);
    expect_refused(debit(rig, as_saga(&action), user, 77, 2000), REASON_INSUFFICIENT_BALANCE);
    cr_assert_eq(adjust(rig, user, 5000, "")->code, STATUS_OK);
    expect_refused(debit(rig, as_saga(&action), user, 77, 2000), REASON_INSUFFICIENT_BALANCE);
    cr_assert_eq(refund(rig, as_saga(&compensation), user, 77)->code, STATUS_OK);
    cr_assert_eq(wallet_balance(rig, user), 5500);
    rig_close(rig);
}

Test(wallet_calls, a_debit_after_its_compensation_is_refused)
{
    struct rig *rig = rig_open((struct rig_size){0});
    int64_t user = given_user_with(rig, 5000);
    Baro__SagaStep action = step(902, false), compensation = step(902, true);
    cr_assert_eq(refund(rig, as_saga(&compensation), user, 77)->code, STATUS_OK);
    expect_refused(debit(rig, as_saga(&action), user, 77, 2000), REASON_STEP_COMPENSATED);
    cr_assert_eq(wallet_balance(rig, user), 5000);
    rig_close(rig);
}

Test(wallet_calls, an_admin_adjusts_beyond_charge_limits_but_not_below_zero)
{
    struct rig *rig = rig_open((struct rig_size){0});
    int64_t user = given_user(rig);
    const Baro__User__WalletChange *change =
        change_of(adjust(rig, user, 12345678, " 이벤트 보상 "));
    cr_assert_eq(change->balance, 12345678);
    cr_assert_str_eq(change->entry->note, "이벤트 보상");
    cr_assert_eq(change->entry->type, BARO__USER__ENTRY_TYPE__ENTRY_TYPE_ADJUST);
    expect_refused(adjust(rig, user, -12345679, "too much"), REASON_INSUFFICIENT_BALANCE);
    expect_invalid(adjust(rig, user, 0, "nothing"), "amount");
    char note[202] = "";
    memset(note, 'n', 201);
    expect_invalid(adjust(rig, user, 1, note), "note");
    change_of(adjust(rig, user, -12345678, "all of it"));
    cr_assert_eq(wallet_balance(rig, user), 0);
    rig_close(rig);
}

Test(wallet_calls, a_poisoned_call_fails_alone)
{
    struct rig *rig = rig_open((struct rig_size){0});
    int64_t rich = given_user(rig), poor = given_user(rig);
    SCOPED(db) *db = rig_db(rig);
    char sql[256];
    // The database refuses what the rules in memory would allow.
    snprintf(sql, sizeof(sql), "ALTER TABLE wallet ADD CHECK (user_id <> %lld OR balance < 3000)",
             (long long)poor);
    test_script(db, sql);
    struct asked *asked[] = {start_charge(rig, as_user(rich), 5000),
                             start_charge(rig, as_user(poor), 5000),
                             start_charge(rig, as_user(rich), 5000)};
    change_of(rig_await(asked[0]));
    expect_refused(rig_await(asked[1]), REASON_INTERNAL);
    change_of(rig_await(asked[2]));
    cr_assert_eq(wallet_balance(rig, rich), 10000);
    cr_assert_eq(wallet_balance(rig, poor), 0);
    rig_close(rig);
}

Test(wallet_history, can_be_neither_changed_nor_deleted_nor_emptied)
{
    static const char *const ATTEMPTS[] = {
        "UPDATE wallet_history SET note = 'x'",
        "DELETE FROM wallet_history",
        "TRUNCATE wallet_history",
        "UPDATE wallet_order_entry SET amount = -1",
        "DELETE FROM wallet_order_entry",
        "TRUNCATE wallet_order_entry",
    };
    struct rig *rig = rig_open((struct rig_size){0});
    int64_t user = given_user_with(rig, 5000);
    expect_moved(debit(rig, as_service(), user, 77, 2000), 3000, 2000);
    SCOPED(db) *db = rig_db(rig);
    for (size_t i = 0; i < COUNT(ATTEMPTS); i++)
        cr_assert(failed(db_script(db, ATTEMPTS[i])), "%s", ATTEMPTS[i]);
    cr_assert_eq(rig_number(rig, "SELECT count(*) FROM wallet_history"), 2);
    rig_close(rig);
}

Test(wallet_history, lies_in_the_partition_of_its_month_and_months_ahead_have_theirs)
{
    struct rig *rig = rig_open((struct rig_size){0});
    given_user_with(rig, 5000);
    cr_assert_eq(rig_number(rig, "SELECT count(*) FROM wallet_history_default"), 0);
    cr_assert_eq(rig_number(rig,
                            "SELECT count(*) FROM wallet_history WHERE tableoid::regclass::text"
                            " = 'wallet_history_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM')"),
                 1);
    cr_assert_eq(rig_number(rig, "SELECT count(*) FROM pg_inherits"
                                 " WHERE inhparent = 'wallet_history'::regclass"),
                 4);
    SCOPED(db) *db = rig_db(rig);
    SCOPED(arena) *arena = arena_create();
    test_script(db, "CREATE OR REPLACE FUNCTION baro_now() RETURNS timestamptz LANGUAGE sql STABLE"
                    " AS $$ SELECT clock_timestamp() + interval '1 month' $$");
    for (size_t i = 0; i < user_job_count; i++)
        cr_assert(!failed(user_jobs[i].run(rig->service, db, arena)), "%s", user_jobs[i].name);
    cr_assert_eq(rig_number(rig, "SELECT count(*) FROM pg_inherits"
                                 " WHERE inhparent = 'wallet_history'::regclass"),
                 5);
    rig_close(rig);
}
