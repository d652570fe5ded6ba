// The laws of SPEC 8 as deploy/baroctl checks them, over the committed rows of the four databases, and
// the promises to clients: an order that was acknowledged is there, in the state that was acknowledged
// or a later one; a refused one is not; a charge happened as often as it was acknowledged.

#include "tests/simulate/laws.h"

#include "lib/base/macros.h"
#include "tests/simulate/faults.h"
#include "tests/simulate/shop.h"
#include "tests/simulate/tables.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    PENDING = 1,
    PAYING,
    HELD,
    PAID,
    PREPARING,
    SHIPPING,
    DELIVERED,
    FAILED,
    EXPIRED,
    CANCELLED,
    REFUNDING,
    REFUNDED,
};

static size_t broken;
static bool printing;

static void violation(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void violation(const char *format, ...)
{
    va_list args;
    broken++;
    if (!printing)
        return;
    printf("  violation: ");
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

static const struct tables *tables_of(enum process_kind kind)
{
    return databases[kind].tables;
}

// Laws of one database

static void check_wallets(void)
{
    const struct tables *t = tables_of(USER);
    const struct wallet_version *wallet;
    for (const struct row *wallet_at = t->wallet.first; (wallet = committed_next(&wallet_at));) {
        int64_t sum = 0, count = 0;
        const struct entry_version *entry;
        for (const struct row *entry_at = t->entry.first; (entry = committed_next(&entry_at));)
            if (entry->user_id == wallet->user_id) {
                sum += entry->amount;
                count++;
            }
        if (sum != wallet->balance || wallet->balance < 0)
            violation("user %" PRId64 " has %" PRId64 " won, history sums to %" PRId64,
                      wallet->user_id, wallet->balance, sum);
        if (count != wallet->version)
            violation("user %" PRId64 ": %" PRId64 " entries, version %" PRId64, wallet->user_id,
                      count, wallet->version);
    }
}

static void check_stock(void)
{
    const struct tables *t = tables_of(PRODUCT);
    const struct option_version *option;
    for (const struct row *option_at = t->option.first; (option = committed_next(&option_at));) {
        int64_t moved = 0, held = 0;
        const struct movement_version *movement;
        for (const struct row *movement_at = t->movement.first;
             (movement = committed_next(&movement_at));)
            if (movement->option_id == option->id)
                moved += movement->delta;
        const struct hold_version *hold;
        for (const struct row *hold_at = t->hold.first; (hold = committed_next(&hold_at));)
            if (hold->option_id == option->id && strcmp(hold->status, "HELD") == 0)
                held += hold->quantity;
        if (option->total != moved || option->held != held || option->held < 0 ||
            option->total < option->held)
            violation("option %" PRId64 ": total %" PRId64 " held %" PRId64 ", movements %" PRId64
                      ", holds %" PRId64,
                      option->id, option->total, option->held, moved, held);
    }
}

static void check_campaign(const struct campaign_version *campaign)
{
    int64_t claims = 0, highest = 0, ranks = 0;
    const struct coupon_version *coupon;
    for (const struct row *coupon_at = tables_of(COUPON)->coupon.first;
         (coupon = committed_next(&coupon_at));) {
        if (coupon->campaign_id != campaign->id)
            continue;
        claims++;
        ranks += coupon->rank;
        highest = coupon->rank > highest ? coupon->rank : highest;
    }
    if (claims > campaign->total_quantity || claims != campaign->claimed || highest != claims ||
        ranks != claims * (claims + 1) / 2)
        violation("campaign %" PRId64 ": %" PRId64 " claims of %" PRId64 ", ranks up to %" PRId64,
                  campaign->id, claims, campaign->total_quantity, highest);
}

static void check_coupons(void)
{
    const struct tables *t = tables_of(COUPON);
    const struct campaign_version *campaign;
    for (const struct row *campaign_at = t->campaign.first;
         (campaign = committed_next(&campaign_at));)
        check_campaign(campaign);
    const struct coupon_version *a, *b;
    for (const struct row *a_at = t->coupon.first; (a = committed_next(&a_at));)
        for (const struct row *b_at = t->coupon.first; (b = committed_next(&b_at));)
            if (a->id < b->id && a->campaign_id == b->campaign_id && a->user_id == b->user_id)
                violation("user %" PRId64 " has claimed campaign %" PRId64 " twice", a->user_id,
                          a->campaign_id);
}

// Law 4: the facts about one order in four databases

struct facts {
    int64_t used, refunded, uses, refunds;
    int64_t completed, completed_amount, refunded_payments, open_payments;
    int64_t lines, units, held, confirmed, confirmed_units;
    int64_t coupons_used, coupons_held, coupon_id;
};

static void gather_money(struct facts *facts, int64_t order_id)
{
    const struct entry_version *entry;
    for (const struct row *entry_at = tables_of(USER)->entry.first;
         (entry = committed_next(&entry_at));) {
        if (entry->ref_id != order_id)
            continue;
        bool use = strcmp(entry->type, "USE") == 0;
        facts->uses += use;
        facts->refunds += !use;
        facts->used += use ? -entry->amount : 0;
        facts->refunded += use ? 0 : entry->amount;
    }
}

static void gather_payments(struct facts *facts, int64_t order_id)
{
    for (const struct row *row = table_group(&tables_of(ORDER)->payment, order_id); row;
         row = row->next_of_group) {
        const struct payment_version *p = row->committed;
        if (!p || p->order_id != order_id)
            continue;
        facts->completed += p->status == 3;
        facts->completed_amount += p->status == 3 ? p->amount : 0;
        facts->refunded_payments += p->status == 6;
        facts->open_payments += p->status == 1 || p->status == 2;
    }
}

static void gather_stock(struct facts *facts, int64_t order_id)
{
    for (const struct row *row = table_group(&tables_of(PRODUCT)->hold, order_id); row;
         row = row->next_of_group) {
        const struct hold_version *hold = row->committed;
        if (!hold || hold->order_id != order_id)
            continue;
        bool confirmed = strcmp(hold->status, "CONFIRMED") == 0;
        facts->held += strcmp(hold->status, "HELD") == 0;
        facts->confirmed += confirmed;
        facts->confirmed_units += confirmed ? hold->quantity : 0;
    }
    for (const struct row *row = table_group(&tables_of(ORDER)->line, order_id); row;
         row = row->next_of_group) {
        const struct line_version *line = row->committed;
        if (!line || line->order_id != order_id)
            continue;
        facts->lines++;
        facts->units += line->quantity;
    }
}

static void gather_coupons(struct facts *facts, int64_t order_id)
{
    const struct coupon_version *coupon;
    for (const struct row *coupon_at = tables_of(COUPON)->coupon.first;
         (coupon = committed_next(&coupon_at));) {
        if (coupon->order_id != order_id)
            continue;
        facts->coupons_used += strcmp(coupon->status, "USED") == 0;
        facts->coupons_held += strcmp(coupon->status, "HELD") == 0;
        facts->coupon_id = coupon->id;
    }
}

static void demand(const struct order_version *order, const char *what, int64_t found,
                   int64_t demanded)
{
    if (found != demanded)
        violation("order %" PRId64 " (%s, saga %" PRId64 "): %s %" PRId64 ", must be %" PRId64,
                  order->id, laws_status_name((size_t)order->status), order->saga_id, what, found,
                  demanded);
}

static void check_order(const struct order_version *order)
{
    struct facts f = {0};
    int64_t final = order->total - order->discount;
    bool paid = order->status >= PAID && order->status <= DELIVERED;
    gather_money(&f, order->id);
    gather_payments(&f, order->id);
    gather_stock(&f, order->id);
    gather_coupons(&f, order->id);
    if (!paid && order->status < FAILED)
        violation("order %" PRId64 " rests in status %" PRId64, order->id, order->status);
    if (order->status == REFUNDING)
        violation("order %" PRId64 " rests in REFUNDING", order->id);
    demand(order, "won kept", f.used - f.refunded, paid ? final : 0);
    demand(order, "USE entries beyond one", f.uses > 1, 0);
    demand(order, "REFUND entries beyond one", f.refunds > 1, 0);
    demand(order, "completed payments", f.completed, paid);
    demand(order, "amount of the payment", f.completed_amount, paid ? final : 0);
    demand(order, "refunded payments", f.refunded_payments, order->status == REFUNDED);
    demand(order, "open payments", f.open_payments, 0);
    demand(order, "held lines", f.held, 0);
    demand(order, "confirmed lines", f.confirmed, paid ? f.lines : 0);
    demand(order, "confirmed units", f.confirmed_units, paid ? f.units : 0);
    demand(order, "used coupons", f.coupons_used, paid && order->user_coupon_id);
    demand(order, "held coupons", f.coupons_held, 0);
    if (f.coupons_used && order->user_coupon_id)
        demand(order, "coupon", f.coupon_id, order->user_coupon_id);
}

static bool order_exists(int64_t id)
{
    const struct row *row = table_find(&tables_of(ORDER)->orders, &id);
    return row && row->committed;
}

// What was moved for orders that are not there.
static void check_strays(void)
{
    const struct moved_version *moved;
    for (const struct row *moved_at = tables_of(USER)->moved.first;
         (moved = committed_next(&moved_at));)
        if (!order_exists(moved->order_id))
            violation("money was moved for order %" PRId64 ", which is not there", moved->order_id);
    const struct hold_version *hold;
    for (const struct row *hold_at = tables_of(PRODUCT)->hold.first;
         (hold = committed_next(&hold_at));)
        if (!order_exists(hold->order_id) && strcmp(hold->status, "RELEASED") != 0)
            violation("order %" PRId64 " is not there, but has stock", hold->order_id);
    const struct coupon_version *coupon;
    for (const struct row *coupon_at = tables_of(COUPON)->coupon.first;
         (coupon = committed_next(&coupon_at));)
        if (coupon->order_id && !order_exists(coupon->order_id))
            violation("order %" PRId64 " is not there, but has coupon %" PRId64, coupon->order_id,
                      coupon->id);
}

// Versions are gap-free, and each step is one event.
static void check_timeline(const struct order_version *order)
{
    int64_t count = 0, events = 0;
    for (const struct row *row = table_group(&tables_of(ORDER)->change, order->id); row;
         row = row->next_of_group) {
        const struct change_version *change = row->committed;
        count += change && change->order_id == order->id;
    }
    const struct outbox_version *event;
    for (const struct row *event_at = tables_of(ORDER)->outbox.first;
         (event = committed_next(&event_at));)
        events += event->key == order->id;
    demand(order, "steps of the timeline", count, order->version);
    demand(order, "events", events, order->version);
}

// A hold is not taken back while its order may be paid. Where clocks differ, its time may be over before
// the order's has begun.
static void check_holds_kept(void)
{
    const struct payment_version *payment;
    if (!faults_clocks_agree())
        return;
    for (const struct row *at = tables_of(ORDER)->payment.first; (payment = committed_next(&at));)
        if (payment->reason && strcmp(payment->reason, "HOLD_LOST") == 0)
            violation("order %" PRId64 " has lost its hold", payment->order_id);
}

static void check_orders(void)
{
    const struct order_version *order;
    for (const struct row *order_at = tables_of(ORDER)->orders.first;
         (order = committed_next(&order_at));) {
        check_order(order);
        check_timeline(order);
    }
    check_strays();
    check_holds_kept();
}

static void check_sagas(void)
{
    const struct saga_version *saga;
    for (const struct row *saga_at = tables_of(ORDER)->saga.first;
         (saga = committed_next(&saga_at));)
        if (saga->state < 2)
            violation("saga %" PRId64 " (%s) has not ended", saga->id, saga->kind);
    const struct key_version *key;
    for (const struct row *key_at = tables_of(ORDER)->idempotency.first;
         (key = committed_next(&key_at));)
        if (strcmp(key->reason, "REQUEST_IN_PROGRESS") == 0)
            violation("a key is still in progress");
}

// Popularity: what the consumer has counted is what was paid and kept.
static void check_sales(void)
{
    const struct option_version *option;
    for (const struct row *option_at = tables_of(PRODUCT)->option.first;
         (option = committed_next(&option_at));) {
        int64_t counted = 0, sold = 0;
        const struct sales_version *sales;
        for (const struct row *sales_at = tables_of(PRODUCT)->sales.first;
             (sales = committed_next(&sales_at));)
            counted += sales->option_id == option->id ? sales->units : 0;
        const struct hold_version *hold;
        for (const struct row *hold_at = tables_of(PRODUCT)->hold.first;
             (hold = committed_next(&hold_at));)
            if (hold->option_id == option->id && strcmp(hold->status, "CONFIRMED") == 0)
                sold += hold->quantity;
        if (counted != sold)
            violation("option %" PRId64 ": %" PRId64 " units counted as sold, %" PRId64 " are",
                      option->id, counted, sold);
    }
}

// Promises to clients

static void check_tale(const struct shopper *shopper, const struct tale *tale)
{
    if (!tale->order_id)
        return;
    const struct row *row = table_find(&tables_of(ORDER)->orders, &tale->order_id);
    const struct order_version *order = row ? row->committed : NULL;
    if (!order || order->user_id != shopper->user_id) {
        violation("order %" PRId64 " was acknowledged and is lost", tale->order_id);
        return;
    }
    bool paid = order->status == PAID || order->status == REFUNDED;
    if (tale->paid && !paid)
        violation("order %" PRId64 " was acknowledged as paid, its status is %" PRId64, order->id,
                  order->status);
    if (tale->refunded && order->status != REFUNDED)
        violation("order %" PRId64 " was acknowledged as refunded, its status is %" PRId64,
                  order->id, order->status);
    if (tale->cancelled && order->status != CANCELLED)
        violation("order %" PRId64 " was acknowledged as cancelled, its status is %" PRId64,
                  order->id, order->status);
}

static void check_shopper(const struct shopper *shopper)
{
    int64_t charges = 0, orders = 0, wishes = 0, named = 0;
    const struct entry_version *entry;
    for (const struct row *entry_at = tables_of(USER)->entry.first;
         (entry = committed_next(&entry_at));)
        charges += entry->user_id == shopper->user_id && strcmp(entry->type, "CHARGE") == 0;
    if (charges < shopper->charges || charges > shopper->charges + shopper->charges_unknown)
        violation("user %" PRId64 " was charged %" PRId64 " times, acknowledged %" PRId64,
                  shopper->user_id, charges, shopper->charges);
    for (size_t i = 0; i < shopper->tale_count; i++) {
        check_tale(shopper, &shopper->tales[i]);
        wishes += !shopper->tales[i].refused;
        named += shopper->tales[i].order_id != 0;
    }
    const struct order_version *order;
    for (const struct row *order_at = tables_of(ORDER)->orders.first;
         (order = committed_next(&order_at));)
        orders += order->user_id == shopper->user_id;
    if (orders < named || orders > wishes)
        violation("user %" PRId64 " has %" PRId64 " orders of %" PRId64 " wishes", shopper->user_id,
                  orders, wishes);
    for (size_t i = 0; i < CAMPAIGNS; i++) {
        const struct row *row = table_find(&tables_of(COUPON)->coupon, &shopper->coupons[i]);
        if (shopper->coupons[i] && (!row || !row->committed))
            violation("coupon %" PRId64 " was acknowledged and is lost", shopper->coupons[i]);
    }
}

size_t laws_check(bool at_rest, bool print)
{
    broken = 0;
    printing = print;
    check_wallets();
    check_stock();
    check_coupons();
    if (!at_rest)
        return broken;
    check_orders();
    check_sagas();
    check_sales();
    for (size_t i = 0; i < SHOPPERS; i++)
        check_shopper(&shoppers[i]);
    if (shop_complaint)
        violation("%s", shop_complaint);
    return broken;
}

size_t laws_sagas(void)
{
    size_t count = 0;
    const struct saga_version *saga;
    for (const struct row *saga_at = tables_of(ORDER)->saga.first;
         (saga = committed_next(&saga_at));)
        count += saga->state >= 2;
    return count;
}

static const char *const STATUS_NAMES[LAWS_STATUSES] = {
    "",          "PENDING", "PAYING",  "HELD",      "PAID",      "PREPARING", "SHIPPING",
    "DELIVERED", "FAILED",  "EXPIRED", "CANCELLED", "REFUNDING", "REFUNDED",
};

const char *laws_status_name(size_t status)
{
    return STATUS_NAMES[status];
}

void laws_count_statuses(uint64_t reached[LAWS_STATUSES])
{
    const struct change_version *change;
    for (const struct row *at = tables_of(ORDER)->change.first; (change = committed_next(&at));)
        reached[change->status]++;
}

// Rest

struct unrest {
    int64_t sagas, pending, holds, coupons, events;
};

static struct unrest look_for_unrest(void)
{
    struct unrest unrest = {0};
    int64_t last = 0, read = 0;
    const struct saga_version *saga;
    for (const struct row *saga_at = tables_of(ORDER)->saga.first;
         (saga = committed_next(&saga_at));)
        unrest.sagas += saga->state < 2;
    const struct pending_version *pending;
    for (const struct row *pending_at = tables_of(ORDER)->pending.first;
         (pending = committed_next(&pending_at));)
        unrest.pending++;
    const struct hold_version *hold;
    for (const struct row *hold_at = tables_of(PRODUCT)->hold.first;
         (hold = committed_next(&hold_at));)
        unrest.holds += strcmp(hold->status, "HELD") == 0;
    const struct coupon_version *coupon;
    for (const struct row *coupon_at = tables_of(COUPON)->coupon.first;
         (coupon = committed_next(&coupon_at));)
        unrest.coupons += strcmp(coupon->status, "HELD") == 0;
    const struct outbox_version *event;
    for (const struct row *event_at = tables_of(ORDER)->outbox.first;
         (event = committed_next(&event_at));)
        last = event->id > last ? event->id : last;
    const struct cursor_version *cursor;
    for (const struct row *cursor_at = tables_of(PRODUCT)->cursor.first;
         (cursor = committed_next(&cursor_at));)
        read = cursor->last_id;
    unrest.events = last - read;
    return unrest;
}

bool laws_at_rest(void)
{
    struct unrest u = look_for_unrest();
    return !u.sagas && !u.pending && !u.holds && !u.coupons && !u.events;
}

void laws_unrest(void)
{
    struct unrest u = look_for_unrest();
    printf("  violation: no rest: %" PRId64 " open sagas, %" PRId64 " pending orders, %" PRId64
           " holds, %" PRId64 " reserved coupons, %" PRId64 " events\n",
           u.sagas, u.pending, u.holds, u.coupons, u.events);
}
