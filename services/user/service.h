#pragma once
// What the files of the user service share: its context, and its handlers by noun.

#include "lib/db/ids.h"
#include "lib/service/service.h"
#include "services/user/password.h"
#include "services/user/signing_key.h"

struct user_settings {
    struct service_settings common; // first: lib/service fills it in
    const char *order_bus;          // BARO_ORDER_BUS
    const char *admin_email;        // BARO_ADMIN_EMAIL
    const char *admin_password;     // BARO_ADMIN_PASSWORD
    const char *jwt_key;            // BARO_JWT_KEY, or the file that BARO_JWT_KEY_FILE names
};

struct user_service {
    const struct user_settings *settings;
    struct arena *arena; // as long-lived as the service
    struct password_pool *passwords;
    const struct signing_key *key;
    struct ids *history_ids;
    struct metric *logins_refused, *refresh_reused, *wallet_conflicts;
};

extern const struct method_table user_methods;
extern const struct job user_jobs[];
extern const size_t user_job_count;

// Makes everything that `service` needs but its settings.
void user_service_start(struct user_service *service);

// Loads or makes the signing key and puts the first admin in place, on any number of replicas at
// once. FAILED_PRECONDITION for an unusable key.
struct status user_service_bootstrap(struct user_service *service, struct db *db);

// When no handler runs any more. Accepts a service that did not start.
void user_service_destroy(void *service);

// What the table of settings cannot say: the first admin's two are both there and sound or both
// absent, and the key is one. VALIDATION_ERROR names the setting; the message goes on from its name.
struct status user_settings_check(const struct user_settings *settings);

// accounts.c: outside the transaction, on the password pool.
void prepare_signup(struct call *call);
void prepare_login(struct call *call);

// accounts.c, sessions.c
struct status handle_signup(struct batch *batch);
struct status handle_login(struct batch *batch);
struct status handle_get_profile(struct batch *batch);
struct status handle_update_profile(struct batch *batch);
struct status handle_refresh(struct batch *batch);
struct status handle_logout(struct batch *batch);
struct status handle_get_keys(struct batch *batch);

// wallets.c
struct status handle_get_balance(struct batch *batch);
struct status handle_charge(struct batch *batch);
struct status handle_adjust_balance(struct batch *batch);
struct status handle_debit_wallet(struct batch *batch);
struct status handle_refund_wallet(struct batch *batch);
struct status handle_list_history(struct batch *batch);
