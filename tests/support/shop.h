#pragma once
// The verbs of end-to-end tests: a shop with products, coupons and customers, over HTTP only.
// A verb that cannot do its work ends the test with the server's answer.

#include "tests/support/http.h"

// Signed in as the first admin.
struct http_client *given_admin(void);

// A fresh customer, signed in, with this balance (charged in steps of at most 100,000).
struct http_client *given_customer(int64_t balance_won);

// A fresh product with one option; returns the option's id.
int64_t given_option(int64_t price_won, int64_t stock);

// A campaign open now: `value` is won for FIXED, percent for PERCENT.
int64_t given_campaign(const char *type, int value, int64_t total);

// Claims; returns the user coupon's id.
int64_t claim(struct http_client *customer, int64_t campaign_id);

// Places an order for quantity of one option; returns its id.
int64_t place_order(struct http_client *customer, int64_t option_id, int quantity,
                    int64_t user_coupon_id);

// Pays, and waits for the outcome; user_coupon_id 0: without one.
struct http_reply pay_order(struct http_client *customer, int64_t order_id, int64_t user_coupon_id);

// Pays, and does not wait (Prefer: respond-async).
struct http_reply begin_payment(struct http_client *customer, int64_t order_id);

// What the shop shows now.
struct http_reply get_order(struct http_client *customer, int64_t order_id);
int64_t balance_of(struct http_client *customer);
int64_t available_stock(int64_t option_id);
const char *coupon_status(struct http_client *customer,
                          int64_t user_coupon_id); // until the thread's next call
const char *order_status(struct http_client *customer, int64_t order_id); // the same

// Waits until the order has the status, at most timeout_ms; false if it has not.
bool await_order(struct http_client *customer, int64_t order_id, const char *status,
                 int timeout_ms);

// Ends the time of an unpaid order now, in its database, for tests that would only wait for it.
void end_time_to_pay(int64_t order_id);

// Ends the test unless the reply has the status and, when `code` is given, that problem code.
void expect_reply(struct http_reply reply, long status, const char *code);

// Runs `baroctl audit`; ends the test with its report if a law is broken. Waits for sagas that are
// still under way.
void expect_laws_hold(void);
