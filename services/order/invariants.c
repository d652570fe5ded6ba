// One thread makes the checks and keeps the promise to those who wait: between two pages it looks who
// has waited long enough. All who asked before a check began are answered by it.

#include "services/order/invariants.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/base/metrics.h"
#include "lib/base/protobuf.h"
#include "lib/base/text.h"
#include "lib/base/thread.h"
#include "services/order/laws.h"
#include "services/order/service.h"
#include "services/order/wire.h"

#include <pthread.h>
#include <stdlib.h>
#include <utlist.h>

enum { PATIENCE_MS = 3000, LOOK_PERIOD_MS = 5000 };

struct asker {
    struct call *call;
    int64_t asked_us, due_us;
    struct asker *next;
};

struct invariants {
    struct invariants_options options;
    struct db *db;
    struct law_peer peers[LAW_PLACES];
    struct law_database own;
    struct law_source sources[LAW_PLACES];
    struct metric *violations[LAW_COUNT], *age, *seconds;
    int64_t checked_us; // the last check that is known, or the start; on the monotonic clock
    pthread_t thread;
    pthread_mutex_t lock; // of the two below
    pthread_cond_t changed;
    bool stopping;
    struct asker *askers;
};

// What `own` of a call points to when its answer comes from a check that began after the question.
static char fresh_mark;

static void release(struct asker *askers, bool fresh)
{
    struct asker *asker, *next;
    LL_FOREACH_SAFE (askers, asker, next) {
        asker->call->own = fresh ? &fresh_mark : NULL;
        call_ready(asker->call);
        free(asker);
    }
}

// Takes out those who asked before began_us, or whose patience is over at now_us.
static struct asker *take_out(struct invariants *invariants, int64_t began_us, int64_t now_us)
{
    struct asker *taken = NULL, *asker, *next;
    pthread_mutex_lock(&invariants->lock);
    LL_FOREACH_SAFE (invariants->askers, asker, next)
        if (asker->asked_us <= began_us || asker->due_us <= now_us) {
            LL_DELETE(invariants->askers, asker);
            LL_PREPEND(taken, asker);
        }
    pthread_mutex_unlock(&invariants->lock);
    return taken;
}

static bool go_on(void *arg)
{
    struct invariants *invariants = arg;
    release(take_out(invariants, INT64_MIN, clock_monotonic_us()), false);
    pthread_mutex_lock(&invariants->lock);
    bool stopping = invariants->stopping;
    pthread_mutex_unlock(&invariants->lock);
    return !stopping;
}

static Baro__Order__Invariants *wire_report(struct arena *arena, const struct report *report,
                                            int64_t checked_at_us, int64_t took_ms)
{
    Baro__Order__Invariants *view = arena_alloc(arena, sizeof(*view));
    baro__order__invariants__init(view);
    view->ok = report_is_clean(report);
    view->checked_at = wire_time(arena, checked_at_us);
    view->took_ms = took_ms;
    view->under_way = report->under_way;
    view->laws = arena_array(arena, LAW_COUNT, sizeof(*view->laws));
    for (size_t i = 0; i < LAW_COUNT; i++) {
        const struct finding *finding = &report->laws[i];
        Baro__Order__LawView *law = view->laws[view->n_laws++] = arena_alloc(arena, sizeof(*law));
        baro__order__law_view__init(law);
        law->name = text_copy(arena, law_name((enum law)i));
        law->ok = finding->violations == 0;
        law->violations = finding->violations;
        law->sample = arena_array(arena, SAMPLE_MAX, sizeof(*law->sample));
        for (size_t j = 0; j < finding->sample_count; j++)
            law->sample[law->n_sample++] = text_copy(arena, finding->sample[j]);
    }
    return view;
}

static void show_age(struct invariants *invariants)
{
    metric_set(invariants->age, (clock_monotonic_us() - invariants->checked_us) / US_PER_S);
}

static void show(struct invariants *invariants, const Baro__Order__Invariants *view, int64_t now_us)
{
    for (size_t i = 0; i < view->n_laws && i < LAW_COUNT; i++)
        metric_set(invariants->violations[i], view->laws[i]->violations);
    invariants->checked_us = clock_monotonic_us() - (now_us - wire_us(view->checked_at));
    show_age(invariants);
}

