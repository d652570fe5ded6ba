// The databases are read one after the other, without a common snapshot: under load an order may look
// wrong because it moved on between two of them. So what looks wrong is looked at again; with --wait
// until it is clean or the time is over. What is wrong for good stays wrong.

#include "deploy/baroctl/audit.h"

#include "deploy/baroctl/laws.h"
#include "lib/base/clock.h"
#include "lib/base/settings.h"
#include "lib/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { AGAIN_MS = 200, SECOND_LOOK_MS = 2000 };

static const struct setting SETTINGS[] = {
    {"BARO_USER_DATABASE_URL",    SETTING_TEXT, NULL, offsetof(struct audit_urls, user),    0, 0,
     "database of the user service"   },
    {"BARO_PRODUCT_DATABASE_URL", SETTING_TEXT, NULL, offsetof(struct audit_urls, product), 0, 0,
     "database of the product service"},
    {"BARO_ORDER_DATABASE_URL",   SETTING_TEXT, NULL, offsetof(struct audit_urls, order),   0, 0,
     "database of the order service"  },
    {"BARO_COUPON_DATABASE_URL",  SETTING_TEXT, NULL, offsetof(struct audit_urls, coupon),  0, 0,
     "database of the coupon service" },
};

struct options {
    bool json;
    int64_t wait_ms; // for open sagas, and for what looks wrong
};

static struct status parse_options(int argc, char **argv, struct options *options)
{
    *options = (struct options){.wait_ms = SECOND_LOOK_MS};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (!strcmp(argv[i], "--json"))
            options->json = true;
        else if (!strcmp(argv[i], "--wait") && text_parse_duration_ms(value, &options->wait_ms))
            i++;
        else
            return invalid(NULL, "usage: baroctl audit [--json] [--wait 60s]");
    }
    return OK;
}

static struct status evaluate(const struct audit_urls *urls, struct report *report)
{
    struct status st = audit_balances(urls, report);
    return failed(st) ? st : audit_orders(urls, report);
}

// Looks until nothing is wrong and nothing is under way, or the time is over; the last look counts.
static struct status evaluate_patiently(const struct audit_urls *urls, int64_t wait_ms,
                                        struct arena *arena, struct report *report)
{
    int64_t end_us = clock_monotonic_us() + wait_ms * US_PER_MS;

    for (;;) {
        arena_reset(arena);
        *report = (struct report){.arena = arena};
        struct status st = evaluate(urls, report);
        bool settled = report_is_clean(report) && !report->under_way;
        if (failed(st) || settled || clock_monotonic_us() > end_us)
            return st;
        nanosleep(&(struct timespec){.tv_nsec = AGAIN_MS * 1000000}, NULL);
    }
}

static void print_table(const struct report *report)
{
    for (size_t law = 0; law < LAW_COUNT; law++) {
        const struct finding *finding = &report->laws[law];
        printf("%zu  %-8s %s", law + 1, law_name((enum law)law),
               finding->violations ? "BROKEN" : "ok\n");
        if (finding->violations)
            printf("  %" PRId64 " violations\n", finding->violations);
        for (size_t i = 0; i < finding->sample_count; i++)
            printf("     %s\n", finding->sample[i]);
    }
    if (report->under_way)
        printf("%" PRId64 " orders are under way and were not judged\n", report->under_way);
}

static void print_json(const struct report *report, struct arena *arena)
{
    struct text_buffer out;
    text_buffer_init(&out, arena, 1024);
    text_appendf(&out, "{\"ok\": %s, \"under_way\": %" PRId64 ", \"laws\": [",
                 report_is_clean(report) ? "true" : "false", report->under_way);
    for (size_t law = 0; law < LAW_COUNT; law++) {
        const struct finding *finding = &report->laws[law];
        text_appendf(&out,
                     "%s{\"name\": \"%s\", \"ok\": %s, \"violations\": %" PRId64 ", \"sample\": [",
                     law ? ", " : "", law_name((enum law)law),
                     finding->violations ? "false" : "true", finding->violations);
        for (size_t i = 0; i < finding->sample_count; i++) {
            text_append(&out, i ? ", " : "");
            text_append_json(&out, finding->sample[i], strlen(finding->sample[i]));
        }
        text_append(&out, "]}");
    }
    text_append(&out, "]}");
    puts(out.data);
}

static int complain(struct status st)
{
    fprintf(stderr, "baroctl audit: %s\n", st.message ? st.message : reason_word(st.reason));
    return 2;
}

int audit_command(int argc, char **argv)
{
    SCOPED(arena) *arena = arena_create();
    SCOPED(arena) *findings = arena_create();
    struct audit_urls urls;
    struct options options;
    struct report report;

    struct status st = parse_options(argc, argv, &options);
    if (!failed(st))
        st = settings_load(SETTINGS, COUNT(SETTINGS), arena, &urls);
    if (!failed(st))
        st = evaluate_patiently(&urls, options.wait_ms, findings, &report);
    if (failed(st))
        return complain(st);
    if (options.json)
        print_json(&report, arena);
    else
        print_table(&report);
    return report_is_clean(&report) ? 0 : 1;
}
