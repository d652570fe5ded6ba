// Sign-up, sign-in and profiles.
//
// Passwords are hashed and compared on the password pool, outside any transaction: `prepare` hands the
// call to the pool, whose thread looks the account up on its own connection, spends the argon2id, and
// hands the call on to the batch with what it found. An unknown address and a wrong password take the
// same steps, the same time and the same answer. The unique index, not the look-up, decides who gets
// an address.

#include "lib/base/clock.h"
#include "lib/base/metrics.h"
#include "lib/base/text.h"
#include "proto/user.pb-c.h"
#include "services/user/service.h"
#include "services/user/sessions.h"
#include "services/user/store.h"
#include "services/user/wire.h"

#include <string.h>

// What `prepare` leaves for the batch: an account to be made, or one that has shown its password.
struct entrance {
    struct new_account new;
    const struct account *known; // NULL: make the new one
};

static void finish_with(struct call *call, struct status st)
{
    call_refuse(call, st);
    call_finish(call);
}

static void submit(struct call *call, password_task *task)
{
    struct user_service *service = call->service;
    if (!password_pool_submit(service->passwords, task, call))
        finish_with(call, refuse(REASON_OVERLOADED, "too many passwords wait to be checked"));
}

// The account with the call's address, looked up within the call's deadline.
static struct status look_up(struct call *call, struct db *db, const char *email,
                             struct credentials **credentials)
{
    if (call->deadline_us <= clock_monotonic_us())
        return refuse(REASON_DEADLINE_EXCEEDED, "the time was over before the work");
    db_set_deadline(db, call->deadline_us);
    struct status st =
        store_find_credentials(db, call->arena, account_email_key(call->arena, email), credentials);
    return status_keep(st, call->arena); // its words were the connection's
}

// A sign-up that comes again under its Idempotency-Key is the person who made the account: the key
// and the password prove it, so they get a session instead of EMAIL_TAKEN.
static bool is_repeated_signup(const struct call *call, const struct credentials *credentials,
                               const char *password)
{
    uint8_t id[SIGNUP_ID_SIZE];
    return credentials->signup_id.data && call_idempotency_id(call, id) &&
           memcmp(credentials->signup_id.data, id, sizeof(id)) == 0 &&
           password_verify(credentials->password_hash, password);
}

static struct status enter_new(struct call *call, struct db *db, struct entrance *entrance)
{
    const Baro__User__SignupRequest *request = (const void *)call->request;
    struct credentials *credentials = NULL;
    struct status st = look_up(call, db, entrance->new.account.email, &credentials);
    if (failed(st))
        return st;
    if (credentials && is_repeated_signup(call, credentials, request->password)) {
        entrance->known = &credentials->account;
        return OK;
    }
    if (credentials)
        return refuse(REASON_EMAIL_TAKEN, "this e-mail address has an account");
    char *hash = arena_alloc(call->arena, PASSWORD_HASH_SIZE);
    entrance->new.password_hash = hash;
    return password_hash(request->password, hash);
}

static void sign_up(void *arg, struct db *db)
{
    struct call *call = arg;
    struct status st = enter_new(call, db, call->own);
    if (failed(st))
        finish_with(call, st);
    else
        call_ready(call);
}

static struct status check_signup(const Baro__User__SignupRequest *request,
                                  const struct account *account)
{
    struct status st = account_check_email(account->email);
    if (!failed(st))
        st = account_check_password(request->password);
    if (!failed(st))
        st = account_check_name(account->name);
    return st;
}

void prepare_signup(struct call *call)
{
    const Baro__User__SignupRequest *request = (const void *)call->request;
    struct entrance *entrance = arena_alloc(call->arena, sizeof(*entrance));
    struct account *account = &entrance->new.account;
    uint8_t *signup_id = arena_alloc(call->arena, SIGNUP_ID_SIZE);
    account->email = text_trim(call->arena, request->email);
    account->name = text_trim(call->arena, request->name);
    account->role = ROLE_USER;
    entrance->new.email_key = account_email_key(call->arena, account->email);
    if (call_idempotency_id(call, signup_id))
        entrance->new.signup_id = (struct bytes){signup_id, SIGNUP_ID_SIZE};
    call->own = entrance;

    struct status st = check_signup(request, account);
    if (failed(st))
        finish_with(call, st);
    else
        submit(call, sign_up);
}

