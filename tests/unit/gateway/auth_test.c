// Tokens, good and forged. Every way in that is not the one way is tried.

#include "gateway/auth.h"

#include "gateway/token_cache.h"
#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "tests/support/tokens.h"

#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

static struct arena *arena;
static struct auth *auth;
static struct signer *signer;
static struct caller caller;
static bool stale;
static int64_t fetched_us; // ahead of the clock: however slow the machine, the keys are fresh

static void publish(struct signer *const *signers, size_t count)
{
    Baro__User__Key **keys = arena_array(arena, count + 1, sizeof(*keys));
    Baro__User__KeySet set = BARO__USER__KEY_SET__INIT;
    for (size_t i = 0; i < count; i++)
        keys[i] = signer_jwk(signers[i], arena);
    set.keys = keys;
    set.n_keys = count;
    fetched_us = (fetched_us ? fetched_us : clock_monotonic_us()) + 3600 * US_PER_S;
    cr_assert(auth_should_fetch(auth, fetched_us));
    auth_set_keys(auth, &set);
}

static void set_up(void)
{
    arena = arena_create();
    auth = auth_create();
    signer = signer_create("0123456789abcdef");
    publish(&signer, 1);
}

static void tear_down(void)
{
    signer_destroy(signer);
    auth_destroy(auth);
    arena_destroy(arena);
}

TestSuite(auth, .init = set_up, .fini = tear_down);

static struct status check_at(const char *token, int64_t now_s)
{
    caller = (struct caller){0};
    return auth_check(auth, text_printf(arena, "Bearer %s", token), now_s * US_PER_S, arena,
                      &caller, &stale);
}

static enum reason check(const char *token)
{
    return check_at(token, time(NULL)).reason;
}

Test(auth, a_good_token_tells_the_caller)
{
    cr_assert_eq(check(signer_token(signer, arena, good_claims("USER"))), REASON_NONE);
    cr_assert_eq(caller.user_id, 7);
    cr_assert_eq(caller.role, CALLER_USER);
    cr_assert_eq(check(signer_token(signer, arena, good_claims("ADMIN"))), REASON_NONE);
    cr_assert_eq(caller.role, CALLER_ADMIN);
}

