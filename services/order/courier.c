// A round: read what is due and what follows the cursor, ask the sink (three fast tries), decide
// (delivery.h), write it all in one transaction that checks the owner. Dying anywhere before that
// transaction means that the round comes again: events are delivered at least once.
//
// The lease outlasts every round: a round ends its tries early enough, and the lease is renewed at the
// beginning of one. A courier that lost it nevertheless writes nothing.

#include "services/order/courier.h"

#include "lib/base/backoff.h"
#include "lib/base/clock.h"
#include "lib/base/fault_point.h"
#include "lib/base/log.h"
#include "lib/base/memory.h"
#include "lib/base/metrics.h"
#include "lib/base/text.h"
#include "lib/bus/outbox.h"
#include "services/order/event_body.h"
#include "services/order/store.h"

#include <sodium.h>
#include <stdlib.h>
#include <time.h>

enum {
    TRIES_MS = 3000, // a round begins no tries after that
    MARGIN_MS = 1000,
    FAST_PAUSE_MS = 100,
    ROWS_MAX = 50,   // set-aside events a round
    ROUNDS_MAX = 50, // a run
};

struct courier {
    struct sink_port port;
    int64_t lease_ms;
    const struct delivery_rules *rules;
    const char *owner;
    struct outbox_reader *reader;
    bool registered;
    atomic_bool stop;
    struct log_throttle noise;
    struct metric *delivered, *failed, *dead, *lag, *down;
};

static void register_metrics(struct courier *courier)
{
    SCOPED(arena) *arena = arena_create();
    const char *labels = text_printf(arena, "sink=\"%s\"", courier->port.name);
    courier->delivered =
        metrics_counter("baro_outbox_deliveries_total", "Events that a sink has taken", labels);
    courier->failed = metrics_counter("baro_outbox_failures_total",
                                      "Tries that a sink did not answer or refused", labels);
    courier->dead = metrics_counter("baro_outbox_dead_letters_total",
                                    "Events that were given up for a sink", labels);
    courier->lag =
        metrics_gauge("baro_outbox_lag_seconds",
                      "Age of the oldest event that a sink has not been offered", labels);
    courier->down = metrics_gauge("baro_outbox_sink_down", "1 while a sink takes nothing", labels);
}

struct courier *courier_create(const struct sink_port *port, const struct delivery_rules *rules,
                               const char *owner)
{
    struct courier *courier = memory_alloc(sizeof(*courier));
    courier->port = *port;
    courier->rules = rules;
    courier->owner = owner;
    // At the beginning of a round half of it is left.
    courier->lease_ms = 2 * (TRIES_MS + 2 * port->timeout_ms + MARGIN_MS);
    courier->reader = outbox_reader_create();
    register_metrics(courier);
    return courier;
}

void courier_destroy(struct courier *courier)
{
    if (!courier)
        return;
    outbox_reader_destroy(courier->reader);
    free(courier);
}

void courier_stop(struct courier *courier)
{
    atomic_store(&courier->stop, true);
}

struct status courier_release(struct courier *courier, struct db *db)
{
    return store_release_sink(db, courier->port.name, courier->owner);
}

static void add_item(struct arena *arena, struct delivery_round *round, struct sink_event row)
{
    struct delivery *item = &round->items[round->count++];
    *item = (struct delivery){.row = row, .message_id = event_message_id(arena, row.event->id)};
    item->body = event_body(arena, row.event, &item->body_size);
}

// Events of orders that have one waiting must wait behind it.
static struct status mark_behind(struct courier *courier, struct db *db, struct arena *arena,
                                 struct delivery_round *round)
{
    int64_t *waiting, *keys = arena_array(arena, round->count + 1, sizeof(*keys));
    size_t waiting_count;
    for (size_t i = 0; i < round->count; i++)
        keys[i] = round->items[i].row.event->key;
    struct status st = store_find_waiting(db, arena, courier->port.name, keys, round->count,
                                          &waiting, &waiting_count);
    for (size_t i = round->first_fresh; !failed(st) && i < round->count; i++)
        for (size_t j = 0; j < waiting_count; j++)
            round->items[i].behind |= waiting[j] == keys[i];
    return st;
}

