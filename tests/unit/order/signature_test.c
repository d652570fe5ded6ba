// Signatures and addresses of webhooks.

#include "services/order/public_address.h"
#include "services/order/signature.h"

#include "lib/base/macros.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const char OLD[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
static const char BODY[] = "{\"test\": 2432232314}";
static const char SIGNED[] = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

// The example of the Standard Webhooks libraries.
Test(signature, is_that_of_the_standard)
{
    SCOPED(arena) *arena = arena_create();
    struct signing_keys keys;
    cr_assert(signing_keys_parse(OLD, &keys));
    cr_expect_str_eq(
        signature_of(arena, &keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, BODY, strlen(BODY)),
        SIGNED);
}

Test(signature, is_made_with_every_key_while_one_is_rotated)
{
    SCOPED(arena) *arena = arena_create();
    struct signing_keys keys;
    char both[256], expected[128];
    snprintf(both, sizeof(both), "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= %s", OLD);
    cr_assert(signing_keys_parse(both, &keys));
    cr_assert_eq(keys.count, 2);
    const char *text =
        signature_of(arena, &keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, BODY, strlen(BODY));
    snprintf(expected, sizeof(expected), " %s", SIGNED);
    cr_expect_eq(strncmp(text, "v1,", 3), 0);
    cr_expect_str_eq(text + strlen(text) - strlen(expected), expected);
}

Test(signature, needs_secrets_that_are_whole)
{
    static const char *const BAD[] = {
        "",
        "whsec_",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw other",
    };
    struct signing_keys keys;
    for (size_t i = 0; i < COUNT(BAD); i++)
        cr_expect_not(signing_keys_parse(BAD[i], &keys), "%s", BAD[i]);
}

static bool is_public(const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return address_is_public((const struct sockaddr *)&v4);
    cr_assert_eq(inet_pton(AF_INET6, text, &v6.sin6_addr), 1, "%s", text);
    return address_is_public((const struct sockaddr *)&v6);
}

Test(public_address, is_none_of_the_special_networks)
{
    static const char *const SPECIAL[] = {
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.9",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a00:1",
        "100::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "ff02::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "::127.0.0.1",
    };
    for (size_t i = 0; i < COUNT(SPECIAL); i++)
        cr_expect_not(is_public(SPECIAL[i]), "%s", SPECIAL[i]);
}

Test(public_address, is_what_the_internet_routes)
{
    static const char *const PUBLIC[] = {"1.1.1.1",        "8.8.8.8",         "100.63.255.255",
                                         "100.128.0.1",    "172.15.255.255",  "172.32.0.1",
                                         "198.17.255.255", "198.20.0.1",      "223.255.255.255",
                                         "::ffff:8.8.8.8", "2606:4700::1111", "2a00:1450::1"};
    for (size_t i = 0; i < COUNT(PUBLIC); i++)
        cr_expect(is_public(PUBLIC[i]), "%s", PUBLIC[i]);
    struct sockaddr other = {.sa_family = AF_UNIX};
    cr_expect_not(address_is_public(&other));
}
