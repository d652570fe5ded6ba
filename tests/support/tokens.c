#include "tests/support/tokens.h"

#include "lib/base/text.h"

#include <assert.h>
#include <jwt.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { POINT = 65 };

struct signer {
    char *kid;
    EVP_PKEY *key;
    char *private_pem;
    char *public_pem;
};

static char *pem_text(EVP_PKEY *key, bool private)
{
    char *bytes;
    BIO *bio = BIO_new(BIO_s_mem());
    int done = private ? PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL)
                       : PEM_write_bio_PUBKEY(bio, key);
    assert(done == 1);
    long size = BIO_get_mem_data(bio, &bytes);
    char *text = strndup(bytes, (size_t)size);
    BIO_free(bio);
    return text;
}

struct signer *signer_create(const char *kid)
{
    struct signer *signer = calloc(1, sizeof(*signer));
    signer->kid = strdup(kid);
    signer->key = EVP_EC_gen("P-256");
    signer->private_pem = pem_text(signer->key, true);
    signer->public_pem = pem_text(signer->key, false);
    return signer;
}

void signer_destroy(struct signer *signer)
{
    EVP_PKEY_free(signer->key);
    free(signer->kid);
    free(signer->private_pem);
    free(signer->public_pem);
    free(signer);
}

const char *signer_public_pem(const struct signer *signer)
{
    return signer->public_pem;
}

Baro__User__Key *signer_jwk(const struct signer *signer, struct arena *arena)
{
    uint8_t point[POINT];
    size_t size;
    int done = EVP_PKEY_get_octet_string_param(signer->key, OSSL_PKEY_PARAM_PUB_KEY, point,
                                               sizeof(point), &size);
    assert(done == 1 && size == POINT && point[0] == 4);
    Baro__User__Key *jwk = arena_alloc(arena, sizeof(*jwk));
    baro__user__key__init(jwk);
    jwk->kty = text_copy(arena, "EC");
    jwk->crv = text_copy(arena, "P-256");
    jwk->kid = text_copy(arena, signer->kid);
    jwk->use = text_copy(arena, "sig");
    jwk->alg = text_copy(arena, "ES256");
    jwk->x = text_base64url(arena, point + 1, 32);
    jwk->y = text_base64url(arena, point + 33, 32);
    return jwk;
}

struct token_claims good_claims(const char *role)
{
    int64_t now_s = time(NULL);
    return (struct token_claims){"baro", "baro", "7", role, now_s + 3600, now_s};
}

static void add_text(jwt_t *jwt, const char *name, const char *value)
{
    if (value)
        jwt_add_grant(jwt, name, value);
}

static void add_claims(jwt_t *jwt, struct token_claims claims)
{
    add_text(jwt, "iss", claims.iss);
    add_text(jwt, "aud", claims.aud);
    add_text(jwt, "sub", claims.sub);
    add_text(jwt, "role", claims.role);
    if (claims.exp_s)
        jwt_add_grant_int(jwt, "exp", claims.exp_s);
    if (claims.nbf_s)
        jwt_add_grant_int(jwt, "nbf", claims.nbf_s);
}

char *signer_token(const struct signer *signer, struct arena *arena, struct token_claims claims)
{
    jwt_t *jwt;
    jwt_new(&jwt);
    add_claims(jwt, claims);
    jwt_add_header(jwt, "kid", signer->kid);
    int wrong = jwt_set_alg(jwt, JWT_ALG_ES256, (const unsigned char *)signer->private_pem,
                            (int)strlen(signer->private_pem));
    assert(wrong == 0);
    char *encoded = jwt_encode_str(jwt);
    char *token = text_copy(arena, encoded);
    jwt_free_str(encoded);
    jwt_free(jwt);
    return token;
}

static char *hmac_text(struct arena *arena, const char *secret, const char *text)
{
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned size;
    HMAC(EVP_sha256(), secret, (int)strlen(secret), (const uint8_t *)text, strlen(text), mac,
         &size);
    return text_base64url(arena, mac, size);
}

char *forged_token(struct arena *arena, const char *header, struct token_claims claims,
                   const char *secret)
{
    jwt_t *jwt;
    jwt_new(&jwt);
    add_claims(jwt, claims);
    char *json = jwt_get_grants_json(jwt, NULL);
    char *body = text_printf(arena, "%s.%s", text_base64url(arena, header, strlen(header)),
                             text_base64url(arena, json, strlen(json)));
    jwt_free_str(json);
    jwt_free(jwt);
    return text_printf(arena, "%s.%s", body, secret ? hmac_text(arena, secret, body) : "");
}
