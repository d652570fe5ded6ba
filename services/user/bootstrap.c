// What must be in place before the first call: the password pool, the signing key, the first admin.
//
// Any number of replicas start at once: the key in the database is the first that anybody offered,
// and putting the admin in place twice changes nothing.

#include "lib/base/log.h"
#include "lib/base/metrics.h"
#include "services/user/account.h"
#include "services/user/service.h"
#include "services/user/store.h"

#include <sodium.h>
#include <stdlib.h>

enum {
    PASSWORD_THREADS = 2, // each hash takes 19 MiB and one core
    PASSWORD_QUEUE = 128, // about 0.8 s of work for two cores
};

static const char ADMIN_NAME[] = "Baro";

void user_service_start(struct user_service *service)
{
    const struct user_settings *settings = service->settings;
    if (sodium_init() < 0)
        abort();
    *service = (struct user_service){
        .settings = settings,
        .arena = arena_create(),
        .passwords =
            password_pool_create(settings->common.database_url, PASSWORD_THREADS, PASSWORD_QUEUE),
        .history_ids = ids_create("wallet_history_id"),
        .logins_refused =
            metrics_counter("baro_user_logins_refused_total", "Wrong passwords", NULL),
        .refresh_reused =
            metrics_counter("baro_user_refresh_reuse_total",
                            "Families revoked because an old refresh token came again", NULL),
        .wallet_conflicts = metrics_counter("baro_user_wallet_conflicts_total",
                                            "Batches that found a wallet changed meanwhile", NULL),
    };
}

void user_service_destroy(void *context)
{
    struct user_service *service = context;
    password_pool_destroy(service->passwords);
    ids_destroy(service->history_ids);
    arena_destroy(service->arena);
    *service = (struct user_service){.settings = service->settings};
}

static struct status check_admin(const char *email, const char *password)
{
    if (!email[0] && !password[0])
        return OK;
    if (!password[0])
        return invalid("BARO_ADMIN_PASSWORD", "is needed with BARO_ADMIN_EMAIL");
    if (!email[0])
        return invalid("BARO_ADMIN_EMAIL", "is needed with BARO_ADMIN_PASSWORD");
    if (failed(account_check_email(email)))
        return invalid("BARO_ADMIN_EMAIL", "is not an e-mail address");
    if (failed(account_check_password(password)))
        return invalid("BARO_ADMIN_PASSWORD",
                       "needs 8 characters, a letter, a digit and one of @$!%*?&");
    return OK;
}

struct status user_settings_check(const struct user_settings *settings)
{
    SCOPED(arena) *arena = arena_create();
    struct signing_key *key;
    if (settings->jwt_key[0] && failed(signing_key_parse(settings->jwt_key, arena, &key)))
        return invalid("BARO_JWT_KEY", "is not a PEM private key on the curve P-256");
    return check_admin(settings->admin_email, settings->admin_password);
}

static struct status load_key(struct user_service *service, struct db *db)
{
    const char *pem = service->settings->jwt_key;
    struct signing_key *key;
    struct status st = OK;
    if (!pem[0]) {
        char *offered, *shared;
        st = signing_key_generate(service->arena, &offered);
        if (!failed(st))
            st = store_share_signing_key(db, service->arena, offered, &shared);
        if (failed(st))
            return st;
        pem = shared;
    }
    st = signing_key_parse(pem, service->arena, &key);
    if (failed(st))
        return st;
    service->key = key;
    log_info("access tokens are signed", log_text("kid", key->kid));
    return OK;
}

static struct status put_admin(struct user_service *service, struct db *db)
{
    const char *email = service->settings->admin_email;
    const char *password = service->settings->admin_password;
    struct credentials *credentials;
    char hash[PASSWORD_HASH_SIZE];
    if (!email[0])
        return OK;
    struct status st = store_find_credentials(
        db, service->arena, account_email_key(service->arena, email), &credentials);
    if (failed(st))
        return st;
    if (credentials && credentials->account.role == ROLE_ADMIN &&
        password_verify(credentials->password_hash, password))
        return OK;
    st = password_hash(password, hash);
    if (!failed(st))
        st = store_put_admin(db, email, ADMIN_NAME, hash,
                             credentials ? credentials->password_hash : NULL);
    if (!failed(st))
        log_info("the first admin is in place", log_text("email", email));
    return st;
}

struct status user_service_bootstrap(struct user_service *service, struct db *db)
{
    struct status st = load_key(service, db);
    return failed(st) ? st : put_admin(service, db);
}
