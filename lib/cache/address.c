// Where Redis is, from a URL. The password may hold any character, percent-encoded.

#include "lib/cache/worker.h"

#include "lib/base/text.h"

#include <stdlib.h>
#include <string.h>

enum { DEFAULT_PORT = 6379, LAST_DATABASE = 15 };

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = c ? strchr(digits, c | 0x20) : NULL;
    return found ? (int)(found - digits) : -1;
}

// Copies [from, end) and decodes %XX; NULL for nothing.
static char *take_text(const char *from, const char *end)
{
    char *copy = from < end ? strndup(from, (size_t)(end - from)) : NULL;
    if (!copy)
        return NULL;
    char *to = copy;
    for (const char *c = copy; *c; c++) {
        bool encoded = *c == '%' && hex_digit(c[1]) >= 0 && hex_digit(c[2]) >= 0;
        *to++ = encoded ? (char)(hex_digit(c[1]) * 16 + hex_digit(c[2])) : *c;
        c += encoded ? 2 : 0;
    }
    *to = '\0';
    return copy;
}

// A whole number in [from, end); `otherwise` when there is none, -1 when it is wrong.
static int take_number(const char *from, const char *end, int otherwise, int max)
{
    if (from >= end)
        return otherwise;
    int number = 0;
    for (; from < end; from++) {
        if (*from < '0' || *from > '9' || number > max)
            return -1;
        number = number * 10 + (*from - '0');
    }
    return number <= max ? number : -1;
}

static void take_credentials(const char *from, const char *end, struct cache_address *address)
{
    const char *colon = memchr(from, ':', (size_t)(end - from));
    address->user = take_text(from, colon ? colon : end);
    address->password = colon ? take_text(colon + 1, end) : NULL;
}

// host, host:port, [ipv6] or [ipv6]:port
static void take_host(const char *from, const char *end, struct cache_address *address)
{
    const char *close = *from == '[' ? memchr(from, ']', (size_t)(end - from)) : NULL;
    const char *colon = memchr(close ? close : from, ':', (size_t)(end - (close ? close : from)));
    address->host = close ? take_text(from + 1, close) : take_text(from, colon ? colon : end);
    address->port = take_number(colon ? colon + 1 : end, end, DEFAULT_PORT, 65535);
}

// host[:port][/database]
static bool take_network(const char *from, struct cache_address *address)
{
    const char *end = from + strlen(from), *slash = strchr(from, '/');
    take_host(from, slash ? slash : end, address);
    address->database = take_number(slash ? slash + 1 : end, end, 0, LAST_DATABASE);
    return address->host && address->port > 0 && address->database >= 0;
}

static bool take_path(const char *from, struct cache_address *address)
{
    address->path = take_text(from, from + strlen(from));
    return *from == '/';
}

struct status cache_address_parse(const char *url, struct cache_address *address)
{
    *address = (struct cache_address){0};
    bool network = text_begins_with(url, "redis://");
    if (!network && !text_begins_with(url, "unix://"))
        return invalid("url", "must begin with redis:// or unix://");
    const char *rest = strstr(url, "//") + 2;
    const char *at = memchr(rest, '@', strcspn(rest, "/"));
    if (at)
        take_credentials(rest, at, address);
    rest = at ? at + 1 : rest;
    if (network ? take_network(rest, address) : take_path(rest, address))
        return OK;
    cache_address_fini(address);
    return invalid("url", "must be redis://[[user]:password@]host[:port][/database]"
                          " or unix://[[user]:password@]/path");
}

void cache_address_fini(struct cache_address *address)
{
    free(address->path);
    free(address->host);
    free(address->user);
    free(address->password);
    *address = (struct cache_address){0};
}
