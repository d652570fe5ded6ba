#pragma once
// All SQL of the user service. Arrays that come in are borrowed until the next call that waits;
// results are copied into the arena.

#include "lib/db/db.h"
#include "services/user/account.h"
#include "services/user/ledger.h"
#include "services/user/token.h"

enum { SIGNUP_ID_SIZE = 16 };

// What a sign-in needs to know.
struct credentials {
    struct account account;
    const char *password_hash;
    struct bytes signup_id; // data NULL: none
};

// An account to be made. `id` is 0 afterwards when the e-mail address was taken.
struct new_account {
    struct account account;
    const char *email_key;
    const char *password_hash;
    struct bytes signup_id;
};

// A family of refresh tokens.
struct session {
    uint8_t family[FAMILY_SIZE];
    uint8_t secret_hash[SECRET_HASH_SIZE];
    int64_t expires_at_us;
    struct account account;
    bool rotated;
    bool revoked;
};

// A family to revoke; all of the user's when `family` has no data.
struct logout {
    int64_t user_id;
    struct bytes family;
};

// What ListHistory asks: entries of one user below `below_number`, newest first.
struct history_query {
    int64_t user_id;
    int64_t from_us, to_us; // [from, to); DB_NULL_INT64: open
    enum entry_type type;   // 0: any
    int64_t ref_id;         // DB_NULL_INT64: any
    int64_t below_number;
    int64_t limit;
};

struct history {
    struct entry *entries;
    size_t count;
};

// *credentials is NULL when there is no such account.
struct status store_find_credentials(struct db *db, struct arena *arena, const char *email_key,
                                     struct credentials **credentials);

// Accounts by id, in no order.
struct status store_load_accounts(struct db *db, struct arena *arena, const int64_t *ids,
                                  size_t id_count, struct account **accounts, size_t *count);

// Makes accounts, each with an empty wallet; the addresses differ from each other.
struct status store_insert_accounts(struct db *db, struct arena *arena,
                                    struct new_account *const *accounts, size_t count,
                                    int64_t now_us);

// *found is false when there is no such account.
struct status store_rename_account(struct db *db, int64_t id, const char *name, bool *found);

// Makes the account an admin with this password and ends its sessions, or creates it; with its
// wallet. An admin is left alone unless its hash is still `seen_hash` (NULL: none was seen).
struct status store_put_admin(struct db *db, const char *email, const char *name,
                              const char *password_hash, const char *seen_hash);

// Queues new families.
struct status store_insert_sessions(struct db *db, struct arena *arena,
                                    const struct session *sessions, size_t count, int64_t now_us);

// Locks and loads the families that exist.
struct status store_lock_sessions(struct db *db, struct arena *arena, const struct bytes *families,
                                  size_t family_count, struct session **sessions, size_t *count);

// Queues what became of locked families: rotated ones are changed, revoked ones deleted.
struct status store_save_sessions(struct db *db, struct arena *arena,
                                  const struct session *sessions, size_t count, int64_t now_us);

// Queues the deletion of a family of the user, or of all of them.
struct status store_delete_sessions(struct db *db, struct arena *arena,
                                    const struct logout *logouts, size_t count);

// Deletes sessions whose time is over, at most limit; *deleted says how many.
struct status store_prune_sessions(struct db *db, int64_t limit, int64_t *deleted);

// Offers a private key and reads the one that all replicas share.
struct status store_share_signing_key(struct db *db, struct arena *arena, const char *offered_pem,
                                      char **shared_pem);

// Wallets without a lock, ascending by user.
struct status store_load_wallets(struct db *db, struct arena *arena, const int64_t *user_ids,
                                 size_t user_count, struct wallet **wallets, size_t *count);

// The wallets of the users and what the orders moved, into the ledger.
struct status store_load_ledger(struct db *db, struct arena *arena, const int64_t *user_ids,
                                const int64_t *order_ids, size_t count, struct ledger *ledger);

// Writes the changed wallets and the new entries, or nothing: *saved is false when a wallet has moved
// on since it was loaded. The transaction holds the locks of all the wallets afterwards.
struct status store_save_ledger(struct db *db, struct arena *arena, const struct ledger *ledger,
                                bool *saved);

// One page for each query, in the order of the queries.
struct status store_list_history(struct db *db, struct arena *arena,
                                 const struct history_query *queries, size_t count,
                                 struct history *pages);

struct status store_make_partitions(struct db *db);
