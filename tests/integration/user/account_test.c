// Accounts, sessions and keys on a real database, with real argon2id.

#include "lib/base/macros.h"
#include "lib/base/text.h"
#include "services/user/store.h"
#include "services/user/token.h"
#include "tests/integration/user/rig.h"
#include "tests/support/database.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// protobuf-c's request fields are writable; literals are not. Lives as long as the test.
static char *words(const char *text)
{
    char *copy = strdup(text);
    cr_assert_not_null(copy);
    return copy;
}

static struct asked *start_signup(struct rig *rig, struct as as, const char *email,
                                  const char *password, const char *name)
{
    Baro__User__SignupRequest request;
    baro__user__signup_request__init(&request);
    request.email = words(email);
    request.password = words(password);
    request.name = words(name);
    return rig_start(rig, "Signup", as, &request.base);
}

static const struct asked *signup(struct rig *rig, struct as as, const char *email,
                                  const char *password, const char *name)
{
    return rig_await(start_signup(rig, as, email, password, name));
}

static const Baro__User__Session *session_of(const struct asked *asked)
{
    cr_assert_eq(asked->code, STATUS_OK, "%s %s", reason_word(asked->reason), asked->message);
    const Baro__User__Session *session = (const void *)asked->reply;
    cr_assert_gt(strlen(session->access_token), 100);
    cr_assert_eq(strlen(session->refresh_token), 64);
    cr_assert_str_eq(session->token_type, "Bearer");
    cr_assert_eq(session->expires_in, 3600);
    return session;
}

static const Baro__User__Session *given_kim(struct rig *rig)
{
    return session_of(signup(rig, as_nobody(), "Kim@Baro.kr", "Secret!1", "김철수"));
}

static const struct asked *login(struct rig *rig, const char *email, const char *password)
{
    Baro__User__LoginRequest request;
    baro__user__login_request__init(&request);
    request.email = words(email);
    request.password = words(password);
    return rig_call(rig, "Login", as_nobody(), &request.base);
}

static struct asked *start_refresh(struct rig *rig, const char *token)
{
    Baro__User__RefreshRequest request;
    baro__user__refresh_request__init(&request);
    request.refresh_token = words(token);
    return rig_start(rig, "Refresh", as_nobody(), &request.base);
}

static const struct asked *refresh(struct rig *rig, const char *token)
{
    return rig_await(start_refresh(rig, token));
}

static const struct asked *logout(struct rig *rig, int64_t user, const char *token)
{
    Baro__User__LogoutRequest request;
    baro__user__logout_request__init(&request);
    request.refresh_token = words(token);
    return rig_call(rig, "Logout", as_user(user), &request.base);
}

static const Baro__User__Profile *profile(struct rig *rig, int64_t user)
{
    Baro__Empty request;
    baro__empty__init(&request);
    return rig_done(rig, "GetProfile", as_user(user), &request.base);
}

Test(signup, makes_an_account_with_an_empty_wallet_and_signs_in)
{
    struct rig *rig = rig_open((struct rig_size){0});
    const Baro__User__Session *session =
        session_of(signup(rig, as_nobody(), " Kim@Baro.kr ", "Secret!1", "  김철수 "));
    cr_assert_str_eq(session->user->email, "Kim@Baro.kr");
    cr_assert_str_eq(session->user->name, "김철수");
    cr_assert_eq(session->user->role, BARO__USER__ROLE__ROLE_USER);
    cr_assert_gt(session->user->created_at->us, INT64_C(1700000000000000));
    cr_assert_eq(wallet_balance(rig, session->user->id), 0);
    cr_assert_eq(profile(rig, session->user->id)->created_at->us, session->user->created_at->us);
    rig_close(rig);
}

Test(signup, names_the_field_that_is_wrong)
{
    struct rig *rig = rig_open((struct rig_size){0});
    expect_invalid(signup(rig, as_nobody(), "kim", "Secret!1", "김철수"), "email");
    expect_invalid(signup(rig, as_nobody(), "kim@baro.kr", "secret", "김철수"), "password");
    expect_invalid(signup(rig, as_nobody(), "kim@baro.kr", "Secret!1", " 김 "), "name");
    expect_invalid(signup(rig, as_nobody(), "kim@baro.kr", "Secret!1", "Administrator"), "name");
    rig_close(rig);
}

