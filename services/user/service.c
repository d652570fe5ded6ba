// What the user service offers, and to whom.
//
// The two tables are the service: the methods as the dispatcher sees them, and for each who may call
// it and what runs it. Every call comes through handle(): a method without a row of the second
// table is nobody's.

#include "services/user/service.h"

#include "lib/base/macros.h"
#include "lib/bus/inbox.h"
#include "lib/saga/barrier.h"
#include "lib/service/access.h"
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

static const struct access_rule RULES[] = {
    {"Signup",         ACCESS_ANYBODY, handle_signup          },
    {"Login",          ACCESS_ANYBODY, handle_login           },
    {"Refresh",        ACCESS_ANYBODY, handle_refresh         },
    {"Logout",         ACCESS_USER,    handle_logout          },
    {"GetKeys",        ACCESS_ANYBODY, handle_get_keys        },
    {"GetProfile",     ACCESS_USER,    handle_get_profile     },
    {"UpdateProfile",  ACCESS_USER,    handle_update_profile  },
    {"GetBalance",     ACCESS_USER,    handle_get_balance     },
    {"Charge",         ACCESS_USER,    handle_charge          },
    {"ListHistory",    ACCESS_USER,    handle_list_history    },
    {"AdjustBalance",  ACCESS_ADMIN,   handle_adjust_balance  },
    {"DebitWallet",    ACCESS_SERVICE, handle_debit_wallet    },
    {"RefundWallet",   ACCESS_SERVICE, handle_refund_wallet   },
    {"CheckLaw",       ACCESS_SERVICE, handle_check_law       },
    {"ListOrderFacts", ACCESS_SERVICE, handle_list_order_facts},
};

static struct status handle(struct batch *batch)
{
    return access_handle(batch, RULES, COUNT(RULES));
}

// Signup, Login and Refresh keep nothing under an idempotency key: it would be tokens in the clear
// and a fast hash of a password. Signup answers a repeated key in its own way (accounts.c).
// clang-format off
static const struct method METHODS[] = {
    {"Signup",         METHOD_WRITE, .handle = handle, .prepare = prepare_signup},
    {"Login",          METHOD_WRITE, .handle = handle, .prepare = prepare_login},
    {"Refresh",        METHOD_WRITE, .handle = handle},
    {"Logout",         METHOD_WRITE, .handle = handle},
    {"GetKeys",        METHOD_READ,  .handle = handle},
    {"GetProfile",     METHOD_READ,  .handle = handle},
    {"UpdateProfile",  METHOD_WRITE, .handle = handle, .batch_max = 1},
    {"GetBalance",     METHOD_READ,  .handle = handle},
    {"Charge",         METHOD_WRITE, .handle = handle, .guard = &idempotency_guard},
    {"ListHistory",    METHOD_READ,  .handle = handle, .batch_max = 32},
    {"AdjustBalance",  METHOD_WRITE, .handle = handle, .guard = &idempotency_guard},
    {"DebitWallet",    METHOD_WRITE, .handle = handle, .guard = &barrier_guard},
    {"RefundWallet",   METHOD_WRITE, .handle = handle, .guard = &barrier_guard},
    {"CheckLaw",       METHOD_READ,  .handle = handle, .batch_max = 1},
    {"ListOrderFacts", METHOD_READ,  .handle = handle, .batch_max = 1},
};
// clang-format on

const struct method_table user_methods = {
    .service = &baro__user__user__descriptor,
    .methods = METHODS,
    .count = COUNT(METHODS),
};
