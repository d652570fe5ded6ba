// The keys and the checks of a token.
//
// Invariant: a key stands here only if OpenSSL took it as a point on P-256, so the empty key and
// keys of other kinds are refused before libjwt could be asked. libjwt verifies whatever
// algorithm a header names; `read_header` therefore runs first and admits exactly one.

#include "gateway/auth.h"

#include "gateway/token_cache.h"
#include "gateway/transcode.h"
#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "lib/base/memory.h"

#include <errno.h>
#include <jansson.h>
#include <jwt.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    KEYS_MAX = 8,
    TOKEN_MAX = 4096,
    COORDINATE = 32,
    SKEW_S = 30,
    FETCH_PERIOD_S = 60,
    FETCH_STALE_S = 3,
    FETCH_FIRST_S = 1,
};

struct key {
    char *kid;
    char *pem;
};

struct auth {
    pthread_mutex_t lock;
    struct arena *keys_arena;
    struct key keys[KEYS_MAX];
    size_t key_count;
    char *jwks; // as published
    struct token_cache *cache;
    int64_t fetched_us; // monotonic; 0: never
    bool stale;
};

struct auth *auth_create(void)
{
    struct auth *auth = memory_alloc(sizeof(*auth));
    pthread_mutex_init(&auth->lock, NULL);
    auth->keys_arena = arena_create();
    auth->jwks = text_copy(auth->keys_arena, "{\"keys\":[]}");
    auth->cache = token_cache_create();
    return auth;
}

void auth_destroy(struct auth *auth)
{
    if (!auth)
        return;
    token_cache_destroy(auth->cache);
    arena_destroy(auth->keys_arena);
    pthread_mutex_destroy(&auth->lock);
    free(auth);
}

static EVP_PKEY *make_public_key(const uint8_t point[1 + 2 * COORDINATE])
{
    char group[] = "prime256v1";
    uint8_t copy[1 + 2 * COORDINATE];
    memcpy(copy, point, sizeof(copy));
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, copy, sizeof(copy)),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    if (context && EVP_PKEY_fromdata_init(context) == 1)
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params);
    EVP_PKEY_CTX_free(context);
    return key;
}

static char *make_pem(struct arena *arena, EVP_PKEY *key)
{
    char *text = NULL, *pem = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio && PEM_write_bio_PUBKEY(bio, key) == 1) {
        long size = BIO_get_mem_data(bio, &text);
        pem = text_copy_n(arena, text, (size_t)size);
    }
    BIO_free(bio);
    return pem;
}

static bool decode_coordinate(struct arena *arena, const char *text, uint8_t *coordinate)
{
    uint8_t *bytes;
    size_t size;
    if (!text_parse_base64url(arena, text, &bytes, &size) || size != COORDINATE)
        return false;
    memcpy(coordinate, bytes, COORDINATE);
    return true;
}

// The PEM of a JSON Web Key; NULL unless it is one that we can use.
static char *pem_of_jwk(struct arena *arena, const Baro__User__Key *jwk)
{
    uint8_t point[1 + 2 * COORDINATE] = {4}; // uncompressed
    if (strcmp(jwk->kty, "EC") != 0 || strcmp(jwk->crv, "P-256") != 0 ||
        strcmp(jwk->alg, "ES256") != 0 || *jwk->kid == '\0' ||
        !decode_coordinate(arena, jwk->x, point + 1) ||
        !decode_coordinate(arena, jwk->y, point + 1 + COORDINATE))
        return NULL;
    EVP_PKEY *key = make_public_key(point);
    char *pem = key ? make_pem(arena, key) : NULL;
    EVP_PKEY_free(key);
    return pem;
}

