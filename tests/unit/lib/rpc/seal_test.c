#include "lib/rpc/seal.h"

#include "lib/base/macros.h"
#include "lib/rpc/nng.h"

#include <criterion/criterion.h>
#include <string.h>

static struct seal_key key;

static void given_key(void)
{
    cr_assert(!failed(seal_key_init(&key, "sixteen letters!")));
}

TestSuite(seal, .init = given_key);

static nng_msg *message_of(const char *text)
{
    nng_msg *message;
    cr_assert_eq(nng_msg_alloc(&message, 0), 0);
    cr_assert_eq(nng_msg_append(message, text, strlen(text)), 0);
    return message;
}

Test(seal, opens_what_was_sealed_and_removes_the_code)
{
    static const char *const texts[] = {"", "x", "a body of some length"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        nng_msg *message = message_of(texts[i]);
        cr_assert_eq(seal(&key, message), 0);
        cr_expect_eq(nng_msg_len(message), strlen(texts[i]) + SEAL_SIZE);
        cr_expect(seal_open(&key, message));
        cr_expect_eq(nng_msg_len(message), strlen(texts[i]));
        nng_msg_free(message);
    }
}

Test(seal, refuses_a_change_of_any_bit)
{
    nng_msg *message = message_of("seven!!");
    seal(&key, message);
    uint8_t *body = nng_msg_body(message);
    size_t length = nng_msg_len(message);
    for (size_t bit = 0; bit < 8 * length; bit++) {
        body[bit / 8] ^= (uint8_t)(1 << bit % 8);
        cr_expect(!seal_open(&key, message), "bit %zu", bit);
        body[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    cr_expect(seal_open(&key, message));
    nng_msg_free(message);
}

Test(seal, refuses_other_secrets_and_short_messages)
{
    struct seal_key other;
    cr_assert(!failed(seal_key_init(&other, "sixteen letters?")));
    nng_msg *message = message_of("body");
    seal(&other, message);
    cr_expect(!seal_open(&key, message));
    nng_msg_free(message);
    for (size_t length = 0; length < SEAL_SIZE; length++) {
        message = message_of("short messages!!");
        nng_msg_chop(message, SEAL_SIZE - length);
        cr_expect(!seal_open(&key, message));
        nng_msg_free(message);
    }
}

Test(seal, wants_a_secret_of_16_characters)
{
    struct status st = seal_key_init(&key, "fifteen letters");
    cr_expect_eq(st.code, STATUS_FAILED_PRECONDITION);
    cr_expect(failed(seal_key_init(&key, NULL)));
}

Test(nng, is_a_version_that_can_be_trusted)
{
    cr_expect(!failed(nng_prepare()));
}

Test(nng, errors_become_statuses)
{
    static const struct {
        int error;
        enum status_code code;
    } rows[] = {
        {0,                STATUS_OK                 },
        {NNG_ETIMEDOUT,    STATUS_DEADLINE_EXCEEDED  },
        {NNG_ECONNRESET,   STATUS_UNKNOWN            }, // the call may have run
        {NNG_ECONNREFUSED, STATUS_UNAVAILABLE        },
        {NNG_EADDRINUSE,   STATUS_FAILED_PRECONDITION},
        {NNG_ESYSERR + 3,  STATUS_INTERNAL           },
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        cr_expect_eq(status_of_nng(rows[i].error).code, rows[i].code, "error %d", rows[i].error);
}
