// Webhooks to a real server that behaves well, badly, and not at all.

#include "services/order/webhook.h"

#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "services/order/signature.h"
#include "tests/support/receiver.h"
#include "tests/unit/order/letters.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char secret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

static struct receiver *receiver;
static struct webhook_settings settings;
static struct webhook *webhook;
static struct letters letters;
static struct arena *arena;

static void set_up(void)
{
    receiver = receiver_open(NULL, NULL);
    settings = (struct webhook_settings){.url = receiver_url(receiver),
                                         .secrets = secret,
                                         .timeout_ms = 20000,
                                         .concurrency = 16,
                                         .allow_private = true};
    arena = arena_create();
    cr_assert(!failed(webhook_open(&settings, &webhook)));
}

static void tear_down(void)
{
    webhook_close(webhook);
    receiver_close(receiver);
    arena_destroy(arena);
}

TestSuite(webhook, .init = set_up, .fini = tear_down, .timeout = 60);

static void deliver(size_t count, int64_t orders)
{
    letters_write(&letters, arena, count, orders);
    webhook_deliver(webhook, &letters.lot);
}

Test(webhook, arrives_signed_with_id_and_time)
{
    struct signing_keys keys;
    deliver(1, 1);
    expect_verdicts(&letters, DELIVERED);
    cr_assert_eq(receiver_count(receiver), 1);
    const struct parcel *parcel = receiver_parcel(receiver, 0);
    cr_expect_str_eq(parcel->id, "evt_1");
    int64_t sent_s = strtoll(parcel->timestamp, NULL, 10);
    cr_expect_lt(llabs(clock_realtime_us() / US_PER_S - sent_s), 10);
    cr_assert(signing_keys_parse(secret, &keys));
    cr_expect_str_eq(parcel->signature, signature_of(arena, &keys, parcel->id, sent_s, parcel->body,
                                                     strlen(parcel->body)));
    cr_expect_str_eq(parcel->body, letters.items[0].body);
}

Test(webhook, arrive_in_order_for_each_order_however_many_go_at_once)
{
    int64_t last[8] = {0};
    receiver_behave(receiver, (struct conduct){.status = 204, .delay_ms = 2});
    deliver(64, 7);
    expect_verdicts(&letters, DELIVERED);
    cr_assert_eq(receiver_count(receiver), 64);
    for (size_t i = 0; i < 64; i++) {
        int64_t id = strtoll(receiver_parcel(receiver, i)->id + strlen("evt_"), NULL, 10);
        int64_t *before = &last[(id - 1) % 7];
        cr_expect_gt(id, *before);
        *before = id;
    }
}

static void open_again(void)
{
    webhook_close(webhook);
    cr_assert(!failed(webhook_open(&settings, &webhook)));
}

Test(webhook, go_so_many_at_a_time_as_the_setting_says)
{
    receiver_behave(receiver, (struct conduct){.status = 204, .delay_ms = 20});
    settings.concurrency = 4;
    open_again();
    deliver(32, 32);
    expect_verdicts(&letters, DELIVERED);
    size_t most = receiver_most_at_once(receiver);
    cr_expect(most >= 2 && most <= 4, "%zu at a time", most);
}

Test(webhook, has_the_verdict_that_the_answer_implies)
{
    static const struct {
        struct conduct conduct;
        enum verdict verdict;
    } CASES[] = {
        {{.status = 200, .body_size = 20},                   DELIVERED  },
        {{.status = 299, .body_size = 0},                    DELIVERED  },
        {{.status = 200, .body_size = 1024 * 1024},          DELIVERED  }, // nobody reads it all
        {{.status = 301, .headers = "Location: /other\r\n"}, REFUSED    },
        {{.status = 400},                                    REFUSED    },
        {{.status = 401},                                    REFUSED    },
        {{.status = 404},                                    REFUSED    },
        {{.status = 410},                                    REFUSED    },
        {{.status = 408},                                    UNREACHABLE},
        {{.status = 429},                                    POSTPONED  },
        {{.status = 500, .body_size = 1024 * 1024},          UNREACHABLE},
        {{.status = 503},                                    UNREACHABLE},
        {{.status = 503, .headers = "Retry-After: 7\r\n"},   POSTPONED  },
        {{.status = 0},                                      UNREACHABLE},
        {{.status = 0, .delay_ms = 100},                     UNREACHABLE},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        receiver_behave(receiver, CASES[i].conduct);
        deliver(1, 1);
        cr_expect_eq(letters.items[0].verdict, CASES[i].verdict, "case %zu, HTTP %d: %d, %s", i,
                     CASES[i].conduct.status, (int)letters.items[0].verdict,
                     letters.items[0].error);
    }
}

Test(webhook, waits_for_an_answer_no_longer_than_the_setting_says)
{
    receiver_behave(receiver, (struct conduct){.status = 200, .delay_ms = 2000});
    settings.timeout_ms = 300;
    open_again();
    deliver(1, 1);
    expect_verdicts(&letters, UNREACHABLE);
}