Test(signup, gives_an_address_to_one_whatever_its_case)
{
    struct rig *rig = rig_open((struct rig_size){0});
    given_kim(rig);
    expect_refused(signup(rig, as_nobody(), "kim@baro.KR", "Other!123", "이영희"),
                   REASON_EMAIL_TAKEN);
    rig_close(rig);
}

Test(signup, of_one_address_by_many_at_once_makes_one_account)
{
    enum { CALLS = 12 };
    struct rig *rig = rig_open((struct rig_size){.write_workers = 3});
    struct asked *asked[CALLS];
    int made = 0;
    for (int i = 0; i < CALLS; i++)
        asked[i] = start_signup(rig, as_nobody(), i % 2 ? "LEE@baro.kr" : "lee@baro.kr", "Secret!1",
                                "이영희");
    for (int i = 0; i < CALLS; i++) {
        if (rig_await(asked[i])->code == STATUS_OK)
            made++;
        else
            expect_refused(asked[i], REASON_EMAIL_TAKEN);
    }
    cr_assert_eq(made, 1);
    cr_assert_eq(rig_number(rig, "SELECT count(*) FROM account WHERE role = 'USER'"), 1);
    rig_close(rig);
}

Test(signup, under_its_key_again_is_answered_again_to_who_knows_the_password)
{
    struct rig *rig = rig_open((struct rig_size){0});
    struct as as = {.key = "signup-1"};
    int64_t id = session_of(signup(rig, as, "kim@baro.kr", "Secret!1", "김철수"))->user->id;
    cr_assert_eq(session_of(signup(rig, as, "kim@baro.kr", "Secret!1", "김철수"))->user->id, id);
    expect_refused(signup(rig, as, "kim@baro.kr", "Other!123", "김철수"), REASON_EMAIL_TAKEN);
    as.key = "signup-2";
    expect_refused(signup(rig, as, "kim@baro.kr", "Secret!1", "김철수"), REASON_EMAIL_TAKEN);
    cr_assert_eq(rig_number(rig, "SELECT count(*) FROM idempotency"), 0);
    rig_close(rig);
}

Test(login, takes_the_address_in_any_case_with_its_password)
{
    struct rig *rig = rig_open((struct rig_size){0});
    int64_t id = given_kim(rig)->user->id;
    const Baro__User__Session *session = session_of(login(rig, "KIM@BARO.KR", "Secret!1"));
    cr_assert_eq(session->user->id, id);
    cr_assert_str_eq(session->user->name, "김철수");
    rig_close(rig);
}

Test(login, answers_the_same_to_a_wrong_password_and_an_unknown_address)
{
    struct rig *rig = rig_open((struct rig_size){0});
    given_kim(rig);
    const struct asked *wrong = login(rig, "kim@baro.kr", "Secret!2");
    const struct asked *unknown = login(rig, "nobody@baro.kr", "Secret!1");
    expect_refused(wrong, REASON_UNAUTHENTICATED);
    expect_refused(unknown, REASON_UNAUTHENTICATED);
    cr_assert_str_eq(wrong->message, unknown->message);
    cr_assert_str_eq(wrong->field, unknown->field);
    rig_close(rig);
}

Test(refresh, rotates_the_token)
{
    struct rig *rig = rig_open((struct rig_size){0});
    const Baro__User__Session *first = given_kim(rig);
    const Baro__User__Session *second = session_of(refresh(rig, first->refresh_token));
    cr_assert_str_neq(first->refresh_token, second->refresh_token);
    cr_assert_eq(second->user->id, first->user->id);
    session_of(refresh(rig, second->refresh_token));
    rig_close(rig);
}

Test(refresh, with_an_old_token_ends_the_family_and_no_other)
{
    struct rig *rig = rig_open((struct rig_size){0});
    const Baro__User__Session *first = given_kim(rig);
    const Baro__User__Session *other = session_of(login(rig, "kim@baro.kr", "Secret!1"));
    const Baro__User__Session *second = session_of(refresh(rig, first->refresh_token));
    expect_refused(refresh(rig, first->refresh_token), REASON_UNAUTHENTICATED);
    expect_refused(refresh(rig, second->refresh_token), REASON_UNAUTHENTICATED);
    session_of(refresh(rig, other->refresh_token));
    rig_close(rig);
}

