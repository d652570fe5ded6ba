// Sessions: opened by signing in, kept up by rotation, ended by Logout, by expiry, or by theft.
//
// A family has one good token at a time. Whoever shows an older one shares the family with somebody
// else: thief or victim, nobody can tell, so the family ends and both must sign in again.

#include "services/user/sessions.h"

#include "lib/base/log.h"
#include "lib/base/metrics.h"
#include "proto/user.pb-c.h"
#include "services/user/service.h"
#include "services/user/wire.h"

#include <string.h>

static void reply_with_tokens(const struct batch *batch, struct call *call,
                              const struct account *account, const struct refresh_token *token)
{
    const struct user_service *service = batch->service;
    const char *access_token;
    struct status st =
        access_token_sign(service->key, account, batch->now_us, batch->arena, &access_token);
    if (failed(st))
        call_refuse(call, st);
    else
        call_reply(call, wire_session(account, access_token,
                                      refresh_token_text(token, batch->arena), batch->arena));
}

void sessions_init(struct opened *opened, struct batch *batch)
{
    opened->batch = batch;
    opened->sessions = arena_array(batch->arena, batch->count, sizeof(*opened->sessions));
    opened->count = 0;
}

void sessions_open(struct opened *opened, struct call *call, const struct account *account)
{
    struct session *session = &opened->sessions[opened->count++];
    struct refresh_token token;
    refresh_token_make(&token);
    memcpy(session->family, token.family, sizeof(token.family));
    refresh_token_hash(&token, session->secret_hash);
    session->account = *account;
    reply_with_tokens(opened->batch, call, account, &token);
}

struct status sessions_store(const struct opened *opened)
{
    if (opened->count == 0)
        return OK;
    return store_insert_sessions(opened->batch->tx, opened->batch->arena, opened->sessions,
                                 opened->count, opened->batch->now_us);
}

// The tokens of a batch, as far as they look like ours; *families are those to lock.
static size_t read_tokens(struct batch *batch, struct refresh_token *tokens, struct bytes *families)
{
    size_t count = 0;
    struct call *call;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        const Baro__User__RefreshRequest *request = (const void *)call->request;
        if (refresh_token_parse(request->refresh_token, batch->arena, &tokens[i]))
            families[count++] = (struct bytes){tokens[i].family, FAMILY_SIZE};
        else
            call_refuse(call, refuse(REASON_UNAUTHENTICATED, "this is not a refresh token"));
    }
    return count;
}

static struct session *find_session(struct session *sessions, size_t count,
                                    const struct refresh_token *token)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(sessions[i].family, token->family, FAMILY_SIZE) == 0)
            return &sessions[i];
    return NULL;
}

static void revoke_stolen(const struct batch *batch, struct session *session)
{
    const struct user_service *service = batch->service;
    session->revoked = true;
    metric_add(service->refresh_reused, 1);
    log_warn("an old refresh token came again, its family is revoked",
             log_int("user_id", session->account.id));
}

static void refresh(const struct batch *batch, struct call *call, struct session *session,
                    struct refresh_token *token)
{
    if (!session || session->revoked) {
        call_refuse(call, refuse(REASON_UNAUTHENTICATED, "this session has ended"));
    } else if (!refresh_token_matches(token, session->secret_hash)) {
        revoke_stolen(batch, session);
        call_refuse(call, refuse(REASON_UNAUTHENTICATED, "this session has ended"));
    } else if (session->expires_at_us <= batch->now_us) {
        call_refuse(call, refuse(REASON_TOKEN_EXPIRED, "this session has expired"));
    } else {
        refresh_token_rotate(token);
        refresh_token_hash(token, session->secret_hash);
        session->rotated = true;
        reply_with_tokens(batch, call, &session->account, token);
    }
}

struct status handle_refresh(struct batch *batch)
{
    struct refresh_token *tokens = arena_array(batch->arena, batch->count, sizeof(*tokens));
    struct bytes *families = arena_array(batch->arena, batch->count, sizeof(*families));
    struct session *sessions;
    size_t family_count = read_tokens(batch, tokens, families);
    size_t count;
    struct call *call;

    if (family_count == 0)
        return OK;
    struct status st =
        store_lock_sessions(batch->tx, batch->arena, families, family_count, &sessions, &count);
    if (failed(st))
        return st;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++)
        refresh(batch, call, find_session(sessions, count, &tokens[i]), &tokens[i]);
    return store_save_sessions(batch->tx, batch->arena, sessions, count, batch->now_us);
}

struct status handle_logout(struct batch *batch)
{
    struct logout *logouts = arena_array(batch->arena, batch->count, sizeof(*logouts));
    size_t count = 0;
    struct call *call;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        const Baro__User__LogoutRequest *request = (const void *)call->request;
        struct refresh_token *token = arena_alloc(batch->arena, sizeof(*token));
        struct logout *logout = &logouts[count];
        logout->user_id = call->caller.user_id;
        if (request->refresh_token[0] &&
            !refresh_token_parse(request->refresh_token, batch->arena, token)) {
            call_refuse(call, invalid("refresh_token", "this is not a refresh token"));
            continue;
        }
        if (request->refresh_token[0])
            logout->family = (struct bytes){token->family, FAMILY_SIZE};
        count++;
        call_reply(call, wire_empty());
    }
    if (count == 0)
        return OK;
    return store_delete_sessions(batch->tx, batch->arena, logouts, count);
}

struct status handle_get_keys(struct batch *batch)
{
    const struct user_service *service = batch->service;
    struct call *call;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++)
        call_reply(call, wire_key_set(service->key, batch->arena));
    return OK;
}
