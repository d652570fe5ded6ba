// The operator's tool against the running shop: what it prints, as people and as programs read it.

#include "lib/base/macros.h"
#include "tests/e2e/letter.h"
#include "tests/support/shop.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

// What baroctl printed, and its exit status.
struct printed {
    char text[65536];
    int status;
    json_t *json; // of the whole text, or NULL
};

__attribute__((format(printf, 2, 3))) static void baroctl(struct printed *printed,
                                                          const char *format, ...)
{
    char line[512], command[768];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    snprintf(command, sizeof command, "exec \"${BUILD:-build}/baroctl\" %s 2>&1", line);
    FILE *pipe = popen(command, "r");
    cr_assert(pipe);
    size_t length = fread(printed->text, 1, sizeof printed->text - 1, pipe);
    printed->text[length] = '\0';
    printed->status = WEXITSTATUS(pclose(pipe));
    printed->json = json_loads(printed->text, JSON_REJECT_DUPLICATES, NULL);
}

static void sign_tool_in(void)
{
    char url[256];
    snprintf(url, sizeof url, "%s", getenv("BARO_TEST_API"));
    *strstr(url, "/api/v1") = '\0';
    struct http_client *admin = given_admin();
    setenv("BARO_GATEWAY_URL", url, 1);
    setenv("BARO_ADMIN_TOKEN", http_token(admin), 1);
    http_close(admin);
}

static int64_t given_paid_order(struct http_client *customer)
{
    int64_t order = place_order(customer, given_option(1000, 10), 2, 0);
    char path[64];
    snprintf(path, sizeof path, "/orders/%lld/payment", (long long)order);
    expect_reply(http_call(customer, "POST", path, "{}"), 200, NULL);
    return order;
}

Test(baroctl, a_saga_is_listed_shown_and_once_ended_not_driven_again)
{
    static struct printed printed;
    struct http_client *customer = given_customer(10000);
    int64_t order = given_paid_order(customer);
    sign_tool_in();

    baroctl(&printed, "saga list --order %lld --json", (long long)order);
    cr_assert_eq(printed.status, 0, "%s", printed.text);
    int64_t saga = json_number(printed.json, "items.0.id");
    cr_expect_str_eq(json_word(printed.json, "items.0.state"), "COMPLETED");
    cr_expect_eq(json_number(printed.json, "items.0.order_id"), order);

    baroctl(&printed, "saga show %lld", (long long)saga);
    cr_assert_eq(printed.status, 0, "%s", printed.text);
    cr_expect(strstr(printed.text, "debit_wallet   action  DONE"), "%s", printed.text);

    baroctl(&printed, "saga list --order %lld", (long long)order);
    cr_expect(strstr(printed.text, "STATE"), "%s", printed.text);
    baroctl(&printed, "saga list --order %lld --parked", (long long)order);
    cr_expect_str_eq(printed.text, "none\n");

    baroctl(&printed, "saga retry %lld", (long long)saga);
    cr_expect_eq(printed.status, 1);
    cr_expect(strstr(printed.text, "ILLEGAL_TRANSITION (409)"), "%s", printed.text);
    http_close(customer);
    expect_laws_hold();
}

Test(baroctl, a_dead_letter_is_listed_and_not_replayed_to_a_sink_that_is_not_there)
{
    static struct printed printed;
    int64_t id = given_dead_letter("gone");
    sign_tool_in();
    baroctl(&printed, "dead-letter list --sink gone --state DEAD --json");
    cr_assert_eq(printed.status, 0, "%s", printed.text);
    cr_expect_str_eq(json_word(printed.json, "items.0.error"), "HTTP 410");
    cr_expect_eq(json_number(printed.json, "items.0.id"), id);
    baroctl(&printed, "dead-letter list --sink gone");
    cr_expect(strstr(printed.text, "order.paid"), "%s", printed.text);
    baroctl(&printed, "dead-letter replay %lld 1000000", (long long)id);
    cr_expect_eq(printed.status, 1);
    cr_expect(strstr(printed.text, "ILLEGAL_TRANSITION (409): its sink is not"), "%s",
              printed.text);
    cr_expect(strstr(printed.text, "DEAD_LETTER_NOT_FOUND (404)"), "%s", printed.text);
}

