// `baroctl load-demo`: the shop is opened, its orders are lived through in the order of time, a lot at a
// time goes to the databases. Memory does not grow with the number of orders.

#include "deploy/baroctl/commands.h"
#include "deploy/baroctl/demo_store.h"
#include "deploy/baroctl/output.h"
#include "deploy/baroctl/progress.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "services/user/password.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOT = 4000,
    PAST_DAYS = 180,
    CAMPAIGNS = 6,
    YOUNG_MAX = 100, // orders of the last minutes
    YOUNG_S = 480,
    BEFORE_YOUNG_S = 900,
    ORDERS_PER_USER = 20,
    USERS_MIN = 10,
};
static const char PASSWORD[] = "Demo!2026";

int64_t demo_random(struct demo *demo, int64_t low, int64_t high)
{
    // splitmix64: every seed gives a row of its own.
    uint64_t z = demo->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return low + (int64_t)(z % (uint64_t)(high - low + 1));
}

// The shop

static void count_options(struct demo *demo)
{
    for (int64_t i = 0; i < demo->size.products; i++)
        demo->option_count += demo_options_of((size_t)i);
}

// Those that are referred to by id need their ids before their rows are written.
static struct status people_shop(struct demo *demo)
{
    size_t users = (size_t)demo->size.users, products = (size_t)demo->size.products;
    int64_t *user_ids, *product_ids, *option_ids, *campaign_ids;
    count_options(demo);
    struct status st = demo_take_ids(demo, DEMO_USER, "account", users, &user_ids);
    if (!failed(st))
        st = demo_take_ids(demo, DEMO_PRODUCT, "product", products, &product_ids);
    if (!failed(st))
        st = demo_take_ids(demo, DEMO_PRODUCT, "product_option", demo->option_count, &option_ids);
    if (!failed(st))
        st = demo_take_ids(demo, DEMO_COUPON, "campaign", CAMPAIGNS, &campaign_ids);
    if (failed(st))
        return st;
    demo->users = arena_array(demo->arena, users, sizeof(*demo->users));
    demo->products = arena_array(demo->arena, products, sizeof(*demo->products));
    demo->options = arena_array(demo->arena, demo->option_count, sizeof(*demo->options));
    demo->campaigns = arena_array(demo->arena, CAMPAIGNS, sizeof(*demo->campaigns));
    demo->campaign_count = CAMPAIGNS;
    for (size_t i = 0; i < users; i++)
        demo->users[i].wallet.user_id = user_ids[i];
    for (size_t i = 0; i < products; i++)
        demo->products[i].id = product_ids[i];
    for (size_t i = 0; i < demo->option_count; i++)
        demo->options[i].option_id = option_ids[i];
    for (size_t i = 0; i < CAMPAIGNS; i++)
        demo->campaigns[i].id = campaign_ids[i];
    return OK;
}

static struct status open_shop(struct demo *demo)
{
    char hash[PASSWORD_HASH_SIZE];
    if (sodium_init() < 0)
        abort();
    struct status st = password_hash(PASSWORD, hash);
    if (!failed(st))
        st = demo_now(demo);
    if (failed(st))
        return st;
    demo->start_us = demo->now_us - PAST_DAYS * US_PER_DAY;
    st = people_shop(demo);
    if (failed(st))
        return st;
    demo_open_shop(demo, hash);
    return demo_flush(demo);
}

// The orders

static int64_t young_orders(const struct demo *demo)
{
    int64_t share = demo->size.orders / ORDERS_PER_USER;
    return share < YOUNG_MAX ? share : YOUNG_MAX;
}

// Evenly over the past, in the order of time; the young ones over the last minutes.
static int64_t placed_at(struct demo *demo, int64_t number)
{
    int64_t young = young_orders(demo), old = demo->size.orders - young;
    bool is_young = number >= old;
    int64_t from_us = is_young ? demo->now_us - YOUNG_S * US_PER_S : demo->start_us;
    int64_t length_us =
        is_young ? YOUNG_S * US_PER_S : demo->now_us - BEFORE_YOUNG_S * US_PER_S - demo->start_us;
    int64_t slot_us = length_us / (is_young ? young : old);
    return from_us + (is_young ? number - old : number) * slot_us +
           demo_random(demo, 0, slot_us - 1);
}

static struct status load_orders(struct demo *demo, struct progress *progress)
{
    SCOPED(arena) *arena = arena_create();
    int64_t old = demo->size.orders - young_orders(demo);
    struct status st = OK;
    for (int64_t i = 0; i < demo->size.orders && !failed(st); i++) {
        arena_reset(arena);
        demo_live(demo, arena, demo_draw_fate(demo, old - 1 - i), placed_at(demo, i));
        if ((i + 1) % LOT == 0) {
            st = demo_flush(demo);
            progress_show(progress, i + 1);
        }
    }
    return st;
}

static struct status load(struct demo *demo, const struct audit_urls *urls,
                          struct progress *progress)
{
    struct status st = demo_open_databases(demo, urls);
    if (!failed(st))
        st = open_shop(demo);
    if (!failed(st))
        st = load_orders(demo, progress);
    progress_say(progress, "writing wallets, stock and popularity");
    if (!failed(st)) {
        demo_close_shop(demo);
        st = demo_commit(demo);
    }
    progress_say(progress, "gathering statistics");
    return failed(st) ? st : demo_analyze(demo);
}

static const struct column RESULT[] = {
    {"orders",     "orders"    },
    {"users",      "users"     },
    {"products",   "products"  },
    {"options",    "options"   },
    {"seed",       "seed"      },
    {"seconds",    "seconds"   },
    {"first user", "first_user"},
    {"password",   "password"  },
};

static void show_result(const struct demo *demo, double seconds, const struct arguments *arguments)
{
    const char *email =
        text_printf(demo->arena, "demo%lld@example.com", (long long)demo->users[0].wallet.user_id);
    SCOPED_JSON *result = json_pack(
        "{s: I, s: I, s: I, s: I, s: I, s: f, s: s, s: s}", "orders", (json_int_t)demo->size.orders,
        "users", (json_int_t)demo->size.users, "products", (json_int_t)demo->size.products,
        "options", (json_int_t)demo->option_count, "seed", (json_int_t)demo->size.seed, "seconds",
        seconds, "first_user", email, "password", PASSWORD);
    if (arguments->json)
        output_json(stdout, result);
    else
        output_object(stdout, RESULT, COUNT(RESULT), result);
}

static struct demo_size size_of(const struct arguments *arguments)
{
    int64_t users = arguments->orders / ORDERS_PER_USER;
    return (struct demo_size){
        .orders = arguments->orders,
        .users = arguments->users    ? arguments->users
                 : users < USERS_MIN ? USERS_MIN
                                     : users,
        .products = arguments->products,
        .seed = arguments->seed,
    };
}

enum exit_code load_demo_run(const struct arguments *arguments, struct arena *arena)
{
    struct audit_urls urls;
    struct progress progress;
    struct demo demo = {.size = size_of(arguments), .arena = arena};
    struct status st = audit_urls_load(arena, &urls);
    if (failed(st))
        return complain("load-demo", st);
    demo.random = (uint64_t)demo.size.seed;
    progress_start(&progress, "orders", demo.size.orders);
    st = load(&demo, &urls, &progress);
    progress_end(&progress);
    double seconds = (double)(clock_monotonic_us() - progress.started_us) / (double)US_PER_S;
    if (failed(st))
        complain("load-demo", st);
    else
        show_result(&demo, seconds, arguments);
    demo_close_databases(&demo);
    return failed(st) ? EXIT_WRONG : EXIT_DONE;
}
