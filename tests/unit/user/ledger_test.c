// A batch in memory: what each call sees is what the calls before it left.

#include "services/user/ledger.h"

#include "lib/base/macros.h"
#include "lib/base/timeid.h"

#include <criterion/criterion.h>
#include <string.h>

enum { ROOM = 8, ALICE = 3, BOB = 5 };
static const int64_t NOW_US = INT64_C(1790000000123456);

// Alice has 10,000 won and Bob 500; order 70 was paid by Alice with 2,500 before.
struct books {
    struct wallet wallets[2];
    struct order_entry moved[2];
    struct entry entries[ROOM];
    int64_t sequence[ROOM];
    struct ledger ledger;
};

static void open_books(struct books *books)
{
    *books = (struct books){
        .wallets = {{.user_id = ALICE, .balance_won = 10000, .version = 4},
                    {.user_id = BOB, .balance_won = 500}},
        .moved = {{70, ENTRY_USE, ALICE, -2500}},
    };
    for (size_t i = 0; i < ROOM; i++)
        books->sequence[i] = (int64_t)(100 + i);
    books->ledger = (struct ledger){
        .now_us = NOW_US,
        .sequence = books->sequence,
        .wallets = books->wallets,
        .wallet_count = COUNT(books->wallets),
        .moved = books->moved,
        .moved_count = 1,
        .entries = books->entries,
    };
}

static struct status debit(struct books *books, int64_t user, int64_t order, int64_t amount)
{
    struct change change = {.user_id = user, .order_id = order, .amount_won = amount};
    return ledger_debit(&books->ledger, &change);
}

static struct status refund(struct books *books, int64_t user, int64_t order, int64_t *returned)
{
    struct change change = {.user_id = user, .order_id = order};
    return ledger_refund(&books->ledger, &change, returned);
}

static int64_t balance(const struct books *books, int64_t user)
{
    return ledger_wallet(&books->ledger, user)->balance_won;
}

Test(ledger, finds_each_wallet_and_no_other)
{
    struct books books;
    open_books(&books);
    cr_assert_eq(ledger_wallet(&books.ledger, ALICE), &books.wallets[0]);
    cr_assert_eq(ledger_wallet(&books.ledger, BOB), &books.wallets[1]);
    cr_assert_null(ledger_wallet(&books.ledger, 4));
    cr_assert_null(ledger_wallet(&(struct ledger){0}, 4));
}

Test(ledger, applies_the_calls_of_a_batch_one_after_the_other)
{
    struct books books;
    open_books(&books);
    cr_assert(!failed(debit(&books, ALICE, 71, 6000)));
    cr_assert_eq(debit(&books, ALICE, 72, 6000).reason, REASON_INSUFFICIENT_BALANCE);
    cr_assert(!failed(debit(&books, ALICE, 73, 4000)));
    cr_assert_eq(balance(&books, ALICE), 0);
    cr_assert_eq(books.ledger.entry_count, 2);
    cr_assert_eq(books.entries[1].before_won, 4000);
    cr_assert_eq(books.entries[1].number, 6);
}

Test(ledger, gives_entries_ids_that_carry_their_second)
{
    struct books books;
    open_books(&books);
    cr_assert(!failed(debit(&books, ALICE, 71, 1)));
    cr_assert(!failed(debit(&books, ALICE, 72, 1)));
    cr_assert_eq(books.entries[0].id, time_id(NOW_US, 100));
    cr_assert_eq(books.entries[1].id, time_id(NOW_US, 101));
    cr_assert_eq(books.entries[0].ref_id, 71);
    cr_assert_eq(books.entries[0].created_at_us, NOW_US);
    cr_assert_str_eq(books.entries[0].note, "");
}

Test(ledger, takes_the_money_of_an_order_once)
{
    struct books books;
    open_books(&books);
    cr_assert_eq(debit(&books, ALICE, 70, 2500).reason, REASON_ORDER_ALREADY_PAID);
    cr_assert(!failed(debit(&books, ALICE, 71, 100)));
    cr_assert_eq(debit(&books, ALICE, 71, 100).reason, REASON_ORDER_ALREADY_PAID);
    cr_assert_eq(debit(&books, BOB, 71, 100).reason, REASON_ORDER_ALREADY_PAID);
    cr_assert_eq(balance(&books, ALICE), 9900);
    cr_assert_eq(balance(&books, BOB), 500);
}

