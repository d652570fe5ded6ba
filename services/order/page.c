// A token is the last key of the page before, as decimal numbers in base64url.

#include "services/order/page.h"

#include "lib/base/text.h"

enum { SIZE_DEFAULT = 20, SIZE_MAX_ALLOWED = 100 };

struct status page_parse(struct arena *arena, int32_t size, const char *token, struct page *page)
{
    *page = (struct page){
        .size = size ? size : SIZE_DEFAULT, .before = {INT64_MAX, INT64_MAX}
    };
    if (size < 0 || size > SIZE_MAX_ALLOWED)
        return invalid("page_size", "must be between 1 and 100");
    if (token[0] == '\0')
        return OK;
    uint8_t *bytes;
    size_t length;
    const char **parts;
    if (!text_parse_base64url(arena, token, &bytes, &length))
        return invalid("page_token", "is not one that we gave out");
    const char *key = text_copy_n(arena, (const char *)bytes, length);
    if (text_split(arena, key, '.', &parts) != PAGE_KEYS)
        return invalid("page_token", "is not one that we gave out");
    for (int i = 0; i < PAGE_KEYS; i++)
        if (!text_parse_int64(parts[i], 0, INT64_MAX, &page->before[i]))
            return invalid("page_token", "is not one that we gave out");
    return OK;
}

char *page_token(struct arena *arena, const int64_t before[PAGE_KEYS])
{
    const char *key = text_printf(arena, "%lld.%lld", (long long)before[0], (long long)before[1]);
    size_t length = 0;
    while (key[length])
        length++;
    return text_base64url(arena, key, length);
}
