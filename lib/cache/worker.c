// The thread that talks to Redis.
//
// It takes all that waits, writes it as one pipeline, reads all replies, and looks again: a lone
// command goes out at once, a crowd shares round trips. A connection that failed in any way is
// thrown away with everything on it, because nobody knows where in the stream it stands; until a
// new one has answered a PING, everybody is refused at once. While idle the thread watches the
// socket too, so a server that went away is noticed before the next command.

#include "lib/cache/worker.h"

#include "lib/base/backoff.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/text.h"

#include <poll.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CONNECT_MS = 500,
    COMMAND_MS = 500,
    BATCH_MAX = 512,
    RETRY_FIRST_MS = 20,
    RETRY_MAX_MS = 1000,
};

static struct timeval interval(int64_t ms)
{
    return (struct timeval){.tv_sec = ms / MS_PER_S, .tv_usec = ms % MS_PER_S * US_PER_MS};
}

static const struct status AWAY = {STATUS_UNAVAILABLE, REASON_UNAVAILABLE, NULL,
                                   "Redis does not answer"};
static const struct status LATE = {STATUS_DEADLINE_EXCEEDED, REASON_DEADLINE_EXCEEDED, NULL,
                                   "the deadline passed before Redis was asked"};

static void finish_all(struct cache *cache, struct request *requests, struct status st)
{
    while (requests) {
        struct request *next = requests->next;
        cache_finish(cache, requests, st, NULL);
        requests = next;
    }
}

static void set_up(struct cache *cache, bool up)
{
    pthread_mutex_lock(&cache->lock);
    cache->up = up;
    metric_set(cache->metrics.connected, up);
    pthread_cond_broadcast(&cache->changed);
    pthread_mutex_unlock(&cache->lock);
}

static const char *words_of(const redisContext *connection, const char *otherwise)
{
    return connection && connection->err ? connection->errstr : otherwise;
}

// Drops the connection, refuses newcomers, fails what waits.
static void go_down(struct cache *cache)
{
    static struct log_throttle noise;
    if (log_once_per(&noise, LOG_PERIOD_MS))
        log_warn("redis lost", log_text("error", words_of(cache->connection, "it hung up")));
    redisFree(cache->connection);
    cache->connection = NULL;
    cache->fruitless = 0;
    cache->retry_at_us = clock_monotonic_us();
    set_up(cache, false);
    finish_all(cache, cache_take(cache, SIZE_MAX), AWAY);
}

// Runs a command of the connection's set-up; false unless Redis agrees.
static bool agree(redisContext *connection, int count, const char **words)
{
    redisReply *reply = redisCommandArgv(connection, count, words, NULL);
    bool agreed = reply && reply->type == REDIS_REPLY_STATUS;
    freeReplyObject(reply);
    return agreed;
}

static bool introduce(const struct cache_address *address, redisContext *connection)
{
    if (address->password) {
        const char *words[] = {"AUTH", address->user, address->password};
        const char *plain[] = {"AUTH", address->password};
        if (!(address->user ? agree(connection, 3, words) : agree(connection, 2, plain)))
            return false;
    }
    if (address->database) {
        const char digits[] = {(char)('0' + address->database / 10),
                               (char)('0' + address->database % 10), '\0'};
        const char *words[] = {"SELECT", digits};
        if (!agree(connection, 2, words))
            return false;
    }
    const char *ping[] = {"PING"}; // an error while the server loads its data
    return agree(connection, 1, ping);
}

static void try_later(struct cache *cache, redisContext *connection)
{
    static struct log_throttle noise;
    if (log_once_per(&noise, LOG_PERIOD_MS))
        log_warn("redis does not answer",
                 log_text("error", words_of(connection, "AUTH, SELECT or PING was refused")));
    redisFree(connection);
    int64_t pause_ms =
        backoff(RETRY_FIRST_MS, RETRY_MAX_MS, cache->fruitless++, randombytes_random());
    cache->retry_at_us = clock_monotonic_us() + pause_ms * US_PER_MS;
}

static void connect_once(struct cache *cache)
{
    const struct cache_address *address = &cache->address;
    redisContext *connection =
        address->path ? redisConnectUnixWithTimeout(address->path, interval(CONNECT_MS))
                      : redisConnectWithTimeout(address->host, address->port, interval(CONNECT_MS));
    if (!connection)
        abort();
    connection->reader->maxelements = REPLY_ELEMENTS_MAX;
    if (connection->err || redisSetTimeout(connection, interval(COMMAND_MS)) != REDIS_OK ||
        !introduce(address, connection)) {
        try_later(cache, connection);
        return;
    }
    if (!address->path)
        redisEnableKeepAlive(connection);
    cache->connection = connection;
    log_info("redis connected");
    set_up(cache, true);
}

