// Tokens as gateways and clients see them.

#include "services/user/token.h"

#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "services/user/password.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <jwt.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sodium.h>
#include <string.h>
#include <time.h>

static const int64_t NOW_US = INT64_C(1790000000900000);
static const struct account KIM = {
    .id = 42, .email = "kim@baro.kr", .name = "김", .role = ROLE_USER};

static struct signing_key *some_key(struct arena *arena)
{
    struct signing_key *key;
    char *pem;
    cr_assert(sodium_init() >= 0);
    cr_assert(!failed(signing_key_generate(arena, &pem)));
    cr_assert(!failed(signing_key_parse(pem, arena, &key)));
    return key;
}

static const char *sign(const struct signing_key *key, const struct account *account,
                        struct arena *arena)
{
    const char *token;
    cr_assert(!failed(access_token_sign(key, account, NOW_US, arena, &token)));
    return token;
}

// Part 0 (header) or 1 (claims) of a token, as JSON.
static json_t *part(const char *token, size_t index, struct arena *arena)
{
    const char **parts;
    uint8_t *raw;
    size_t size;
    cr_assert_eq(text_split(arena, token, '.', &parts), 3);
    cr_assert(text_parse_base64url(arena, parts[index], &raw, &size));
    json_t *json = json_loadb((const char *)raw, size, 0, NULL);
    cr_assert_not_null(json);
    return json;
}

static const char *word(const json_t *json, const char *name)
{
    const char *value = json_string_value(json_object_get(json, name));
    cr_assert_not_null(value, "%s", name);
    return value;
}

static int64_t number(const json_t *json, const char *name)
{
    cr_assert(json_is_integer(json_object_get(json, name)), "%s", name);
    return json_integer_value(json_object_get(json, name));
}

static const char *public_pem(const struct signing_key *key, struct arena *arena)
{
    BIO *in = BIO_new_mem_buf(key->pem, -1), *out = BIO_new(BIO_s_mem());
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
    cr_assert_eq(PEM_write_bio_PUBKEY(out, pkey), 1);
    char *text;
    long length = BIO_get_mem_data(out, &text);
    char *pem = text_copy_n(arena, text, (size_t)length);
    EVP_PKEY_free(pkey);
    BIO_free(in);
    BIO_free(out);
    return pem;
}

Test(token, says_who_the_caller_is_for_one_hour)
{
    SCOPED(arena) *arena = arena_create();
    struct signing_key *key = some_key(arena);
    const char *token = sign(key, &KIM, arena);
    json_t *header = part(token, 0, arena), *claims = part(token, 1, arena);
    cr_assert_str_eq(word(header, "alg"), "ES256");
    cr_assert_str_eq(word(header, "kid"), key->kid);
    cr_assert_str_eq(word(claims, "iss"), "baro");
    cr_assert_str_eq(word(claims, "aud"), "baro");
    cr_assert_str_eq(word(claims, "sub"), "42");
    cr_assert_str_eq(word(claims, "role"), "USER");
    cr_assert_eq(number(claims, "iat"), NOW_US / US_PER_S);
    cr_assert_eq(number(claims, "nbf"), NOW_US / US_PER_S);
    cr_assert_eq(number(claims, "exp"), NOW_US / US_PER_S + 3600);
    cr_assert_gt(strlen(word(claims, "jti")), 20);
    json_decref(header);
    json_decref(claims);
}

Test(token, of_an_admin_says_so)
{
    SCOPED(arena) *arena = arena_create();
    struct account admin = KIM;
    admin.role = ROLE_ADMIN;
    json_t *claims = part(sign(some_key(arena), &admin, arena), 1, arena);
    cr_assert_str_eq(word(claims, "role"), "ADMIN");
    json_decref(claims);
}

Test(token, is_verified_by_the_public_key_and_by_no_other)
{
    SCOPED(arena) *arena = arena_create();
    struct signing_key *key = some_key(arena), *other = some_key(arena);
    const char *token = sign(key, &KIM, arena);
    const char *right = public_pem(key, arena), *wrong = public_pem(other, arena);
    jwt_t *jwt = NULL;
    cr_assert_eq(jwt_decode(&jwt, token, (const unsigned char *)right, (int)strlen(right)), 0);
    jwt_free(jwt);
    cr_assert_neq(jwt_decode(&jwt, token, (const unsigned char *)wrong, (int)strlen(wrong)), 0);
}

Test(token, differs_each_time)
{
    SCOPED(arena) *arena = arena_create();
    struct signing_key *key = some_key(arena);
    cr_assert_str_neq(sign(key, &KIM, arena), sign(key, &KIM, arena));
}