// Only for the very debit that is there, and as long as it stands.
Test(ledger, finds_a_debit_that_comes_again_done)
{
    struct books books;
    int64_t returned;
    open_books(&books);
    cr_assert(!failed(debit(&books, ALICE, 71, 100)));
    const struct change same = {.user_id = ALICE, .order_id = 71, .amount_won = 100, .again = true};
    struct change dearer = same, another = same;
    dearer.amount_won = 101;
    another.user_id = BOB;
    cr_assert(!failed(ledger_debit(&books.ledger, &same)));
    cr_assert_eq(ledger_debit(&books.ledger, &dearer).reason, REASON_ORDER_ALREADY_PAID);
    cr_assert_eq(ledger_debit(&books.ledger, &another).reason, REASON_ORDER_ALREADY_PAID);
    cr_assert_eq(balance(&books, ALICE), 9900);
    cr_assert(!failed(refund(&books, ALICE, 71, &returned)));
    cr_assert_eq(ledger_debit(&books.ledger, &same).reason, REASON_ORDER_ALREADY_PAID);
    cr_assert_eq(balance(&books, ALICE), 10000);
}

Test(ledger, refuses_debits_that_take_nothing)
{
    static const int64_t AMOUNTS[] = {0, -1, INT64_MIN};
    struct books books;
    open_books(&books);
    for (size_t i = 0; i < COUNT(AMOUNTS); i++)
        cr_assert_eq(debit(&books, ALICE, 71, AMOUNTS[i]).reason, REASON_VALIDATION_ERROR);
    cr_assert_eq(debit(&books, ALICE, 71, INT64_MAX).reason, REASON_VALIDATION_ERROR);
    cr_assert_eq(debit(&books, ALICE, 0, 100).reason, REASON_VALIDATION_ERROR);
    cr_assert_eq(debit(&books, 99, 71, 100).reason, REASON_USER_NOT_FOUND);
}

Test(ledger, gives_back_exactly_what_the_order_took_once)
{
    struct books books;
    int64_t returned = 0;
    open_books(&books);
    cr_assert(!failed(refund(&books, ALICE, 70, &returned)));
    cr_assert_eq(returned, 2500);
    cr_assert_eq(balance(&books, ALICE), 12500);
    cr_assert(!failed(refund(&books, ALICE, 70, &returned)));
    cr_assert_eq(returned, 2500);
    cr_assert_eq(balance(&books, ALICE), 12500);
    cr_assert_eq(books.ledger.entry_count, 1);
    cr_assert_eq(books.entries[0].type, ENTRY_REFUND);
}

Test(ledger, does_not_repeat_a_refund_from_before_the_batch)
{
    struct books books;
    int64_t returned = 0;
    open_books(&books);
    books.moved[1] = (struct order_entry){70, ENTRY_REFUND, ALICE, 2500};
    books.ledger.moved_count = 2;
    cr_assert(!failed(refund(&books, ALICE, 70, &returned)));
    cr_assert_eq(returned, 2500);
    cr_assert_eq(books.ledger.entry_count, 0);
}

Test(ledger, refunds_what_a_call_before_in_the_batch_took)
{
    struct books books;
    int64_t returned = 0;
    open_books(&books);
    cr_assert(!failed(debit(&books, BOB, 71, 500)));
    cr_assert(!failed(refund(&books, BOB, 71, &returned)));
    cr_assert_eq(returned, 500);
    cr_assert_eq(balance(&books, BOB), 500);
}

Test(ledger, gives_nothing_back_when_nothing_was_taken)
{
    struct books books;
    int64_t returned = -1;
    open_books(&books);
    cr_assert(!failed(refund(&books, ALICE, 99, &returned)));
    cr_assert_eq(returned, 0);
    cr_assert(!failed(refund(&books, 12345, 99, &returned)));
    cr_assert_eq(books.ledger.entry_count, 0);
}

Test(ledger, treats_a_refund_to_somebody_else_as_a_fault_and_not_as_an_answer)
{
    struct books books;
    int64_t returned = -1;
    open_books(&books);
    struct status st = refund(&books, BOB, 70, &returned);
    cr_assert(failed(st));
    cr_assert(!status_is_definite(st));
    cr_assert_eq(balance(&books, BOB), 500);
}
