// Tokens. The header of an access token names its one algorithm and key, and the claims say all that
// a gateway needs to know: nobody asks us about a token again before it expires.

#include "services/user/token.h"

#include "lib/base/clock.h"
#include "lib/base/text.h"

#include <jwt.h>
#include <sodium.h>
#include <string.h>

enum { TOKEN_ID_SIZE = 16 };

static const char ISSUER[] = "baro";
static const char AUDIENCE[] = "baro";

static void release_jwt(jwt_t **jwt)
{
    jwt_free(*jwt);
}

static int add_claims(jwt_t *jwt, const struct account *account, int64_t now_us,
                      struct arena *arena)
{
    uint8_t id[TOKEN_ID_SIZE];
    long issued_at = (long)(now_us / US_PER_S);
    randombytes_buf(id, sizeof(id));

    int error = jwt_add_grant(jwt, "iss", ISSUER);
    error |= jwt_add_grant(jwt, "aud", AUDIENCE);
    error |= jwt_add_grant(jwt, "sub", text_printf(arena, "%lld", (long long)account->id));
    error |= jwt_add_grant(jwt, "role", account_role_name(account->role));
    error |= jwt_add_grant(jwt, "jti", text_hex(arena, id, sizeof(id)));
    error |= jwt_add_grant_int(jwt, "iat", issued_at);
    error |= jwt_add_grant_int(jwt, "nbf", issued_at);
    error |= jwt_add_grant_int(jwt, "exp", issued_at + ACCESS_TOKEN_S);
    return error;
}

static int set_key(jwt_t *jwt, const struct signing_key *key)
{
    int error = jwt_add_header(jwt, "kid", key->kid);
    return error |
           jwt_set_alg(jwt, JWT_ALG_ES256, (const unsigned char *)key->pem, (int)strlen(key->pem));
}

struct status access_token_sign(const struct signing_key *key, const struct account *account,
                                int64_t now_us, struct arena *arena, const char **token)
{
    __attribute__((cleanup(release_jwt))) jwt_t *jwt = NULL;
    if (jwt_new(&jwt) != 0 || add_claims(jwt, account, now_us, arena) != 0 ||
        set_key(jwt, key) != 0)
        return refuse(REASON_INTERNAL, "the access token cannot be made");
    char *text = jwt_encode_str(jwt);
    if (!text)
        return refuse(REASON_INTERNAL, "the access token cannot be signed");
    *token = text_copy(arena, text);
    jwt_free_str(text);
    return OK;
}

void refresh_token_make(struct refresh_token *token)
{
    randombytes_buf(token->family, sizeof(token->family));
    refresh_token_rotate(token);
}

void refresh_token_rotate(struct refresh_token *token)
{
    randombytes_buf(token->secret, sizeof(token->secret));
}

char *refresh_token_text(const struct refresh_token *token, struct arena *arena)
{
    return text_base64url(arena, token, sizeof(*token));
}

bool refresh_token_parse(const char *text, struct arena *arena, struct refresh_token *token)
{
    uint8_t *bytes;
    size_t size;
    if (!text_parse_base64url(arena, text, &bytes, &size) || size != sizeof(*token))
        return false;
    memcpy(token, bytes, size);
    return true;
}

// The secret has 256 random bits, so a fast hash protects it as well as a slow one would.
void refresh_token_hash(const struct refresh_token *token, uint8_t hash[SECRET_HASH_SIZE])
{
    crypto_generichash(hash, SECRET_HASH_SIZE, (const uint8_t *)token, sizeof(*token), NULL, 0);
}

bool refresh_token_matches(const struct refresh_token *token, const uint8_t hash[SECRET_HASH_SIZE])
{
    uint8_t ours[SECRET_HASH_SIZE];
    refresh_token_hash(token, ours);
    return sodium_memcmp(ours, hash, sizeof(ours)) == 0;
}
