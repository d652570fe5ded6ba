// P-256 keys by OpenSSL.

#include "services/user/signing_key.h"

#include "lib/base/text.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sodium.h>
#include <string.h>

enum { COORDINATE_SIZE = 32, GROUP_NAME_MAX = 64 };

static void release_key(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

static void release_bio(BIO **bio)
{
    BIO_free(*bio);
}

static struct status unusable(const char *message)
{
    return (struct status){STATUS_FAILED_PRECONDITION, REASON_INTERNAL, NULL, message};
}

static bool is_p256(const EVP_PKEY *pkey)
{
    char group[GROUP_NAME_MAX];
    return EVP_PKEY_is_a(pkey, "EC") &&
           EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) == 1 &&
           strcmp(group, "prime256v1") == 0;
}

static const char *coordinate(const EVP_PKEY *pkey, const char *name, struct arena *arena)
{
    BIGNUM *number = NULL;
    uint8_t bytes[COORDINATE_SIZE];
    if (EVP_PKEY_get_bn_param(pkey, name, &number) != 1)
        return NULL;
    int size = BN_bn2binpad(number, bytes, sizeof(bytes));
    BN_free(number);
    return size == COORDINATE_SIZE ? text_base64url(arena, bytes, sizeof(bytes)) : NULL;
}

static const char *thumbprint(const struct signing_key *key, struct arena *arena)
{
    uint8_t hash[crypto_hash_sha256_BYTES];
    const char *json = text_printf(
        arena, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", key->x, key->y);
    crypto_hash_sha256(hash, (const uint8_t *)json, strlen(json));
    return text_base64url(arena, hash, sizeof(hash));
}

struct status signing_key_parse(const char *pem, struct arena *arena, struct signing_key **key)
{
    __attribute__((cleanup(release_bio))) BIO *bio = BIO_new_mem_buf(pem, -1);
    __attribute__((cleanup(release_key))) EVP_PKEY *pkey =
        PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    if (!pkey || !is_p256(pkey))
        return unusable("the signing key is not a PEM private key on the curve P-256");

    struct signing_key *parsed = arena_alloc(arena, sizeof(*parsed));
    parsed->pem = text_copy(arena, pem);
    parsed->x = coordinate(pkey, OSSL_PKEY_PARAM_EC_PUB_X, arena);
    parsed->y = coordinate(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, arena);
    if (!parsed->x || !parsed->y)
        return unusable("the signing key has no public half");
    parsed->kid = thumbprint(parsed, arena);
    *key = parsed;
    return OK;
}

struct status signing_key_generate(struct arena *arena, char **pem)
{
    __attribute__((cleanup(release_key))) EVP_PKEY *pkey = EVP_EC_gen("P-256");
    __attribute__((cleanup(release_bio))) BIO *bio = BIO_new(BIO_s_mem());
    if (!pkey || !bio || PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) != 1)
        return unusable("OpenSSL cannot make a P-256 key");
    char *text = NULL;
    long length = BIO_get_mem_data(bio, &text);
    *pem = text_copy_n(arena, text, (size_t)length);
    return OK;
}
