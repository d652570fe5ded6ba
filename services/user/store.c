// The SQL of accounts, sessions and the signing key; store_wallet.c has that of wallets.
//
// Rows of several owners are always locked in the order of their keys, so that two batches never
// wait for each other.

#include "services/user/store.h"

#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "lib/db/columns.h"

#include <string.h>

#define REFRESH_TOKEN_US (REFRESH_TOKEN_S * US_PER_S)

static void read_account(const struct rows *rows, size_t row, struct arena *arena,
                         struct account *account)
{
    account->id = rows_int64(rows, row, 0);
    account->email = text_copy(arena, rows_text(rows, row, 1));
    account->name = text_copy(arena, rows_text(rows, row, 2));
    account->role = account_role_parse(rows_text(rows, row, 3));
    account->created_at_us = rows_int64(rows, row, 4);
}

static const struct statement FIND_CREDENTIALS = {
    "user_find_credentials",
    "SELECT id, email, name, role, created_at, password_hash, signup_id FROM account"
    " WHERE lower(email COLLATE \"C\") = $1::text"};

struct status store_find_credentials(struct db *db, struct arena *arena, const char *email_key,
                                     struct credentials **credentials)
{
    struct rows rows;
    struct status st = db_query(db, &FIND_CREDENTIALS, PARAMS(p_text(email_key)), &rows);
    if (failed(st))
        return st;
    *credentials = NULL;
    if (rows.count == 0)
        return OK;
    struct credentials *read = *credentials = arena_alloc(arena, sizeof(*read));
    read_account(&rows, 0, arena, &read->account);
    read->password_hash = text_copy(arena, rows_text(&rows, 0, 5));
    struct bytes id = rows_bytes(&rows, 0, 6);
    if (id.data)
        read->signup_id = (struct bytes){arena_copy(arena, id.data, id.size), id.size};
    return OK;
}

static const struct statement LOAD_ACCOUNTS = {
    "user_load_accounts",
    "SELECT id, email, name, role, created_at FROM account WHERE id = ANY ($1::bigint[])"};

struct status store_load_accounts(struct db *db, struct arena *arena, const int64_t *ids,
                                  size_t id_count, struct account **accounts, size_t *count)
{
    struct rows rows;
    struct status st = db_query(db, &LOAD_ACCOUNTS, PARAMS(p_int64s(ids, id_count)), &rows);
    if (failed(st))
        return st;
    *accounts = arena_array(arena, rows.count, sizeof(**accounts));
    *count = rows.count;
    for (size_t i = 0; i < rows.count; i++)
        read_account(&rows, i, arena, &(*accounts)[i]);
    return OK;
}

static const struct statement INSERT_ACCOUNTS = {
    "user_insert_accounts",
    "WITH made AS ("
    "  INSERT INTO account (email, name, role, password_hash, signup_id, created_at)"
    "  SELECT n.email, n.name, 'USER', n.hash, n.signup_id, baro_time($5::bigint)"
    "  FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[])"
    "       AS n (email, name, hash, signup_id)"
    "  ORDER BY lower(n.email COLLATE \"C\")"
    "  ON CONFLICT (lower(email COLLATE \"C\")) DO NOTHING RETURNING id, email, created_at),"
    " opened AS ("
    "  INSERT INTO wallet (user_id, updated_at) SELECT id, created_at FROM made)"
    " SELECT id, lower(email COLLATE \"C\") FROM made"};

static void set_made_id(struct new_account *const *accounts, size_t count, const char *email_key,
                        int64_t id)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(accounts[i]->email_key, email_key) == 0)
            accounts[i]->account.id = id;
}

struct status store_insert_accounts(struct db *db, struct arena *arena,
                                    struct new_account *const *accounts, size_t count,
                                    int64_t now_us)
{
    struct columns columns;
    struct rows rows;
    columns_init(&columns, arena, count, 0, 3, 1);
    for (size_t i = 0; i < count; i++) {
        struct new_account *new = accounts[i];
        columns_add(&columns, NULL,
                    (const char *[]){new->account.email, new->account.name, new->password_hash},
                    &new->signup_id);
        new->account.id = 0;
    }
    struct status st =
        db_query(db, &INSERT_ACCOUNTS, columns_params(&columns, PARAMS(p_int64(now_us))), &rows);
    for (size_t i = 0; !failed(st) && i < rows.count; i++)
        set_made_id(accounts, count, rows_text(&rows, i, 1), rows_int64(&rows, i, 0));
    return st;
}

