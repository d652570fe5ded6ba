// Domain <-> protobuf, both directions. The numbers of roles and entry types are the same on both
// sides, which is asserted here and nowhere relied on.

#include "services/user/wire.h"

#include "lib/base/clock.h"
#include "lib/base/protobuf.h"
#include "lib/db/db.h"
#include "lib/service/page.h"
#include "services/user/token.h"

#include <assert.h>

// A page goes on below the number of its last entry.
static const char PAGE_ORDER[] = "newest";

static_assert((int)ENTRY_CHARGE == BARO__USER__ENTRY_TYPE__ENTRY_TYPE_CHARGE, "numbered alike");
static_assert((int)ENTRY_USE == BARO__USER__ENTRY_TYPE__ENTRY_TYPE_USE, "numbered alike");
static_assert((int)ENTRY_REFUND == BARO__USER__ENTRY_TYPE__ENTRY_TYPE_REFUND, "numbered alike");
static_assert((int)ENTRY_ADJUST == BARO__USER__ENTRY_TYPE__ENTRY_TYPE_ADJUST, "numbered alike");
static_assert((int)ROLE_USER == BARO__USER__ROLE__ROLE_USER, "numbered alike");
static_assert((int)ROLE_ADMIN == BARO__USER__ROLE__ROLE_ADMIN, "numbered alike");

static Baro__User__Profile *profile(const struct account *account, struct arena *arena)
{
    Baro__User__Profile *message = arena_alloc(arena, sizeof(*message));
    baro__user__profile__init(message);
    message->id = account->id;
    message->email = protobuf_text(account->email);
    message->name = protobuf_text(account->name);
    message->role = (Baro__User__Role)account->role;
    message->created_at = wire_time(arena, account->created_at_us);
    return message;
}

const ProtobufCMessage *wire_profile(const struct account *account, struct arena *arena)
{
    return &profile(account, arena)->base;
}

const ProtobufCMessage *wire_session(const struct account *account, const char *access_token,
                                     const char *refresh_token, struct arena *arena)
{
    Baro__User__Session *message = arena_alloc(arena, sizeof(*message));
    baro__user__session__init(message);
    message->access_token = protobuf_text(access_token);
    message->refresh_token = protobuf_text(refresh_token);
    message->token_type = protobuf_text("Bearer");
    message->expires_in = ACCESS_TOKEN_S;
    message->user = profile(account, arena);
    return &message->base;
}

const ProtobufCMessage *wire_key_set(const struct signing_key *key, struct arena *arena)
{
    Baro__User__Key *only = arena_alloc(arena, sizeof(*only));
    baro__user__key__init(only);
    only->kty = protobuf_text("EC");
    only->crv = protobuf_text("P-256");
    only->use = protobuf_text("sig");
    only->alg = protobuf_text("ES256");
    only->kid = protobuf_text(key->kid);
    only->x = protobuf_text(key->x);
    only->y = protobuf_text(key->y);

    Baro__User__KeySet *message = arena_alloc(arena, sizeof(*message));
    baro__user__key_set__init(message);
    message->n_keys = 1;
    message->keys = arena_array(arena, 1, sizeof(*message->keys));
    message->keys[0] = only;
    return &message->base;
}

const ProtobufCMessage *wire_balance(const struct wallet *wallet, struct arena *arena)
{
    Baro__User__Balance *message = arena_alloc(arena, sizeof(*message));
    baro__user__balance__init(message);
    message->balance = wallet->balance_won;
    message->updated_at = wire_time(arena, wallet->updated_at_us);
    return &message->base;
}

static Baro__User__HistoryEntry *history_entry(const struct entry *entry, struct arena *arena)
{
    Baro__User__HistoryEntry *message = arena_alloc(arena, sizeof(*message));
    baro__user__history_entry__init(message);
    message->id = entry->id;
    message->type = (Baro__User__EntryType)entry->type;
    message->amount = entry->amount_won;
    message->before = entry->before_won;
    message->after = entry->after_won;
    message->note = protobuf_text(entry->note);
    message->created_at = wire_time(arena, entry->created_at_us);
    if (entry->ref_id != 0) {
        message->ref_id = arena_alloc(arena, sizeof(*message->ref_id));
        baro__int64__init(message->ref_id);
        message->ref_id->value = entry->ref_id;
    }
    return message;
}

const ProtobufCMessage *wire_wallet_change(const struct entry *entry, struct arena *arena)
{
    Baro__User__WalletChange *message = arena_alloc(arena, sizeof(*message));
    baro__user__wallet_change__init(message);
    message->balance = entry->after_won;
    message->entry = history_entry(entry, arena);
    return &message->base;
}

const ProtobufCMessage *wire_wallet_moved(int64_t balance_won, int64_t amount_won,
                                          struct arena *arena)
{
    Baro__User__WalletMoved *message = arena_alloc(arena, sizeof(*message));
    baro__user__wallet_moved__init(message);
    message->balance = balance_won;
    message->amount = amount_won;
    return &message->base;
}

const ProtobufCMessage *wire_history_page(const struct history *history, size_t size,
                                          struct arena *arena)
{
    size_t count = history->count < size ? history->count : size;
    Baro__User__HistoryPage *message = arena_alloc(arena, sizeof(*message));
    baro__user__history_page__init(message);
    message->n_items = count;
    message->items = arena_array(arena, count, sizeof(*message->items));
    for (size_t i = 0; i < count; i++)
        message->items[i] = history_entry(&history->entries[i], arena);
    if (history->count > size)
        message->next_page_token =
            page_token(arena, PAGE_ORDER, &history->entries[count - 1].number, 1);
    return &message->base;
}

static struct status read_time(const Baro__Timestamp *time, const char *field, int64_t *us)
{
    *us = time ? time->us : DB_NULL_INT64;
    if (time && (time->us < 0 || time->us > TIME_LAST_US))
        return invalid(field, "must be a time between 1970 and 9999");
    return OK;
}

static struct status read_filters(const Baro__User__ListHistoryRequest *request,
                                  struct history_query *query)
{
    struct status st = read_time(request->from, "from", &query->from_us);
    if (!failed(st))
        st = read_time(request->to, "to", &query->to_us);
    if (failed(st))
        return st;
    if ((int)request->type < 0 || (int)request->type >= ENTRY_TYPES)
        return invalid("type", "must be CHARGE, USE, REFUND or ADJUST");
    query->type = (enum entry_type)request->type;
    query->ref_id = request->ref_id ? request->ref_id->value : DB_NULL_INT64;
    return OK;
}

struct status wire_history_query(const Baro__User__ListHistoryRequest *request, int64_t user_id,
                                 struct arena *arena, struct history_query *query)
{
    struct status st = read_filters(request, query);
    if (failed(st))
        return st;
    int64_t size;
    st = page_size(request->page_size, &size);
    if (failed(st))
        return st;
    query->user_id = user_id;
    query->limit = size + 1;
    query->below_number = INT64_MAX;
    if (!request->page_token[0])
        return OK;
    return page_token_parse(arena, request->page_token, PAGE_ORDER, &query->below_number, 1);
}
