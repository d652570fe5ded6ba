#pragma once
// The inside of struct cache: the queue that all threads share, and what belongs to the thread that
// talks to Redis. Only lib/cache/*.c include this.

#include "lib/base/metrics.h"
#include "lib/cache/cache.h"

#include <hiredis/hiredis.h>
#include <pthread.h>

// Of one array: hiredis reserves memory for as many as a reply says that there are, before they come.
enum { REPLY_ELEMENTS_MAX = 4096 };

// Where Redis is.
struct cache_address {
    char *path; // of a unix socket; NULL: host and port
    char *host;
    int port;
    char *user, *password; // or NULL
    int database;
};

// A thread that waits for a reply. It may give up before the reply comes: the last of the two frees.
struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t finished;
    int holders;
    bool done;
    struct status status;
    redisReply *reply;
};

struct request {
    struct request *next;
    char *bytes; // the command in Redis' protocol, by hiredis
    size_t length;
    const struct cache_script *script;
    int64_t deadline_us;
    cache_done *done; // or a waiter
    void *context;
    struct waiter *waiter;
};

struct known_script {
    const struct cache_script *script;
    char sha[41];
};

struct cache_metrics {
    struct metric *commands, *batch, *refused, *failed, *connected;
};

struct cache {
    struct cache_address address;
    struct cache_metrics metrics;
    pthread_t thread;
    int wake_fd; // an eventfd: something waits in the queue, or the end has come

    pthread_mutex_t lock; // for all below
    pthread_cond_t changed;
    struct request *first, **last;
    size_t waiting;
    bool up; // false: refuse at once
    bool stopping;
    struct known_script *scripts;
    size_t script_count;

    redisContext *connection; // from here on the thread's own
    struct arena *scratch;
    int64_t retry_at_us;
    int64_t fruitless; // tries to connect, in a row
};

// Parses a URL (address.c).
struct status cache_address_parse(const char *url, struct cache_address *address);
void cache_address_fini(struct cache_address *address);

// The life of the thread (worker.c).
void *cache_run(void *cache);

// Takes what waits, at most `most`, in order (cache.c).
struct request *cache_take(struct cache *cache, size_t most);

// Ends a request: calls back or wakes its waiter, and frees request and reply (cache.c).
void cache_finish(struct cache *cache, struct request *request, struct status st,
                  redisReply *reply);

// The status that an error reply stands for (reply.c). The message is the reply's text.
struct status cache_status_of_reply(const redisReply *reply);

// Copies a reply into the arena (reply.c).
struct cache_value cache_value_of_reply(struct arena *arena, const redisReply *reply);
