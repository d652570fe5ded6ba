// Who is to talk through the proxy finds its addresses in his environment instead of those of his peers.

#include "tests/fault/proxy.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

// "ipc:///tmp/x/user-0.rpc,ipc:///tmp/x/user-1.rpc"
static char *reroute_peers(struct proxies *proxies, const char *name, const char *list)
{
    char copy[4096], here[PATH_SIZE], *rest = copy, *out = NULL;
    snprintf(copy, sizeof(copy), "%s", list);
    if (asprintf(&out, "%s=", name) < 0)
        abort();
    for (char *url; (url = strsep(&rest, ","));) {
        const char *path = url + strlen("ipc://");
        char *longer;
        snprintf(here, sizeof(here), "%s/%s", proxies_folder(proxies), last_part(path));
        proxies_listen(proxies, WIRE_NNG, here, path);
        if (asprintf(&longer, "%s%sipc://%s", out, out[strlen(out) - 1] == '=' ? "" : ",", here) <
            0)
            abort();
        free(out);
        out = longer;
    }
    return out;
}

// "unix:///tmp/x/redis.sock"
static char *reroute_redis(struct proxies *proxies, const char *name, const char *url)
{
    char here[PATH_SIZE], *out;
    snprintf(here, sizeof(here), "%s/redis.sock", proxies_folder(proxies));
    proxies_listen(proxies, WIRE_REDIS, here, url + strlen("unix://"));
    if (asprintf(&out, "%s=unix://%s", name, here) < 0)
        abort();
    return out;
}

// Slashes of a folder as a URL wants them, or back.
static void replace(const char *text, const char *old, const char *new, char *out, size_t size)
{
    size_t length = 0;
    out[0] = '\0';
    while (*text && length + 4 < size) {
        bool found = strncmp(text, old, strlen(old)) == 0;
        length += (size_t)snprintf(out + length, size - length, "%.*s",
                                   found ? (int)strlen(new) : 1, found ? new : text);
        text += found ? strlen(old) : 1;
    }
}

// "postgresql://role@%2Ftmp%2Fx/database"
static char *reroute_postgres(struct proxies *proxies, const char *name, const char *url)
{
    char here[PATH_SIZE], there[PATH_SIZE], folder[PATH_SIZE], encoded[2 * PATH_SIZE], *out;
    const char *host = strchr(url, '@') + 1, *database = strchr(host, '/');
    snprintf(encoded, sizeof(encoded), "%.*s", (int)(database - host), host);
    replace(encoded, "%2F", "/", folder, sizeof(folder));
    snprintf(there, sizeof(there), "%.80s/.s.PGSQL.5432", folder);
    snprintf(here, sizeof(here), "%s/.s.PGSQL.5432", proxies_folder(proxies));
    proxies_listen(proxies, WIRE_POSTGRES, here, there);
    replace(proxies_folder(proxies), "/", "%2F", encoded, sizeof(encoded));
    if (asprintf(&out, "%s=%.*s%s%s", name, (int)(host - url), url, encoded, database) < 0)
        abort();
    return out;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

char *proxies_reroute(struct proxies *proxies, const char *line)
{
    char name[64];
    const char *value = strchr(line, '=');
    if (value && value - line < (int)sizeof(name) && value[1]) {
        snprintf(name, sizeof(name), "%.*s", (int)(value - line), line);
        if ((ends_with(name, "_RPC") || ends_with(name, "_BUS")) && strncmp(name, "BARO_", 5) == 0)
            return reroute_peers(proxies, name, value + 1);
        if (strcmp(name, "BARO_REDIS_URL") == 0)
            return reroute_redis(proxies, name, value + 1);
        if (strcmp(name, "BARO_DATABASE_URL") == 0)
            return reroute_postgres(proxies, name, value + 1);
    }
    char *copy = strdup(line);
    if (!copy)
        abort();
    return copy;
}