static struct status load(struct courier *courier, struct db *db, struct arena *arena,
                          const struct sink_row *sink, struct delivery_round *round)
{
    struct sink_event_set set = {.count = 0};
    Baro__Event **events;
    size_t count;
    struct status st = outbox_read(courier->reader, db, arena, sink->last_id, courier->port.lot_max,
                                   &events, &count);
    // While a sink is down, only new events ask whether it is back.
    if (!failed(st) && (sink->failures == 0 || count == 0))
        st = store_load_sink_events(db, arena, courier->port.name, ROWS_MAX, &set);
    if (failed(st))
        return st;
    *round = (struct delivery_round){
        .items = arena_array(arena, set.count + count + 1, sizeof(*round->items)),
        .first_fresh = set.count,
        .now_us = sink->now_us,
        .random = randombytes_random(),
    };
    for (size_t i = 0; i < set.count; i++)
        add_item(arena, round, set.rows[i]);
    for (size_t i = 0; i < count; i++)
        add_item(arena, round, (struct sink_event){.event = events[i]});
    return count ? mark_behind(courier, db, arena, round) : OK;
}

static bool may_go_on(const struct lot *lot)
{
    return !atomic_load(lot->stop) && clock_monotonic_us() < lot->until_us && lot->rest_ms == 0;
}

static void try_once(struct courier *courier, struct lot *lot)
{
    for (size_t i = 0; i < lot->count; i++)
        lot->items[i]->verdict = NOT_TRIED;
    courier->port.deliver(courier->port.sink, lot);
    for (size_t i = 0; i < lot->count; i++) {
        struct delivery *item = lot->items[i];
        bool fruitless = item->verdict == UNREACHABLE || item->verdict == REFUSED;
        item->tries += fruitless || item->verdict == DELIVERED;
        metric_add(courier->failed, fruitless);
        metric_add(courier->delivered, item->verdict == DELIVERED);
    }
}

// Keeps in the lot what another try may help.
static bool keep_untaken(struct lot *lot)
{
    size_t kept = 0;
    bool unreachable = false;
    for (size_t i = 0; i < lot->count; i++) {
        struct delivery *item = lot->items[i];
        unreachable |= item->verdict == UNREACHABLE;
        if (item->verdict == UNREACHABLE || item->verdict == NOT_TRIED)
            lot->items[kept++] = item;
    }
    lot->count = kept;
    return unreachable;
}

