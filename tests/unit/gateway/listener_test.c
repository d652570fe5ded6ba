// Addresses of the listening socket, and deadlines of connections.

#include "gateway/connections.h"
#include "gateway/listener.h"
#include "lib/base/clock.h"
#include "lib/base/macros.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

Test(listener, listens_on_numbers_and_names)
{
    static const char *const addresses[] = {"127.0.0.1:0", "localhost:0", "0.0.0.0:0"};
    for (size_t i = 0; i < COUNT(addresses); i++) {
        int listener;
        cr_assert(!failed(listen_on(addresses[i], &listener)), "%s", addresses[i]);
        cr_expect(listener_port(listener) > 0);
        close(listener);
    }
}

Test(listener, names_what_is_no_address)
{
    static const char *const addresses[] = {
        "",     "8080",           ":8080", "127.0.0.1", "127.0.0.1:http?", "127.0.0.1:99999",
        "[::1", "no such host:80"};
    for (size_t i = 0; i < COUNT(addresses); i++) {
        int listener = -1;
        struct status st = listen_on(addresses[i], &listener);
        cr_expect_eq(st.reason, REASON_VALIDATION_ERROR, "%s", addresses[i]);
        cr_expect_str_eq(st.field, "BARO_HTTP_ADDRESS");
        cr_expect_eq(listener, -1);
    }
}

Test(listener, an_address_that_is_taken_is_refused)
{
    int first, second;
    char address[32];
    cr_assert(!failed(listen_on("127.0.0.1:0", &first)));
    snprintf(address, sizeof(address), "127.0.0.1:%d", listener_port(first));
    cr_assert_eq(listen_on(address, &second).reason, REASON_UNAVAILABLE);
    close(first);
}

static bool is_shut(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

Test(connections, only_those_that_are_overdue_end)
{
    int pairs[3][2];
    struct connection *opened[3];
    struct connections *connections =
        connections_create((struct connection_limits){.head_ms = 1000, .rest_ms = 1000});
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]), 0);
        opened[i] = connection_open(connections, pairs[i][0]);
    }
    int64_t now_us = clock_monotonic_us();
    connection_pause(opened[1]);
    cr_assert_eq(connections_expire(connections, now_us), 0);
    connection_close(connections, opened[2]);
    cr_assert_eq(connections_expire(connections, now_us + 2 * US_PER_S), 1);
    cr_assert(is_shut(pairs[0][1]));
    cr_assert_not(is_shut(pairs[1][1]));
    cr_assert_not(is_shut(pairs[2][1]));
    connection_restart(connections, opened[1]);
    connection_close(connections, opened[0]);
    cr_assert_eq(connections_expire(connections, now_us + 10 * US_PER_S), 1);
    cr_assert(is_shut(pairs[1][1]));
    connection_close(connections, opened[1]);
    connections_destroy(connections);
}

Test(connections, a_drip_is_no_progress)
{
    int pair[2];
    struct connections *connections = connections_create(
        (struct connection_limits){.head_ms = 1000, .body_ms = 3000, .rest_ms = 9000});
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    struct connection *connection = connection_open(connections, pair[0]);
    int64_t now_us = clock_monotonic_us();
    connection_restart(connections, connection); // a request is over: idle
    cr_assert_eq(connections_expire(connections, now_us + 8 * US_PER_S), 0);
    connection_expect_head(connections, connection);
    connection_expect_body(connections, connection);
    cr_assert_eq(connections_expire(connections, now_us + 2 * US_PER_S), 0);
    connection_expect_head(connections, connection);
    cr_assert_eq(connections_expire(connections, now_us + 2 * US_PER_S), 1);
    connection_expect_head(connections, connection); // later than before: that one stays
    cr_assert_eq(connections_expire(connections, now_us + 2 * US_PER_S), 1);
    connection_close(connections, connection);
    connections_destroy(connections);
}