static bool same_keys(const struct auth *auth, const struct key *keys, size_t count)
{
    if (count != auth->key_count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (strcmp(keys[i].kid, auth->keys[i].kid) != 0 ||
            strcmp(keys[i].pem, auth->keys[i].pem) != 0)
            return false;
    return true;
}

void auth_set_keys(struct auth *auth, const Baro__User__KeySet *set)
{
    struct arena *arena = arena_create();
    struct key keys[KEYS_MAX] = {0};
    size_t count = 0;
    for (size_t i = 0; i < set->n_keys && count < KEYS_MAX; i++) {
        char *pem = pem_of_jwk(arena, set->keys[i]);
        if (pem)
            keys[count++] = (struct key){text_copy(arena, set->keys[i]->kid), pem};
    }
    struct text_buffer jwks;
    text_buffer_init(&jwks, arena, 512);
    transcode_write(&set->base, &jwks);

    pthread_mutex_lock(&auth->lock);
    if (!same_keys(auth, keys, count))
        token_cache_clear(auth->cache);
    struct arena *old = auth->keys_arena;
    auth->keys_arena = arena;
    memcpy(auth->keys, keys, count * sizeof(keys[0]));
    auth->key_count = count;
    auth->jwks = jwks.data;
    auth->stale = false;
    pthread_mutex_unlock(&auth->lock);
    arena_destroy(old);
}

bool auth_has_keys(struct auth *auth)
{
    pthread_mutex_lock(&auth->lock);
    bool has = auth->key_count > 0;
    pthread_mutex_unlock(&auth->lock);
    return has;
}

void auth_write_keys(struct auth *auth, struct text_buffer *out)
{
    pthread_mutex_lock(&auth->lock);
    text_append(out, auth->jwks);
    pthread_mutex_unlock(&auth->lock);
}

bool auth_should_fetch(struct auth *auth, int64_t now_us)
{
    pthread_mutex_lock(&auth->lock);
    int64_t period_s = auth->key_count == 0 ? FETCH_FIRST_S
                       : auth->stale        ? FETCH_STALE_S
                                            : FETCH_PERIOD_S;
    bool due = auth->fetched_us == 0 || now_us - auth->fetched_us >= period_s * US_PER_S;
    if (due)
        auth->fetched_us = now_us;
    pthread_mutex_unlock(&auth->lock);
    return due;
}

static struct status refused(const char *message)
{
    return refuse(REASON_UNAUTHENTICATED, message);
}

// Splits "Bearer <header>.<claims>.<signature>" and admits base64url in its one canonical form
// only: a token whose unused bits differ would verify, and be another key in every table.
static bool split_token(struct arena *arena, const char *authorization, const char **token,
                        char *parts[3])
{
    if (strncasecmp(authorization, "Bearer ", 7) != 0)
        return false;
    const char *at = *token = authorization + 7 + strspn(authorization + 7, " ");
    if (strlen(at) > TOKEN_MAX)
        return false;
    for (int i = 0; i < 3; i++) {
        size_t length = strcspn(at, ".");
        uint8_t *bytes;
        size_t size;
        char *text = text_copy_n(arena, at, length);
        if (length == 0 || at[length] != (i < 2 ? '.' : '\0') ||
            !text_parse_base64url(arena, text, &bytes, &size) ||
            strcmp(text_base64url(arena, bytes, size), text) != 0)
            return false;
        parts[i] = text_copy_n(arena, (const char *)bytes, size);
        at += length + 1;
    }
    return true;
}

static bool text_member_is(const json_t *object, const char *name, const char *expected)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text && strcmp(text, expected) == 0;
}

// The key id of a header that names our algorithm and nothing that would change its meaning.
static const char *read_header(struct arena *arena, const char *json)
{
    json_t *header = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
    const char *kid = json_string_value(json_object_get(header, "kid"));
    bool ours = text_member_is(header, "alg", "ES256") && kid && !json_object_get(header, "crit") &&
                (!json_object_get(header, "typ") || text_member_is(header, "typ", "JWT"));
    const char *copy = ours ? text_copy(arena, kid) : NULL;
    json_decref(header);
    return copy;
}

// Copies the key, so that verification runs outside the lock.
static const char *find_key(struct auth *auth, struct arena *arena, const char *kid)
{
    const char *pem = NULL;
    pthread_mutex_lock(&auth->lock);
    for (size_t i = 0; i < auth->key_count && !pem; i++)
        if (strcmp(auth->keys[i].kid, kid) == 0)
            pem = text_copy(arena, auth->keys[i].pem);
    pthread_mutex_unlock(&auth->lock);
    return pem;
}

static bool read_number(jwt_t *jwt, const char *name, int64_t *number)
{
    errno = 0;
    *number = jwt_get_grant_int(jwt, name);
    return errno == 0;
}

static bool grant_is(jwt_t *jwt, const char *name, const char *expected)
{
    const char *value = jwt_get_grant(jwt, name);
    return value && strcmp(value, expected) == 0;
}