Test(baroctl, what_cannot_be_done_is_said_and_shows_in_the_exit_status)
{
    static struct printed printed;
    static const struct {
        const char *line;
        int status;
        const char *says;
    } cases[] = {
        {"",                                       2, "usage: baroctl"                    },
        {"sagas",                                  2, "no command 'sagas'"                },
        {"saga show",                              2, "ID is missing"                     },
        {"saga show 1",                            1, "SAGA_NOT_FOUND (404)"              },
        {"saga list --state ASLEEP",               2, "state: must be RUNNING"            },
        {"saga list --gateway http://127.0.0.1:1", 1, "http://127.0.0.1:1 cannot be asked"},
        {"user promote nobody@example.com",        1, "there is no account"               },
        {"help",                                   0, "saga retry"                        },
        {"saga retry --help",                      0, "baroctl saga retry ID ..."         },
        {"--version",                              0, "baroctl "                          },
    };
    sign_tool_in();
    for (size_t i = 0; i < COUNT(cases); i++) {
        baroctl(&printed, "%s", cases[i].line);
        cr_expect_eq(printed.status, cases[i].status, "%s: %s", cases[i].line, printed.text);
        cr_expect(strstr(printed.text, cases[i].says), "%s: %s", cases[i].line, printed.text);
    }
    unsetenv("BARO_ADMIN_TOKEN");
    unsetenv("BARO_ADMIN_PASSWORD");
    baroctl(&printed, "saga list");
    cr_expect_eq(printed.status, 2);
    cr_expect(strstr(printed.text, "BARO_ADMIN_PASSWORD"), "%s", printed.text);
}

Test(baroctl, it_signs_in_with_the_admins_password_too)
{
    static struct printed printed;
    sign_tool_in();
    unsetenv("BARO_ADMIN_TOKEN");
    setenv("BARO_ADMIN_EMAIL", "admin@baro.local", 0);
    setenv("BARO_ADMIN_PASSWORD", "Baro!2026", 0);
    baroctl(&printed, "saga list --limit 1 --json");
    cr_assert_eq(printed.status, 0, "%s", printed.text);
    setenv("BARO_ADMIN_PASSWORD", "Wrong!2026", 1);
    baroctl(&printed, "saga list");
    cr_expect_eq(printed.status, 1);
    cr_expect(strstr(printed.text, "UNAUTHENTICATED (401)"), "%s", printed.text);
}

Test(baroctl, a_flash_sale_sells_what_there_is_and_not_one_more)
{
    static struct printed printed;
    sign_tool_in();
    baroctl(&printed, "flash-sale --stock 7 --buyers 30 --json");
    cr_assert_eq(printed.status, 0, "%s", printed.text);
    cr_expect_eq(json_number(printed.json, "sold"), 7);
    cr_expect_eq(json_number(printed.json, "refused"), 23);
    cr_expect_eq(json_number(printed.json, "left"), 0);

    baroctl(&printed, "flash-sale --stock 5 --buyers 3");
    cr_assert_eq(printed.status, 0, "%s", printed.text);
    cr_expect(strstr(printed.text, "3 sold, 0 refused, 0 failed"), "%s", printed.text);
    cr_expect(strstr(printed.text, "2 left on the shelf"), "%s", printed.text);
    cr_expect(strstr(printed.text, "not one too many was sold"), "%s", printed.text);
}

Test(baroctl, whoever_is_promoted_is_an_admin_from_the_next_sign_in_on)
{
    static struct printed printed;
    struct http_client *customer = given_customer(0);
    struct http_reply profile = http_call(customer, "GET", "/me", NULL);
    char email[128];
    snprintf(email, sizeof email, "%s", json_word(profile.json, "email"));
    expect_reply(http_call(customer, "GET", "/admin/sagas", NULL), 403, "FORBIDDEN");

    baroctl(&printed, "user promote %s --json", email);
    cr_assert_eq(printed.status, 0, "%s", printed.text);
    cr_expect(json_is_true(json_at(printed.json, "promoted")));
    cr_expect_str_eq(json_word(printed.json, "role"), "ADMIN");
    struct http_reply session =
        http_call(customer, "POST", "/auth/login",
                  "{\"email\": \"%s\", \"password\": \"Secret!2026\"}", email);
    expect_reply(session, 200, NULL);
    http_sign_in(customer, json_word(session.json, "access_token"));
    expect_reply(http_call(customer, "GET", "/admin/sagas", NULL), 200, NULL);

    baroctl(&printed, "user promote %s", email);
    cr_assert_eq(printed.status, 0, "%s", printed.text);
    cr_expect(strstr(printed.text, "an admin already"), "%s", printed.text);
    http_close(customer);
}
