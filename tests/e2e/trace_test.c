// One trace from the client's request to the last participant of its saga, told to a collector that
// speaks OTLP over HTTP, whatever happens to the processes meanwhile.

#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "tests/support/receiver.h"
#include "tests/support/shop.h"
#include "tests/support/stack.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SOON_MS = 20000, SPANS_MAX = 4096 };

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define CLIENT "b7ad6b7169203331"

static const char *const PROCESSES[] = {"user", "product", "coupon", "order", "gateway"};

// The processes start again, and send their spans to the collector, or nowhere (NULL).
static void restart_shop(const char *collector)
{
    if (collector)
        setenv("BARO_TRACE_URL", collector, 1);
    else
        unsetenv("BARO_TRACE_URL");
    for (size_t i = COUNT(PROCESSES); i-- > 0;)
        for (int replica = 0; replica < stack_replicas(); replica++)
            stack_stop(PROCESSES[i], replica);
    for (size_t i = 0; i < COUNT(PROCESSES) - 1; i++)
        stack_start_all(PROCESSES[i]);
    for (int replica = 0; replica < stack_replicas(); replica++)
        stack_start_gateway(replica);
}

// Everything that the collector has been told, for one look at it.
struct collected {
    json_t *spans[SPANS_MAX]; // borrowed from `requests`
    const char *processes[SPANS_MAX];
    size_t count;
    json_t *requests;
};

static void collect_request(struct collected *collected, json_t *request)
{
    const char *process =
        json_word(request, "resourceSpans.0.resource.attributes.0.value.stringValue");
    json_t *span;
    size_t i;
    json_t *scope = json_array_get(
        json_object_get(json_array_get(json_object_get(request, "resourceSpans"), 0), "scopeSpans"),
        0);
    json_array_foreach (json_object_get(scope, "spans"), i, span) {
        cr_assert_lt(collected->count, SPANS_MAX);
        collected->processes[collected->count] = process;
        collected->spans[collected->count++] = span;
    }
}

static struct collected *collect(struct receiver *collector)
{
    struct collected *collected = calloc(1, sizeof(*collected));
    cr_assert(collected);
    collected->requests = json_array();
    for (size_t i = 0; i < receiver_count(collector); i++) {
        json_error_t error;
        json_t *request = json_loads(receiver_parcel(collector, i)->body, 0, &error);
        cr_assert(request, "%s", error.text);
        json_array_append_new(collected->requests, request);
        collect_request(collected, request);
    }
    return collected;
}

static void forget(struct collected *collected)
{
    json_decref(collected->requests);
    free(collected);
}

static bool has_attribute(const json_t *span, const char *key, const char *value)
{
    size_t i;
    const json_t *attribute;
    json_array_foreach (json_at(span, "attributes"), i, attribute)
        if (strcmp(json_word(attribute, "key"), key) == 0 &&
            strcmp(json_word(attribute, "value.stringValue"), value) == 0)
            return true;
    return false;
}

// A span by process and name, and by its trace or (NULL) an attribute url.path.
struct wanted {
    const char *process, *name, *trace, *path;
};

static const json_t *find(const struct collected *collected, const struct wanted *wanted)
{
    for (size_t i = 0; i < collected->count; i++) {
        const json_t *span = collected->spans[i];
        if (strcmp(collected->processes[i], wanted->process) == 0 &&
            strcmp(json_word(span, "name"), wanted->name) == 0 &&
            (!wanted->trace || strcmp(json_word(span, "traceId"), wanted->trace) == 0) &&
            (!wanted->path || has_attribute(span, "url.path", wanted->path)))
            return span;
    }
    return NULL;
}

// Spans come when their process sends them: waits until all that are wanted have.
static struct collected *await_spans(struct receiver *collector, const struct wanted *wanted,
                                     size_t count)
{
    int64_t until_us = clock_monotonic_us() + SOON_MS * US_PER_MS;
    for (;;) {
        struct collected *collected = collect(collector);
        size_t found = 0;
        while (found < count && find(collected, &wanted[found]))
            found++;
        if (found == count)
            return collected;
        cr_assert_lt(clock_monotonic_us(), until_us, "no span %s of %s among %zu",
                     wanted[found].name, wanted[found].process, collected->count);
        forget(collected);
        nanosleep(&(struct timespec){.tv_nsec = 50 * 1000000}, NULL);
    }
}

static void expect_parent(const struct collected *collected, const struct wanted *child,
                          const struct wanted *parent)
{
    cr_expect_str_eq(json_word(find(collected, child), "parentSpanId"),
                     json_word(find(collected, parent), "spanId"), "%s under %s", child->name,
                     parent->name);
}

