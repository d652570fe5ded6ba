#include "lib/base/settings.h"

#include "lib/base/log.h"
#include "lib/base/macros.h"
#include "lib/base/text.h"
#include "lib/base/version.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct shop_settings {
    const char *address;
    const char *secret;
    int64_t workers;
    bool demo;
    int64_t wait_ms;
    struct setting_rate orders;
    enum log_level level;
    const char *database;
};

#define AT(field) offsetof(struct shop_settings, field)
static const struct setting table[] = {
    {"BARO_ADDRESS",  SETTING_TEXT,        "127.0.0.1:80", AT(address),  0, 0,     "listen"     },
    {"BARO_SECRET",   SETTING_SECRET,      "demo-secret",  AT(secret),   0, 0,     "seal"       },
    {"BARO_WORKERS",  SETTING_INTEGER,     "4",            AT(workers),  1, 64,    "connections"},
    {"BARO_DEMO",     SETTING_BOOLEAN,     "off",          AT(demo),     0, 0,     "catalogue"  },
    {"BARO_WAIT",     SETTING_DURATION_MS, "2s",           AT(wait_ms),  1, 60000, "patience"   },
    {"BARO_LIMIT",    SETTING_RATE,        "1/1s",         AT(orders),   0, 0,     "orders"     },
    {"BARO_LOG",      SETTING_LOG_LEVEL,   "info",         AT(level),    0, 0,     "level"      },
    {"BARO_DATABASE", SETTING_TEXT,        NULL,           AT(database), 0, 0,     "PostgreSQL" },
};

static struct arena *arena;

static void given_an_environment(void)
{
    clearenv();
    setenv("BARO_DATABASE", "postgresql:///shop", 1);
    arena = arena_create();
}

static void end_arena(void)
{
    arena_destroy(arena);
}

TestSuite(settings, .init = given_an_environment, .fini = end_arena);

static struct shop_settings load(void)
{
    struct shop_settings shop = {0};
    struct status st = settings_load(table, COUNT(table), arena, &shop);
    cr_assert_not(failed(st), "%s", st.message);
    return shop;
}

Test(settings, take_their_defaults)
{
    struct shop_settings shop = load();
    cr_assert_str_eq(shop.address, "127.0.0.1:80");
    cr_assert_str_eq(shop.secret, "demo-secret");
    cr_assert_eq(shop.workers, 4);
    cr_assert_eq(shop.demo, false);
    cr_assert_eq(shop.wait_ms, 2000);
    cr_assert_eq(shop.orders.count, 1);
    cr_assert_eq(shop.orders.window_ms, 1000);
    cr_assert_eq(shop.level, LOG_LEVEL_INFO);
    cr_assert_str_eq(shop.database, "postgresql:///shop");
}

Test(settings, take_the_environment_and_ignore_what_no_table_names)
{
    setenv("BARO_ADDRESS", "", 1);
    setenv("BARO_WORKERS", "64", 1);
    setenv("BARO_DEMO", "true", 1);
    setenv("BARO_WAIT", "1m", 1);
    setenv("BARO_LIMIT", "off", 1);
    setenv("BARO_LOG", "debug", 1);
    setenv("BARO_NOBODY_KNOWS_ME", "x", 1);
    struct shop_settings shop = load();
    cr_assert_str_eq(shop.address, "");
    cr_assert_eq(shop.workers, 64);
    cr_assert_eq(shop.demo, true);
    cr_assert_eq(shop.wait_ms, 60000);
    cr_assert_eq(shop.orders.count, 0);
    cr_assert_eq(shop.orders.window_ms, 0);
    cr_assert_eq(shop.level, LOG_LEVEL_DEBUG);
}

Test(settings, keep_their_text_when_the_environment_changes)
{
    static char variable[] = "BARO_ADDRESS=127.0.0.1:1";
    putenv(variable);
    struct shop_settings shop = load();
    variable[sizeof("BARO_ADDRESS=") - 1] = 'x';
    cr_assert_str_eq(shop.address, "127.0.0.1:1");
}

