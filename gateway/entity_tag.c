// If-None-Match compares weakly (RFC 9110 13.1.2): W/"a" and "a" are the same there.

#include "gateway/entity_tag.h"

#include <sodium.h>
#include <stdint.h>
#include <string.h>

void entity_tag_make(const char *data, size_t length, char tag[ENTITY_TAG_SIZE])
{
    unsigned char hash[crypto_generichash_BYTES_MIN];
    _Static_assert(2 * sizeof(hash) + 3 == ENTITY_TAG_SIZE, "the hash in hexadecimal, in quotes");
    crypto_generichash(hash, sizeof(hash), (const unsigned char *)data, length, NULL, 0);
    sodium_bin2hex(tag + 1, 2 * sizeof(hash) + 1, hash, sizeof(hash));
    tag[0] = tag[ENTITY_TAG_SIZE - 2] = '"';
    tag[ENTITY_TAG_SIZE - 1] = '\0';
}

// The length of the tag at `text`, with its quotes; 0 when there is none.
static size_t quoted_length(const char *text)
{
    size_t inside = *text == '"' ? strcspn(text + 1, "\"") : 0;
    return *text == '"' && text[inside + 1] == '"' ? inside + 2 : 0;
}

bool entity_tag_is_known(const char *if_none_match, const char *tag)
{
    const char *at = if_none_match ? if_none_match : "";
    if (strcmp(at, "*") == 0)
        return true;
    for (;;) {
        at += strspn(at, " \t,");
        at += strncmp(at, "W/", 2) == 0 ? 2 : 0;
        size_t length = quoted_length(at);
        if (length == 0)
            return false;
        if (length == strlen(tag) && memcmp(at, tag, length) == 0)
            return true;
        at += length;
        if (at[strspn(at, " \t")] != ',')
            return false;
    }
}
