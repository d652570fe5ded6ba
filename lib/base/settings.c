// Each type has one row: how its text is read, and what a message says that it should have been.
// All values are read before the first is stored, so a bad one leaves the structure untouched.
// Variables that no table names are nobody's business: other processes have settings too.

#include "lib/base/settings.h"

#include "lib/base/address.h"
#include "lib/base/log.h"
#include "lib/base/macros.h"
#include "lib/base/text.h"
#include "lib/base/version.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECRET_LIMIT = 64 * 1024 };

struct value {
    union {
        const char *text;
        int64_t number;
        bool boolean;
        struct setting_rate rate;
        enum log_level level;
    };
};

static bool in_range(const struct setting *setting, int64_t number)
{
    bool any = setting->min == 0 && setting->max == 0;
    return any || (number >= setting->min && number <= setting->max);
}

static bool read_text(const struct setting *setting, const char *text, struct value *value)
{
    (void)setting;
    value->text = text;
    return true;
}

static bool read_secret(const struct setting *setting, const char *text, struct value *value)
{
    value->text = text;
    return strlen(text) >= (size_t)setting->min;
}

// Where the default is nothing, nothing is right.
static bool read_if(bool right, const struct setting *setting, const char *text,
                    struct value *value)
{
    bool may_be_empty = setting->default_value && !*setting->default_value;
    value->text = text;
    return right || (!*text && may_be_empty);
}

static bool read_listen(const struct setting *setting, const char *text, struct value *value)
{
    return read_if(address_is_socket(text), setting, text, value);
}

static bool read_peers(const struct setting *setting, const char *text, struct value *value)
{
    return read_if(address_are_sockets(text), setting, text, value);
}

static bool read_address(const struct setting *setting, const char *text, struct value *value)
{
    return read_if(address_is_host_port(text), setting, text, value);
}

static bool read_ops_address(const struct setting *setting, const char *text, struct value *value)
{
    return read_if(strcmp(text, "off") == 0 || address_is_host_port(text), setting, text, value);
}

static bool read_postgres(const struct setting *setting, const char *text, struct value *value)
{
    bool right = text_begins_with(text, "postgresql://") || text_begins_with(text, "postgres://");
    return read_if(right, setting, text, value);
}

static bool read_redis(const struct setting *setting, const char *text, struct value *value)
{
    bool right = text_begins_with(text, "redis://") || text_begins_with(text, "unix://");
    return read_if(right, setting, text, value);
}

static bool read_integer(const struct setting *setting, const char *text, struct value *value)
{
    return text_parse_int64(text, INT64_MIN, INT64_MAX, &value->number) &&
           in_range(setting, value->number);
}

static bool read_boolean(const struct setting *setting, const char *text, struct value *value)
{
    static const struct {
        const char *word;
        bool boolean;
    } words[] = {
        {"on",    true },
        {"off",   false},
        {"true",  true },
        {"false", false},
        {"1",     true },
        {"0",     false}
    };
    (void)setting;
    for (size_t i = 0; i < COUNT(words); i++)
        if (strcmp(words[i].word, text) == 0) {
            value->boolean = words[i].boolean;
            return true;
        }
    return false;
}

static bool read_duration(const struct setting *setting, const char *text, struct value *value)
{
    if (strcmp(text, "off") == 0) {
        value->number = 0;
        return in_range(setting, 0);
    }
    return text_parse_duration_ms(text, &value->number) && in_range(setting, value->number);
}

static bool read_rate(const struct setting *setting, const char *text, struct value *value)
{
    (void)setting;
    value->rate = (struct setting_rate){0};
    if (strcmp(text, "off") == 0)
        return true;
    const char *slash = strchr(text, '/');
    char count[24];
    if (!slash || (size_t)(slash - text) >= sizeof(count))
        return false;
    memcpy(count, text, (size_t)(slash - text));
    count[slash - text] = '\0';
    return text_parse_int64(count, 1, INT32_MAX, &value->rate.count) &&
           text_parse_duration_ms(slash + 1, &value->rate.window_ms) && value->rate.window_ms > 0;
}

static bool read_log_level(const struct setting *setting, const char *text, struct value *value)
{
    (void)setting;
    return log_level_parse(text, &value->level);
}