Test(settings, name_variable_value_and_remedy_of_a_bad_value)
{
    static const char integer[] = "a whole number from 1 to 64";
    static const char duration[] = "a duration such as 500ms, 10s or 5m from 1 to 60000 ms";
    static const char rate[] = "a rate such as 5/60s, or off";
    static const char level[] = "debug, info, warn, error, off";
    static const struct {
        const char *name, *value, *shown, *expected;
    } rows[] = {
        {"BARO_WORKERS", "65",                     "\"65\"",                     integer    },
        {"BARO_WORKERS", "0",                      "\"0\"",                      integer    },
        {"BARO_WORKERS", "",                       "\"\"",                       integer    },
        {"BARO_WORKERS", "4\n",                    "\"4\\n\"",                   integer    },
        {"BARO_DEMO",    "yes",                    "\"yes\"",                    "on or off"},
        {"BARO_WAIT",    "2",                      "\"2\"",                      duration   },
        {"BARO_WAIT",    "61s",                    "\"61s\"",                    duration   },
        {"BARO_LIMIT",   "0/1s",                   "\"0/1s\"",                   rate       },
        {"BARO_LIMIT",   "5",                      "\"5\"",                      rate       },
        {"BARO_LIMIT",   "5/0s",                   "\"5/0s\"",                   rate       },
        {"BARO_LIMIT",   "9223372036854775808/1s", "\"9223372036854775808/1s\"", rate       },
        {"BARO_LOG",     "loud",                   "\"loud\"",                   level      },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        setenv(rows[i].name, rows[i].value, 1);
        struct shop_settings shop = {.workers = 4711};
        struct status st = settings_load(table, COUNT(table), arena, &shop);
        cr_assert_eq(st.code, STATUS_INVALID_ARGUMENT, "row %zu", i);
        cr_assert_str_eq(st.message, text_printf(arena, "%s=%s is not valid: expected %s",
                                                 rows[i].name, rows[i].shown, rows[i].expected));
        cr_assert_str_eq(st.field, rows[i].name);
        cr_assert_eq(shop.workers, 4711, "stored although a value is bad");
        unsetenv(rows[i].name);
    }
}

// Every kind of address, with what is one and what is none.
static const struct {
    enum setting_type type;
    const char *value;
    bool right;
} ADDRESSES[] = {
    {SETTING_LISTEN,      "tcp://127.0.0.1:7101",            true },
    {SETTING_LISTEN,      "tcp://[::1]:0",                   true },
    {SETTING_LISTEN,      "ipc:///run/baro/user.rpc",        true },
    {SETTING_LISTEN,      "ipc://relative",                  false},
    {SETTING_LISTEN,      "ipc:///",                         false},
    {SETTING_LISTEN,      "tcp://::1:7101",                  false},
    {SETTING_LISTEN,      "tcp://127.0.0.1:65536",           false},
    {SETTING_LISTEN,      "tcp://127.0.0.1:",                false},
    {SETTING_LISTEN,      "tcp://:7101",                     false},
    {SETTING_LISTEN,      "udp://127.0.0.1:1",               false},
    {SETTING_LISTEN,      "tls+tcp://0.0.0.0:7101",          true },
    {SETTING_LISTEN,      "tls://0.0.0.0:7101",              false},
    {SETTING_PEERS,       "tls+tcp://user:1,tls+tcp://b:1",  true },
    {SETTING_LISTEN,      "tcp://a:1,tcp://b:1",             false},
    {SETTING_LISTEN,      "",                                false},
    {SETTING_PEERS,       "tcp://user-0:7101, ipc:///run/b", true },
    {SETTING_PEERS,       "tcp://user-0:7101,user-1:7101",   false},
    {SETTING_PEERS,       ",",                               false},
    {SETTING_ADDRESS,     "localhost:8080",                  true },
    {SETTING_ADDRESS,     "http://localhost:8080",           false},
    {SETTING_ADDRESS,     "off",                             false},
    {SETTING_OPS_ADDRESS, "off",                             true },
    {SETTING_OPS_ADDRESS, "8080",                            false},
    {SETTING_POSTGRES,    "postgresql://baro@db/baro",       true },
    {SETTING_POSTGRES,    "postgres://baro@db/baro",         true },
    {SETTING_POSTGRES,    "host=db",                         false},
    {SETTING_REDIS,       "redis://cache:6379/1",            true },
    {SETTING_REDIS,       "unix:///run/redis.sock",          true },
    {SETTING_REDIS,       "cache:6379",                      false},
    {SETTING_REDIS,       "rediss://cache:6379",             false},
    {SETTING_POSTGRES,    "postgresql://db/b?sslmode=a",     true },
    {SETTING_SECRET,      "0123456789abcdef",                true },
    {SETTING_SECRET,      "0123456789abcde",                 false},
};

