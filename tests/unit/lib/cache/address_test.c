// Where Redis is, from a URL.

#include "lib/cache/worker.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct row {
    const char *url;
    bool right;
    struct cache_address address;
} ROWS[] = {
    {"redis://127.0.0.1",              true,  {.host = "127.0.0.1", .port = 6379}                                  },
    {"redis://redis:6380/3",           true,  {.host = "redis", .port = 6380, .database = 3}                       },
    {"redis://redis/",                 true,  {.host = "redis", .port = 6379}                                      },
    {"redis://:p%40ss%2Fw:rd@r:1/15",
     true,                                    {.host = "r", .port = 1, .password = "p@ss/w:rd", .database = 15}    },
    {"redis://baro:secret@redis",
     true,                                    {.host = "redis", .port = 6379, .user = "baro", .password = "secret"}},
    {"redis://[::1]:7000",             true,  {.host = "::1", .port = 7000}                                        },
    {"redis://[::1]",                  true,  {.host = "::1", .port = 6379}                                        },
    {"unix:///run/redis.sock",         true,  {.path = "/run/redis.sock"}                                          },
    {"unix://:secret@/run/redis.sock", true,  {.path = "/run/redis.sock", .password = "secret"}                    },
    {"unix:///run/a@b.sock",           true,  {.path = "/run/a@b.sock"}                                            },
    {"redis://",                       false, {0}                                                                  },
    {"redis://host:0",                 false, {0}                                                                  },
    {"redis://host:65536",             false, {0}                                                                  },
    {"redis://host:99999999999",       false, {0}                                                                  },
    {"redis://host:12x",               false, {0}                                                                  },
    {"redis://host/16",                false, {0}                                                                  },
    {"redis://host/one",               false, {0}                                                                  },
    {"rediss://host",                  false, {0}                                                                  },
    {"unix://relative",                false, {0}                                                                  },
    {"",                               false, {0}                                                                  },
};

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

Test(address, a_url_says_where_redis_is_or_is_refused)
{
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        const struct cache_address *expected = &ROWS[i].address;
        struct cache_address address;
        struct status st = cache_address_parse(ROWS[i].url, &address);
        cr_assert_eq(!failed(st), ROWS[i].right, "%s", ROWS[i].url);
        if (failed(st)) {
            cr_expect_eq(st.code, STATUS_INVALID_ARGUMENT);
            continue;
        }
        cr_expect(same(address.path, expected->path), "%s", ROWS[i].url);
        cr_expect(same(address.host, expected->host), "%s", ROWS[i].url);
        cr_expect(same(address.user, expected->user), "%s", ROWS[i].url);
        cr_expect(same(address.password, expected->password), "%s", ROWS[i].url);
        cr_expect_eq(address.port, expected->port, "%s", ROWS[i].url);
        cr_expect_eq(address.database, expected->database, "%s", ROWS[i].url);
        cache_address_fini(&address);
    }
}