// The batch that ran the call says so, and the call says which batch it was in.
static void expect_linked(const struct collected *collected, const char *batch,
                          const struct wanted *call)
{
    const json_t *member = find(collected, call);
    for (size_t i = 0; i < collected->count; i++) {
        const json_t *span = collected->spans[i], *link;
        size_t j;
        if (strcmp(json_word(span, "name"), batch) != 0)
            continue;
        json_array_foreach (json_at(span, "links"), j, link)
            if (strcmp(json_word(link, "spanId"), json_word(member, "spanId")) == 0) {
                cr_expect_str_eq(json_word(member, "links.0.spanId"), json_word(span, "spanId"));
                cr_expect_str_eq(json_word(link, "traceId"), TRACE);
                return;
            }
    }
    cr_expect(false, "%s links nobody", batch);
}

Test(trace, a_paid_order_is_one_trace_through_all_processes)
{
    enum { GATEWAY, CHECKOUT, HOLD, REDEEM, DEBIT, CONFIRM, COUNT_WANTED };
    static const struct wanted spans[] = {
        [GATEWAY] = {"baro-gateway", "POST /api/v1/checkout",             TRACE, NULL},
        [CHECKOUT] = {"baro-order",   "baro.order.Order/Checkout",         TRACE, NULL},
        [HOLD] = {"baro-product", "baro.product.Product/HoldStock",    TRACE, NULL},
        [REDEEM] = {"baro-coupon",  "baro.coupon.Coupon/RedeemCoupon",   TRACE, NULL},
        [DEBIT] = {"baro-user",    "baro.user.User/DebitWallet",        TRACE, NULL},
        [CONFIRM] = {"baro-product", "baro.product.Product/ConfirmStock", TRACE, NULL},
    };
    struct receiver *collector = receiver_open(NULL, NULL);
    receiver_behave(collector, (struct conduct){.status = 200});
    restart_shop(receiver_url(collector));
    struct http_client *customer = given_customer(50000);
    int64_t option_id = given_option(20000, 10);
    int64_t coupon_id = claim(customer, given_campaign("FIXED", 1000, 5));
    http_next_header(customer, "traceparent: 00-" TRACE "-" CLIENT "-01");
    expect_reply(http_call(customer, "POST", "/checkout",
                           "{\"items\": [{\"option_id\": %lld, \"quantity\": 1}], "
                           "\"user_coupon_id\": %lld}",
                           (long long)option_id, (long long)coupon_id),
                 200, NULL);

    struct collected *collected = await_spans(collector, spans, COUNT_WANTED);
    cr_expect_str_eq(json_word(find(collected, &spans[GATEWAY]), "parentSpanId"), CLIENT);
    expect_parent(collected, &spans[CHECKOUT], &spans[GATEWAY]);
    for (size_t i = HOLD; i < COUNT_WANTED; i++)
        expect_parent(collected, &spans[i], &spans[CHECKOUT]);
    expect_linked(collected, "batch baro.user.User/DebitWallet", &spans[DEBIT]);
    forget(collected);
    http_close(customer);
    restart_shop(NULL);
    receiver_close(collector);
    expect_laws_hold();
}

// Whoever took the saga of the order over has said so, with order, saga and trace.
static void expect_logged(int64_t order_id, const char *trace)
{
    char command[512];
    snprintf(command, sizeof command,
             "grep -qE '\"saga_id\":[0-9]+,\"order_id\":%lld,.*\"trace_id\":\"%s\"' "
             "\"%s\"/log/order-*.log",
             (long long)order_id, trace, getenv("BARO_STACK_DIR"));
    cr_expect_eq(system(command), 0, "no log of the takeover of order %lld", (long long)order_id);
}

Test(trace, a_saga_keeps_the_trace_of_its_request_when_another_process_takes_it_over)
{
    struct receiver *collector = receiver_open(NULL, NULL);
    receiver_behave(collector, (struct conduct){.status = 200});
    restart_shop(receiver_url(collector));
    struct http_client *customer = given_customer(50000);
    int64_t order_id = place_order(customer, given_option(1000, 10), 1, 0);
    for (int i = 0; i < stack_replicas(); i++)
        stack_signal("user", i, SIGSTOP);
    expect_reply(begin_payment(customer, order_id), 202, NULL);
    stack_kill_all("order");
    stack_start_all("order");
    for (int i = 0; i < stack_replicas(); i++)
        stack_signal("user", i, SIGCONT);
    cr_assert(await_order(customer, order_id, "PAID", 60000));

    char path[64];
    snprintf(path, sizeof path, "/api/v1/orders/%lld/payment", (long long)order_id);
    struct wanted request = {"baro-gateway", "POST /api/v1/orders/{order_id}/payment", NULL, path};
    struct collected *collected = await_spans(collector, &request, 1);
    char trace[33];
    snprintf(trace, sizeof trace, "%s", json_word(find(collected, &request), "traceId"));
    forget(collected);
    struct wanted steps[] = {
        {"baro-user",    "baro.user.User/DebitWallet",        trace, NULL},
        {"baro-product", "baro.product.Product/ConfirmStock", trace, NULL},
    };
    forget(await_spans(collector, steps, COUNT(steps)));
    expect_logged(order_id, trace);
    http_close(customer);
    restart_shop(NULL);
    receiver_close(collector);
    expect_laws_hold();
}