// Takes out what came too late to be sent.
static struct request *drop_late(struct cache *cache, struct request *requests, size_t *count)
{
    int64_t now_us = clock_monotonic_us();
    struct request *kept = NULL, **end = &kept;
    while (requests) {
        struct request *request = requests;
        requests = requests->next;
        if (request->deadline_us && request->deadline_us <= now_us) {
            cache_finish(cache, request, LATE, NULL);
            continue;
        }
        *end = request;
        end = &request->next;
        ++*count;
    }
    *end = NULL;
    return kept;
}

static bool lacks_script(const struct request *request, const redisReply *reply)
{
    return request->script && reply->type == REDIS_REPLY_ERROR &&
           text_begins_with(reply->str, "NOSCRIPT");
}

static redisReply *next_reply(struct cache *cache)
{
    void *reply = NULL;
    return redisGetReply(cache->connection, &reply) == REDIS_OK ? reply : NULL;
}

// Sends again, each behind the source of its script. Redis had refused them, so they did not run.
static void run_with_source(struct cache *cache, struct request *requests)
{
    for (struct request *r = requests; r; r = r->next) {
        redisAppendCommand(cache->connection, "SCRIPT LOAD %s", r->script->source);
        redisAppendFormattedCommand(cache->connection, r->bytes, r->length);
    }
    while (requests) {
        redisReply *loaded = next_reply(cache);
        freeReplyObject(loaded);
        redisReply *reply = loaded ? next_reply(cache) : NULL;
        if (!reply) {
            finish_all(cache, requests, AWAY);
            go_down(cache);
            return;
        }
        struct request *next = requests->next;
        cache_finish(cache, requests, cache_status_of_reply(reply), reply);
        requests = next;
    }
}

static void run_batch(struct cache *cache, struct request *requests)
{
    size_t count = 0;
    requests = drop_late(cache, requests, &count);
    if (!requests)
        return;
    metric_add(cache->metrics.commands, (int64_t)count);
    metric_observe(cache->metrics.batch, (int64_t)count);
    for (struct request *r = requests; r; r = r->next)
        redisAppendFormattedCommand(cache->connection, r->bytes, r->length);

    struct request *again = NULL, **end = &again;
    while (requests) {
        redisReply *reply = next_reply(cache);
        if (!reply) {
            *end = requests;
            finish_all(cache, again, AWAY);
            go_down(cache);
            return;
        }
        struct request *request = requests;
        requests = requests->next;
        if (lacks_script(request, reply)) {
            freeReplyObject(reply);
            request->next = NULL;
            *end = request;
            end = &request->next;
        } else {
            cache_finish(cache, request, cache_status_of_reply(reply), reply);
        }
    }
    if (again)
        run_with_source(cache, again);
}

// Waits for work, for the next try to connect, or for the server to hang up.
static void idle(struct cache *cache)
{
    int timeout_ms = -1;
    if (!cache->connection) {
        int64_t left_us = cache->retry_at_us - clock_monotonic_us();
        timeout_ms = left_us > 0 ? (int)(left_us / US_PER_MS) + 1 : 0;
    }
    struct pollfd fds[] = {
        {.fd = cache->wake_fd,                                 .events = POLLIN},
        {.fd = cache->connection ? cache->connection->fd : -1, .events = POLLIN},
    };
    poll(fds, COUNT(fds), timeout_ms);
    if (fds[0].revents) {
        uint64_t ignored;
        (void)!read(cache->wake_fd, &ignored, sizeof(ignored));
    } else if (fds[1].revents) {
        go_down(cache);
    }
}

static bool is_stopping(struct cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    bool stopping = cache->stopping;
    pthread_mutex_unlock(&cache->lock);
    return stopping;
}

void *cache_run(void *context)
{
    struct cache *cache = context;
    while (!is_stopping(cache)) {
        struct request *requests = cache->connection ? cache_take(cache, BATCH_MAX) : NULL;
        if (requests)
            run_batch(cache, requests);
        else if (!cache->connection && clock_monotonic_us() >= cache->retry_at_us)
            connect_once(cache);
        else
            idle(cache);
        arena_reset(cache->scratch);
    }
    redisFree(cache->connection);
    set_up(cache, false);
    finish_all(cache, cache_take(cache, SIZE_MAX), AWAY);
    return NULL;
}
