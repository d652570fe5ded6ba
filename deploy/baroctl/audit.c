// The databases are read one after the other, without a common snapshot: under load an order may look
// wrong because it moved on between two of them. So what looks wrong is looked at again; with --wait
// until it is clean or the time is over. What is wrong for good stays wrong.

#include "deploy/baroctl/audit.h"

#include "deploy/baroctl/commands.h"
#include "deploy/baroctl/output.h"
#include "lib/base/clock.h"
#include "lib/base/settings.h"
#include "lib/base/text.h"
#include "services/coupon/laws.h"
#include "services/order/laws.h"
#include "services/product/laws.h"
#include "services/user/laws.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { AGAIN_MS = 200 };

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

struct status audit_urls_load(struct arena *arena, struct audit_urls *urls)
{
    return settings_load(SETTINGS, COUNT(SETTINGS), arena, urls);
}

static struct status evaluate(const struct audit_urls *urls, const struct law_going *going,
                              struct report *report)
{
    // clang-format off
    struct law_database databases[LAW_PLACES] = {
        [LAW_USER]    = {db_create(urls->user, "baroctl audit"), &user_laws},
        [LAW_PRODUCT] = {db_create(urls->product, "baroctl audit"), &product_laws},
        [LAW_COUPONS] = {db_create(urls->coupon, "baroctl audit"), &coupon_laws},
        [LAW_ORDERS]  = {db_create(urls->order, "baroctl audit"), &order_laws},
    };
    // clang-format on
    struct law_source sources[LAW_PLACES];
    for (int i = 0; i < LAW_PLACES; i++)
        sources[i] = law_source_of_database(&databases[i]);
    struct status st = laws_check(sources, going, report);
    // The message of a failure lives in a connection, which ends here.
    if (failed(st) && st.message)
        st.message = text_copy(report->arena, st.message);
    for (int i = 0; i < LAW_PLACES; i++)
        db_destroy(databases[i].db);
    return st;
}

struct status audit_look(const struct audit_urls *urls, int64_t wait_ms,
                         const struct law_going *going, struct arena *arena, struct report *report)
{
    int64_t end_us = clock_monotonic_us() + wait_ms * US_PER_MS;

    for (;;) {
        arena_reset(arena);
        *report = (struct report){.arena = arena};
        struct status st = evaluate(urls, going, report);
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

json_t *audit_json_of_law(enum law law, const struct finding *finding)
{
    json_t *sample = json_array();
    for (size_t i = 0; i < finding->sample_count; i++)
        json_array_append_new(sample, json_string(finding->sample[i]));
    return json_pack("{s: s, s: b, s: I, s: o}", "name", law_name(law), "ok",
                     finding->violations == 0, "violations", (json_int_t)finding->violations,
                     "sample", sample);
}

static void print_json(const struct report *report, int64_t checked_at_us, struct arena *arena)
{
    json_t *laws = json_array();
    for (size_t law = 0; law < LAW_COUNT; law++)
        json_array_append_new(laws, audit_json_of_law((enum law)law, &report->laws[law]));
    SCOPED_JSON *document = json_pack("{s: b, s: s, s: I, s: o}", "ok", report_is_clean(report),
                                      "checked_at", text_from_time(arena, checked_at_us),
                                      "under_way", (json_int_t)report->under_way, "laws", laws);
    output_json(stdout, document);
}

enum exit_code audit_run(const struct arguments *arguments, struct arena *arena)
{
    SCOPED(arena) *findings = arena_create();
    struct audit_urls urls;
    struct report report;

    struct status st = audit_urls_load(arena, &urls);
    if (!failed(st) && arguments->watch)
        return audit_watch(arguments, &urls);
    if (!failed(st))
        st = audit_look(&urls, arguments->wait_ms, NULL, findings, &report);
    if (failed(st)) {
        complain("audit", st);
        return EXIT_USAGE;
    }
    if (arguments->json)
        print_json(&report, clock_realtime_us(), arena);
    else
        print_table(&report);
    return report_is_clean(&report) ? EXIT_DONE : EXIT_WRONG;
}