static void tell(const Baro__Order__Invariants *view)
{
    for (size_t i = 0; i < view->n_laws; i++)
        if (!view->laws[i]->ok)
            log_error("law broken", log_text("law", view->laws[i]->name),
                      log_int("violations", view->laws[i]->violations),
                      log_text("first", view->laws[i]->n_sample ? view->laws[i]->sample[0] : ""));
}

static struct status read_last(struct db *db, struct arena *arena, Baro__Order__Invariants **view,
                               int64_t *now_us)
{
    struct bytes packed;
    *view = NULL;
    struct status st = store_load_law_pass(db, arena, &packed, now_us);
    if (!failed(st) && packed.data)
        *view = (Baro__Order__Invariants *)protobuf_unpack(&baro__order__invariants__descriptor,
                                                           packed.size, packed.data, arena);
    return st;
}

static struct status check(struct invariants *invariants, struct arena *arena)
{
    const struct law_going going = {go_on, invariants};
    struct report report = {.arena = arena};
    Baro__Order__Invariants *last;
    int64_t checked_at_us = 0, began_us = clock_monotonic_us();
    struct status st = read_last(invariants->db, arena, &last, &checked_at_us);
    if (!failed(st))
        st = laws_check(invariants->sources, &going, &report);
    if (failed(st))
        return st;
    int64_t took_us = clock_monotonic_us() - began_us;
    Baro__Order__Invariants *view = wire_report(arena, &report, checked_at_us, took_us / US_PER_MS);
    metric_observe(invariants->seconds, took_us);
    show(invariants, view, checked_at_us);
    tell(view);
    st = store_save_law_pass(invariants->db, checked_at_us, took_us / US_PER_MS,
                             wire_pack(arena, &view->base));
    if (!failed(st))
        release(take_out(invariants, began_us, INT64_MIN), true);
    return st;
}

// Nobody can be told more than that it could not be checked.
static void refuse_all(struct invariants *invariants, struct status st)
{
    struct asker *askers = take_out(invariants, INT64_MAX, INT64_MAX), *asker, *next;
    const char *why = st.message ? st.message : reason_word(st.reason);
    LL_FOREACH_SAFE (askers, asker, next) {
        const char *words =
            text_printf(asker->call->arena, "the laws cannot be checked now: %s", why);
        call_refuse(asker->call, refuse(REASON_UNAVAILABLE, words));
        call_finish(asker->call);
        free(asker);
    }
}

static void make_check(struct invariants *invariants)
{
    static struct log_throttle throttle;
    SCOPED(arena) *arena = arena_create();
    struct status st = check(invariants, arena);
    if (!failed(st))
        return;
    refuse_all(invariants, st);
    if (st.code != STATUS_CANCELLED && log_once_per(&throttle, LOG_PERIOD_MS))
        log_warn("the laws cannot be checked", log_status(st));
}

// What any replica has found shows in the metrics of all.
static void look_at_last(struct invariants *invariants)
{
    SCOPED(arena) *arena = arena_create();
    Baro__Order__Invariants *view;
    int64_t now_us;
    if (!failed(read_last(invariants->db, arena, &view, &now_us)) && view)
        show(invariants, view, now_us);
}

static void work_in_background(struct invariants *invariants)
{
    bool ours = false;
    if (invariants->options.period_ms == 0)
        return;
    struct status st = store_claim_law_pass(invariants->db, invariants->options.period_ms, &ours);
    if (!failed(st) && ours)
        make_check(invariants);
    else
        look_at_last(invariants);
    show_age(invariants); // also where nothing could be checked or looked at
}

// With the lock held.
static void wait_for_work(struct invariants *invariants)
{
    int64_t until_us = clock_monotonic_us() + LOOK_PERIOD_MS * US_PER_MS;
    while (!invariants->stopping && !invariants->askers &&
           condition_wait_until(&invariants->changed, &invariants->lock, until_us))
        continue;
}

static void *run(void *arg)
{
    struct invariants *invariants = arg;
    pthread_mutex_lock(&invariants->lock);
    wait_for_work(invariants); // the other services may be starting, too
    while (!invariants->stopping) {
        bool asked = invariants->askers != NULL;
        pthread_mutex_unlock(&invariants->lock);
        if (asked)
            make_check(invariants);
        else
            work_in_background(invariants);
        pthread_mutex_lock(&invariants->lock);
        wait_for_work(invariants);
    }
    pthread_mutex_unlock(&invariants->lock);
    return NULL;
}

