// What may be an account, at both sides of each rule of SPEC 1.

#include "services/user/account.h"

#include "lib/base/macros.h"
#include "lib/base/text.h"

#include <criterion/criterion.h>
#include <string.h>

struct row {
    const char *text;
    bool good;
};

static void check(struct status (*rule)(const char *), const char *field, const struct row *rows,
                  size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct status st = rule(rows[i].text);
        cr_assert_eq(!failed(st), rows[i].good, "\"%s\"", rows[i].text);
        if (failed(st)) {
            cr_assert_eq(st.reason, REASON_VALIDATION_ERROR);
            cr_assert_str_eq(st.field, field);
        }
    }
}

Test(account, wants_eight_characters_a_letter_a_digit_and_a_sign)
{
    static const struct row ROWS[] = {
        {"abcde1!",               false}, // 7
        {"abcdef1!",              true }, // 8
        {"abcdefg!",              false}, // no digit
        {"1234567!",              false}, // no letter
        {"abcdefg1",              false}, // no sign
        {"abcdefg1#",             false}, // not one of the signs
        {"A1@aaaaa",              true },
        {"A1$aaaaa",              true },
        {"A1%aaaaa",              true },
        {"A1*aaaaa",              true },
        {"A1?aaaaa",              true },
        {"A1&aaaaa",              true },
        {"비밀번호a1!",           false}, // 7 characters, 15 bytes
        {"비밀번호는a1!",         true }, // 8 characters
        {"비밀번호는길다1!",      false}, // a letter of a-z is wanted
        {"with spaces are 1 ok!", true },
        {"",                      false},
    };
    check(account_check_password, "password", ROWS, COUNT(ROWS));
}

Test(account, bounds_the_length_of_passwords)
{
    char password[1026] = "a1!";
    memset(password + 3, 'x', 1021);
    cr_assert(!failed(account_check_password(password)));
    password[1024] = 'x';
    cr_assert(failed(account_check_password(password)));
}

Test(account, wants_names_of_2_to_50_characters_whatever_their_bytes)
{
    static const struct row ROWS[] = {
        {"김",                      false},
        {"김철",                    true },
        {"a",                       false},
        {"ab",                      true },
        {"",                        false},
        {"가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가"
         "가가가가가가",   true }, // 50
        {"가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가가"
         "가가가가가가나", false}, // 51
        {"김 철수",                 true },
        {"O'Brien",                 true },
    };
    check(account_check_name, "name", ROWS, COUNT(ROWS));
}

Test(account, refuses_names_that_pass_for_us_and_control_characters)
{
    static const struct row ROWS[] = {
        {"admin",      false},
        {"Admin",      false},
        {"xADMINx",    false},
        {"root",       false},
        {"Beetroot",   false},
        {"system",     false},
        {"the SyStEm", false},
        {"adm in",     true },
        {"관리자",     true },
        {"a\nb",       false},
        {"a\x7F"
         "b", false},
        {"a\xC2\x85"
         "b", false},
    };
    check(account_check_name, "name", ROWS, COUNT(ROWS));
}

Test(account, takes_addresses_and_refuses_what_is_none)
{
    static const struct row ROWS[] = {
        {"kim@baro.kr",          true },
        {"kim@baro.local",       true },
        {"Kim.Chul+shop@a.b.co", true },
        {"a@b.c",                true },
        {"",                     false},
        {"kim",                  false},
        {"@baro.kr",             false},
        {"kim@",                 false},
        {"kim@baro",             false},
        {"kim@@baro.kr",         false},
        {"kim@ba@ro.kr",         false},
        {"ki m@baro.kr",         false},
        {"kim@ba ro.kr",         false},
        {".kim@baro.kr",         false},
        {"kim.@baro.kr",         false},
        {"k..im@baro.kr",        false},
        {"kim@.kr",              false},
        {"kim@baro..kr",         false},
        {"kim@baro.kr.",         false},
        {"kim@-baro.kr",         false},
        {"kim@baro-.kr",         false},
        {"kim@ba-ro.kr",         true },
        {"kim@ba_ro.kr",         false},
        {"김@baro.kr",           false},
        {"kim@바로.kr",          false},
        {"kim\n@baro.kr",        false},
        {"\"kim\"@baro.kr",      false},
        {"kim,lee@baro.kr",      false},
    };
    check(account_check_email, "email", ROWS, COUNT(ROWS));
}

// An address with parts of the given lengths.
static const char *address(struct arena *arena, int local, int label)
{
    char letters[100];
    memset(letters, 'a', sizeof(letters));
    return text_printf(arena, "%.*s@%.*s.kr", local, letters, label, letters);
}

Test(account, bounds_each_part_of_an_address)
{
    SCOPED(arena) *arena = arena_create();
    cr_assert(!failed(account_check_email(address(arena, 64, 63))));
    cr_assert(failed(account_check_email(address(arena, 65, 63))));
    cr_assert(failed(account_check_email(address(arena, 64, 64))));
}

Test(account, compares_addresses_without_case)
{
    SCOPED(arena) *arena = arena_create();
    cr_assert_str_eq(account_email_key(arena, "Kim.CHUL@Baro.KR"), "kim.chul@baro.kr");
}

Test(account, trims_names_before_it_counts)
{
    SCOPED(arena) *arena = arena_create();
    cr_assert(failed(account_check_name(text_trim(arena, " \t김\xE3\x80\x80 "))));
    cr_assert(!failed(account_check_name(text_trim(arena, "  김철  "))));
}
