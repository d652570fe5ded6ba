// Who a request counts for, and what counts as a failure.

#include "gateway/quota.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <sodium.h>
#include <string.h>

static struct arena *arena;

static void set_up(void)
{
    cr_assert(sodium_init() >= 0);
    arena = arena_create();
}

static void tear_down(void)
{
    arena_destroy(arena);
}

TestSuite(quota, .init = set_up, .fini = tear_down);

static const char *login(const char *email, const char *address)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
        return quota_of_login(arena, email, (struct sockaddr *)&v4);
    cr_assert_eq(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
    return quota_of_login(arena, email, (struct sockaddr *)&v6);
}

Test(quota, a_login_counts_for_an_e_mail_address_and_a_network)
{
    static const struct {
        const char *email, *address;
        bool same;
    } rows[] = {
        {"a@example.com",    "192.0.2.1",          true },
        {" A@Example.COM  ", "192.0.2.1",          true },
        {"a@example.com",    "::ffff:192.0.2.1",   true },
        {"b@example.com",    "192.0.2.1",          false},
        {"a@example.com",    "192.0.2.2",          false},
        {"a@example.com",    "2001:db8::1",        false},
        {"a@example.com",    "::ffff:192.0.2.200", false},
    };
    const char *first = login(rows[0].email, rows[0].address);
    for (size_t i = 0; i < COUNT(rows); i++)
        cr_expect_eq(strcmp(login(rows[i].email, rows[i].address), first) == 0, rows[i].same,
                     "%s from %s", rows[i].email, rows[i].address);
}

Test(quota, one_network_of_ipv6_is_one_client)
{
    cr_expect_str_eq(login("a@b.c", "2001:db8::1"), login("a@b.c", "2001:db8::ffff:2"));
    cr_expect_str_neq(login("a@b.c", "2001:db8::1"), login("a@b.c", "2001:db8:0:1::1"));
}

Test(quota, a_name_shows_nothing_of_the_e_mail_address)
{
    const char *name = login("someone@example.com", "192.0.2.1");
    cr_expect_null(strstr(name, "someone"));
    cr_expect_eq(strspn(name + strlen("login:"), "0123456789abcdef"), 32);
}

Test(quota, failures_are_refusals_and_neither_faults_nor_bad_input)
{
    static const struct {
        enum reason reason;
        bool counts;
    } rows[] = {
        {REASON_INSUFFICIENT_BALANCE,   true },
        {REASON_INSUFFICIENT_STOCK,     true },
        {REASON_PRODUCT_NOT_ORDERABLE,  true },
        {REASON_COUPON_NOT_USABLE,      true },
        {REASON_ORDER_NOT_PAYABLE,      true },
        {REASON_ORDER_EXPIRED,          true },
        {REASON_ORDER_ALREADY_PAID,     true },
        {REASON_HOLD_LOST,              true },
        {REASON_OPTION_NOT_FOUND,       true },
        {REASON_FORBIDDEN,              true },
        {REASON_VALIDATION_ERROR,       false},
        {REASON_IDEMPOTENCY_KEY_REUSED, false},
        {REASON_REQUEST_IN_PROGRESS,    false},
        {REASON_SYSTEM_FAILURE,         false},
        {REASON_UNAVAILABLE,            false},
        {REASON_DEADLINE_EXCEEDED,      false},
        {REASON_OVERLOADED,             false},
        {REASON_OUTCOME_UNKNOWN,        false},
        {REASON_CONFLICT,               false},
        {REASON_INTERNAL,               false},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        cr_expect_eq(quota_is_failure(refuse(rows[i].reason, NULL)), rows[i].counts, "%s",
                     reason_word(rows[i].reason));
    cr_expect_not(quota_is_failure(OK));
}
