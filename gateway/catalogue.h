#pragma once
// Catalogue reads: one answer for everybody who is not signed in, kept for BARO_CATALOGUE_CACHE
// (page_cache.h), with an entity tag.
//
// The rule: what is shown may be as old as that setting, stock too. What this gateway itself has
// changed it shows at once: admin edits, the stock of what was ordered or cancelled, the coupons left
// after a claim. Answers to signed-in users where they differ (coupons) are made for each.

#include "gateway/request.h"

// Answers from what is kept; false: it must be fetched.
bool catalogue_serve(struct request *request);

// For a suspended request: true when it needs no call of its own. It is then resumed with the answer
// of another's call, maybe before this returns.
bool catalogue_wait(struct request *request);

// The outcome of the call is known and the answer is set: tags it, keeps it, hands it to those who
// wait. For every request; does nothing off the catalogue.
void catalogue_deliver(struct request *request, struct status st, int64_t pushback_ms);

// A call has succeeded: forgets what its route makes stale.
void catalogue_note_change(struct request *request, const ProtobufCMessage *reply);
