// THE table of what the gateway offers, and the check that every row fits the descriptors.

#include "gateway/routes.h"

#include "gateway/fault_panel.h"
#include "gateway/operations.h"
#include "gateway/ops.h"
#include "gateway/web.h"
#include "lib/base/macros.h"
#include "proto/coupon.pb-c.h"
#include "proto/gateway.pb-c.h"
#include "proto/order.pb-c.h"
#include "proto/product.pb-c.h"
#include "proto/user.pb-c.h"

#define V1 "/api/v1"
#define ORDERS V1 "/orders/"

// clang-format off
const struct route route_table[] = {
    // method    path                                        who        service      rpc                 ok   key       the rest
    {HTTP_POST,   V1 "/auth/signup",                         PUBLIC,    USER_RPC,    "Signup",           201, MAY_KEY,  .body = BODY},
    {HTTP_POST,   V1 "/auth/login",                          PUBLIC,    USER_RPC,    "Login",            200, NO_KEY,   .body = BODY, .limit = LIMIT_LOGINS},
    {HTTP_POST,   V1 "/auth/refresh",                        PUBLIC,    USER_RPC,    "Refresh",          200, NO_KEY,   .body = BODY},
    {HTTP_POST,   V1 "/auth/logout",                         SIGNED_IN, USER_RPC,    "Logout",           204, NO_KEY,   .body = MAY_BODY},
    {HTTP_GET,    V1 "/me",                                  SIGNED_IN, USER_RPC,    "GetProfile",       200, NO_KEY,   .body = NO_BODY},
    {HTTP_PATCH,  V1 "/me",                                  SIGNED_IN, USER_RPC,    "UpdateProfile",    200, NO_KEY,   .body = BODY},
    {HTTP_GET,    V1 "/me/balance",                          SIGNED_IN, USER_RPC,    "GetBalance",       200, NO_KEY,   .body = NO_BODY},
    {HTTP_POST,   V1 "/me/balance/charges",                  SIGNED_IN, USER_RPC,    "Charge",           201, MUST_KEY, .body = BODY},
    {HTTP_GET,    V1 "/me/balance/history",                  SIGNED_IN, USER_RPC,    "ListHistory",      200, NO_KEY,   .body = NO_BODY},

    {HTTP_GET,    V1 "/products",                            PUBLIC,    PRODUCT_RPC, "ListProducts",     200, NO_KEY,   .body = NO_BODY, .catalogue = true},
    {HTTP_GET,    V1 "/products/popular",                    PUBLIC,    PRODUCT_RPC, "ListPopular",      200, NO_KEY,   .body = NO_BODY, .catalogue = true},
    {HTTP_GET,    V1 "/products/{product_id}",               PUBLIC,    PRODUCT_RPC, "GetProduct",       200, NO_KEY,   .body = NO_BODY, .catalogue = true},

    {HTTP_GET,    V1 "/me/cart",                             SIGNED_IN, ORDER_RPC,   "GetCart",          200, NO_KEY,   .body = NO_BODY},
    {HTTP_POST,   V1 "/me/cart",                             SIGNED_IN, ORDER_RPC,   "AddCartItem",      200, MAY_KEY,  .body = BODY},
    {HTTP_PATCH,  V1 "/me/cart/{item_id}",                   SIGNED_IN, ORDER_RPC,   "SetCartItem",      200, NO_KEY,   .body = BODY},
    {HTTP_DELETE, V1 "/me/cart/{item_id}",                   SIGNED_IN, ORDER_RPC,   "RemoveCartItem",   204, NO_KEY,   .body = NO_BODY},

    {HTTP_POST,   V1 "/orders",                              SIGNED_IN, ORDER_RPC,   "PlaceOrder",       201, MUST_KEY, .body = BODY, .limit = LIMIT_ORDERS, .location = ORDERS, .changes = CHANGES_STOCK},
    {HTTP_POST,   V1 "/orders/{order_id}/payment",           SIGNED_IN, ORDER_RPC,   "PayOrder",         200, MUST_KEY, .body = MAY_BODY, .limit = LIMIT_PAYMENTS, .location = ORDERS, .waits = true, .goes_on = true},
    {HTTP_POST,   V1 "/checkout",                            SIGNED_IN, ORDER_RPC,   "Checkout",         200, MUST_KEY, .body = BODY, .limit = LIMIT_CHECKOUT, .location = ORDERS, .waits = true, .changes = CHANGES_STOCK},
    {HTTP_POST,   V1 "/orders/{order_id}/cancel",            SIGNED_IN, ORDER_RPC,   "CancelOrder",      200, MAY_KEY,  .body = MAY_BODY, .changes = CHANGES_STOCK, .goes_on = true},
    {HTTP_GET,    V1 "/orders/{order_id}",                   SIGNED_IN, ORDER_RPC,   "GetOrder",         200, NO_KEY,   .body = NO_BODY},
    {HTTP_GET,    V1 "/orders/{order_id}/events",            SIGNED_IN, ORDER_RPC,   "ListOrderEvents",  200, NO_KEY,   .body = NO_BODY, .streams = true},
    {HTTP_GET,    V1 "/me/orders",                           SIGNED_IN, ORDER_RPC,   "ListOrders",       200, NO_KEY,   .body = NO_BODY},
    {HTTP_GET,    V1 "/me/payments",                         SIGNED_IN, ORDER_RPC,   "ListPayments",     200, NO_KEY,   .body = NO_BODY},
    {HTTP_GET,    V1 "/payments/{payment_id}",               SIGNED_IN, ORDER_RPC,   "GetPayment",       200, NO_KEY,   .body = NO_BODY},

    {HTTP_GET,    V1 "/coupons",                             VISITOR,   COUPON_RPC,  "ListCampaigns",    200, NO_KEY,   .body = NO_BODY, .catalogue = true},
    {HTTP_GET,    V1 "/coupons/{coupon_id}",                 VISITOR,   COUPON_RPC,  "GetCampaign",      200, NO_KEY,   .body = NO_BODY, .catalogue = true},
    {HTTP_POST,   V1 "/coupons/{coupon_id}/claims",          SIGNED_IN, COUPON_RPC,  "Claim",            201, MAY_KEY,  .body = MAY_BODY, .limit = LIMIT_CLAIMS, .changes = CHANGES_COUPON},
    {HTTP_GET,    V1 "/me/coupons",                          SIGNED_IN, COUPON_RPC,  "ListUserCoupons",  200, NO_KEY,   .body = NO_BODY},

    {HTTP_POST,   V1 "/admin/products",                      ADMIN,     PRODUCT_RPC, "CreateProduct",    201, MAY_KEY,  .body = BODY, .location = V1 "/products/", .changes = CHANGES_CATALOGUE},
    {HTTP_PATCH,  V1 "/admin/products/{product_id}",         ADMIN,     PRODUCT_RPC, "UpdateProduct",    200, MAY_KEY,  .body = BODY, .changes = CHANGES_CATALOGUE},
    {HTTP_DELETE, V1 "/admin/products/{product_id}",         ADMIN,     PRODUCT_RPC, "DeleteProduct",    204, MAY_KEY,  .body = NO_BODY, .changes = CHANGES_CATALOGUE},
    {HTTP_POST,   V1 "/admin/products/{product_id}/options", ADMIN,     PRODUCT_RPC, "AddOption",        201, MAY_KEY,  .body = BODY, .changes = CHANGES_CATALOGUE},
    {HTTP_PUT,    V1 "/admin/products/{product_id}/images",  ADMIN,     PRODUCT_RPC, "ReplaceImages",    200, MAY_KEY,  .body = BODY, .changes = CHANGES_CATALOGUE},
    {HTTP_PATCH,  V1 "/admin/options/{option_id}",           ADMIN,     PRODUCT_RPC, "UpdateOption",     200, MAY_KEY,  .body = BODY, .changes = CHANGES_CATALOGUE},
    {HTTP_PATCH,  V1 "/admin/options/{option_id}/stock",     ADMIN,     PRODUCT_RPC, "ChangeStock",      200, MAY_KEY,  .body = BODY, .changes = CHANGES_CATALOGUE},
    {HTTP_POST,   V1 "/admin/coupons",                       ADMIN,     COUPON_RPC,  "CreateCampaign",   201, MAY_KEY,  .body = BODY, .location = V1 "/coupons/", .changes = CHANGES_CATALOGUE},
    {HTTP_PATCH,  V1 "/admin/coupons/{coupon_id}",           ADMIN,     COUPON_RPC,  "UpdateCampaign",   200, NO_KEY,   .body = BODY, .changes = CHANGES_CATALOGUE},
    {HTTP_POST,   V1 "/admin/user-coupons/{user_coupon_id}/cancel",
                                                             ADMIN,     COUPON_RPC,  "CancelUserCoupon", 200, MAY_KEY,  .body = MAY_BODY},
    {HTTP_PATCH,  V1 "/admin/orders/{order_id}/status",      ADMIN,     ORDER_RPC,   "SetOrderStatus",   200, MAY_KEY,  .body = BODY},
    {HTTP_POST,   V1 "/admin/users/{user_id}/balance/adjustments",
                                                             ADMIN,     USER_RPC,    "AdjustBalance",    201, MAY_KEY,  .body = BODY},
    {HTTP_GET,    V1 "/admin/invariants",                    ADMIN,     ORDER_RPC,   "GetInvariants",    200, NO_KEY,   .body = NO_BODY},
    {HTTP_GET,    V1 "/admin/sagas",                         ADMIN,     ORDER_RPC,   "ListSagas",        200, NO_KEY,   .body = NO_BODY},
    {HTTP_GET,    V1 "/admin/sagas/{saga_id}",               ADMIN,     ORDER_RPC,   "GetSaga",          200, NO_KEY,   .body = NO_BODY},
    {HTTP_POST,   V1 "/admin/sagas/{saga_id}/retry",         ADMIN,     ORDER_RPC,   "RetrySaga",        200, MAY_KEY,  .body = MAY_BODY},
    {HTTP_GET,    V1 "/admin/dead-letters",                  ADMIN,     ORDER_RPC,   "ListDeadLetters",  200, NO_KEY,   .body = NO_BODY},
    {HTTP_POST,   V1 "/admin/dead-letters/{dead_letter_id}/replay",
                                                             ADMIN,     ORDER_RPC,   "ReplayDeadLetter", 202, MAY_KEY,  .body = MAY_BODY},

    {HTTP_GET,    V1 "/admin/operations",                    ADMIN,     GATEWAY_RPC, "GetOperations",    200, NO_KEY,   .body = NO_BODY, .serve = operations_serve},
    {HTTP_GET,    V1 "/admin/faults",                        ADMIN,     GATEWAY_RPC, "GetFaults",        200, NO_KEY,   .body = NO_BODY, .serve = fault_panel_serve},
    {HTTP_POST,   V1 "/admin/faults",                        ADMIN,     GATEWAY_RPC, "CauseFault",       202, NO_KEY,   .body = BODY, .serve = fault_panel_cause},

    {HTTP_GET,    "/livez",                                  PUBLIC,    LOCAL, .success = 200, .serve = ops_livez,   .media = "application/json", .summary = "200 while the process runs."},
    {HTTP_GET,    "/readyz",                                 PUBLIC,    LOCAL, .success = 200, .serve = ops_readyz,  .media = "application/json", .summary = "200 while calls can be served, else 503; `status` is `degraded` while some services cannot be reached."},
    {HTTP_GET,    "/version",                                PUBLIC,    LOCAL, .success = 200, .serve = ops_version, .media = "application/json", .summary = "Name and version."},
    {HTTP_GET,    "/metrics",                                PUBLIC,    LOCAL, .success = 200, .serve = ops_metrics, .media = "text/plain",       .summary = "Metrics in Prometheus' text format."},
    {HTTP_GET,    V1 "/problems",                            PUBLIC,    LOCAL, .success = 200, .serve = ops_problems, .media = "application/json", .summary = "Every problem code with its status and its title, in the language of Accept-Language (en, ko)."},
    {HTTP_GET,    "/.well-known/jwks.json",                  PUBLIC,    LOCAL, .success = 200, .serve = ops_jwks,    .media = "application/jwk-set+json", .summary = "The keys that sign access tokens (RFC 7517)."},
    {HTTP_GET,    "/openapi.json",                           PUBLIC,    LOCAL, .success = 200, .serve = web_serve,   .media = "application/json", .summary = "This description."},
    {HTTP_GET,    "/docs",                                   PUBLIC,    LOCAL, .success = 200, .serve = web_serve,   .media = "text/html",        .summary = "This description, to read and try (Swagger UI)."},
    {HTTP_GET,    "/docs/{file}",                            PUBLIC,    LOCAL, .success = 200, .serve = web_serve,   .media = "*/*",              .summary = "The parts of /docs."},
    {HTTP_GET,    "/",                                       PUBLIC,    LOCAL, .success = 200, .serve = web_serve,   .media = "text/html",        .summary = "The console: a storefront, and operations for admins."},
    {HTTP_GET,    "/console/{file}",                         PUBLIC,    LOCAL, .success = 200, .serve = web_serve,   .media = "*/*",              .summary = "The parts of the console."},
};
// clang-format on
const size_t route_count = COUNT(route_table);

const ProtobufCServiceDescriptor *const service_descriptors[DESCRIPTOR_COUNT] = {
    [USER_RPC] = &baro__user__user__descriptor,
    [PRODUCT_RPC] = &baro__product__product__descriptor,
    [ORDER_RPC] = &baro__order__order__descriptor,
    [COUPON_RPC] = &baro__coupon__coupon__descriptor,
    [GATEWAY_RPC] = &baro__gateway__gateway__descriptor,
};

const char *const service_names[SERVICE_COUNT] = {
    [USER_RPC] = "user",
    [PRODUCT_RPC] = "product",
    [ORDER_RPC] = "order",
    [COUPON_RPC] = "coupon",
};
