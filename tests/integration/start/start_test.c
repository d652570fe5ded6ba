// Every process, started as an operator starts it: with a wrong setting, without its servers, and with
// peers that talk nonsense.

#include "lib/base/macros.h"
#include "lib/rpc/nng.h"
#include "tests/integration/start/process.h"
#include "tests/support/database.h"
#include "tests/support/stand.h"

#include <criterion/criterion.h>
#include <nng/protocol/pubsub0/pub.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECRET "BARO_SECRET=this is what all of them share"
#define NOWHERE "BARO_DATABASE_URL=postgresql:///baro?host=/nonexistent"

enum { LONG_MS = 60000, MOMENT_MS = 50 };

static const char *const SERVICES[] = {"user", "product", "order", "coupon"};

// What an operator might mistype; `right` says what is asked for instead.
static const struct {
    const char *process, *setting, *right;
} MISTAKES[] = {
    {"user",    "BARO_DATABASE_URL=",                    "it is required"                },
    {"product", "BARO_DATABASE_URL=shop",                "postgresql://"                 },
    {"order",   "BARO_MIGRATE_URL=shop",                 "postgresql://"                 },
    {"coupon",  "BARO_REDIS_URL=127.0.0.1:6379",         "redis://"                      },
    {"coupon",  "BARO_SECRET=",                          "it is required"                },
    {"user",    "BARO_SECRET=short",                     "16 characters or more"         },
    {"user",    "BARO_RPC_LISTEN=127.0.0.1:7101",        "tcp://HOST:PORT or ipc:///path"},
    {"order",   "BARO_BUS_LISTEN=tcp://127.0.0.1:99999", "tcp://HOST:PORT or ipc:///path"},
    {"product", "BARO_OPS_LISTEN=no",                    "HOST:PORT or off"              },
    {"user",    "BARO_ORDER_BUS=tcp://order",            "separated by commas"           },
    {"product", "BARO_ORDER_RPC=tcp://a:1,b:1",          "separated by commas"           },
    {"coupon",  "BARO_ORDER_RPC=order:7103",             "separated by commas"           },
    {"order",   "BARO_USER_RPC=",                        "separated by commas"           },
    {"order",   "BARO_SAGA_RETRY=soon",                  "a duration such as 500ms"      },
    {"user",    "BARO_JWT_KEY=key",                      "a PEM private key"             },
    {"order",   "BARO_WEBHOOK_URL=example.org",          "an http or https URL"          },
    {"order",   "BARO_WRITE_WORKERS=0",                  "a whole number from 1 to 64"   },
    {"coupon",  "BARO_FAULT_PANEL=on",                   "ipc:// sockets"                },
    {"gateway", "BARO_FAULT_PANEL=on",                   "ipc:// sockets"                },
    {"user",    "BARO_ADMIN_PASSWORD=Baro!2026",         "choose another"                },
    {"gateway", "BARO_SECRET=",                          "it is required"                },
    {"gateway", "BARO_SECRET=short",                     "16 characters or more"         },
    {"gateway", "BARO_HTTP_ADDRESS=8080",                "HOST:PORT"                     },
    {"gateway", "BARO_USER_RPC=user",                    "tcp://HOST:PORT or ipc:///path"},
    {"gateway", "BARO_ORDER_BUS=ipc://relative",         "tcp://HOST:PORT or ipc:///path"},
    {"gateway", "BARO_REDIS_URL=localhost",              "redis://"                      },
    {"gateway", "BARO_LIMIT_ORDERS=often",               "a rate such as 5/60s, or off"  },
    {"gateway", "BARO_LOG_LEVEL=loud",                   "debug, info, warn, error, off" },
};

// A later value of a name would not win: what is mistyped takes the place of what is right.
static void start_mistyped(struct process *process, const char *name, const char *setting)
{
    const char *environment[] = {SECRET, NOWHERE, setting, NULL};
    for (size_t i = 0; i < 2; i++)
        if (strncmp(environment[i], setting, strcspn(setting, "=") + 1) == 0) {
            environment[i] = setting;
            environment[2] = NULL;
        }
    process_start(process, name, environment);
}

Test(start, with_a_wrong_setting_is_one_line_that_names_it_and_what_is_right)
{
    static struct process process;
    for (size_t i = 0; i < COUNT(MISTAKES); i++) {
        char line[128];
        start_mistyped(&process, MISTAKES[i].process, MISTAKES[i].setting);
        cr_expect_eq(process_await_end(&process), 2, "%s: %s", MISTAKES[i].setting, process.text);
        cr_expect_eq(process_count(&process, "\n"), 1, "%s", process.text);
        snprintf(line, sizeof(line), "baro-%s: %.*s", MISTAKES[i].process,
                 (int)strcspn(MISTAKES[i].setting, "="), MISTAKES[i].setting);
        cr_expect_eq(strncmp(process.text, line, strlen(line)), 0, "%s", process.text);
        cr_expect_not_null(strstr(process.text, MISTAKES[i].right), "%s", process.text);
    }
}

Test(start, without_postgresql_waits_up_to_its_limit_and_says_for_what)
{
    static const char *const ENVIRONMENT[] = {SECRET, NOWHERE, "BARO_START_WAIT=400ms", NULL};
    static struct process process;
    for (size_t i = 0; i < COUNT(SERVICES); i++) {
        process_start(&process, SERVICES[i], ENVIRONMENT);
        cr_expect_eq(process_await_end(&process), 1, "%s", process.text);
        cr_expect_geq(process_count(&process, "waiting for the database"), 2);
        cr_expect_eq(process_count(&process, "cannot start"), 1);
        const char *end = strstr(process.text, "cannot start");
        cr_expect_not_null(end && strstr(end, "BARO_DATABASE_URL") ? end : NULL);
        cr_expect_not_null(end && strstr(end, "/nonexistent/.s.PGSQL.5432") ? end : NULL);
    }
}