static const struct statement RENAME_ACCOUNT = {
    "user_rename_account", "UPDATE account SET name = $2::text WHERE id = $1::bigint"};

struct status store_rename_account(struct db *db, int64_t id, const char *name, bool *found)
{
    int64_t changed = 0;
    struct status st = db_execute(db, &RENAME_ACCOUNT, PARAMS(p_int64(id), p_text(name)), &changed);
    if (!failed(st))
        *found = changed == 1;
    return st;
}

// Whoever held the address before must not become an admin: their password and sessions end here. An
// admin whose password is not the one that was seen has just been put in place by another replica.
static const struct statement PUT_ADMIN = {
    "user_put_admin",
    "WITH put AS ("
    "  INSERT INTO account (email, name, role, password_hash, created_at)"
    "  VALUES ($1::text, $2::text, 'ADMIN', $3::text, baro_now())"
    "  ON CONFLICT (lower(email COLLATE \"C\")) DO UPDATE"
    "  SET role = 'ADMIN', password_hash = excluded.password_hash"
    "  WHERE account.role <> 'ADMIN' OR account.password_hash = $4::text RETURNING id),"
    " opened AS ("
    "  INSERT INTO wallet (user_id, updated_at) SELECT id, baro_now() FROM put"
    "  ON CONFLICT (user_id) DO NOTHING)"
    " DELETE FROM session WHERE user_id IN (SELECT id FROM put)"};

struct status store_put_admin(struct db *db, const char *email, const char *name,
                              const char *password_hash, const char *seen_hash)
{
    return db_execute(db, &PUT_ADMIN,
                      PARAMS(p_text(email), p_text(name), p_text(password_hash), p_text(seen_hash)),
                      NULL);
}

static const struct statement INSERT_SESSIONS = {
    "user_insert_sessions",
    "INSERT INTO session (family, user_id, secret_hash, created_at, rotated_at, expires_at)"
    " SELECT n.family, n.user_id, n.hash, baro_time($4::bigint), baro_time($4::bigint),"
    "        baro_time($5::bigint)"
    " FROM unnest($1::bigint[], $2::bytea[], $3::bytea[]) AS n (user_id, family, hash)"};

static struct bytes family_of(const struct session *session)
{
    return (struct bytes){session->family, FAMILY_SIZE};
}

static struct bytes secret_hash_of(const struct session *session)
{
    return (struct bytes){session->secret_hash, SECRET_HASH_SIZE};
}

struct status store_insert_sessions(struct db *db, struct arena *arena,
                                    const struct session *sessions, size_t count, int64_t now_us)
{
    struct columns columns;
    columns_init(&columns, arena, count, 1, 0, 2);
    for (size_t i = 0; i < count; i++)
        columns_add(&columns, &sessions[i].account.id, NULL,
                    (const struct bytes[]){family_of(&sessions[i]), secret_hash_of(&sessions[i])});
    return columns_queue_with(&columns, db, &INSERT_SESSIONS,
                              PARAMS(p_int64(now_us), p_int64(now_us + REFRESH_TOKEN_US)));
}

static const struct statement LOCK_SESSIONS = {
    "user_lock_sessions",
    "SELECT a.id, a.email, a.name, a.role, a.created_at, s.family, s.secret_hash, s.expires_at"
    " FROM session s JOIN account a ON a.id = s.user_id WHERE s.family = ANY ($1::bytea[])"
    " ORDER BY s.family FOR UPDATE OF s"};

struct status store_lock_sessions(struct db *db, struct arena *arena, const struct bytes *families,
                                  size_t family_count, struct session **sessions, size_t *count)
{
    struct rows rows;
    struct status st =
        db_query(db, &LOCK_SESSIONS, PARAMS(p_byteas(families, family_count)), &rows);
    if (failed(st))
        return st;
    *sessions = arena_array(arena, rows.count, sizeof(**sessions));
    *count = rows.count;
    for (size_t i = 0; i < rows.count; i++) {
        struct session *session = &(*sessions)[i];
        read_account(&rows, i, arena, &session->account);
        memcpy(session->family, rows_bytes(&rows, i, 5).data, FAMILY_SIZE);
        memcpy(session->secret_hash, rows_bytes(&rows, i, 6).data, SECRET_HASH_SIZE);
        session->expires_at_us = rows_int64(&rows, i, 7);
    }
    return OK;
}