static void register_metrics(struct invariants *invariants)
{
    static const char *const labels[LAW_COUNT] = {
        [LAW_WALLET] = "law=\"wallet\"", [LAW_STOCK] = "law=\"stock\"",
        [LAW_COUPON] = "law=\"coupon\"", [LAW_ORDER] = "law=\"order\"",
        [LAW_SAGA] = "law=\"saga\"",
    };
    for (size_t i = 0; i < LAW_COUNT; i++)
        invariants->violations[i] = metrics_gauge(
            "baro_law_violations", "What the last check of the laws found broken.", labels[i]);
    invariants->age = metrics_gauge("baro_law_check_age_seconds",
                                    "Since the last check of the laws, or the start.", NULL);
    invariants->seconds =
        metrics_duration("baro_law_check_seconds", "Duration of a check of the laws.", NULL);
}

struct invariants *invariants_start(const struct invariants_options *options)
{
    struct invariants *made = memory_alloc(sizeof(*made));
    made->options = *options;
    made->checked_us = clock_monotonic_us();
    made->db = db_create(options->database_url, "laws");
    made->own = (struct law_database){made->db, &order_laws};
    made->peers[LAW_USER] = (struct law_peer){options->user, "baro.user.User/CheckLaw",
                                              "baro.user.User/ListOrderFacts"};
    made->peers[LAW_PRODUCT] = (struct law_peer){options->product, "baro.product.Product/CheckLaw",
                                                 "baro.product.Product/ListOrderFacts"};
    made->peers[LAW_COUPONS] = (struct law_peer){options->coupon, "baro.coupon.Coupon/CheckLaw",
                                                 "baro.coupon.Coupon/ListOrderFacts"};
    for (int i = 0; i < LAW_ORDERS; i++)
        made->sources[i] = law_source_of_peer(&made->peers[i]);
    made->sources[LAW_ORDERS] = law_source_of_database(&made->own);
    register_metrics(made);
    pthread_mutex_init(&made->lock, NULL);
    condition_init(&made->changed);
    thread_start(&made->thread, run, made);
    return made;
}

void invariants_stop(struct invariants *invariants)
{
    if (!invariants)
        return;
    pthread_mutex_lock(&invariants->lock);
    invariants->stopping = true;
    pthread_cond_signal(&invariants->changed);
    pthread_mutex_unlock(&invariants->lock);
    pthread_join(invariants->thread, NULL);
    refuse_all(invariants, refuse(REASON_UNAVAILABLE, "shutting down"));
    db_destroy(invariants->db);
    pthread_cond_destroy(&invariants->changed);
    pthread_mutex_destroy(&invariants->lock);
    free(invariants);
}

// Ends the call's `prepare` when there is something to answer it with.
static void ask(struct invariants *invariants, struct call *call)
{
    struct asker *asker = memory_alloc(sizeof(*asker));
    asker->call = call;
    asker->asked_us = clock_monotonic_us();
    asker->due_us = asker->asked_us + PATIENCE_MS * US_PER_MS;
    pthread_mutex_lock(&invariants->lock);
    LL_PREPEND(invariants->askers, asker);
    pthread_cond_signal(&invariants->changed);
    pthread_mutex_unlock(&invariants->lock);
}

void prepare_get_invariants(struct call *call)
{
    const struct order_service *service = call->service;
    if (call->caller.role != CALLER_ADMIN || !service->invariants)
        call_ready(call); // to be refused, or told of the last check
    else
        ask(service->invariants, call);
}

struct status handle_get_invariants(struct batch *batch)
{
    struct call *call;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        Baro__Order__Invariants *view;
        int64_t now_us;
        struct status st = read_last(batch->tx, batch->arena, &view, &now_us);
        if (failed(st))
            return st;
        if (!view) {
            call_refuse(call, refuse(REASON_UNAVAILABLE, "the first check has not ended yet"));
            continue;
        }
        view->fresh = call->own != NULL;
        call_reply(call, &view->base);
    }
    return OK;
}
