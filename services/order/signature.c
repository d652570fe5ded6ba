#include "services/order/signature.h"

#include "lib/base/text.h"

#include <sodium.h>
#include <string.h>

static const char PREFIX[] = "whsec_";

static bool parse_key(const char *secret, uint8_t *bytes, size_t *size)
{
    const char *end;
    if (strncmp(secret, PREFIX, strlen(PREFIX)) != 0)
        return false;
    secret += strlen(PREFIX);
    return sodium_base642bin(bytes, SIGNING_KEY_MAX, secret, strlen(secret), NULL, size, &end,
                             sodium_base64_VARIANT_ORIGINAL) == 0 &&
           *end == '\0' && *size >= SIGNING_KEY_MIN;
}

bool signing_keys_parse(const char *secrets, struct signing_keys *keys)
{
    SCOPED(arena) *arena = arena_create();
    const char **parts;
    size_t count = text_split(arena, secrets, ' ', &parts);
    if (count == 0 || count > SIGNING_KEYS_MAX)
        return false;
    *keys = (struct signing_keys){.count = count};
    for (size_t i = 0; i < count; i++)
        if (!parse_key(parts[i], keys->bytes[i], &keys->sizes[i]))
            return false;
    return true;
}

static void append_signature(struct text_buffer *out, const uint8_t *key, size_t key_size,
                             const char *head, const char *body, size_t size)
{
    crypto_auth_hmacsha256_state state;
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    char text[sodium_base64_ENCODED_LEN(sizeof(mac), sodium_base64_VARIANT_ORIGINAL)];
    crypto_auth_hmacsha256_init(&state, key, key_size);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)head, strlen(head));
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)body, size);
    crypto_auth_hmacsha256_final(&state, mac);
    sodium_bin2base64(text, sizeof(text), mac, sizeof(mac), sodium_base64_VARIANT_ORIGINAL);
    text_appendf(out, "%sv1,%s", out->length ? " " : "", text);
}

char *signature_of(struct arena *arena, const struct signing_keys *keys, const char *message_id,
                   int64_t timestamp_s, const char *body, size_t size)
{
    const char *head = text_printf(arena, "%s.%lld.", message_id, (long long)timestamp_s);
    struct text_buffer out;
    text_buffer_init(&out, arena, 64);
    for (size_t i = 0; i < keys->count; i++)
        append_signature(&out, keys->bytes[i], keys->sizes[i], head, body, size);
    return out.data;
}
