#pragma once
// Where the books of the services are read: in their databases, or by asking the services.

#include "lib/laws/book.h"
#include "lib/rpc/client.h"

struct law_source {
    struct status (*check)(void *context, const Baro__CheckLawRequest *request, struct arena *arena,
                           const Baro__CheckLawReply **reply);
    struct status (*facts)(void *context, const Baro__ListOrderFactsRequest *request,
                           struct arena *arena, const Baro__OrderFacts **reply);
    void *context;
};

// A database and its book.
struct law_database {
    struct db *db;
    const struct law_book *book;
};
struct law_source law_source_of_database(struct law_database *database);

// A service that offers CheckLaw and ListOrderFacts.
struct law_peer {
    struct rpc_client *client;
    const char *check_method, *facts_method;
};
struct law_source law_source_of_peer(struct law_peer *peer);

// Asked between pages whether the answer is still wanted.
struct law_going {
    bool (*go_on)(void *context);
    void *context;
};

// Goes through all pages of all checks of a source; CANCELLED when `going` (may be NULL) says no.
struct status law_source_check(const struct law_source *source, const struct law_going *going,
                               struct report *report);

// OK, or CANCELLED when `going` (may be NULL) says no.
struct status law_going_on(const struct law_going *going);