Test(auth, the_scheme_is_bearer_in_any_case)
{
    const char *token = signer_token(signer, arena, good_claims("USER"));
    static const struct {
        const char *prefix;
        bool good;
    } rows[] = {
        {"Bearer ",  true },
        {"bearer ",  true },
        {"BEARER  ", true },
        {"Bearer",   false},
        {"Basic ",   false},
        {"",         false},
        {" Bearer ", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct status st = auth_check(auth, text_printf(arena, "%s%s", rows[i].prefix, token),
                                      clock_realtime_us(), arena, &caller, &stale);
        cr_expect_eq(!failed(st), rows[i].good, "%s", rows[i].prefix);
    }
}

Test(auth, an_unsigned_token_is_refused)
{
    static const char *const headers[] = {
        "{\"alg\":\"none\",\"typ\":\"JWT\"}",
        "{\"alg\":\"none\",\"kid\":\"0123456789abcdef\"}",
        "{\"alg\":\"None\",\"kid\":\"0123456789abcdef\"}",
        "{\"alg\":\"\",\"kid\":\"0123456789abcdef\"}",
        "{\"kid\":\"0123456789abcdef\"}",
        "{\"alg\":\"ES256\",\"kid\":\"0123456789abcdef\"}",
    };
    for (size_t i = 0; i < COUNT(headers); i++) {
        const char *token = forged_token(arena, headers[i], good_claims("ADMIN"), NULL);
        cr_expect_eq(check(token), REASON_UNAUTHENTICATED, "%s", headers[i]);
        cr_expect_eq(check(text_printf(arena, "%sAAAA", token)), REASON_UNAUTHENTICATED);
    }
}

Test(auth, the_public_key_is_no_secret_to_sign_with)
{
    static const char *const headers[] = {
        "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"0123456789abcdef\"}",
        "{\"alg\":\"ES256\",\"alg\":\"HS256\",\"kid\":\"0123456789abcdef\"}",
        "{\"alg\":\"HS256\",\"alg\":\"ES256\",\"kid\":\"0123456789abcdef\"}",
        "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"0123456789abcdef\"}",
    };
    for (size_t i = 0; i < COUNT(headers); i++)
        cr_expect_eq(
            check(forged_token(arena, headers[i], good_claims("ADMIN"), signer_public_pem(signer))),
            REASON_UNAUTHENTICATED, "%s", headers[i]);
    cr_expect_eq(check(forged_token(arena, headers[0], good_claims("ADMIN"), "")),
                 REASON_UNAUTHENTICATED);
}

Test(auth, a_header_with_more_to_it_is_refused)
{
    static const char *const headers[] = {
        "{\"alg\":\"ES256\",\"kid\":\"0123456789abcdef\",\"crit\":[\"exp\"]}",
        "{\"alg\":\"ES256\",\"kid\":\"0123456789abcdef\",\"typ\":\"JWE\"}",
        "{\"alg\":\"ES256\",\"kid\":5}",
        "{\"alg\":\"ES256\"}",
        "[\"ES256\"]",
        "\"ES256\"",
        "{}",
    };
    for (size_t i = 0; i < COUNT(headers); i++)
        cr_expect_eq(check(forged_token(arena, headers[i], good_claims("USER"), "x")),
                     REASON_UNAUTHENTICATED, "%s", headers[i]);
}

Test(auth, key_ids_are_names_and_not_paths)
{
    static const char *const kids[] = {"../../dev/null", "' OR 1=1 --", "/etc/passwd", "",
                                       "0123456789ABCDEF"};
    for (size_t i = 0; i < COUNT(kids); i++) {
        const char *header = text_printf(arena, "{\"alg\":\"ES256\",\"kid\":\"%s\"}", kids[i]);
        cr_expect_eq(check(forged_token(arena, header, good_claims("USER"), "")),
                     REASON_UNAUTHENTICATED, "%s", kids[i]);
    }
}

Test(auth, another_key_under_our_name_is_refused)
{
    struct signer *other = signer_create("0123456789abcdef");
    cr_expect_eq(check(signer_token(other, arena, good_claims("USER"))), REASON_UNAUTHENTICATED);
    signer_destroy(other);
}

Test(auth, claims_that_are_wrong_or_missing_are_refused)
{
    int64_t now_s = time(NULL);
    struct token_claims good = good_claims("USER");
    struct token_claims rows[] = {good, good, good, good, good, good, good,
                                  good, good, good, good, good, good, good};
    rows[0].iss = "other";
    rows[1].iss = NULL;
    rows[2].aud = "other";
    rows[3].aud = NULL;
    rows[4].sub = NULL;
    rows[5].sub = "0";
    rows[6].sub = "-7";
    rows[7].sub = "7x";
    rows[8].sub = "9223372036854775808";
    rows[9].role = "ROOT";
    rows[10].role = NULL;
    rows[11].exp_s = 0;
    rows[12].nbf_s = 0;
    rows[13].nbf_s = now_s + 3000;
    for (size_t i = 0; i < COUNT(rows); i++)
        cr_expect_eq(check(signer_token(signer, arena, rows[i])), REASON_UNAUTHENTICATED, "row %zu",
                     i);
}

Test(auth, an_expired_token_says_so)
{
    struct token_claims claims = good_claims("USER");
    claims.exp_s = time(NULL) - 1;
    cr_assert_eq(check(signer_token(signer, arena, claims)), REASON_TOKEN_EXPIRED);
}

Test(auth, a_remembered_token_expires_too)
{
    struct token_claims claims = good_claims("USER");
    const char *token = signer_token(signer, arena, claims);
    cr_assert(!failed(check_at(token, claims.exp_s - 1)));
    cr_assert_eq(check_at(token, claims.exp_s).reason, REASON_TOKEN_EXPIRED);
    cr_assert(!failed(check_at(token, claims.exp_s - 1)));
}

Test(auth, clocks_may_differ_by_half_a_minute)
{
    struct token_claims claims = good_claims("USER");
    const char *token = signer_token(signer, arena, claims);
    cr_assert_eq(check_at(token, claims.nbf_s - 31).reason, REASON_UNAUTHENTICATED);
    cr_assert(!failed(check_at(token, claims.nbf_s - 30)));
}

Test(auth, a_token_that_is_cut_is_refused)
{
    const char *token = signer_token(signer, arena, good_claims("USER"));
    for (size_t length = 0; length < strlen(token); length++)
        cr_assert_neq(check(text_copy_n(arena, token, length)), REASON_NONE, "%zu", length);
}

Test(auth, a_token_with_one_other_bit_is_refused)
{
    const char *token = signer_token(signer, arena, good_claims("USER"));
    for (size_t i = 0; i < strlen(token); i++)
        for (int bit = 0; bit < 7; bit++) {
            char *flipped = text_copy(arena, token);
            flipped[i] = (char)(flipped[i] ^ (1 << bit));
            cr_assert_neq(check(flipped), REASON_NONE, "byte %zu, bit %d", i, bit);
        }
    cr_assert_eq(check(token), REASON_NONE);
}

Test(auth, a_token_with_more_around_it_is_refused)
{
    const char *token = signer_token(signer, arena, good_claims("USER"));
    static const char *const more[] = {"=", ".", ".AAAA", " ", "%00", ",", "\n", "A"};
    for (size_t i = 0; i < COUNT(more); i++) {
        cr_expect_eq(check(text_printf(arena, "%s%s", token, more[i])), REASON_UNAUTHENTICATED,
                     "%s behind", more[i]);
        cr_expect_eq(check(text_printf(arena, "%s%s", more[i], token)),
                     strcmp(more[i], " ") == 0 ? REASON_NONE : REASON_UNAUTHENTICATED,
                     "%s in front", more[i]);
    }
}

Test(auth, a_token_of_any_length_is_looked_at_up_to_a_limit)
{
    char *huge = arena_alloc(arena, 100001);
    memset(huge, 'A', 100000);
    cr_assert_eq(check(huge), REASON_UNAUTHENTICATED);
}

Test(auth, a_key_that_is_withdrawn_takes_its_tokens_with_it)
{
    const char *token = signer_token(signer, arena, good_claims("USER"));
    cr_assert_eq(check(token), REASON_NONE);
    struct signer *next = signer_create("fedcba9876543210");
    struct signer *both[] = {next, signer};
    publish(both, 2);
    cr_assert_eq(check(token), REASON_NONE);
    cr_assert_eq(check(signer_token(next, arena, good_claims("USER"))), REASON_NONE);
    publish(both, 1);
    cr_assert_eq(check(token), REASON_UNAUTHENTICATED);
    signer_destroy(next);
}

Test(auth, without_keys_the_answer_is_to_try_later)
{
    const char *token = signer_token(signer, arena, good_claims("USER"));
    publish(NULL, 0);
    cr_assert_not(auth_has_keys(auth));
    cr_assert_eq(check(token), REASON_UNAVAILABLE);
    cr_assert(stale);
}

Test(auth, an_unknown_key_makes_the_set_due_but_not_at_every_request)
{
    struct signer *other = signer_create("fedcba9876543210");
    cr_assert_not(auth_should_fetch(auth, fetched_us + 59 * US_PER_S));
    cr_assert_eq(check(signer_token(other, arena, good_claims("USER"))), REASON_UNAUTHENTICATED);
    cr_assert_not(auth_should_fetch(auth, fetched_us + 1 * US_PER_S));
    cr_assert(auth_should_fetch(auth, fetched_us + 4 * US_PER_S));
    cr_assert_not(auth_should_fetch(auth, fetched_us + 5 * US_PER_S));
    signer_destroy(other);
}

Test(auth, keys_of_other_kinds_are_left_out)
{
    Baro__User__Key *jwk = signer_jwk(signer, arena);
    Baro__User__KeySet set = BARO__USER__KEY_SET__INIT;
    set.keys = &jwk;
    set.n_keys = 1;
    char *const good[] = {jwk->kty, jwk->crv, jwk->alg, jwk->x, jwk->y, jwk->kid};
    char **const fields[] = {&jwk->kty, &jwk->crv, &jwk->alg, &jwk->x, &jwk->y, &jwk->kid};
    for (size_t i = 0; i < COUNT(fields); i++) {
        *fields[i] = text_copy(arena, "");
        auth_set_keys(auth, &set);
        cr_expect_not(auth_has_keys(auth), "field %zu", i);
        *fields[i] = good[i];
    }
    jwk->y = jwk->x; // no point of the curve
    auth_set_keys(auth, &set);
    cr_expect_not(auth_has_keys(auth));
}

Test(auth, publishes_what_it_was_given)
{
    struct text_buffer out;
    text_buffer_init(&out, arena, 16);
    auth_write_keys(auth, &out);
    const Baro__User__Key *jwk = signer_jwk(signer, arena);
    cr_assert_str_eq(out.data, text_printf(arena,
                                           "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":"
                                           "\"0123456789abcdef\",\"use\":\"sig\",\"alg\":\"ES256\","
                                           "\"x\":\"%s\",\"y\":\"%s\"}]}",
                                           jwk->x, jwk->y));
}

Test(token_cache, an_entry_is_found_until_others_crowd_it_out)
{
    struct token_cache *cache = token_cache_create();
    struct verified_token found, token = {
                                     {42, CALLER_ADMIN},
                                     1000000
    };
    struct token_hash hash, other;
    token_cache_hash(cache, "a", &hash);
    token_cache_put(cache, &hash, &token);
    cr_assert(token_cache_find(cache, &hash, &found));
    cr_assert_eq(found.caller.user_id, 42);
    token_cache_hash(cache, "b", &other);
    cr_assert_not(token_cache_find(cache, &other, &found));
    for (int i = 0; i < 200000; i++) {
        token_cache_hash(cache, text_printf(arena = arena_create(), "%d", i), &other);
        token_cache_put(cache, &other,
                        &(struct verified_token){
                            {i + 1, CALLER_USER},
                            2000000 + i
        });
        arena_destroy(arena);
    }
    cr_assert_not(token_cache_find(cache, &hash, &found));
    cr_assert(token_cache_find(cache, &other, &found));
    cr_assert_eq(found.caller.user_id, 200000);
    token_cache_clear(cache);
    cr_assert_not(token_cache_find(cache, &other, &found));
    token_cache_destroy(cache);
}
