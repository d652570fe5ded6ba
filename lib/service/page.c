// A token is base64url of "order:key:key". It is opaque to clients but not secret: it says nothing
// that the last row of the page did not say.

#include "lib/service/page.h"

#include "lib/base/text.h"
#include "lib/rpc/nng.h"

#include <inttypes.h>
#include <protobuf-c/protobuf-c.h>
#include <string.h>

static const char NOT_OURS[] = "is not a token of this list";

enum {
    ROW_FRAME_MAX = 6,                    // tag and length of a row
    ROWS_BYTES_MAX = MESSAGE_MAX / 8 * 7, // the rest is for the envelope
};

struct status page_size(int32_t asked, int64_t *size)
{
    if (asked < 0 || asked > PAGE_SIZE_MAX)
        return invalid("page_size", "must be 1 to 100");
    *size = asked ? asked : PAGE_SIZE_DEFAULT;
    return OK;
}

size_t page_fit(const void *rows, size_t count)
{
    const ProtobufCMessage *const *messages = rows;
    size_t fit = 0;
    for (size_t size = 0; fit < count; fit++) {
        size += protobuf_c_message_get_packed_size(messages[fit]) + ROW_FRAME_MAX;
        if (fit > 0 && size > ROWS_BYTES_MAX)
            break;
    }
    return fit;
}

char *page_token(struct arena *arena, const char *order, const int64_t *keys, size_t count)
{
    struct text_buffer text;
    text_buffer_init(&text, arena, 64);
    text_append(&text, order);
    for (size_t i = 0; i < count; i++) {
        text_append_char(&text, ':');
        text_append_int64(&text, keys[i]);
    }
    return text_base64url(arena, text.data, text.length);
}

struct status page_token_parse(struct arena *arena, const char *token, const char *order,
                               int64_t *keys, size_t count)
{
    uint8_t *bytes;
    size_t size;
    const char **parts;

    if (!text_parse_base64url(arena, token, &bytes, &size))
        return invalid("page_token", NOT_OURS);
    const char *text = text_copy_n(arena, (const char *)bytes, size);
    if (text_split(arena, text, ':', &parts) != count + 1 || strcmp(parts[0], order) != 0)
        return invalid("page_token", NOT_OURS);
    for (size_t i = 0; i < count; i++)
        if (!text_parse_int64(parts[i + 1], INT64_MIN, INT64_MAX, &keys[i]))
            return invalid("page_token", NOT_OURS);
    // Numbers and base64 can be spelt in several ways; ours is one.
    bool ours = strcmp(page_token(arena, order, keys, count), token) == 0;
    return ours ? OK : invalid("page_token", NOT_OURS);
}