static bool read_caller(jwt_t *jwt, struct caller *caller)
{
    const char *subject = jwt_get_grant(jwt, "sub");
    bool admin = grant_is(jwt, "role", "ADMIN");
    caller->role = admin ? CALLER_ADMIN : CALLER_USER;
    return subject && text_parse_int64(subject, 1, INT64_MAX, &caller->user_id) &&
           (admin || grant_is(jwt, "role", "USER"));
}

static struct status check_claims(jwt_t *jwt, int64_t now_us, struct verified_token *token)
{
    int64_t expires_s, not_before_s, now_s = now_us / US_PER_S;
    if (!grant_is(jwt, "iss", "baro") || !grant_is(jwt, "aud", "baro"))
        return refused("the token is not for this service");
    if (!read_number(jwt, "exp", &expires_s) || !read_number(jwt, "nbf", &not_before_s) ||
        !read_caller(jwt, &token->caller))
        return refused("the token lacks a claim");
    if (now_s >= expires_s)
        return refuse(REASON_TOKEN_EXPIRED, "the access token has expired: refresh it");
    if (now_s + SKEW_S < not_before_s)
        return refused("the token is not valid yet");
    token->expires_s = expires_s;
    return OK;
}

static struct status verify(const char *token, const char *pem, int64_t now_us,
                            struct verified_token *verified)
{
    jwt_t *jwt = NULL;
    if (jwt_decode(&jwt, token, (const unsigned char *)pem, (int)strlen(pem)) != 0)
        return refused("the token's signature is not valid");
    struct status st = refused("the token's algorithm is not ours");
    if (jwt_get_alg(jwt) == JWT_ALG_ES256)
        st = check_claims(jwt, now_us, verified);
    jwt_free(jwt);
    return st;
}

static struct status unknown_key(struct auth *auth, bool *stale)
{
    pthread_mutex_lock(&auth->lock);
    int64_t age_us = clock_monotonic_us() - auth->fetched_us;
    bool fresh = auth->key_count > 0 && age_us < FETCH_STALE_S * US_PER_S;
    auth->stale = true;
    pthread_mutex_unlock(&auth->lock);
    if (fresh)
        return refused("the token's key is not known");
    *stale = true;
    return refuse(REASON_UNAVAILABLE, "the signing keys are being fetched");
}

// Cached only if the keys are still those that it was verified with: a key that was withdrawn in
// between must not leave tokens behind.
static void remember(struct auth *auth, const char *kid, const char *pem,
                     const struct token_hash *hash, const struct verified_token *token)
{
    pthread_mutex_lock(&auth->lock);
    for (size_t i = 0; i < auth->key_count; i++)
        if (strcmp(auth->keys[i].kid, kid) == 0 && strcmp(auth->keys[i].pem, pem) == 0)
            token_cache_put(auth->cache, hash, token);
    pthread_mutex_unlock(&auth->lock);
}

static bool recall(struct auth *auth, const struct token_hash *hash, struct verified_token *token)
{
    pthread_mutex_lock(&auth->lock);
    bool found = token_cache_find(auth->cache, hash, token);
    pthread_mutex_unlock(&auth->lock);
    return found;
}

static struct status check_fresh(struct auth *auth, const char *authorization, int64_t now_us,
                                 struct arena *arena, const struct token_hash *hash,
                                 struct verified_token *verified, bool *stale)
{
    const char *token;
    char *parts[3];
    if (!split_token(arena, authorization, &token, parts))
        return refused("the Authorization header holds no bearer token");
    const char *kid = read_header(arena, parts[0]);
    if (!kid)
        return refused("the token is not one of ours");
    const char *pem = find_key(auth, arena, kid);
    if (!pem)
        return unknown_key(auth, stale);
    struct status st = verify(token, pem, now_us, verified);
    if (!failed(st))
        remember(auth, kid, pem, hash, verified);
    return st;
}

struct status auth_check(struct auth *auth, const char *authorization, int64_t now_us,
                         struct arena *arena, struct caller *caller, bool *stale)
{
    struct token_hash hash;
    struct verified_token verified;
    *stale = false;
    token_cache_hash(auth->cache, authorization, &hash);
    if (!recall(auth, &hash, &verified)) {
        struct status st = check_fresh(auth, authorization, now_us, arena, &hash, &verified, stale);
        if (failed(st))
            return st;
    }
    if (now_us / US_PER_S >= verified.expires_s)
        return refuse(REASON_TOKEN_EXPIRED, "the access token has expired: refresh it");
    *caller = verified.caller;
    return OK;
}
