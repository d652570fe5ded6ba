// A field is a list of elements between commas; an element is a name, perhaps a value, and parameters
// behind semicolons, of which ours have none. A value may stand in quotes.

#include "gateway/prefer.h"

#include "lib/base/clock.h"
#include "lib/base/text.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#define BLANKS " \t"

struct span {
    const char *at;
    size_t length;
};

static bool is_word(struct span span, const char *word)
{
    return span.length == strlen(word) && strncasecmp(span.at, word, span.length) == 0;
}

// The length up to one of the stops, outside of quotes.
static size_t length_to(const char *text, const char *stops)
{
    size_t length = 0;
    bool quoted = false;
    for (; text[length]; length++) {
        if (text[length] == '"')
            quoted = !quoted;
        else if (!quoted && strchr(stops, text[length]))
            break;
    }
    return length;
}

static struct span trim(const char *at, size_t length)
{
    size_t blanks = strspn(at, BLANKS);
    blanks = blanks < length ? blanks : length;
    struct span span = {at + blanks, length - blanks};
    while (span.length > 0 && strchr(BLANKS, span.at[span.length - 1]))
        span.length--;
    return span;
}

static struct span unquote(struct span value)
{
    bool quoted = value.length >= 2 && value.at[0] == '"' && value.at[value.length - 1] == '"';
    return quoted ? (struct span){value.at + 1, value.length - 2} : value;
}

static void read_wait(struct preferences *preferences, struct span value)
{
    int64_t wait_s = 0;
    bool digits = value.length > 0;
    for (size_t i = 0; digits && i < value.length; i++) {
        digits = value.at[i] >= '0' && value.at[i] <= '9';
        if (wait_s <= PREFER_WAIT_MAX_S)
            wait_s = wait_s * 10 + (value.at[i] - '0');
    }
    if (!digits || preferences->has_wait)
        return;
    preferences->has_wait = true;
    preferences->wait_s = wait_s < PREFER_WAIT_MAX_S ? wait_s : PREFER_WAIT_MAX_S;
}

static void read_element(struct preferences *preferences, const char *at, size_t length)
{
    size_t end = length_to(at, ",;");
    end = end < length ? end : length;
    size_t equals = length_to(at, "=,;");
    bool has_value = equals < end;
    struct span name = trim(at, has_value ? equals : end);
    if (has_value && is_word(name, "wait"))
        read_wait(preferences, unquote(trim(at + equals + 1, end - equals - 1)));
    else if (!has_value && is_word(name, "respond-async"))
        preferences->respond_async = true;
}

void preferences_read(struct preferences *preferences, const char *field)
{
    while (*field) {
        size_t length = length_to(field, ",");
        read_element(preferences, field, length);
        field += length + (field[length] == ',');
    }
}

int64_t preferences_wait_ms(const struct preferences *preferences, int64_t default_ms)
{
    if (preferences->has_wait)
        return preferences->wait_s * MS_PER_S;
    return preferences->respond_async ? 0 : default_ms;
}

const char *preferences_applied(const struct preferences *preferences, bool early,
                                struct arena *arena)
{
    bool async = preferences->respond_async && early;
    if (preferences->has_wait)
        return text_printf(arena, "%swait=%" PRId64, async ? "respond-async, " : "",
                           preferences->wait_s);
    return async ? "respond-async" : NULL;
}