Test(refresh, of_one_token_by_two_at_once_ends_the_family)
{
    struct rig *rig = rig_open((struct rig_size){.write_workers = 2});
    const Baro__User__Session *first = given_kim(rig);
    struct asked *asked[] = {start_refresh(rig, first->refresh_token),
                             start_refresh(rig, first->refresh_token)};
    int good = 0;
    for (size_t i = 0; i < COUNT(asked); i++)
        rig_await(asked[i]);
    for (size_t i = 0; i < COUNT(asked); i++) {
        if (asked[i]->code != STATUS_OK)
            continue;
        good++;
        expect_refused(refresh(rig, session_of(asked[i])->refresh_token), REASON_UNAUTHENTICATED);
    }
    cr_assert_eq(good, 1);
    cr_assert_eq(rig_number(rig, "SELECT count(*) FROM session"), 0);
    rig_close(rig);
}

Test(refresh, refuses_what_is_no_token_of_ours)
{
    struct rig *rig = rig_open((struct rig_size){0});
    SCOPED(arena) *arena = arena_create();
    struct refresh_token forged;
    refresh_token_make(&forged);
    expect_refused(refresh(rig, ""), REASON_UNAUTHENTICATED);
    expect_refused(refresh(rig, "abc"), REASON_UNAUTHENTICATED);
    expect_refused(refresh(rig, refresh_token_text(&forged, arena)), REASON_UNAUTHENTICATED);
    rig_close(rig);
}

Test(refresh, after_two_idle_weeks_is_too_late_and_the_session_is_forgotten)
{
    struct rig *rig = rig_open((struct rig_size){0});
    const Baro__User__Session *first = given_kim(rig);
    rig_shift_clock(rig, "13 days 23 hours");
    const Baro__User__Session *second = session_of(refresh(rig, first->refresh_token));
    rig_shift_clock(rig, "28 days 1 hour");
    expect_refused(refresh(rig, second->refresh_token), REASON_TOKEN_EXPIRED);
    SCOPED(db) *db = rig_db(rig);
    int64_t deleted;
    cr_assert(!failed(store_prune_sessions(db, 10, &deleted)));
    cr_assert_eq(deleted, 1);
    expect_refused(refresh(rig, second->refresh_token), REASON_UNAUTHENTICATED);
    rig_close(rig);
}

Test(refresh, keeps_no_token_that_a_reader_of_the_database_could_use)
{
    struct rig *rig = rig_open((struct rig_size){0});
    const Baro__User__Session *session = given_kim(rig);
    SCOPED(arena) *arena = arena_create();
    struct refresh_token token;
    cr_assert(refresh_token_parse(session->refresh_token, arena, &token));
    char sql[256];
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM session WHERE secret_hash = '\\x%s'",
             text_hex(arena, token.secret, sizeof(token.secret)));
    cr_assert_eq(rig_number(rig, sql), 0);
    rig_close(rig);
}

Test(logout, ends_the_family_of_its_token)
{
    struct rig *rig = rig_open((struct rig_size){0});
    const Baro__User__Session *here = given_kim(rig);
    const Baro__User__Session *there = session_of(login(rig, "kim@baro.kr", "Secret!1"));
    cr_assert_eq(logout(rig, here->user->id, here->refresh_token)->code, STATUS_OK);
    expect_refused(refresh(rig, here->refresh_token), REASON_UNAUTHENTICATED);
    session_of(refresh(rig, there->refresh_token));
    rig_close(rig);
}

Test(logout, without_a_token_ends_every_family_of_the_caller_only)
{
    struct rig *rig = rig_open((struct rig_size){0});
    const Baro__User__Session *kim = given_kim(rig);
    const Baro__User__Session *kim_there = session_of(login(rig, "kim@baro.kr", "Secret!1"));
    const Baro__User__Session *lee =
        session_of(signup(rig, as_nobody(), "lee@baro.kr", "Secret!1", "이영희"));
    cr_assert_eq(logout(rig, kim->user->id, "")->code, STATUS_OK);
    expect_refused(refresh(rig, kim->refresh_token), REASON_UNAUTHENTICATED);
    expect_refused(refresh(rig, kim_there->refresh_token), REASON_UNAUTHENTICATED);
    session_of(refresh(rig, lee->refresh_token));
    rig_close(rig);
}