// A service with sockets and a database of its own, in a folder that goes with it.
struct place {
    char folder[32], socket[80];
    char database[160], rpc[80], bus[80], source[80];
};

static void place_init(struct place *place)
{
    strcpy(place->folder, "/tmp/baro-start-XXXXXX");
    cr_assert_not_null(mkdtemp(place->folder));
    snprintf(place->socket, sizeof(place->socket), "%s/.s.PGSQL.5432", place->folder);
    const char *slash = strrchr(test_database("start"), '/');
    snprintf(place->database, sizeof(place->database),
             "BARO_DATABASE_URL=postgresql://postgres@/%s?host=%s", slash + 1, place->folder);
    snprintf(place->rpc, sizeof(place->rpc), "BARO_RPC_LISTEN=ipc://%s/rpc", place->folder);
    snprintf(place->bus, sizeof(place->bus), "BARO_BUS_LISTEN=ipc://%s/bus", place->folder);
    snprintf(place->source, sizeof(place->source), "BARO_ORDER_BUS=ipc://%s/source", place->folder);
}

// PostgreSQL appears at the place, or goes from there.
static void place_open(const struct place *place)
{
    char target[128];
    const char *at = strchr(getenv("BARO_ADMIN_DATABASE_URL"), '@') + 1;
    size_t length = 0;
    for (; *at && *at != '/'; at += strncmp(at, "%2F", 3) == 0 ? 3 : 1)
        target[length++] = strncmp(at, "%2F", 3) == 0 ? '/' : *at;
    snprintf(target + length, sizeof(target) - length, "/.s.PGSQL.5432");
    cr_assert_eq(symlink(target, place->socket), 0);
}

static void place_fini(const struct place *place)
{
    static const char *const NAMES[] = {".s.PGSQL.5432", "rpc", "bus", "source"};
    for (size_t i = 0; i < COUNT(NAMES); i++) {
        char path[80];
        snprintf(path, sizeof(path), "%s/%s", place->folder, NAMES[i]);
        unlink(path);
    }
    rmdir(place->folder);
}

static void start_at(struct process *process, const struct place *place, const char *redis)
{
    const char *const environment[] = {
        SECRET, place->database,       place->rpc, place->bus, place->source,
        redis,  "BARO_OPS_LISTEN=off", NULL};
    process_start(process, "user", environment);
}

Test(start, comes_up_when_postgresql_appears_and_does_not_wait_for_redis, .timeout = 90)
{
    static struct process process;
    struct place place;
    place_init(&place);
    start_at(&process, &place, "BARO_REDIS_URL=unix:///nonexistent/redis.sock");
    cr_expect(process_says(&process, "waiting for the database", LONG_MS), "%s", process.text);
    place_open(&place);
    cr_expect(process_says(&process, "\"ready\"", LONG_MS), "%s", process.text);
    cr_expect_not_null(strstr(process.text, "redis does not answer"), "%s", process.text);
    int end = process_stop(&process);
    cr_expect_eq(end, 0, "%d: %s", end, process.text);
    place_fini(&place);
}

static void send_noise(nng_socket socket, const char *beginning, size_t size)
{
    nng_msg *message;
    cr_assert_eq(nng_msg_alloc(&message, size), 0);
    memset(nng_msg_body(message), 'x', size);
    memcpy(nng_msg_body(message), beginning, strlen(beginning) + 1);
    cr_assert_eq(nng_sendmsg(socket, message, 0), 0);
}

Test(start, is_followed_by_nonsense_on_both_ports_and_goes_on, .timeout = 90)
{
    static struct process process;
    enum { MANY = 20 };
    struct place place;
    nng_socket caller, source;
    cr_assert(!failed(nng_prepare()));
    place_init(&place);
    place_open(&place);
    cr_assert_eq(nng_pub0_open(&source), 0);
    cr_assert_eq(nng_listen(source, strchr(place.source, '=') + 1, NULL, 0), 0);
    start_at(&process, &place, "BARO_REDIS_URL=unix:///nonexistent/redis.sock");
    cr_assert(process_says(&process, "\"ready\"", LONG_MS), "%s", process.text);

    cr_assert_eq(nng_req0_open(&caller), 0);
    cr_assert_eq(nng_dial(caller, strchr(place.rpc, '=') + 1, NULL, 0), 0);
    for (int i = 0; i < MANY; i++)
        send_noise(caller, "nonsense", 100);
    cr_expect(process_says(&process, "dropped a message that is not ours", LONG_MS), "%s",
              process.text);
    // It hears the publisher when it has found it and has leased its partitions.
    for (int i = 0; i < LONG_MS / MOMENT_MS; i++) {
        send_noise(source, "saga.user.0", 100);
        if (process_says(&process, "noise on the bus", MOMENT_MS))
            break;
    }
    for (int i = 0; i < MANY; i++)
        send_noise(source, "saga.user.0", 100);
    send_noise(caller, "nonsense", 2 * MESSAGE_MAX);
    send_noise(source, "saga.user.0", 2 * MESSAGE_MAX);
    cr_expect_eq(process_stop(&process), 0, "%s", process.text);
    cr_expect_eq(process_count(&process, "dropped a message that is not ours"), 1, "once a minute");
    cr_expect_eq(process_count(&process, "noise on the bus"), 1, "%s", process.text);
    nng_close(caller);
    nng_close(source);
    place_fini(&place);
}
