// One thread per client does what needs time: it opens a socket for each new address, closes those of
// vanished ones when their last call has ended, pings every replica once a second, ends calls whose time
// is over, and sends the calls that wait: for a replica, or for the time of their next try.

#include "lib/rpc/client_private.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/text.h"
#include "lib/base/thread.h"

#include <string.h>
#include <utlist.h>

enum { IDLE_MS = 1000 };

// From the resolver's thread.
void keeper_addresses_changed(void *arg, const char *const *urls, size_t count)
{
    struct rpc_client *client = arg;
    struct arena *arena = arena_create();
    char **copies = arena_array(arena, count + 1, sizeof(*copies));
    for (size_t i = 0; i < count; i++)
        copies[i] = text_copy(arena, urls[i]);
    pthread_mutex_lock(&client->lock);
    struct arena *old = client->urls_arena;
    client->urls_arena = arena;
    client->urls = copies;
    client->url_count = count;
    client->urls_changed = true;
    pthread_cond_signal(&client->wake);
    pthread_mutex_unlock(&client->lock);
    arena_destroy(old);
}

static bool is_wanted(const struct rpc_client *client, const struct replica *replica)
{
    for (size_t i = 0; i < client->url_count; i++)
        if (strcmp(client->urls[i], replica->url) == 0)
            return true;
    return false;
}

static struct replica *find(const struct rpc_client *client, const char *url)
{
    for (struct replica *at = client->replicas; at; at = at->next)
        if (!at->vanished && strcmp(at->url, url) == 0)
            return at;
    return NULL;
}

// An address without a replica, copied into arena; NULL when every one has its own.
static char *missing_url(const struct rpc_client *client, size_t *index, struct arena *arena)
{
    while (*index < client->url_count) {
        const char *url = client->urls[(*index)++];
        if (!find(client, url))
            return text_copy(arena, url);
    }
    return NULL;
}

static struct replica *open_outside_lock(struct rpc_client *client, const char *url)
{
    static struct log_throttle throttle;
    pthread_mutex_unlock(&client->lock);
    struct replica *replica = replica_open(client, url);
    if (!replica && log_once_per(&throttle, LOG_PERIOD_MS))
        log_error("cannot dial", log_text("service", client->service), log_text("url", url));
    pthread_mutex_lock(&client->lock);
    return replica;
}

static void apply_addresses(struct rpc_client *client)
{
    if (!client->urls_changed)
        return;
    client->urls_changed = false;
    for (struct replica *at = client->replicas; at; at = at->next)
        if (!is_wanted(client, at))
            at->vanished = true;
    SCOPED(arena) *arena = arena_create();
    const char *url;
    for (size_t i = 0; !client->urls_changed && (url = missing_url(client, &i, arena));) {
        struct replica *replica = open_outside_lock(client, url);
        if (replica)
            LL_PREPEND(client->replicas, replica);
    }
}

static void close_vanished(struct rpc_client *client)
{
    struct replica *idle = NULL, *at, *next;
    for (at = client->replicas; at; at = next) {
        next = at->next;
        if (!at->vanished || at->calls || at->places > 0)
            continue;
        LL_DELETE(client->replicas, at);
        LL_PREPEND(idle, at);
    }
    if (!idle)
        return;
    pthread_mutex_unlock(&client->lock);
    for (at = idle; at; at = next) {
        next = at->next;
        replica_close(at);
    }
    pthread_mutex_lock(&client->lock);
}

static void ping_replicas(struct rpc_client *client)
{
    int64_t now_us = clock_monotonic_us();
    for (struct replica *at = client->replicas; at; at = at->next) {
        if (!at->pipe || at->ping.busy || at->vanished || at->next_ping_us > now_us)
            continue;
        at->ping.busy = true;
        pthread_mutex_unlock(&client->lock);
        replica_ping(at); // only this thread unlinks replicas, so `at` stays
        pthread_mutex_lock(&client->lock);
    }
}

static bool has_usable_replica(const struct rpc_client *client)
{
    for (const struct replica *at = client->replicas; at; at = at->next)
        if (replica_is_usable(at))
            return true;
    return false;
}

// Takes out the calls whose waiting is over, for better or worse.
static struct client_call *take_due(struct rpc_client *client, bool usable)
{
    struct client_call *due = NULL, *call, *next;
    int64_t now_us = clock_monotonic_us();
    for (call = client->waiting; call; call = next) {
        next = call->next;
        bool ready = usable && call->due_us <= now_us;
        if (!ready && call->patience_us > now_us)
            continue;
        DL_DELETE(client->waiting, call);
        DL_APPEND(due, call);
    }
    return due;
}

static void launch_or_fail(struct client_call *call)
{
    int64_t now_us = clock_monotonic_us();
    if (call->deadline_us <= now_us)
        client_finish(call, refuse(REASON_DEADLINE_EXCEEDED, "no replica answered in time"), NULL);
    else if (call->patience_us <= now_us)
        client_finish(call, refuse(REASON_UNAVAILABLE, "no replica is reachable"), NULL);
    else
        client_launch(call);
}

static void send_waiting(struct rpc_client *client)
{
    struct client_call *due = take_due(client, has_usable_replica(client));
    if (!due)
        return;
    pthread_mutex_unlock(&client->lock);
    struct client_call *next;
    for (struct client_call *call = due; call; call = next) {
        next = call->next;
        launch_or_fail(call);
    }
    pthread_mutex_lock(&client->lock);
}

static int64_t earliest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

// Ends the calls whose time is over. All of them are looked at, but only when one of those that were
// there the last time would be due: on a good day a few times a minute.
static void end_overdue(struct rpc_client *client)
{
    struct client_call *ended = NULL, *call, *next;
    int64_t now_us = clock_monotonic_us(), next_us = INT64_MAX;
    if (client->next_deadline_us > now_us)
        return;
    for (struct replica *at = client->replicas; at; at = at->next)
        HASH_ITER (hh, at->calls, call, next) {
            if (call->deadline_us <= now_us)
                exchange_end_call(at, call, TRY_TIMED_OUT, NULL, &ended);
            else
                next_us = earliest(next_us, call->deadline_us);
        }
    client->next_deadline_us = next_us;
    pthread_mutex_unlock(&client->lock);
    client_finish_all(ended);
    pthread_mutex_lock(&client->lock);
}

// The next moment at which there is something to do, unless someone wakes us before.
static int64_t next_turn(const struct rpc_client *client)
{
    int64_t now_us = clock_monotonic_us();
    int64_t at_us = earliest(now_us + IDLE_MS * US_PER_MS, client->next_deadline_us);
    bool usable = has_usable_replica(client);
    for (const struct replica *at = client->replicas; at; at = at->next)
        if (at->pipe && !at->ping.busy && !at->vanished)
            at_us = earliest(at_us, at->next_ping_us);
    for (const struct client_call *call = client->waiting; call; call = call->next)
        at_us = earliest(at_us, earliest(call->patience_us, usable ? call->due_us : INT64_MAX));
    return at_us;
}

void *keeper_main(void *arg)
{
    struct rpc_client *client = arg;
    pthread_setname_np(pthread_self(), "rpc-keeper");
    pthread_mutex_lock(&client->lock);
    while (!client->closing) {
        apply_addresses(client);
        close_vanished(client);
        end_overdue(client);
        ping_replicas(client);
        send_waiting(client);
        int64_t until_us = next_turn(client);
        if (!client->closing && !client->urls_changed && until_us > clock_monotonic_us())
            condition_wait_until(&client->wake, &client->lock, until_us);
    }
    pthread_mutex_unlock(&client->lock);
    return NULL;
}
