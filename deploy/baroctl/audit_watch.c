// What is said is a change: a law that breaks, whose violations become more or fewer, that holds
// again; the databases falling silent, and all laws once they can be read again. So a quiet
// terminal is a good one, and what is piped on is as long as what happened.

#include "deploy/baroctl/audit.h"
#include "deploy/baroctl/output.h"
#include "lib/base/clock.h"
#include "lib/base/termination.h"
#include "lib/base/text.h"

#include <inttypes.h>
#include <stdio.h>

enum { NOT_SEEN = -1 };

struct watch {
    bool json;
    int64_t seen[LAW_COUNT]; // violations
    bool blind;              // the last look failed
};

static bool is_wanted(void *context)
{
    (void)context;
    return !termination_is_pending();
}

static void forget(struct watch *watch)
{
    for (size_t law = 0; law < LAW_COUNT; law++)
        watch->seen[law] = NOT_SEEN;
}

static void say_law(const struct watch *watch, const char *at, enum law law,
                    const struct finding *finding)
{
    if (watch->json) {
        SCOPED_JSON *event = audit_json_of_law(law, finding);
        json_object_set_new(event, "at", json_string(at));
        output_json_line(stdout, event);
        return;
    }
    printf("%s  %-8s ", at, law_name(law));
    if (finding->violations)
        printf("BROKEN  %" PRId64 " violations\n", finding->violations);
    else
        puts("ok");
    for (size_t i = 0; i < finding->sample_count; i++)
        printf("     %s\n", finding->sample[i]);
}

static void say_failure(const struct watch *watch, const char *at, struct status st)
{
    const char *words = st.message ? st.message : reason_word(st.reason);
    if (watch->json) {
        SCOPED_JSON *event = json_pack("{s: s, s: s}", "at", at, "error", words);
        output_json_line(stdout, event);
    } else {
        printf("%s  cannot look: %s\n", at, words);
    }
}

static void say_changes(struct watch *watch, const char *at, const struct report *report)
{
    for (size_t law = 0; law < LAW_COUNT; law++) {
        const struct finding *finding = &report->laws[law];
        if (watch->seen[law] != finding->violations)
            say_law(watch, at, (enum law)law, finding);
        watch->seen[law] = finding->violations;
    }
}

static void note(struct watch *watch, struct status st, const struct report *report,
                 struct arena *arena)
{
    const char *at = text_from_time(arena, clock_realtime_us() / US_PER_S * US_PER_S);
    if (!failed(st)) {
        say_changes(watch, at, report);
    } else if (!watch->blind) {
        say_failure(watch, at, st);
        forget(watch);
    }
    watch->blind = failed(st);
    fflush(stdout);
}

static enum exit_code outcome(const struct watch *watch)
{
    if (watch->blind)
        return EXIT_USAGE;
    for (size_t law = 0; law < LAW_COUNT; law++)
        if (watch->seen[law] > 0)
            return EXIT_WRONG;
    return EXIT_DONE;
}

enum exit_code audit_watch(const struct arguments *arguments, const struct audit_urls *urls)
{
    SCOPED(arena) *arena = arena_create();
    const struct law_going going = {.go_on = is_wanted};
    struct watch watch = {.json = arguments->json};

    termination_block();
    forget(&watch);
    do {
        struct report report;
        struct status st = audit_look(urls, arguments->wait_ms, &going, arena, &report);
        if (st.code != STATUS_CANCELLED)
            note(&watch, st, &report, arena);
    } while (termination_wait_ms(arguments->every_ms) == 0);
    return outcome(&watch);
}
