// What no journey passes: wallets that are gone, names at the edge of UTF-8, addresses at their last dot.

#include "lib/base/macros.h"
#include "services/user/account.h"
#include "services/user/ledger.h"

#include <criterion/criterion.h>
#include <string.h>

Test(corners, a_refund_without_its_wallet_is_refused_and_not_lost)
{
    struct order_entry moved = {70, ENTRY_USE, 3, -2500};
    struct entry entries[1];
    const int64_t sequence[1] = {100};
    struct ledger ledger = {
        .sequence = sequence, .moved = &moved, .moved_count = 1, .entries = entries};
    int64_t returned_won = -1;
    struct status st =
        ledger_refund(&ledger, &(struct change){.user_id = 3, .order_id = 70}, &returned_won);
    cr_expect_eq(st.reason, REASON_USER_NOT_FOUND);
    cr_expect_eq(returned_won, -1);
}

Test(corners, an_entry_without_a_note_has_an_empty_one)
{
    struct wallet wallet = {.user_id = 3};
    struct entry entries[2];
    const int64_t sequence[2] = {100, 101};
    struct ledger ledger = {
        .sequence = sequence, .wallets = &wallet, .wallet_count = 1, .entries = entries};
    const char *notes[] = {NULL, "a note"};
    for (size_t i = 0; i < COUNT(notes); i++) {
        const struct entry *entry;
        struct change change = {.user_id = 3, .amount_won = 1000, .note = notes[i]};
        cr_assert_not(failed(ledger_add(&ledger, ENTRY_CHARGE, &change, &entry)));
        cr_expect_str_eq(entry->note, notes[i] ? notes[i] : "");
    }
}

Test(corners, domains_neither_begin_nor_end_with_a_hyphen)
{
    static const char *const rows[] = {"a@-b.example", "a@b.example-", "a@b.-example",
                                       "a@b-.example", "a@b..example", "a@.example",
                                       "a@b.example.", "@b.example",   "a@"};
    for (size_t i = 0; i < COUNT(rows); i++)
        cr_expect(failed(account_check_email(rows[i])), "%s", rows[i]);
    cr_expect_not(failed(account_check_email("a1@b-2c.example")));
}

Test(corners, an_address_is_bounded_in_all_and_in_its_parts)
{
    char text[400];
    memset(text, 'a', sizeof text);
    strcpy(text + 65, "@b.example"); // dots would keep its parts short
    text[30] = '.';
    cr_expect(failed(account_check_email(text)));
    memset(text, 'a', sizeof text);
    text[1] = '@';
    for (size_t i = 40; i < 260; i += 40)
        text[i] = '.';
    text[260] = '\0';
    cr_expect(failed(account_check_email(text)));
    text[250] = '\0';
    cr_expect_not(failed(account_check_email(text)));
}

Test(corners, control_characters_are_found_in_both_of_their_spellings)
{
    static const struct {
        const char *name;
        bool good;
    } rows[] = {
        {"a\xC2\x80", false},
        {"a\xC2\x9F", false},
        {"a\xC2\xA0", true },
        {"a\xC2\xBF", true },
        {"a\x7F",     false},
        {"a\x1F",     false},
        {"a\xC2 b",   true },
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        cr_expect_eq(!failed(account_check_name(rows[i].name)), rows[i].good, "row %zu", i);
}

Test(corners, roles_have_two_names)
{
    cr_expect_str_eq(account_role_name(ROLE_USER), "USER");
    cr_expect_str_eq(account_role_name(ROLE_ADMIN), "ADMIN");
    cr_expect_eq(account_role_parse("ADMIN"), ROLE_ADMIN);
    cr_expect_eq(account_role_parse("USER"), ROLE_USER);
}