Test(logout, does_not_end_the_session_of_somebody_else)
{
    struct rig *rig = rig_open((struct rig_size){0});
    const Baro__User__Session *kim = given_kim(rig);
    int64_t other = given_user(rig);
    cr_assert_eq(logout(rig, other, kim->refresh_token)->code, STATUS_OK);
    expect_invalid(logout(rig, other, "abc"), "refresh_token");
    session_of(refresh(rig, kim->refresh_token));
    rig_close(rig);
}

Test(keys, are_those_that_sign_tokens_on_every_replica)
{
    struct rig *first = rig_open((struct rig_size){0});
    struct rig *second = rig_open_replica(first, (struct rig_size){0});
    const struct user_service *service = first->service;
    Baro__Empty request;
    baro__empty__init(&request);
    const Baro__User__KeySet *here = rig_done(first, "GetKeys", as_nobody(), &request.base);
    const Baro__User__KeySet *there = rig_done(second, "GetKeys", as_nobody(), &request.base);
    cr_assert_eq(here->n_keys, 1);
    cr_assert_str_eq(here->keys[0]->kid, service->key->kid);
    cr_assert_str_eq(here->keys[0]->kid, there->keys[0]->kid);
    cr_assert_str_eq(here->keys[0]->kty, "EC");
    cr_assert_str_eq(here->keys[0]->crv, "P-256");
    cr_assert_str_eq(here->keys[0]->alg, "ES256");
    cr_assert_str_eq(here->keys[0]->use, "sig");
    cr_assert_str_eq(here->keys[0]->x, there->keys[0]->x);
    cr_assert_str_eq(here->keys[0]->y, there->keys[0]->y);
    rig_close(second);
    rig_close(first);
}

Test(profile, changes_its_name_by_the_rules)
{
    struct rig *rig = rig_open((struct rig_size){0});
    int64_t user = given_user(rig);
    Baro__User__UpdateProfileRequest request;
    baro__user__update_profile_request__init(&request);
    request.name = words("  이영희 ");
    const Baro__User__Profile *changed =
        rig_done(rig, "UpdateProfile", as_user(user), &request.base);
    cr_assert_str_eq(changed->name, "이영희");
    cr_assert_str_eq(profile(rig, user)->name, "이영희");
    request.name = words("root");
    expect_invalid(rig_call(rig, "UpdateProfile", as_user(user), &request.base), "name");
    request.name = words("이영희");
    expect_refused(rig_call(rig, "UpdateProfile", as_user(99999), &request.base),
                   REASON_USER_NOT_FOUND);
    rig_close(rig);
}

Test(first_admin, is_put_in_place_once_by_any_number_of_replicas)
{
    struct rig *first = rig_open((struct rig_size){0});
    struct rig *second = rig_open_replica(first, (struct rig_size){0});
    const Baro__User__Session *session = session_of(login(second, "admin@baro.local", "Baro!2026"));
    cr_assert_eq(session->user->role, BARO__USER__ROLE__ROLE_ADMIN);
    cr_assert_eq(rig_number(first, "SELECT count(*) FROM account"), 1);
    rig_close(second);
    session_of(refresh(first, session->refresh_token));
    rig_close(first);
}

Test(first_admin, that_was_somebody_before_loses_their_password_and_sessions)
{
    struct rig *rig = rig_open((struct rig_size){0});
    const Baro__User__Session *squatter =
        session_of(signup(rig, as_nobody(), "boss@baro.kr", "Secret!1", "도둑"));
    rig_settings(rig)->admin_email = "Boss@baro.kr";
    rig_settings(rig)->admin_password = "Other!123";
    SCOPED(db) *db = rig_db(rig);
    cr_assert(!failed(user_service_bootstrap(rig->service, db)));
    expect_refused(refresh(rig, squatter->refresh_token), REASON_UNAUTHENTICATED);
    expect_refused(login(rig, "boss@baro.kr", "Secret!1"), REASON_UNAUTHENTICATED);
    const Baro__User__Session *admin = session_of(login(rig, "boss@baro.kr", "Other!123"));
    cr_assert_eq(admin->user->id, squatter->user->id);
    cr_assert_eq(admin->user->role, BARO__USER__ROLE__ROLE_ADMIN);
    rig_close(rig);
}

