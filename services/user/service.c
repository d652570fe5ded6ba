// What the user service offers, and to whom.
//
// The two tables are the service: the methods as the dispatcher sees them, and for each who may call
// it and what runs it. Every call comes through run_allowed(): a method without a row of the second
// table is nobody's.

#include "services/user/service.h"

#include "lib/base/macros.h"
#include "lib/bus/inbox.h"
#include "lib/saga/barrier.h"
#include "lib/service/access.h"
#include "lib/service/laws.h"
#include "proto/user.pb-c.h"
#include "services/user/laws.h"

static struct status run_allowed(struct batch *batch);

// Signup, Login and Refresh keep nothing under an idempotency key: it would be tokens in the clear
// and a fast hash of a password. Signup answers a repeated key in its own way (accounts.c).
static const struct method METHODS[] = {
    {.name = "Signup", .kind = METHOD_WRITE, .prepare = prepare_signup, .handle = run_allowed},
    {.name = "Login", .kind = METHOD_WRITE, .prepare = prepare_login, .handle = run_allowed},
    {.name = "Refresh", .kind = METHOD_WRITE, .handle = run_allowed},
    {.name = "Logout", .kind = METHOD_WRITE, .handle = run_allowed},
    {.name = "GetKeys", .kind = METHOD_READ, .handle = run_allowed},
    {.name = "GetProfile", .kind = METHOD_READ, .handle = run_allowed},
    {.name = "UpdateProfile", .kind = METHOD_WRITE, .batch_max = 1, .handle = run_allowed},
    {.name = "GetBalance", .kind = METHOD_READ, .handle = run_allowed},
    {.name = "Charge", .kind = METHOD_WRITE, .guard = &idempotency_guard, .handle = run_allowed},
    {.name = "ListHistory", .kind = METHOD_READ, .batch_max = 32, .handle = run_allowed},
    {.name = "AdjustBalance",
     .kind = METHOD_WRITE,
     .guard = &idempotency_guard,
     .handle = run_allowed},
    {.name = "DebitWallet", .kind = METHOD_WRITE, .guard = &barrier_guard, .handle = run_allowed},
    {.name = "RefundWallet", .kind = METHOD_WRITE, .guard = &barrier_guard, .handle = run_allowed},
    {.name = "CheckLaw", .kind = METHOD_READ, .batch_max = 1, .handle = run_allowed},
    {.name = "ListOrderFacts", .kind = METHOD_READ, .batch_max = 1, .handle = run_allowed},
};

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

const struct method_table user_methods = {&baro__user__user__descriptor, METHODS, COUNT(METHODS)};

static struct status run_allowed(struct batch *batch)
{
    return access_handle(batch, RULES, COUNT(RULES));
}