static const struct {
    bool (*read)(const struct setting *setting, const char *text, struct value *value);
    size_t size; // in the structure
    const char *expected;
    bool secret; // or may hold one
} types[] = {
    // clang-format off: the rows are named
    [SETTING_TEXT] = {read_text, sizeof(const char *), "a text"},
    [SETTING_SECRET] = {read_secret, sizeof(const char *), "a text", true},
    [SETTING_LISTEN] = {read_listen, sizeof(const char *), "tcp://HOST:PORT, tls+tcp://HOST:PORT or ipc:///path"},
    [SETTING_PEERS] = {read_peers, sizeof(const char *), "tcp://HOST:PORT, tls+tcp://HOST:PORT or ipc:///path, or several, separated by commas"},
    [SETTING_ADDRESS] = {read_address, sizeof(const char *), "HOST:PORT"},
    [SETTING_OPS_ADDRESS] = {read_ops_address, sizeof(const char *), "HOST:PORT or off"},
    [SETTING_POSTGRES] = {read_postgres, sizeof(const char *), "postgresql://USER@HOST:PORT/DATABASE", true},
    [SETTING_REDIS] = {read_redis, sizeof(const char *), "redis://HOST:PORT or unix:///path", true},
    [SETTING_INTEGER] = {read_integer, sizeof(int64_t), "a whole number"},
    [SETTING_BOOLEAN] = {read_boolean, sizeof(bool), "on or off"},
    [SETTING_DURATION_MS] = {read_duration, sizeof(int64_t), "a duration such as 500ms, 10s or 5m"},
    [SETTING_RATE] = {read_rate, sizeof(struct setting_rate), "a rate such as 5/60s, or off"},
    [SETTING_LOG_LEVEL] = {read_log_level, sizeof(enum log_level), "debug, info, warn, error, off"},
    // clang-format on
};

static struct status bad_value(const struct setting *setting, const char *text, struct arena *arena)
{
    struct text_buffer message;
    text_buffer_init(&message, arena, 128);
    text_append(&message, setting->name);
    if (!types[setting->type].secret) {
        text_append_char(&message, '=');
        text_append_json(&message, text, strlen(text));
    }
    text_appendf(&message, " is not valid: expected %s", types[setting->type].expected);
    if (setting->type == SETTING_SECRET)
        text_appendf(&message, " of %lld characters or more", (long long)setting->min);
    else if (setting->min != 0 || setting->max != 0)
        text_appendf(&message, " from %lld to %lld", (long long)setting->min,
                     (long long)setting->max);
    if (setting->type == SETTING_DURATION_MS && setting->max != 0)
        text_append(&message, " ms");
    return invalid(setting->name, message.data);
}

// Reads a file of SECRET_LIMIT bytes at most, NUL-terminated. NULL, or what is wrong with it.
static const char *read_file(const char *path, char *bytes, size_t *length)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return strerror(errno);
    *length = fread(bytes, 1, SECRET_LIMIT + 1, file);
    const char *problem = ferror(file) ? strerror(errno) : NULL;
    fclose(file);
    if (!problem && *length > SECRET_LIMIT)
        return "longer than 64 KiB";
    return problem;
}

// The secret that a file holds, without the line end that editors add.
static struct status read_secret_file(const struct setting *setting, const char *path,
                                      struct arena *arena, const char **text)
{
    char *secret = arena_alloc(arena, SECRET_LIMIT + 2);
    size_t length = 0;
    const char *problem = read_file(path, secret, &length);
    while (!problem && length > 0 && (secret[length - 1] == '\n' || secret[length - 1] == '\r'))
        secret[--length] = '\0';
    if (!problem && length == 0)
        problem = "it is empty";
    if (!problem && strlen(secret) < length)
        problem = "not a text";
    if (problem)
        return invalid(setting->name, text_printf(arena, "%s_FILE: cannot use \"%s\": %s",
                                                  setting->name, path, problem));
    *text = secret;
    return OK;
}