Test(settings, tell_addresses_from_what_is_none)
{
    for (size_t i = 0; i < COUNT(ADDRESSES); i++) {
        const struct setting one = {
            "BARO_ONE", ADDRESSES[i].type, NULL, 0, ADDRESSES[i].type == SETTING_SECRET ? 16 : 0, 0,
            "one"};
        const char *text = NULL;
        setenv("BARO_ONE", *ADDRESSES[i].value ? ADDRESSES[i].value : " ", 1);
        struct status st = settings_load(&one, 1, arena, &text);
        cr_expect_eq(!failed(st), ADDRESSES[i].right, "%s", ADDRESSES[i].value);
        bool secret = one.type == SETTING_SECRET || one.type == SETTING_POSTGRES;
        if (failed(st) && secret)
            cr_expect_null(strstr(st.message, ADDRESSES[i].value), "a secret is shown");
    }
}

Test(settings, may_be_empty_addresses_where_the_default_is)
{
    const struct setting one = {"BARO_ONE", SETTING_POSTGRES, "", 0, 0, 0, "one"};
    const char *text = NULL;
    cr_assert(!failed(settings_load(&one, 1, arena, &text)));
    cr_assert_str_eq(text, "");
}

Test(settings, ask_for_what_is_required)
{
    static const char *const values[] = {NULL, ""};
    for (size_t i = 0; i < COUNT(values); i++) {
        unsetenv("BARO_DATABASE");
        if (values[i])
            setenv("BARO_DATABASE", values[i], 1);
        struct shop_settings shop;
        struct status st = settings_load(table, COUNT(table), arena, &shop);
        cr_assert_str_eq(st.message, "BARO_DATABASE is not set: it is required (PostgreSQL)");
    }
}

// A file that holds `size` bytes and is gone when the test ends.
static const char *given_file(const char *bytes, size_t size)
{
    static char path[] = "/tmp/baro-settings-XXXXXX";
    int file = mkstemp(path);
    cr_assert_geq(file, 0);
    cr_assert_eq(write(file, bytes, size), (ssize_t)size);
    close(file);
    setenv("BARO_SECRET_FILE", path, 1);
    return path;
}

Test(settings, read_a_secret_from_a_file_without_its_line_end)
{
    const char *path = given_file("hush hush\r\n", 11);
    cr_assert_str_eq(load().secret, "hush hush");
    unlink(path);
}

// The message of the load that fails.
static const char *complaint(void)
{
    struct shop_settings shop;
    struct status st = settings_load(table, COUNT(table), arena, &shop);
    cr_assert(failed(st));
    return st.message;
}

Test(settings, refuse_a_secret_file_that_cannot_be_used)
{
    setenv("BARO_SECRET_FILE", "/nowhere/at/all", 1);
    cr_assert_str_eq(complaint(), "BARO_SECRET_FILE: cannot use \"/nowhere/at/all\": "
                                  "No such file or directory");
    setenv("BARO_SECRET_FILE", "/tmp", 1);
    cr_assert_not_null(strstr(complaint(), "Is a directory"));
    setenv("BARO_SECRET_FILE", "/dev/null", 1);
    cr_assert_not_null(strstr(complaint(), "it is empty"));
    setenv("BARO_SECRET_FILE", "/dev/zero", 1);
    cr_assert_not_null(strstr(complaint(), "longer than 64 KiB"));

    const char *path = given_file("a\0b", 3);
    cr_assert_not_null(strstr(complaint(), "not a text"));
    unlink(path);
}

