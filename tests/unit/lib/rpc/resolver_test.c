#include "lib/rpc/resolver.h"

#include "lib/base/clock.h"
#include "tests/support/stand.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

// What the resolver reported last, in one line.
static char reported[512];
static atomic_int reports;

static void keep(void *arg, const char *const *urls, size_t count)
{
    (void)arg;
    size_t length = 0;
    reported[0] = '\0';
    for (size_t i = 0; i < count; i++)
        length += (size_t)snprintf(reported + length, sizeof(reported) - length, "%s ", urls[i]);
    atomic_fetch_add(&reports, 1);
}

static bool has_report(void *arg)
{
    (void)arg;
    return atomic_load(&reports) > 0;
}

static void resolve(const char *addresses)
{
    struct resolver *resolver = resolver_create(addresses, keep, NULL);
    cr_assert(stand_wait(has_report, NULL, 10000));
    resolver_destroy(resolver);
}

Test(resolver, gives_numeric_addresses_and_paths_as_they_are_sorted_once_each)
{
    resolve(
        "tcp://127.0.0.2:70, ipc:///run/b , tcp://127.0.0.1:70,tcp://127.0.0.2:70, tcp://[::1]:7");
    cr_expect_str_eq(reported, "ipc:///run/b tcp://127.0.0.1:70 tcp://127.0.0.2:70 tcp://[::1]:7 ");
}

Test(resolver, gives_every_address_of_a_name)
{
    resolve("tcp://localhost:7001");
    cr_expect(strstr(reported, "tcp://127.0.0.1:7001 ") != NULL, "%s", reported);
    cr_expect(strstr(reported, "localhost") == NULL);
}

Test(resolver, reports_nothing_for_a_name_that_does_not_exist)
{
    resolve("tcp://no-such-host.invalid:7001,tcp://127.0.0.1:7");
    cr_expect_str_eq(reported, "tcp://127.0.0.1:7 ");
}

Test(resolver, reports_only_changes_however_often_it_is_refreshed)
{
    struct resolver *resolver = resolver_create("tcp://127.0.0.1:7", keep, NULL);
    cr_assert(stand_wait(has_report, NULL, 5000));
    for (int i = 0; i < 100; i++)
        resolver_refresh(resolver);
    resolver_destroy(resolver);
    cr_expect_eq(atomic_load(&reports), 1);
}

Test(resolver, stops_at_once)
{
    struct resolver *resolver = resolver_create("tcp://127.0.0.1:7", keep, NULL);
    cr_assert(stand_wait(has_report, NULL, 5000));
    int64_t start_us = clock_monotonic_us();
    resolver_destroy(resolver);
    cr_expect_lt(clock_monotonic_us() - start_us, US_PER_S);
    resolver_destroy(NULL);
}