static void pause_briefly(int turn)
{
    int64_t us = backoff_jitter(turn * FAST_PAUSE_MS * US_PER_MS, randombytes_random());
    nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

static void send_lot(struct courier *courier, struct lot *lot, int tries)
{
    for (int turn = 1; lot->count; turn++) {
        try_once(courier, lot);
        if (!keep_untaken(lot) || turn == tries || !may_go_on(lot))
            return;
        pause_briefly(turn);
    }
}

// Asks a sink that was down with a few events; false if none of them got through.
static bool probe(struct courier *courier, struct lot *lot, struct delivery_round *round)
{
    struct delivery *probes[DELIVERY_PROBES];
    size_t count = delivery_probes(round->items + round->first_fresh,
                                   round->count - round->first_fresh, round->random, probes);
    struct lot few = *lot;
    few.items = probes;
    few.count = count;
    try_once(courier, &few);
    lot->rest_ms = few.rest_ms;
    for (size_t i = 0; i < count; i++)
        if (probes[i]->verdict == DELIVERED || probes[i]->verdict == REFUSED)
            return true;
    return count == 0;
}

static void send_round(struct courier *courier, struct arena *arena, const struct sink_row *sink,
                       struct delivery_round *round)
{
    struct lot lot = {
        .arena = arena,
        .items = arena_array(arena, round->count + 1, sizeof(struct delivery *)),
        .stop = &courier->stop,
        .until_us = clock_monotonic_us() + TRIES_MS * US_PER_MS,
    };
    round->asked = true;
    if (sink->failures == 0 || probe(courier, &lot, round)) {
        for (size_t i = 0; i < round->count; i++)
            if (!round->items[i].behind && round->items[i].verdict == NOT_TRIED)
                lot.items[lot.count++] = &round->items[i];
        if (may_go_on(&lot))
            send_lot(courier, &lot, DELIVERY_FAST_TRIES);
    }
    round->rest_ms = lot.rest_ms;
}

static void show(struct courier *courier, const struct delivery_round *round,
                 const struct sink_row *before, const struct sink_state *after)
{
    metric_set(courier->down, after->failures > 0);
    for (size_t i = 0; i < round->count; i++) {
        const struct delivery *item = &round->items[i];
        if (item->outcome != OUTCOME_GIVE_UP)
            continue;
        metric_add(courier->dead, 1);
        if (log_once_per(&courier->noise, LOG_PERIOD_MS))
            log_error("event became a dead letter", log_text("sink", courier->port.name),
                      log_int("event_id", item->row.event->id), log_text("error", item->error));
    }
    if (before->failures == 0 && after->failures > 0)
        log_warn("sink is down", log_text("sink", courier->port.name),
                 log_text("error", delivery_error(round)));
    if (before->failures > 0 && after->failures == 0)
        log_info("sink is back", log_text("sink", courier->port.name));
}

// Takes or keeps the lease; *ours is false when another replica has it, or the sink rests.
static struct status look(struct courier *courier, struct db *db, struct sink_row *sink, bool *ours)
{
    const char *name = courier->port.name;
    *ours = false;
    struct status st = OK;
    if (!courier->registered)
        st = store_register_sink(db, name);
    courier->registered |= !failed(st);
    if (!failed(st))
        st = store_read_sink(db, name, courier->owner, courier->lease_ms, sink);
    if (failed(st))
        return st;
    metric_set(courier->lag, sink->oldest_us ? (sink->now_us - sink->oldest_us) / US_PER_S : 0);
    metric_set(courier->down, sink->failures > 0);
    if (sink->mine || !sink->free) {
        *ours = sink->mine && !sink->resting;
        return OK;
    }
    bool taken = false;
    st = store_lease_sink(db, name, courier->owner, courier->lease_ms, &taken);
    // What was read before the lease was taken may be another replica's past: it is read again.
    if (!failed(st) && taken)
        st = store_read_sink(db, name, courier->owner, courier->lease_ms, sink);
    *ours = !failed(st) && taken && !sink->resting;
    return st;
}

static struct status run_round(struct courier *courier, struct db *db, bool asks,
                               struct sink_state *state)
{
    SCOPED(arena) *arena = arena_create();
    struct sink_row sink;
    struct delivery_round round;
    bool ours;
    *state = (struct sink_state){.goes_on = false};
    struct status st = look(courier, db, &sink, &ours);
    if (failed(st) || !ours)
        return st;
    st = load(courier, db, arena, &sink, &round);
    if (failed(st) || round.count == 0)
        return st;
    fault_point("courier", "picked");
    *state = (struct sink_state){
        .last_id = sink.last_id,
        .failures = sink.failures,
        .refusals = sink.refusals,
        .through_at_us = sink.through_at_us,
    };
    if (asks)
        send_round(courier, arena, &sink, &round);
    fault_point("courier", "sent");
    delivery_settle(courier->rules, &round, state);
    // What was cut short tells nothing of the sink.
    if (atomic_load(&courier->stop) && !round.through)
        return OK;
    st = store_save_round(db, arena, courier->port.name, courier->owner, state, round.items,
                          round.count, courier->rules->give_up_ms);
    fault_point("courier", "marked");
    if (!failed(st))
        show(courier, &round, &sink, state);
    return st;
}

struct status courier_run(struct courier *courier, struct db *db)
{
    struct sink_state state = {.goes_on = true};
    struct status st = OK;
    for (int i = 0; i < ROUNDS_MAX && state.goes_on && !failed(st); i++) {
        if (atomic_load(&courier->stop))
            break;
        // What goes on with a sink that is down gives up old events: no need to ask again for each lot.
        bool asks = i == 0 || state.failures == 0;
        st = run_round(courier, db, asks, &state);
    }
    return st;
}
