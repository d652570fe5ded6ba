// Where webhooks go: a URL and secrets in lines; an address in the last. What is taken is http, and an IPv6
// address that stands for an IPv4 address is as public as that one, at most.

#include "services/order/webhook.h"
#include "services/order/public_address.h"
#include "tests/fuzz/fuzz.h"

#include <arpa/inet.h>
#include <string.h>

static void check_url(const char *url, const char *secrets)
{
    struct webhook_settings settings = {.url = url, .secrets = secrets};
    struct status st = webhook_check(&settings);
    assert(failed(st) || !*url || strncasecmp(url, "http", 4) == 0);
}

static bool is_public(const char *text, int family)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {.any.sa_family = (sa_family_t)family};
    void *bytes = family == AF_INET ? (void *)&address.v4.sin_addr : &address.v6.sin6_addr;
    return inet_pton(family, text, bytes) == 1 && address_is_public(&address.any);
}

static void check_address(const char *text, struct arena *arena)
{
    static const char *const disguises[] = {"::ffff:", "::", "64:ff9b::", "::ffff:0:"};
    struct in_addr v4;
    is_public(text, AF_INET6);
    if (inet_pton(AF_INET, text, &v4) != 1)
        return;
    for (size_t i = 0; i < sizeof(disguises) / sizeof(disguises[0]); i++)
        if (is_public(text_printf(arena, "%s%s", disguises[i], text), AF_INET6))
            assert(is_public(text, AF_INET));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = input_arena();
    struct input input = input_of(data, size);
    const char *address = input_line(&input, arena, NULL);
    const char *url = input_line(&input, arena, NULL);
    check_url(url, input_line(&input, arena, NULL));
    check_address(address, arena);
    return 0;
}