// The text of a setting: the environment, the file of a secret, or the default.
static struct status find_text(const struct setting *setting, struct arena *arena,
                               const char **text)
{
    const char *found = getenv(setting->name);
    if (types[setting->type].secret) {
        const char *path = getenv(text_printf(arena, "%s_FILE", setting->name));
        if (path && found)
            return invalid(setting->name,
                           text_printf(arena, "%s and %s_FILE are both set: keep one",
                                       setting->name, setting->name));
        if (path) {
            struct status st = read_secret_file(setting, path, arena, &found);
            if (failed(st))
                return st;
        }
    }
    if (!found)
        found = setting->default_value;
    if (!found || (!*found && !setting->default_value))
        return invalid(setting->name, text_printf(arena, "%s is not set: it is required (%s)",
                                                  setting->name, setting->help));
    *text = text_copy(arena, found);
    return OK;
}

// Secrets that stand in this repository, for demonstrations: whoever reads it knows them.
static const char *const published[] = {"Baro!2026", "demo-secret-of-the-dev-overlay"};

static bool is_published(const char *secret)
{
    for (size_t i = 0; i < COUNT(published); i++)
        if (strcmp(secret, published[i]) == 0)
            return true;
    return false;
}

// A process that can be a demonstration (BARO_DEMO) and is none wants secrets of its own.
static struct status refuse_published(const struct setting *table, size_t count,
                                      const struct value *values, struct arena *arena)
{
    bool strict = false;
    for (size_t i = 0; i < count; i++)
        if (strcmp(table[i].name, SETTING_DEMO) == 0)
            strict = !values[i].boolean;
    for (size_t i = 0; strict && i < count; i++)
        if (table[i].type == SETTING_SECRET && is_published(values[i].text))
            return invalid(table[i].name,
                           text_printf(arena,
                                       "%s is the one of demonstrations, which everybody knows: "
                                       "choose another, or set " SETTING_DEMO "=on",
                                       table[i].name));
    return OK;
}

struct status settings_load(const struct setting *table, size_t count, struct arena *arena,
                            void *into)
{
    struct value *values = arena_array(arena, count, sizeof(*values));
    for (size_t i = 0; i < count; i++) {
        const char *text = "";
        struct status st = find_text(&table[i], arena, &text);
        if (failed(st))
            return st;
        if (!types[table[i].type].read(&table[i], text, &values[i]))
            return bad_value(&table[i], text, arena);
    }
    struct status st = refuse_published(table, count, values, arena);
    if (failed(st))
        return st;
    for (size_t i = 0; i < count; i++)
        memcpy((char *)into + table[i].offset, &values[i], types[table[i].type].size);
    return OK;
}

static const char *shown_default(const struct setting *setting)
{
    if (!setting->default_value)
        return "(required)";
    if (types[setting->type].secret)
        return "(secret)";
    return *setting->default_value ? setting->default_value : "(empty)";
}

void settings_print(const struct setting *table, size_t count)
{
    int name_width = 0, default_width = 0;
    for (size_t i = 0; i < count; i++) {
        int name = (int)strlen(table[i].name), text = (int)strlen(shown_default(&table[i]));
        name_width = name > name_width ? name : name_width;
        default_width = text > default_width ? text : default_width;
    }
    for (size_t i = 0; i < count; i++)
        printf("%-*s  %-*s  %s\n", name_width, table[i].name, default_width,
               shown_default(&table[i]), table[i].help);
}

void settings_load_or_exit(int argc, char **argv, const struct setting *table, size_t count,
                           struct arena *arena, void *into)
{
    const char *slash = strrchr(argv[0], '/');
    const char *program = slash ? slash + 1 : argv[0];
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("%s %s: settings are environment variables.\n\n", program, BARO_VERSION);
        settings_print(table, count);
        exit(0);
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("%s %s\n", program, BARO_VERSION);
        exit(0);
    }
    if (argc > 1) {
        fprintf(stderr, "%s: unexpected argument \"%s\": only --help and --version are known\n",
                program, argv[argc > 2 && argv[1][0] == '-' ? 2 : 1]);
        exit(EXIT_BAD_SETTING);
    }
    struct status st = settings_load(table, count, arena, into);
    if (failed(st)) {
        fprintf(stderr, "%s: %s\n", program, st.message);
        exit(EXIT_BAD_SETTING);
    }
}
