// What the user service offers, and to whom.

#include "services/user/service.h"

#include "lib/base/macros.h"
#include "lib/bus/inbox.h"
#include "lib/saga/barrier.h"
#include "lib/service/laws.h"
#include "proto/user.pb-c.h"
#include "services/user/laws.h"

static struct status handle_check_law(struct batch *batch)
{
    return check_law_handle(batch, &user_laws);
}

static struct status handle_list_order_facts(struct batch *batch)
{
    return list_order_facts_handle(batch, &user_laws);
}

// Signup, Login and Refresh keep nothing under an idempotency key: it would be tokens in the clear
// and a fast hash of a password. Signup answers a repeated key in its own way (accounts.c).
// clang-format off
static const struct method METHODS[] = {
    {"Signup",         METHOD_WRITE, ACCESS_ANYBODY, handle_signup,           .prepare = prepare_signup},
    {"Login",          METHOD_WRITE, ACCESS_ANYBODY, handle_login,            .prepare = prepare_login},
    {"Refresh",        METHOD_WRITE, ACCESS_ANYBODY, handle_refresh},
    {"Logout",         METHOD_WRITE, ACCESS_USER,    handle_logout},
    {"GetKeys",        METHOD_READ,  ACCESS_ANYBODY, handle_get_keys},
    {"GetProfile",     METHOD_READ,  ACCESS_USER,    handle_get_profile},
    {"UpdateProfile",  METHOD_WRITE, ACCESS_USER,    handle_update_profile,   .batch_max = 1},
    {"GetBalance",     METHOD_READ,  ACCESS_USER,    handle_get_balance},
    {"Charge",         METHOD_WRITE, ACCESS_USER,    handle_charge,           .guard = &idempotency_guard},
    {"ListHistory",    METHOD_READ,  ACCESS_USER,    handle_list_history,     .batch_max = 32},
    {"AdjustBalance",  METHOD_WRITE, ACCESS_ADMIN,   handle_adjust_balance,   .guard = &idempotency_guard},
    {"DebitWallet",    METHOD_WRITE, ACCESS_SERVICE, handle_debit_wallet,     .guard = &barrier_guard},
    {"RefundWallet",   METHOD_WRITE, ACCESS_SERVICE, handle_refund_wallet,    .guard = &barrier_guard},
    {"CheckLaw",       METHOD_READ,  ACCESS_SERVICE, handle_check_law,        .batch_max = 1},
    {"ListOrderFacts", METHOD_READ,  ACCESS_SERVICE, handle_list_order_facts, .batch_max = 1},
};
// clang-format on

const struct method_table user_methods = {
    .service = &baro__user__user__descriptor,
    .methods = METHODS,
    .count = COUNT(METHODS),
};