Test(settings, are_checked_before_anything_starts)
{
    static const struct {
        const char *email, *password, *key, *wrong;
    } ROWS[] = {
        {"",                 "",          "",     NULL                 },
        {"admin@baro.local", "Baro!2026", "",     NULL                 },
        {"admin@baro.local", "",          "",     "BARO_ADMIN_PASSWORD"},
        {"",                 "Baro!2026", "",     "BARO_ADMIN_EMAIL"   },
        {"admin",            "Baro!2026", "",     "BARO_ADMIN_EMAIL"   },
        {"admin@baro.local", "weak",      "",     "BARO_ADMIN_PASSWORD"},
        {"",                 "",          "junk", "BARO_JWT_KEY"       },
    };
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        struct user_settings settings = {.admin_email = ROWS[i].email,
                                         .admin_password = ROWS[i].password,
                                         .jwt_key = ROWS[i].key};
        struct status st = user_settings_check(&settings);
        cr_assert_eq(failed(st), ROWS[i].wrong != NULL, "row %zu", i);
        if (failed(st))
            cr_assert_str_eq(st.field, ROWS[i].wrong);
    }
}

Test(first_admin, gets_the_password_that_the_settings_say_now)
{
    struct rig *rig = rig_open((struct rig_size){0});
    SCOPED(db) *db = rig_db(rig);
    rig_settings(rig)->admin_password = "Newer!2027";
    cr_assert(!failed(user_service_bootstrap(rig->service, db)));
    expect_refused(login(rig, "admin@baro.local", "Baro!2026"), REASON_UNAUTHENTICATED);
    const char *token = session_of(login(rig, "admin@baro.local", "Newer!2027"))->refresh_token;
    // A replica that looked before the first one wrote ends nobody's session.
    cr_assert(!failed(store_put_admin(db, "admin@baro.local", "Late", "$argon2id$late", NULL)));
    session_of(refresh(rig, token));
    rig_close(rig);
}

// Who may call what: one column a caller, 'y' may, 'u' is not signed in, 'f' is forbidden.
Test(access, is_default_deny_for_every_method_and_caller)
{
    static const struct {
        const char *method;
        const char *nobody_user_admin_service;
    } ROWS[] = {
        {"GetProfile",    "uyyf"},
        {"UpdateProfile", "uyyf"},
        {"GetBalance",    "uyyf"},
        {"Charge",        "uyyf"},
        {"ListHistory",   "uyyf"},
        {"Logout",        "uyyf"},
        {"AdjustBalance", "ufyf"},
        {"DebitWallet",   "uffy"},
        {"RefundWallet",  "uffy"},
        {"GetKeys",       "yyyy"},
    };
    struct rig *rig = rig_open((struct rig_size){0});
    int64_t user = given_user(rig);
    const struct as callers[] = {as_nobody(), as_user(user), as_admin(), as_service()};
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        const ProtobufCMethodDescriptor *method = protobuf_c_service_descriptor_get_method_by_name(
            &baro__user__user__descriptor, ROWS[i].method);
        ProtobufCMessage *request = malloc(method->input->sizeof_message);
        protobuf_c_message_init(method->input, request);
        for (size_t k = 0; k < COUNT(callers); k++) {
            const struct asked *asked = rig_call(rig, ROWS[i].method, callers[k], request);
            char got = asked->reason == REASON_UNAUTHENTICATED ? 'u'
                       : asked->reason == REASON_FORBIDDEN     ? 'f'
                                                               : 'y';
            cr_assert_eq(got, ROWS[i].nobody_user_admin_service[k], "%s as caller %zu: %s",
                         ROWS[i].method, k, reason_word(asked->reason));
        }
        free(request);
    }
    rig_close(rig);
}
