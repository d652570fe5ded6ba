// A ticket stands in the list of those that wait until the reply or the deadline takes it out:
// whoever does calls back. The reply comes in any case, and frees the ticket. All deadlines are
// equally far, so the list is in their order.

#include "lib/cache/prompt.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/base/thread.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <utlist.h>

struct ticket {
    struct ticket *next, *prev; // among those that wait
    struct prompt *prompt;
    int64_t deadline_us;
    bool waits;
    prompt_done *done;
    void *arg;
};

struct prompt {
    int64_t deadline_us;
    pthread_t thread;

    pthread_mutex_t lock; // for all below
    pthread_cond_t wake;
    struct cache *cache;    // NULL: stopped
    struct ticket *waiting; // the oldest first
    bool idle;              // the thread sleeps until it is woken
    bool stopping;
};

static void take_out(struct prompt *prompt, struct ticket *ticket)
{
    DL_DELETE(prompt->waiting, ticket);
    ticket->waits = false;
}

static void replied(void *context, struct status st, const struct cache_value *value)
{
    struct ticket *ticket = context;
    struct prompt *prompt = ticket->prompt;
    static struct log_throttle noise, late;
    if (st.code == STATUS_INTERNAL && log_once_per(&noise, LOG_PERIOD_MS))
        log_warn("redis refuses a command", log_status(st));
    pthread_mutex_lock(&prompt->lock);
    bool waits = ticket->waits;
    if (waits)
        take_out(prompt, ticket);
    pthread_mutex_unlock(&prompt->lock);
    if (waits)
        ticket->done(ticket->arg, failed(st) ? NULL : value);
    else if (log_once_per(&late, LOG_PERIOD_MS))
        log_warn("redis answers late", log_status(st));
    free(ticket);
}

// With the lock held. Sleeps until the deadline (0: until somebody waits).
static void sleep_until(struct prompt *prompt, int64_t deadline_us)
{
    prompt->idle = deadline_us == 0;
    if (deadline_us)
        condition_wait_until(&prompt->wake, &prompt->lock, deadline_us);
    else
        pthread_cond_wait(&prompt->wake, &prompt->lock);
    prompt->idle = false;
}

static void *watch_deadlines(void *arg)
{
    struct prompt *prompt = arg;
    pthread_mutex_lock(&prompt->lock);
    while (!prompt->stopping) {
        struct ticket *ticket = prompt->waiting;
        if (!ticket || ticket->deadline_us > clock_monotonic_us()) {
            sleep_until(prompt, ticket ? ticket->deadline_us : 0);
            continue;
        }
        take_out(prompt, ticket);
        prompt_done *done = ticket->done; // the late reply may free the ticket from here on
        void *done_arg = ticket->arg;
        pthread_mutex_unlock(&prompt->lock);
        done(done_arg, NULL);
        pthread_mutex_lock(&prompt->lock);
    }
    pthread_mutex_unlock(&prompt->lock);
    return NULL;
}

static void start_thread(struct prompt *prompt)
{
    condition_init(&prompt->wake);
    thread_start(&prompt->thread, watch_deadlines, prompt);
    pthread_setname_np(prompt->thread, "prompt");
}

struct status prompt_create(const char *url, int64_t deadline_ms, struct prompt **prompt)
{
    struct cache *cache;
    struct status st = cache_create(url, &cache);
    if (failed(st))
        return st;
    struct prompt *made = memory_alloc(sizeof(*made));
    made->deadline_us = deadline_ms * US_PER_MS;
    made->cache = cache;
    pthread_mutex_init(&made->lock, NULL);
    start_thread(made);
    *prompt = made;
    return OK;
}

void prompt_stop(struct prompt *prompt)
{
    if (!prompt)
        return;
    pthread_mutex_lock(&prompt->lock);
    struct cache *cache = prompt->cache;
    prompt->cache = NULL;
    prompt->stopping = true;
    pthread_cond_signal(&prompt->wake);
    pthread_mutex_unlock(&prompt->lock);
    if (!cache)
        return;
    pthread_join(prompt->thread, NULL);
    cache_destroy(cache);
}

void prompt_destroy(struct prompt *prompt)
{
    if (!prompt)
        return;
    assert(!prompt->cache && !prompt->waiting);
    pthread_cond_destroy(&prompt->wake);
    pthread_mutex_destroy(&prompt->lock);
    free(prompt);
}

// With the lock held, so that the reply cannot overtake. False: there will be no reply. The cache is
// given no deadline: what is late for its asker is to be done all the same.
static bool submit(struct prompt *prompt, struct cache_command command, struct ticket *ticket)
{
    ticket->deadline_us = clock_monotonic_us() + prompt->deadline_us;
    if (!prompt->cache || failed(cache_submit(prompt->cache, command, 0, replied, ticket)))
        return false;
    ticket->waits = true;
    DL_APPEND(prompt->waiting, ticket);
    if (prompt->idle)
        pthread_cond_signal(&prompt->wake);
    return true;
}

void prompt_ask(struct prompt *prompt, struct cache_command command, prompt_done *done, void *arg)
{
    struct ticket *ticket = memory_alloc(sizeof(*ticket));
    ticket->prompt = prompt;
    ticket->done = done;
    ticket->arg = arg;
    pthread_mutex_lock(&prompt->lock);
    bool submitted = submit(prompt, command, ticket);
    pthread_mutex_unlock(&prompt->lock);
    if (submitted)
        return;
    free(ticket);
    done(arg, NULL);
}