static struct status check_password(struct call *call, struct db *db, struct entrance *entrance)
{
    const Baro__User__LoginRequest *request = (const void *)call->request;
    struct credentials *credentials = NULL;
    struct status st = look_up(call, db, text_trim(call->arena, request->email), &credentials);
    if (failed(st))
        return st;
    if (!password_verify(credentials ? credentials->password_hash : NULL, request->password)) {
        const struct user_service *service = call->service;
        metric_add(service->logins_refused, 1);
        return refuse(REASON_UNAUTHENTICATED, "the e-mail address or the password is wrong");
    }
    entrance->known = &credentials->account;
    return OK;
}

static void log_in(void *arg, struct db *db)
{
    struct call *call = arg;
    struct status st = check_password(call, db, call->own);
    if (failed(st))
        finish_with(call, st);
    else
        call_ready(call);
}

void prepare_login(struct call *call)
{
    call->own = arena_alloc(call->arena, sizeof(struct entrance));
    submit(call, log_in);
}

// Collects the accounts to be made; of two with one address the first one wins.
static size_t collect_new(struct batch *batch, struct new_account **accounts)
{
    size_t count = 0;
    struct call *call;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        struct entrance *entrance = call->own;
        bool taken = false;
        for (size_t k = 0; k < count && !entrance->known; k++)
            taken = taken || strcmp(accounts[k]->email_key, entrance->new.email_key) == 0;
        if (taken)
            call_refuse(call, refuse(REASON_EMAIL_TAKEN, "this e-mail address has an account"));
        else if (!entrance->known)
            accounts[count++] = &entrance->new;
    }
    return count;
}

// Makes what is new; of the others somebody took the address after the look-up.
static struct status make_accounts(struct batch *batch)
{
    struct new_account **accounts = arena_array(batch->arena, batch->count, sizeof(*accounts));
    size_t count = collect_new(batch, accounts);
    if (count == 0)
        return OK;
    for (size_t i = 0; i < count; i++)
        accounts[i]->account.created_at_us = batch->now_us;
    struct status st =
        store_insert_accounts(batch->tx, batch->arena, accounts, count, batch->now_us);
    struct call *call;
    for (size_t i = 0; !failed(st) && (call = batch_next(batch, &i)); i++) {
        struct entrance *entrance = call->own;
        if (!entrance->known && entrance->new.account.id == 0)
            call_refuse(call, refuse(REASON_EMAIL_TAKEN, "this e-mail address has an account"));
    }
    return st;
}

static struct status open_all(struct batch *batch)
{
    struct opened opened;
    struct call *call;
    sessions_init(&opened, batch);
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        const struct entrance *entrance = call->own;
        sessions_open(&opened, call, entrance->known ? entrance->known : &entrance->new.account);
    }
    return sessions_store(&opened);
}

struct status handle_signup(struct batch *batch)
{
    struct status st = make_accounts(batch);
    return failed(st) ? st : open_all(batch);
}

struct status handle_login(struct batch *batch)
{
    return open_all(batch);
}

static const struct account *account_of(const struct account *accounts, size_t count, int64_t id)
{
    for (size_t i = 0; i < count; i++)
        if (accounts[i].id == id)
            return &accounts[i];
    return NULL;
}

struct status handle_get_profile(struct batch *batch)
{
    int64_t *ids = arena_array(batch->arena, batch->count, sizeof(*ids));
    struct account *accounts;
    size_t id_count = 0, count;
    struct call *call;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++)
        ids[id_count++] = call->caller.user_id;
    struct status st =
        store_load_accounts(batch->tx, batch->arena, ids, id_count, &accounts, &count);
    for (size_t i = 0; !failed(st) && (call = batch_next(batch, &i)); i++) {
        const struct account *account = account_of(accounts, count, call->caller.user_id);
        if (account)
            call_reply(call, wire_profile(account, batch->arena));
        else
            call_refuse(call, refuse(REASON_USER_NOT_FOUND, "there is no such user"));
    }
    return st;
}

static struct status rename_caller(struct batch *batch, struct call *call)
{
    const Baro__User__UpdateProfileRequest *request = (const void *)call->request;
    const char *name = text_trim(call->arena, request->name);
    struct status st = account_check_name(name);
    if (failed(st)) {
        call_refuse(call, st);
        return OK;
    }
    bool found;
    return store_rename_account(batch->tx, call->caller.user_id, name, &found);
}

struct status handle_update_profile(struct batch *batch)
{
    struct call *call;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        struct status st = rename_caller(batch, call);
        if (failed(st))
            return st;
    }
    return handle_get_profile(batch);
}
