#include "lib/base/macros.h"
#include "tests/integration/baroctl/office.h"

#include <criterion/criterion.h>
#include <stdlib.h>

Test(baroctl, a_user_is_promoted_whatever_the_case_of_the_address_and_only_that_one)
{
    office_open();
    office_run("user", "INSERT INTO account (email, name, role, password_hash, created_at)"
                       " SELECT n || '@example.com', 'name', 'USER', '$argon2id$none', now()"
                       " FROM unnest('{Ann,bob}'::text[]) AS n");
    cr_expect_eq(office_baroctl("user promote ann@EXAMPLE.com"), EXIT_DONE);
    cr_expect_eq(office_number("user", "SELECT count(*) FROM account WHERE role = 'ADMIN'"
                                       " AND email = 'Ann@example.com'"),
                 1);
    cr_expect_eq(office_number("user", "SELECT count(*) FROM account WHERE role = 'ADMIN'"), 1);
    cr_expect_eq(office_baroctl("user promote ann@example.com"), EXIT_DONE);
    cr_expect_eq(office_baroctl("user promote eve@example.com"), EXIT_WRONG);
}

Test(baroctl, a_broken_law_shows_in_the_exit_status)
{
    office_open();
    cr_expect_eq(office_baroctl("audit --wait 0s"), EXIT_DONE);
    office_run("user", "INSERT INTO account (email, name, role, password_hash, created_at)"
                       " VALUES ('a@example.com', 'name', 'USER', '$argon2id$none', now());"
                       "INSERT INTO wallet SELECT id, 5, 0, now() FROM account");
    cr_expect_eq(office_baroctl("audit --wait 0s"), EXIT_WRONG);
    cr_expect_eq(office_baroctl("audit --wait 0s --json"), EXIT_WRONG);
}

Test(baroctl,
     commands_without_their_databases_say_which_setting_is_missing_or_what_cannot_be_reached)
{
    static const char *const lines[] = {"audit", "load-demo", "user promote a@example.com"};
    office_open();
    unsetenv("BARO_USER_DATABASE_URL");
    for (size_t i = 0; i < COUNT(lines); i++)
        cr_expect_eq(office_baroctl(lines[i]), EXIT_USAGE, "%s", lines[i]);
    setenv("BARO_USER_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none", 1);
    cr_expect_eq(office_baroctl("audit"), EXIT_USAGE);
    cr_expect_eq(office_baroctl("load-demo"), EXIT_WRONG);
    cr_expect_eq(office_baroctl("user promote a@example.com"), EXIT_WRONG);
}
