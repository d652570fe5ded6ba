// Spans on their way to a collector that takes them, refuses them, or does not answer.

#include "lib/base/clock.h"
#include "lib/base/metrics.h"
#include "lib/trace/span.h"
#include "tests/support/receiver.h"
#include "tests/support/stand.h"

#include <criterion/criterion.h>
#include <string.h>

static struct receiver *collector;

static void given_collector(struct conduct conduct, size_t queue_max)
{
    collector = receiver_open(NULL, NULL);
    receiver_behave(collector, conduct);
    struct status st = exporter_start(&(struct exporter_options){.url = receiver_url(collector),
                                                                 .process = "baro-test",
                                                                 .instance = "test-0",
                                                                 .queue_max = queue_max});
    cr_assert(!failed(st), "%s", st.message);
}

static void end_spans(int count)
{
    for (int i = 0; i < count; i++) {
        struct trace_context context = trace_context_begin(true);
        struct span *span = span_create(&context, "work \"quoted\"", SPAN_INTERNAL, 1500, 0);
        if (span)
            span_set_number(span, "i", i);
        span_end(span);
    }
}

static int64_t lost(const char *labels)
{
    return metric_value(metrics_counter("baro_trace_spans_lost_total", "", labels));
}

Test(exporter, without_a_collector_nothing_is_traced)
{
    struct status st = exporter_start(&(struct exporter_options){.url = ""});
    cr_assert(!failed(st));
    cr_assert_not(tracing());
    exporter_stop();
}

Test(exporter, refuses_what_is_no_address)
{
    struct status st = exporter_start(&(struct exporter_options){.url = "ftp://collector"});
    cr_assert_eq(st.code, STATUS_INVALID_ARGUMENT);
    cr_assert_str_eq(st.field, "BARO_TRACE_URL");
}

static bool has_parcels(void *arg)
{
    return receiver_count(arg) > 0;
}

Test(exporter, sends_what_has_ended_soon_and_in_otlp)
{
    given_collector((struct conduct){.status = 200}, 0);
    end_spans(2);
    cr_assert(stand_wait(has_parcels, collector, 5000));
    const char *body = receiver_parcel(collector, 0)->body;
    cr_expect(strstr(body, "\"service.name\",\"value\":{\"stringValue\":\"baro-test\"}"));
    cr_expect(strstr(body, "\"name\":\"work \\\"quoted\\\"\""));
    cr_expect(strstr(body, "{\"key\":\"i\",\"value\":{\"intValue\":\"1\"}}"));
    cr_expect_not(strstr(body, "parentSpanId"));
    exporter_stop();
    receiver_close(collector);
}

Test(exporter, sends_what_waits_when_it_stops)
{
    given_collector((struct conduct){.status = 200}, 0);
    end_spans(1200);
    exporter_stop();
    cr_expect_eq(metric_value(metrics_counter("baro_trace_spans_total", "", NULL)), 1200);
    cr_expect_geq(receiver_count(collector), 3);
    receiver_close(collector);
}

Test(exporter, lets_nobody_wait_for_a_collector_that_hangs)
{
    enum { ROOM = 100, SPANS = 2000 };
    given_collector((struct conduct){.status = 200, .delay_ms = 3000}, ROOM);
    int64_t started_us = clock_monotonic_us();
    end_spans(SPANS);
    cr_expect_lt(clock_monotonic_us() - started_us, US_PER_S);
    cr_expect_geq(lost("reason=\"queue_full\""), SPANS - 2 * ROOM);
    exporter_stop();
    receiver_close(collector);
}

static bool has_lost(void *arg)
{
    (void)arg;
    return lost("reason=\"collector\"") == 5;
}

Test(exporter, counts_what_a_collector_refuses)
{
    given_collector((struct conduct){.status = 503}, 0);
    end_spans(5);
    cr_expect(stand_wait(has_lost, NULL, 5000));
    exporter_stop();
    receiver_close(collector);
}