Test(settings, refuse_a_secret_given_twice)
{
    setenv("BARO_SECRET", "one", 1);
    setenv("BARO_SECRET_FILE", "/dev/null", 1);
    cr_assert_str_eq(complaint(), "BARO_SECRET and BARO_SECRET_FILE are both set: keep one");
}

Test(settings, refuse_secrets_that_everybody_knows_but_in_demonstrations)
{
    struct process {
        bool demo;
        const char *secret;
    } into;
    const struct setting rows[] = {
        {SETTING_DEMO,  SETTING_BOOLEAN, "off", offsetof(struct process, demo),   0, 0, "demo"},
        {"BARO_SECRET", SETTING_SECRET,  NULL,  offsetof(struct process, secret), 4, 0, "seal"},
    };
    static const char *const known[] = {"Baro!2026", "demo-secret-of-the-dev-overlay"};
    for (size_t i = 0; i < COUNT(known); i++) {
        setenv("BARO_SECRET", known[i], 1);
        unsetenv("BARO_DEMO");
        struct status st = settings_load(rows, COUNT(rows), arena, &into);
        cr_assert(failed(st));
        cr_expect_str_eq(st.field, "BARO_SECRET");
        cr_expect_null(strstr(st.message, known[i]), "it is shown");
        setenv("BARO_DEMO", "on", 1);
        cr_expect(!failed(settings_load(rows, COUNT(rows), arena, &into)));
        cr_expect(!failed(settings_load(&rows[1], 1, arena, &into)), "a client may say it");
    }
    setenv("BARO_DEMO", "off", 1);
    setenv("BARO_SECRET", "nobody knows me", 1);
    cr_expect(!failed(settings_load(rows, COUNT(rows), arena, &into)));
}

static char *printed(FILE *stream)
{
    char *text = arena_alloc(arena, 8192);
    fflush(stdout);
    fflush(stderr);
    size_t length = fread(text, 1, 8191, stream);
    text[length] = '\0';
    return text;
}

Test(settings, print_their_table_but_no_secret)
{
    cr_redirect_stdout();
    setenv("BARO_SECRET", "hush", 1);
    settings_print(table, COUNT(table));
    char *text = printed(cr_get_redirected_stdout());
    static const char *const lines[] = {
        "BARO_ADDRESS   127.0.0.1:80  listen\n",
        "BARO_SECRET    (secret)      seal\n",
        "BARO_DATABASE  (required)    PostgreSQL\n",
    };
    for (size_t i = 0; i < COUNT(lines); i++)
        cr_assert_not_null(strstr(text, lines[i]), "%s", text);
    cr_assert_null(strstr(text, "hush"));
}

static void load_or_exit(char *argument)
{
    char program[] = "/usr/bin/baro-test";
    char *argv[] = {program, argument, NULL};
    struct shop_settings shop;
    settings_load_or_exit(argument ? 2 : 1, argv, table, COUNT(table), arena, &shop);
}

Test(settings, let_a_process_with_good_values_go_on)
{
    load_or_exit(NULL);
}

Test(settings, end_a_process_with_a_bad_value, .exit_code = 2)
{
    setenv("BARO_WORKERS", "many", 1);
    load_or_exit(NULL);
}

Test(settings, end_a_process_with_an_argument_nobody_knows, .exit_code = 2)
{
    char argument[] = "--workers=4";
    load_or_exit(argument);
}

static void expect_help(void)
{
    char *text = printed(cr_get_redirected_stdout());
    if (!strstr(text, "baro-test " BARO_VERSION) || !strstr(text, "BARO_WORKERS"))
        _exit(1);
}

Test(settings, end_with_their_table_on_request, .exit_code = 0)
{
    char argument[] = "--help";
    unsetenv("BARO_DATABASE"); // help is for those who do not know yet
    cr_redirect_stdout();
    atexit(expect_help);
    load_or_exit(argument);
    _exit(1);
}

static void expect_version(void)
{
    if (strcmp(printed(cr_get_redirected_stdout()), "baro-test " BARO_VERSION "\n") != 0)
        _exit(1);
}

Test(settings, end_with_the_version_on_request, .exit_code = 0)
{
    char argument[] = "--version";
    cr_redirect_stdout();
    atexit(expect_version);
    load_or_exit(argument);
    _exit(1);
}
