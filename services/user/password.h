#pragma once
// argon2id, on a few threads of its own: each hash takes 19 MiB and 11 ms, so how many run at once
// is bounded, and so is how many wait (DESIGN 2).

#include "lib/base/status.h"
#include "lib/db/db.h"

#include <stdbool.h>
#include <stddef.h>

enum { PASSWORD_HASH_SIZE = 128 };

// Hashes with a fresh salt; the text names its own parameters. RESOURCE_EXHAUSTED without memory.
struct status password_hash(const char *password, char hash[PASSWORD_HASH_SIZE]);

// Whether the hash is of that password. A NULL hash, for an account that does not exist, is never
// right but takes the same time.
bool password_verify(const char *hash, const char *password);

struct password_pool;

// A task on a thread of the pool, with that thread's own connection for reading.
typedef void password_task(void *arg, struct db *db);

// Starts the threads; queue_max tasks may wait.
struct password_pool *password_pool_create(const char *database_url, size_t threads,
                                           size_t queue_max);

// Runs what waits, ends the threads and frees. Accepts NULL.
void password_pool_destroy(struct password_pool *pool);

// Queues a task; false when the queue is full. From any thread, never blocks.
bool password_pool_submit(struct password_pool *pool, password_task *task, void *arg);
