// The same pages, near or far.

#include "lib/laws/source.h"

#include "lib/base/text.h"

enum { ASK_TIMEOUT_MS = 2000 };

static struct status check_database(void *context, const Baro__CheckLawRequest *request,
                                    struct arena *arena, const Baro__CheckLawReply **reply)
{
    const struct law_database *database = context;
    Baro__CheckLawReply *made;
    struct status st = law_book_check(database->book, database->db, request, arena, &made);
    if (!failed(st))
        *reply = made;
    return st;
}

static struct status facts_of_database(void *context, const Baro__ListOrderFactsRequest *request,
                                       struct arena *arena, const Baro__OrderFacts **reply)
{
    const struct law_database *database = context;
    Baro__OrderFacts *made;
    struct status st = law_book_facts(database->book, database->db, request, arena, &made);
    if (!failed(st))
        *reply = made;
    return st;
}

struct law_source law_source_of_database(struct law_database *database)
{
    return (struct law_source){check_database, facts_of_database, database};
}

static struct status ask(const struct law_peer *peer, const char *method,
                         const ProtobufCMessage *request, const ProtobufCMessageDescriptor *output,
                         struct arena *arena, ProtobufCMessage **reply)
{
    return rpc_call_wait(peer->client,
                         &(struct rpc_request){.method = method,
                                               .message = request,
                                               .caller = {.role = CALLER_SERVICE},
                                               .timeout_ms = ASK_TIMEOUT_MS,
                                               .idempotent = true},
                         output, arena, reply);
}

static struct status check_peer(void *context, const Baro__CheckLawRequest *request,
                                struct arena *arena, const Baro__CheckLawReply **reply)
{
    const struct law_peer *peer = context;
    ProtobufCMessage *message;
    struct status st = ask(peer, peer->check_method, &request->base,
                           &baro__check_law_reply__descriptor, arena, &message);
    if (!failed(st))
        *reply = (const Baro__CheckLawReply *)message;
    return st;
}

static struct status facts_of_peer(void *context, const Baro__ListOrderFactsRequest *request,
                                   struct arena *arena, const Baro__OrderFacts **reply)
{
    const struct law_peer *peer = context;
    ProtobufCMessage *message;
    struct status st = ask(peer, peer->facts_method, &request->base, &baro__order_facts__descriptor,
                           arena, &message);
    if (!failed(st))
        *reply = (const Baro__OrderFacts *)message;
    return st;
}

struct law_source law_source_of_peer(struct law_peer *peer)
{
    return (struct law_source){check_peer, facts_of_peer, peer};
}

struct status law_going_on(const struct law_going *going)
{
    if (!going || going->go_on(going->context))
        return OK;
    return (struct status){STATUS_CANCELLED, REASON_UNAVAILABLE, NULL, "nobody wants it any more"};
}

// All pages of one check; *law is LAW_COUNT when the source has no such check.
static struct status check_all(const struct law_source *source, const struct law_going *going,
                               uint32_t check, struct report *report, enum law *law)
{
    Baro__CheckLawRequest request;
    baro__check_law_request__init(&request);
    request.check = check;
    struct status st = OK;
    for (bool ended = false; !ended && !failed(st);) {
        const Baro__CheckLawReply *page;
        SCOPED(arena) *arena = arena_create();
        st = law_going_on(going);
        if (!failed(st))
            st = source->check(source->context, &request, arena, &page);
        if (failed(st)) {
            st = status_keep(st, report->arena); // the page's arena ends here
            break;
        }
        *law = law_parse(page->law);
        if (*law < LAW_COUNT)
            report_add(report, *law, page->violations, page->sample, page->n_sample);
        ended = page->ended;
        request.after = page->last;
    }
    return st;
}

struct status law_source_check(const struct law_source *source, const struct law_going *going,
                               struct report *report)
{
    struct status st = OK;
    enum law law = LAW_WALLET;
    for (uint32_t check = 0; law < LAW_COUNT && !failed(st); check++)
        st = check_all(source, going, check, report, &law);
    return st;
}