Test(signing_key, shows_both_coordinates_and_a_name_of_its_own)
{
    SCOPED(arena) *arena = arena_create();
    struct signing_key *key = some_key(arena), *again, *other = some_key(arena);
    cr_assert(!failed(signing_key_parse(key->pem, arena, &again)));
    cr_assert_eq(strlen(key->x), 43);
    cr_assert_eq(strlen(key->y), 43);
    cr_assert_str_eq(key->kid, again->kid);
    cr_assert_str_neq(key->kid, other->kid);
}

Test(signing_key, refuses_what_is_no_private_key_on_p256)
{
    SCOPED(arena) *arena = arena_create();
    struct signing_key *key;
    cr_assert(failed(signing_key_parse("", arena, &key)));
    cr_assert(failed(signing_key_parse("secret", arena, &key)));
    cr_assert(failed(signing_key_parse(public_pem(some_key(arena), arena), arena, &key)));

    EVP_PKEY *p384 = EVP_EC_gen("P-384");
    BIO *out = BIO_new(BIO_s_mem());
    cr_assert_eq(PEM_write_bio_PrivateKey(out, p384, NULL, NULL, 0, NULL, NULL), 1);
    char *text;
    long length = BIO_get_mem_data(out, &text);
    cr_assert(failed(signing_key_parse(text_copy_n(arena, text, (size_t)length), arena, &key)));
    BIO_free(out);
    EVP_PKEY_free(p384);
}

Test(refresh_token, survives_its_way_as_text)
{
    SCOPED(arena) *arena = arena_create();
    struct refresh_token token, back;
    refresh_token_make(&token);
    char *text = refresh_token_text(&token, arena);
    cr_assert_eq(strlen(text), 64);
    cr_assert(refresh_token_parse(text, arena, &back));
    cr_assert_eq(memcmp(&token, &back, sizeof(token)), 0);
}

Test(refresh_token, is_not_any_other_text)
{
    SCOPED(arena) *arena = arena_create();
    struct refresh_token token;
    refresh_token_make(&token);
    char *text = refresh_token_text(&token, arena);
    cr_assert(!refresh_token_parse("", arena, &token));
    cr_assert(!refresh_token_parse("abc", arena, &token));
    cr_assert(!refresh_token_parse(text_printf(arena, "%sAAAA", text), arena, &token));
    text[10] = '!';
    cr_assert(!refresh_token_parse(text, arena, &token));
}

Test(refresh_token, keeps_its_family_and_changes_its_secret_when_it_rotates)
{
    struct refresh_token old, new;
    uint8_t hash[SECRET_HASH_SIZE];
    refresh_token_make(&old);
    new = old;
    refresh_token_rotate(&new);
    cr_assert_eq(memcmp(old.family, new.family, FAMILY_SIZE), 0);
    refresh_token_hash(&new, hash);
    cr_assert(refresh_token_matches(&new, hash));
    cr_assert(!refresh_token_matches(&old, hash));
}

Test(password, is_hashed_with_argon2id_19_mib_and_two_passes)
{
    char hash[PASSWORD_HASH_SIZE], again[PASSWORD_HASH_SIZE];
    cr_assert(sodium_init() >= 0);
    cr_assert(!failed(password_hash("Baro!2026", hash)));
    cr_assert(!failed(password_hash("Baro!2026", again)));
    const char parameters[] = "$argon2id$v=19$m=19456,t=2,p=1$";
    cr_assert_eq(strncmp(hash, parameters, strlen(parameters)), 0, "%s", hash);
    cr_assert_str_neq(hash, again);
    cr_assert(password_verify(hash, "Baro!2026"));
    cr_assert(!password_verify(hash, "Baro!2027"));
}

// What it cost, in processor time: others on the machine take only the time of day.
static int64_t cost_of_refusing(const char *hash)
{
    struct timespec before, after;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    cr_assert(!password_verify(hash, "wrong"));
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    return (after.tv_sec - before.tv_sec) * 1000000 + (after.tv_nsec - before.tv_nsec) / 1000;
}

Test(password, of_nobody_is_never_right_but_costs_as_much)
{
    char hash[PASSWORD_HASH_SIZE];
    cr_assert(sodium_init() >= 0);
    cr_assert(!failed(password_hash("Baro!2026", hash)));
    int64_t best_known_us = INT64_MAX, best_unknown_us = INT64_MAX;
    for (int i = 0; i < 5; i++) {
        int64_t known_us = cost_of_refusing(hash), unknown_us = cost_of_refusing(NULL);
        best_known_us = known_us < best_known_us ? known_us : best_known_us;
        best_unknown_us = unknown_us < best_unknown_us ? unknown_us : best_unknown_us;
    }
    cr_assert_gt(best_unknown_us * 2, best_known_us);
    cr_assert_lt(best_unknown_us, best_known_us * 2);
}
