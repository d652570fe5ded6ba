#pragma once
// Domain <-> protobuf. Messages live in the arena and borrow the texts of what they show.

#include "lib/service/wire.h"
#include "proto/user.pb-c.h"
#include "services/user/account.h"
#include "services/user/signing_key.h"
#include "services/user/store.h"
#include "services/user/wallet.h"

const ProtobufCMessage *wire_profile(const struct account *account, struct arena *arena);
const ProtobufCMessage *wire_session(const struct account *account, const char *access_token,
                                     const char *refresh_token, struct arena *arena);
const ProtobufCMessage *wire_key_set(const struct signing_key *key, struct arena *arena);
const ProtobufCMessage *wire_balance(const struct wallet *wallet, struct arena *arena);
const ProtobufCMessage *wire_wallet_change(const struct entry *entry, struct arena *arena);
const ProtobufCMessage *wire_wallet_moved(int64_t balance_won, int64_t amount_won,
                                          struct arena *arena);

// One page of at most `size` entries; more than that means that there is a next page.
const ProtobufCMessage *wire_history_page(const struct history *history, size_t size,
                                          struct arena *arena);

// The query of a page: one entry more than the page shows, to know whether another follows.
// VALIDATION_ERROR names the field.
struct status wire_history_query(const Baro__User__ListHistoryRequest *request, int64_t user_id,
                                 struct arena *arena, struct history_query *query);
