// A model of lib/cache's commands, behind lib/cache/cache.h: keys with a time to live, the commands that
// the services send, and their Lua scripts in C, found by their source. Redis may be away, silent, or
// come back empty at any moment: nothing may depend on it.

#include "lib/cache/cache.h"

#include "lib/base/clock.h"
#include "tests/simulate/cache.h"
#include "tests/simulate/pins.h"
#include "tests/simulate/world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS = 64, EPOCH_DIGITS = 20, ANSWER_MIN_US = 30, ANSWER_MAX_US = 500 };

struct cache_faults cache_faults;
struct cache_counts cache_counts;

struct entry {
    const char *key; // NULL: free
    const char *value;
    size_t length;
    int64_t until_us; // of the world
};

static struct entry entries[KEYS];
static int64_t away_until_us;

struct cache {
    struct process *process;
};

void cache_begin(void)
{
    memset(entries, 0, sizeof(entries));
    cache_counts = (struct cache_counts){0};
    away_until_us = 0;
}

void cache_lose(int64_t for_us)
{
    trace("Redis is away for %lld ms and forgets everything", (long long)for_us / 1000);
    memset(entries, 0, sizeof(entries));
    cache_counts.emptied++;
    away_until_us = world_now_us() + for_us;
}

// The key's entry, or NULL when it has none or its time is over.
static struct entry *find(const char *key)
{
    for (size_t i = 0; i < KEYS; i++)
        if (entries[i].key && strcmp(entries[i].key, key) == 0)
            return entries[i].until_us > world_now_us() ? &entries[i] : NULL;
    return NULL;
}

static void set(const char *key, const char *value, size_t length, int64_t for_ms)
{
    struct entry *entry = entries;
    while (entry->key && strcmp(entry->key, key) != 0) {
        entry++;
        assert(entry < entries + KEYS);
    }
    *entry = (struct entry){
        .key = entry->key ? entry->key : world_text(key),
        .value = world_copy(value, length),
        .length = length,
        .until_us = world_now_us() + for_ms * 1000,
    };
}

static void erase(struct entry *entry)
{
    if (entry)
        entry->until_us = 0;
}

// A command's words, as one that is carried out later must keep them.
struct words {
    char *at[8];
    size_t length[8], count;
};

static int64_t number(const struct words *words, size_t i)
{
    return strtoll(words->at[i], NULL, 10);
}

// What the services send; each gives the integer that is answered, or -1 for nil

static int64_t set_if_absent(const struct words *words)
{
    if (find(words->at[1]))
        return -1;
    set(words->at[1], words->at[2], words->length[2], number(words, 5));
    return 1;
}

static int64_t release(const struct words *words)
{
    struct entry *entry = find(words->at[0]);
    bool own = entry && entry->length == words->length[1] &&
               memcmp(entry->value, words->at[1], entry->length) == 0;
    if (own)
        erase(entry);
    return own;
}

static int64_t ask_sold_out(const struct words *words)
{
    const struct entry *hint = find(words->at[0]);
    int64_t bits = hint ? ((int64_t)hint->length - EPOCH_DIGITS) * 8 : 0;
    for (size_t i = 1; i < words->count && bits > 0; i++) {
        int64_t bit = number(words, i) % bits;
        if (!(hint->value[EPOCH_DIGITS + bit / 8] & 0x80 >> bit % 8))
            return 1;
    }
    return 0;
}

static int64_t renew_sold_out(const struct words *words)
{
    struct entry *hint = find(words->at[0]);
    if (!hint || memcmp(hint->value, words->at[1], EPOCH_DIGITS) != 0)
        return 0;
    hint->until_us = world_now_us() + number(words, 2) * 1000;
    return 1;
}

static int64_t write_sold_out(const struct words *words)
{
    const struct entry *changed = find(words->at[1]);
    size_t length = EPOCH_DIGITS + words->length[4];
    if (changed && memcmp(changed->value, words->at[2], EPOCH_DIGITS) > 0)
        return 0;
    char *value = world_alloc(length);
    memcpy(value, words->at[2], EPOCH_DIGITS);
    memcpy(value + EPOCH_DIGITS, words->at[4], words->length[4]);
    set(words->at[0], value, length, number(words, 3));
    return 1;
}

static const struct {
    const char *name;
    uint32_t pin; // of the source
    int64_t (*run)(const struct words *words);
} SCRIPTS[] = {
    {"lease release",  0x5e350d9a, release       },
    {"sold out ask",   0x8ee437e1, ask_sold_out  },
    {"sold out renew", 0x69403fec, renew_sold_out},
    {"sold out write", 0x4954b7ee, write_sold_out},
};

