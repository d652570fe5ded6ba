// One thread looks all names up, compares with what it knew, and reports changes. A name that does
// not resolve keeps its last addresses: a broken name server must not take down what runs.

#include "lib/rpc/resolver.h"

#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "lib/base/thread.h"

#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    PERIOD_MS = 3000,
    PERIOD_MIN_MS = 200, // refreshes come no closer than this
};

// One part of the address list and the URLs that it last meant.
struct target {
    const char *text;
    const char **urls;
    size_t count;
    struct arena *arena; // of urls; a new one for each look-up
};

struct resolver {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping;
    bool refresh;
    resolver_changed *changed;
    void *arg;
    struct arena *arena; // of this structure and the targets
    struct target *targets;
    size_t target_count;
    struct arena *known_arena;
    const char **known; // what was reported last; NULL before the first report
    size_t known_count;
};

// "tcp://host:port", "tcp://[::1]:port" -> its parts; false for what is not looked up (ipc, inproc).
static bool split_url(const char *text, struct arena *arena, char **scheme, char **host,
                      char **port)
{
    const char *rest = strstr(text, "tcp");
    const char *separator = strstr(text, "://");
    if (!separator || !rest || rest > separator)
        return false;
    const char *name = separator + 3;
    const char *colon = strrchr(name, ':');
    if (!colon)
        return false;
    size_t length = (size_t)(colon - name);
    if (length >= 2 && name[0] == '[' && name[length - 1] == ']') {
        name++;
        length -= 2;
    }
    *scheme = text_copy_n(arena, text, (size_t)(separator - text));
    *host = text_copy_n(arena, name, length);
    *port = text_copy(arena, colon + 1);
    return true;
}

static const char *url_of(struct arena *arena, const char *scheme, const struct addrinfo *info,
                          const char *port)
{
    char host[NI_MAXHOST];
    if (getnameinfo(info->ai_addr, info->ai_addrlen, host, sizeof(host), NULL, 0, NI_NUMERICHOST))
        return NULL;
    if (info->ai_family == AF_INET6)
        return text_printf(arena, "%s://[%s]:%s", scheme, host, port);
    return text_printf(arena, "%s://%s:%s", scheme, host, port);
}

// Replaces the target's URLs by what its name means now; keeps them if the name does not resolve.
static void look_up(struct target *target)
{
    struct arena *arena = arena_create();
    char *scheme, *host, *port;
    if (!split_url(target->text, arena, &scheme, &host, &port)) {
        target->urls = arena_array(arena, 1, sizeof(*target->urls));
        target->urls[0] = target->text;
        target->count = 1;
        arena_destroy(target->arena);
        target->arena = arena;
        return;
    }
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    if (getaddrinfo(host, port, &hints, &found) != 0) {
        arena_destroy(arena);
        return;
    }
    size_t room = 0, count = 0;
    for (struct addrinfo *at = found; at; at = at->ai_next)
        room++;
    const char **urls = arena_array(arena, room, sizeof(*urls));
    for (struct addrinfo *at = found; at; at = at->ai_next)
        if ((urls[count] = url_of(arena, scheme, at, port)))
            count++;
    freeaddrinfo(found);
    arena_destroy(target->arena);
    *target = (struct target){target->text, urls, count, arena};
}

static int compare_urls(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// All URLs of all targets, copied into arena, sorted, each once.
static size_t collect(const struct resolver *resolver, struct arena *arena, const char ***urls)
{
    size_t room = 0, count = 0, distinct = 0;
    for (size_t i = 0; i < resolver->target_count; i++)
        room += resolver->targets[i].count;
    const char **all = arena_array(arena, room + 1, sizeof(*all));
    for (size_t i = 0; i < resolver->target_count; i++)
        for (size_t j = 0; j < resolver->targets[i].count; j++)
            all[count++] = text_copy(arena, resolver->targets[i].urls[j]);
    qsort(all, count, sizeof(*all), compare_urls);
    for (size_t i = 0; i < count; i++)
        if (distinct == 0 || strcmp(all[distinct - 1], all[i]) != 0)
            all[distinct++] = all[i];
    *urls = all;
    return distinct;
}

static bool is_known(const struct resolver *resolver, const char *const *urls, size_t count)
{
    if (!resolver->known || resolver->known_count != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (strcmp(resolver->known[i], urls[i]) != 0)
            return false;
    return true;
}

static void resolve_all(struct resolver *resolver)
{
    for (size_t i = 0; i < resolver->target_count; i++)
        look_up(&resolver->targets[i]);
    struct arena *arena = arena_create();
    const char **urls;
    size_t count = collect(resolver, arena, &urls);
    if (is_known(resolver, urls, count)) {
        arena_destroy(arena);
        return;
    }
    arena_destroy(resolver->known_arena);
    resolver->known_arena = arena;
    resolver->known = urls;
    resolver->known_count = count;
    resolver->changed(resolver->arg, urls, count);
}

// Returns false when the resolver stops.
static bool wait_for_turn(struct resolver *resolver)
{
    int64_t now_us = clock_monotonic_us();
    int64_t soonest_us = now_us + PERIOD_MIN_MS * US_PER_MS;
    int64_t latest_us = now_us + PERIOD_MS * US_PER_MS;
    pthread_mutex_lock(&resolver->lock);
    while (!resolver->stopping && !resolver->refresh &&
           condition_wait_until(&resolver->wake, &resolver->lock, latest_us))
        continue;
    while (!resolver->stopping &&
           condition_wait_until(&resolver->wake, &resolver->lock, soonest_us))
        continue;
    resolver->refresh = false;
    bool go_on = !resolver->stopping;
    pthread_mutex_unlock(&resolver->lock);
    return go_on;
}

static void *resolver_main(void *arg)
{
    struct resolver *resolver = arg;
    do
        resolve_all(resolver);
    while (wait_for_turn(resolver));
    return NULL;
}

struct resolver *resolver_create(const char *addresses, resolver_changed *changed, void *arg)
{
    struct arena *arena = arena_create();
    struct resolver *resolver = arena_alloc(arena, sizeof(*resolver));
    resolver->changed = changed;
    resolver->arg = arg;
    resolver->arena = arena;
    const char **parts;
    resolver->target_count = text_split(resolver->arena, addresses, ',', &parts);
    resolver->targets =
        arena_array(resolver->arena, resolver->target_count + 1, sizeof(*resolver->targets));
    for (size_t i = 0; i < resolver->target_count; i++)
        resolver->targets[i].text = parts[i];
    condition_init(&resolver->wake);
    pthread_mutex_init(&resolver->lock, NULL);
    thread_start(&resolver->thread, resolver_main, resolver);
    return resolver;
}

void resolver_refresh(struct resolver *resolver)
{
    pthread_mutex_lock(&resolver->lock);
    resolver->refresh = true;
    pthread_cond_signal(&resolver->wake);
    pthread_mutex_unlock(&resolver->lock);
}

void resolver_destroy(struct resolver *resolver)
{
    if (!resolver)
        return;
    pthread_mutex_lock(&resolver->lock);
    resolver->stopping = true;
    pthread_cond_signal(&resolver->wake);
    pthread_mutex_unlock(&resolver->lock);
    pthread_join(resolver->thread, NULL);
    for (size_t i = 0; i < resolver->target_count; i++)
        arena_destroy(resolver->targets[i].arena);
    arena_destroy(resolver->known_arena);
    pthread_cond_destroy(&resolver->wake);
    pthread_mutex_destroy(&resolver->lock);
    arena_destroy(resolver->arena);
}