static const struct statement ROTATE_SESSIONS = {
    "user_rotate_sessions",
    "UPDATE session s SET secret_hash = n.hash, rotated_at = baro_time($3::bigint),"
    "       expires_at = baro_time($4::bigint)"
    " FROM unnest($1::bytea[], $2::bytea[]) AS n (family, hash) WHERE s.family = n.family"};

static const struct statement REVOKE_SESSIONS = {
    "user_revoke_sessions", "DELETE FROM session WHERE family = ANY ($1::bytea[])"};

struct status store_save_sessions(struct db *db, struct arena *arena,
                                  const struct session *sessions, size_t count, int64_t now_us)
{
    struct columns rotated, revoked;
    columns_init(&rotated, arena, count, 0, 0, 2);
    columns_init(&revoked, arena, count, 0, 0, 1);
    for (size_t i = 0; i < count; i++) {
        const struct bytes row[] = {family_of(&sessions[i]), secret_hash_of(&sessions[i])};
        if (sessions[i].revoked)
            columns_add(&revoked, NULL, NULL, row);
        else if (sessions[i].rotated)
            columns_add(&rotated, NULL, NULL, row);
    }
    struct status st =
        columns_queue_with(&rotated, db, &ROTATE_SESSIONS,
                           PARAMS(p_int64(now_us), p_int64(now_us + REFRESH_TOKEN_US)));
    return failed(st) ? st : columns_queue(&revoked, db, &REVOKE_SESSIONS);
}

static const struct statement DELETE_SESSIONS = {
    "user_delete_sessions",
    "DELETE FROM session WHERE family IN ("
    "  SELECT s.family FROM session s"
    "  JOIN unnest($1::bigint[], $2::bytea[]) AS n (user_id, family)"
    "    ON s.user_id = n.user_id AND (n.family IS NULL OR s.family = n.family)"
    "  ORDER BY s.family FOR UPDATE OF s)"};

struct status store_delete_sessions(struct db *db, struct arena *arena,
                                    const struct logout *logouts, size_t count)
{
    struct columns columns;
    columns_init(&columns, arena, count, 1, 0, 1);
    for (size_t i = 0; i < count; i++)
        columns_add(&columns, &logouts[i].user_id, NULL, &logouts[i].family);
    return columns_queue(&columns, db, &DELETE_SESSIONS);
}

static const struct statement PRUNE_SESSIONS = {
    "user_prune_sessions", "DELETE FROM session WHERE family IN ("
                           "  SELECT family FROM session WHERE expires_at < baro_now()"
                           "  ORDER BY expires_at LIMIT $1::bigint FOR UPDATE SKIP LOCKED)"};

struct status store_prune_sessions(struct db *db, int64_t limit, int64_t *deleted)
{
    return db_execute(db, &PRUNE_SESSIONS, PARAMS(p_int64(limit)), deleted);
}

static const struct statement OFFER_SIGNING_KEY = {
    "user_offer_signing_key",
    "INSERT INTO signing_key (private_pem) VALUES ($1::text) ON CONFLICT DO NOTHING"};

static const struct statement LOAD_SIGNING_KEY = {"user_load_signing_key",
                                                  "SELECT private_pem FROM signing_key"};

struct status store_share_signing_key(struct db *db, struct arena *arena, const char *offered_pem,
                                      char **shared_pem)
{
    struct rows rows;
    struct status st = db_execute(db, &OFFER_SIGNING_KEY, PARAMS(p_text(offered_pem)), NULL);
    if (!failed(st))
        st = db_query(db, &LOAD_SIGNING_KEY, NO_PARAMS, &rows);
    if (failed(st))
        return st;
    if (rows.count != 1)
        return refuse(REASON_INTERNAL, "the signing key is gone");
    *shared_pem = text_copy(arena, rows_text(&rows, 0, 0));
    return OK;
}