static int64_t run(const struct cache_script *script, const struct words *words)
{
    if (!script) {
        assert(strcmp(words->at[0], "SET") == 0);
        return set_if_absent(words);
    }
    uint32_t pin = pin_of(script->source);
    for (size_t i = 0; i < COUNT(SCRIPTS); i++)
        if (SCRIPTS[i].pin == pin)
            return SCRIPTS[i].run(words);
    fprintf(stderr,
            "tests/simulate/cache.c has no model of a script, or it has changed (0x%08x): %s\n",
            pin, script->source);
    exit(EXIT_NO_MODEL);
}

// lib/cache/cache.h

struct status cache_create(const char *url, struct cache **cache)
{
    (void)url;
    *cache = calloc(1, sizeof(**cache));
    assert(*cache);
    (*cache)->process = process_now;
    return OK;
}

void cache_destroy(struct cache *cache)
{
    free(cache);
}

struct status cache_wait(struct cache *cache, int64_t timeout_ms)
{
    (void)cache, (void)timeout_ms;
    return OK;
}

static struct words words_of(const struct cache_command *command)
{
    struct words words = {.count = command->count};
    assert(command->count <= COUNT(words.at));
    for (size_t i = 0; i < command->count; i++) {
        words.length[i] = command->lengths ? command->lengths[i] : strlen(command->words[i]);
        words.at[i] = world_alloc(words.length[i] + 1);
        memcpy(words.at[i], command->words[i], words.length[i]);
    }
    return words;
}

static bool is_away(void)
{
    return away_until_us > world_now_us();
}

static bool is_silent(void)
{
    cache_counts.commands++;
    bool silent = chance_once_in(cache_faults.silent);
    cache_counts.unanswered += silent;
    return silent;
}

static struct cache_value value_of(int64_t answer)
{
    if (answer < 0)
        return (struct cache_value){.kind = CACHE_NIL};
    return (struct cache_value){.kind = CACHE_INTEGER, .number = answer};
}

// A silent one may have done what it was asked for, or not.
struct status cache_call(struct cache *cache, struct cache_command command, int64_t deadline_us,
                         struct arena *arena, struct cache_value *value)
{
    (void)cache, (void)arena;
    struct words words = words_of(&command);
    fiber_sleep(chance_between(ANSWER_MIN_US, ANSWER_MAX_US));
    if (is_away())
        return refuse(REASON_UNAVAILABLE, "Redis is away");
    bool silent = is_silent();
    int64_t answer = silent && chance_once_in(2) ? 0 : run(command.script, &words);
    if (silent) {
        fiber_park(process_when_us(process_now, deadline_us));
        return refuse(REASON_DEADLINE_EXCEEDED, "Redis is silent");
    }
    *value = value_of(answer);
    return OK;
}

// A command that was submitted, and who waits for it.
struct submitted {
    const struct cache_script *script;
    struct words words;
    struct process *process;
    uint64_t life;
    cache_done *done;
    void *context;
    bool silent;
    int64_t answer;
};

static void *tell(void *arg)
{
    struct submitted *command = arg;
    struct cache_value value = value_of(command->answer);
    command->done(command->context,
                  command->silent ? refuse(REASON_DEADLINE_EXCEEDED, "Redis is silent") : OK,
                  &value);
    return NULL;
}

static void carry_out(void *arg, uint64_t token)
{
    struct submitted *command = arg;
    (void)token;
    if (!command->process->alive || command->process->life != command->life)
        return;
    command->silent = is_away() || is_silent();
    if (!command->silent)
        command->answer = run(command->script, &command->words);
    fiber_start(command->process, tell, command, false);
}

struct status cache_submit(struct cache *cache, struct cache_command command, int64_t deadline_us,
                           cache_done *done, void *context)
{
    (void)cache, (void)deadline_us;
    if (is_away())
        return refuse(REASON_UNAVAILABLE, "Redis is away");
    struct submitted *submitted = world_alloc(sizeof(*submitted));
    *submitted = (struct submitted){
        .script = command.script,
        .words = words_of(&command),
        .process = process_now,
        .life = process_now->life,
        .done = done,
        .context = context,
    };
    world_at(world_now_us() + chance_between(ANSWER_MIN_US, ANSWER_MAX_US), carry_out, submitted,
             0);
    return OK;
}