Test(webhook, follows_no_redirect)
{
    receiver_behave(receiver, (struct conduct){.status = 302, .headers = "Location: /other\r\n"});
    deliver(1, 1);
    cr_expect_eq(receiver_count(receiver), 1);
    cr_expect_str_eq(letters.items[0].error, "HTTP 302: redirects are not followed");
}

Test(webhook, leaves_the_receiver_alone_for_as_long_as_it_says)
{
    receiver_behave(receiver, (struct conduct){.status = 429, .headers = "Retry-After: 120\r\n"});
    deliver(64, 64);
    cr_expect_eq(letters.lot.rest_ms, 120000);
    cr_expect_leq(receiver_count(receiver), 16, "it goes on asking");
    receiver_behave(receiver,
                    (struct conduct){.status = 429, .headers = "Retry-After: 99999999\r\n"});
    deliver(1, 1);
    cr_expect_eq(letters.lot.rest_ms, 3600 * 1000);
}

Test(webhook, does_not_go_on_with_a_receiver_that_nobody_reaches)
{
    receiver_pause(receiver);
    deliver(64, 64);
    size_t tried = 0;
    for (size_t i = 0; i < 64; i++)
        tried += letters.items[i].verdict == UNREACHABLE;
    cr_expect(tried >= 3 && tried <= 32, "%zu were tried", tried);
    receiver_resume(receiver);
    deliver(64, 64);
    expect_verdicts(&letters, DELIVERED);
}

Test(webhook, of_an_order_waits_for_the_one_before)
{
    receiver_behave(receiver, (struct conduct){.status = 500});
    deliver(5, 1);
    cr_expect_eq(receiver_count(receiver), 1);
    cr_expect_eq(letters.items[1].verdict, NOT_TRIED);
}

Test(webhook, goes_to_no_private_address_unless_allowed)
{
    settings.allow_private = false;
    deliver(1, 1);
    expect_verdicts(&letters, UNREACHABLE);
    cr_expect_eq(receiver_count(receiver), 0);
    cr_expect(strstr(letters.items[0].error, "not public"), "%s", letters.items[0].error);
}

// The name is resolved by the C library or by curl itself, in whatever notation it comes.
Test(webhook, is_not_tricked_by_other_ways_to_write_a_private_address)
{
    static const char *const HOSTS[] = {
        "localhost",          "2130706433", "0x7f000001",        "0177.0.0.1", "127.1",
        "[::ffff:127.0.0.1]", "[::1]",      "[0:0:0:0:0:0:0:1]", "0"};
    const char *port = strrchr(receiver_url(receiver), ':') + 1;
    for (size_t i = 0; i < COUNT(HOSTS); i++) {
        char url[128];
        struct webhook *other;
        snprintf(url, sizeof(url), "http://%s:%s", HOSTS[i], port);
        struct webhook_settings strict = {
            .url = url, .secrets = secret, .timeout_ms = 1000, .concurrency = 1};
        cr_assert(!failed(webhook_open(&strict, &other)), "%s", url);
        letters_write(&letters, arena, 1, 1);
        webhook_deliver(other, &letters.lot);
        expect_verdicts(&letters, UNREACHABLE);
        webhook_close(other);
    }
    cr_expect_eq(receiver_count(receiver), 0);
}

// A proxy would be asked instead of the receiver, and its address is what would be checked.
Test(webhook, passes_no_proxy_of_the_environment)
{
    setenv("http_proxy", receiver_url(receiver), 1);
    struct webhook_settings elsewhere = {.url = "http://192.0.2.1/",
                                         .secrets = secret,
                                         .timeout_ms = 500,
                                         .concurrency = 1,
                                         .allow_private = true};
    struct webhook *other;
    cr_assert(!failed(webhook_open(&elsewhere, &other)));
    letters_write(&letters, arena, 1, 1);
    webhook_deliver(other, &letters.lot);
    expect_verdicts(&letters, UNREACHABLE);
    cr_expect_eq(receiver_count(receiver), 0);
    webhook_close(other);
    unsetenv("http_proxy");
}

Test(webhook, settings_that_cannot_work_are_named)
{
    static const struct {
        const char *url, *secrets, *field;
    } CASES[] = {
        {"",                      "",     NULL                 },
        {"https://shop.example/", secret, NULL                 },
        {"ftp://shop.example/",   secret, "BARO_WEBHOOK_URL"   },
        {"file:///etc/passwd",    secret, "BARO_WEBHOOK_URL"   },
        {"shop.example",          secret, "BARO_WEBHOOK_URL"   },
        {"https://shop.example/", "",     "BARO_WEBHOOK_SECRET"},
        {"https://shop.example/", "x",    "BARO_WEBHOOK_SECRET"},
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct webhook_settings bad = {.url = CASES[i].url, .secrets = CASES[i].secrets};
        struct status st = webhook_check(&bad);
        cr_expect_eq(failed(st), CASES[i].field != NULL, "%s", CASES[i].url);
        if (CASES[i].field)
            cr_expect_str_eq(st.field, CASES[i].field);
    }
}
