// Verbs over the calls of the product service.

#include "tests/integration/product/depot.h"

#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "tests/support/saga_ids.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TTL_MS = 600000 };
#define JOB_DEADLINE_US (10 * US_PER_S)

extern const struct migration product_migrations[];
extern const size_t product_migration_count;

// Law 2, and that no order ever takes or gives back an option twice.
static const char BROKEN_LAWS[] =
    "SELECT (SELECT count(*) FROM product_option o"
    "  WHERE o.total <> (SELECT coalesce(sum(delta), 0) FROM stock_movement WHERE option_id = o.id)"
    "  OR o.held <> (SELECT coalesce(sum(quantity), 0) FROM hold"
    "                WHERE option_id = o.id AND status = 'HELD')"
    "  OR o.held < 0 OR o.held > o.total)"
    " + (SELECT count(*) FROM (SELECT FROM stock_movement WHERE order_id IS NOT NULL"
    "    GROUP BY order_id, option_id, kind HAVING count(*) > 1) x)"
    " + (SELECT count(*) FROM hold h"
    "    LEFT JOIN (SELECT order_id, option_id, sum(delta) AS delta FROM stock_movement"
    "               WHERE order_id IS NOT NULL GROUP BY 1, 2) m USING (order_id, option_id)"
    "    WHERE coalesce(m.delta, 0) <> CASE status WHEN 'CONFIRMED' THEN -quantity ELSE 0 END)";

static struct status find_live(void *context, struct arena *arena, const int64_t *order_ids,
                               size_t count, int64_t **live, size_t *live_count)
{
    struct depot *depot = context;
    (void)order_ids;
    (void)count;
    if (depot->when_asked)
        depot->when_asked(depot);
    if (depot->is_order_service_down)
        return refuse(REASON_UNAVAILABLE, "down");
    *live = arena_copy(arena, depot->live, sizeof depot->live);
    *live_count = depot->live_count;
    return OK;
}

struct depot *depot_open(struct rig_size size)
{
    struct depot *depot = calloc(1, sizeof *depot);
    cr_assert_not_null(depot);
    const char *url = rig_database("product", product_migrations, product_migration_count);
    depot->service = (struct product_service){
        .orders = {find_live, depot}
    };
    depot->rig = rig_create(url, &product_methods, &depot->service, size);
    return depot;
}

void depot_close(struct depot *depot)
{
    rig_drain(depot->rig);
    cr_expect_eq(rig_number(depot->rig, BROKEN_LAWS), 0,
                 "stock does not follow from movements and holds");
    rig_destroy(depot->rig);
    free(depot);
}

static struct status run_job(struct depot *depot, const char *name)
{
    SCOPED(db) *db = rig_db(depot->rig);
    db_set_deadline(db, clock_monotonic_us() + JOB_DEADLINE_US);
    SCOPED(arena) *arena = arena_create();
    struct job jobs[PRODUCT_JOB_COUNT];
    product_jobs_init(&(struct product_settings){.sweep_period_ms = 1}, jobs);
    for (size_t i = 0; i < COUNT(jobs); i++)
        if (!strcmp(jobs[i].name, name))
            return jobs[i].run(&depot->service, db, arena);
    cr_assert_fail("no job %s", name);
    return OK;
}

struct status depot_sweep(struct depot *depot)
{
    return run_job(depot, "sweep_holds");
}

void depot_run_job(struct depot *depot, const char *name)
{
    struct status st = run_job(depot, name);
    cr_assert(!failed(st), "%s: %s", name, reason_word(st.reason));
}

int64_t given_product(struct depot *depot, const int64_t *stocks, size_t count, int64_t *option_ids)
{
    SCOPED(arena) *arena = arena_create();
    Baro__Product__NewOption **options = arena_array(arena, count, sizeof *options);
    Baro__Product__CreateProductRequest request;
    for (size_t i = 0; i < count; i++) {
        options[i] = arena_alloc(arena, sizeof **options);
        baro__product__new_option__init(options[i]);
        options[i]->name = text_printf(arena, "빨강-%zu", i);
        options[i]->price = 1000;
        options[i]->stock = stocks[i];
    }
    baro__product__create_product_request__init(&request);
    request.name = text_copy(arena, "티셔츠");
    request.options = options;
    request.n_options = count;
    const Baro__Product__AdminProduct *product =
        rig_done(depot->rig, "CreateProduct", as_admin(), &request.base);
    cr_assert_eq(product->n_options, count);
    for (size_t i = 0; i < count; i++)
        option_ids[i] = product->options[i]->id;
    return product->id;
}

int64_t given_stock(struct depot *depot, int64_t stock)
{
    int64_t option_id;
    given_product(depot, &stock, 1, &option_id);
    return option_id;
}

struct asked *start_hold(struct depot *depot, int64_t order_id, const struct line *lines,
                         size_t count)
{
    SCOPED(arena) *arena = arena_create();
    Baro__Product__HoldLine **list = arena_array(arena, count, sizeof *list);
    Baro__Product__HoldStockRequest request;
    for (size_t i = 0; i < count; i++) {
        list[i] = arena_alloc(arena, sizeof **list);
        baro__product__hold_line__init(list[i]);
        list[i]->option_id = lines[i].option_id;
        list[i]->quantity = lines[i].quantity;
    }
    baro__product__hold_stock_request__init(&request);
    request.order_id = order_id;
    request.user_id = 7;
    request.ttl_ms = TTL_MS;
    request.lines = list;
    request.n_lines = count;
    return rig_start(depot->rig, "HoldStock", as_service(), &request.base);
}

const struct asked *hold(struct depot *depot, int64_t order_id, int64_t option_id, int64_t quantity)
{
    struct line line = {option_id, quantity};
    return rig_await(start_hold(depot, order_id, &line, 1));
}

const struct asked *step(struct depot *depot, const char *method, int64_t order_id)
{
    static int64_t saga_id;
    Baro__Product__StockStepRequest request;
    Baro__SagaStep saga;
    char name[] = "stock";
    baro__saga_step__init(&saga);
    saga.saga_id = saga_begun(++saga_id, 0);
    saga.step = name;
    baro__product__stock_step_request__init(&request);
    request.order_id = order_id;
    return rig_call(depot->rig, method, as_saga(&saga), &request.base);
}

struct asked *start_give_back(struct depot *depot, int64_t order_id, int64_t option_id)
{
    Baro__Product__StockStepRequest request;
    baro__product__stock_step_request__init(&request);
    request.order_id = order_id;
    request.option_ids = &option_id;
    request.n_option_ids = 1;
    return rig_start(depot->rig, "ReleaseStock", as_service(), &request.base);
}

int64_t total_of(struct depot *depot, int64_t option_id)
{
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT total FROM product_option WHERE id = %" PRId64, option_id);
    return rig_number(depot->rig, sql);
}

int64_t held_of(struct depot *depot, int64_t option_id)
{
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT held FROM product_option WHERE id = %" PRId64, option_id);
    return rig_number(depot->rig, sql);
}

int64_t holds_of(struct depot *depot, int64_t order_id, const char *status)
{
    char sql[256];
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM hold WHERE order_id = %" PRId64 " AND status = '%s'", order_id,
             status);
    return rig_number(depot->rig, sql);
}
