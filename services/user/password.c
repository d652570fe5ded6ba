// Password hashing apart from everything else.
//
// Workers of the dispatcher never hash: 11 ms inside a transaction would hold its locks and its batch.
// A full queue refuses at once; whoever waits in it longer than its deadline is dropped by its task.

#include "services/user/password.h"

#include "lib/base/memory.h"
#include "lib/base/metrics.h"
#include "lib/base/thread.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_BYTES ((size_t)19 * 1024 * 1024)
enum { PASSES = 2 };

static_assert(PASSWORD_HASH_SIZE >= crypto_pwhash_STRBYTES, "the hash fits");

// Of a random password, with the parameters above: what an unknown account is compared with.
static const char DECOY[] = "$argon2id$v=19$m=19456,t=2,p=1$XI7XLqQgSKrDA4ClQLD/"
                            "uw$GJVs0SrjnJZs07vfIJvMLN6CKOKAbaKMGL1t3NfyVL8";

struct task {
    password_task *run;
    void *arg;
};

struct password_pool {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct task *queue; // a ring
    size_t queue_max;
    size_t first;
    size_t waiting;
    bool stopping;
    char *database_url;
    struct metric *depth;
    size_t thread_count;
    pthread_t threads[];
};

struct status password_hash(const char *password, char hash[PASSWORD_HASH_SIZE])
{
    if (crypto_pwhash_str_alg(hash, password, strlen(password), PASSES, MEMORY_BYTES,
                              crypto_pwhash_ALG_ARGON2ID13) != 0)
        return refuse(REASON_OVERLOADED, "no memory to hash a password");
    return OK;
}

bool password_verify(const char *hash, const char *password)
{
    int right = crypto_pwhash_str_verify(hash ? hash : DECOY, password, strlen(password));
    return hash && right == 0;
}

// Waits for a task; false when the pool stops and nothing waits.
static bool take(struct password_pool *pool, struct task *task)
{
    pthread_mutex_lock(&pool->lock);
    while (pool->waiting == 0 && !pool->stopping)
        pthread_cond_wait(&pool->changed, &pool->lock);
    bool found = pool->waiting > 0;
    if (found) {
        *task = pool->queue[pool->first];
        pool->first = (pool->first + 1) % pool->queue_max;
        pool->waiting--;
        metric_set(pool->depth, (int64_t)pool->waiting);
    }
    pthread_mutex_unlock(&pool->lock);
    return found;
}

static void *run(void *arg)
{
    struct password_pool *pool = arg;
    SCOPED(db) *db = db_create(pool->database_url, "baro-user-passwords");
    struct task task;
    while (take(pool, &task))
        task.run(task.arg, db);
    return NULL;
}

struct password_pool *password_pool_create(const char *database_url, size_t threads,
                                           size_t queue_max)
{
    if (sodium_init() < 0)
        abort();
    struct password_pool *pool = memory_alloc(sizeof(*pool) + threads * sizeof(pthread_t));
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->changed, NULL);
    pool->queue = memory_array(queue_max, sizeof(*pool->queue));
    pool->queue_max = queue_max;
    pool->database_url = memory_text(database_url);
    pool->depth = metrics_gauge("baro_user_password_queue_depth", "Passwords that wait", NULL);
    while (pool->thread_count < threads) {
        thread_start(&pool->threads[pool->thread_count], run, pool);
        pool->thread_count++;
    }
    return pool;
}

void password_pool_destroy(struct password_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
    for (size_t i = 0; i < pool->thread_count; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->changed);
    pthread_mutex_destroy(&pool->lock);
    free(pool->database_url);
    free(pool->queue);
    free(pool);
}

bool password_pool_submit(struct password_pool *pool, password_task *task, void *arg)
{
    pthread_mutex_lock(&pool->lock);
    bool room = pool->waiting < pool->queue_max && !pool->stopping;
    if (room) {
        pool->queue[(pool->first + pool->waiting) % pool->queue_max] = (struct task){task, arg};
        pool->waiting++;
        metric_set(pool->depth, (int64_t)pool->waiting);
        pthread_cond_signal(&pool->changed);
    }
    pthread_mutex_unlock(&pool->lock);
    return room;
}
