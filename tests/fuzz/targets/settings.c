// An environment variable as a setting of each type, the first byte says which: what is taken is inside
// its limits, what is not is refused in words that do not tell a secret.

#include "lib/base/settings.h"
#include "lib/base/log.h"
#include "lib/base/macros.h"
#include "lib/cache/worker.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_MIN = 3, NUMBER_MAX = 1000000, SECRET_MIN = 16, VALUE_MAX = 4096 };

union value {
    const char *text;
    int64_t number;
    bool truth;
    struct setting_rate rate;
    enum log_level level;
};

static const struct setting TABLE[] = {
    {"FUZZ", SETTING_TEXT,        NULL, 0, 0,          0,          ""},
    {"FUZZ", SETTING_SECRET,      NULL, 0, SECRET_MIN, 0,          ""},
    {"FUZZ", SETTING_LISTEN,      NULL, 0, 0,          0,          ""},
    {"FUZZ", SETTING_PEERS,       NULL, 0, 0,          0,          ""},
    {"FUZZ", SETTING_ADDRESS,     NULL, 0, 0,          0,          ""},
    {"FUZZ", SETTING_OPS_ADDRESS, NULL, 0, 0,          0,          ""},
    {"FUZZ", SETTING_POSTGRES,    NULL, 0, 0,          0,          ""},
    {"FUZZ", SETTING_REDIS,       NULL, 0, 0,          0,          ""},
    {"FUZZ", SETTING_INTEGER,     NULL, 0, NUMBER_MIN, NUMBER_MAX, ""},
    {"FUZZ", SETTING_BOOLEAN,     NULL, 0, 0,          0,          ""},
    {"FUZZ", SETTING_DURATION_MS, NULL, 0, NUMBER_MIN, NUMBER_MAX, ""},
    {"FUZZ", SETTING_RATE,        NULL, 0, 0,          0,          ""},
    {"FUZZ", SETTING_LOG_LEVEL,   NULL, 0, 0,          0,          ""},
};

static void check_value(const struct setting *setting, union value value)
{
    bool counted = setting->type == SETTING_INTEGER || setting->type == SETTING_DURATION_MS;
    assert(!counted || (value.number >= NUMBER_MIN && value.number <= NUMBER_MAX));
    assert(setting->type != SETTING_SECRET || strlen(value.text) >= SECRET_MIN);
    assert(setting->type != SETTING_RATE || value.rate.count == 0 || value.rate.window_ms > 0);
    assert(setting->type != SETTING_LOG_LEVEL || value.level <= LOG_LEVEL_OFF);
}

static void check_redis(const char *url)
{
    struct cache_address address;
    if (failed(cache_address_parse(url, &address)))
        return;
    assert(address.path ? !address.host : address.port > 0 && address.port <= UINT16_MAX);
    cache_address_fini(&address);
}

static struct status load(const struct setting *setting, const char *text, struct arena *arena,
                          union value *value)
{
    static char
        variable[VALUE_MAX]; // putenv keeps it, setenv would keep every value that there ever was
    snprintf(variable, sizeof(variable), "FUZZ=%s", text);
    putenv(variable);
    return settings_load(setting, 1, arena, value);
}

// Two secrets of one length are refused in the same words.
static void check_discretion(const struct setting *setting, const char *text, const char *message,
                             struct arena *arena)
{
    union value value;
    char *other = text_copy(arena, text);
    memset(other, 'x', strlen(other));
    struct status st = load(setting, other, arena, &value);
    assert(!failed(st) || strcmp(st.message, message) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = input_arena();
    struct input input = input_of(data, size);
    const struct setting *setting = &TABLE[input_below(&input, COUNT(TABLE))];
    const char *text = input_rest(&input, arena, NULL);
    union value value;
    struct status st = load(setting, text, arena, &value);
    if (failed(st)) {
        assert(st.message && st.field);
        if (setting->type == SETTING_SECRET)
            check_discretion(setting, text, st.message, arena);
        return 0;
    }
    check_value(setting, value);
    if (setting->type == SETTING_REDIS)
        check_redis(value.text);
    return 0;
}
