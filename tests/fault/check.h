#pragma once
// What must be true when the clients stand at their gate and everything is healed.

#include <stdbool.h>
#include <stdint.h>

struct clients;
struct checker;

// From the environment of deploy/local/servers (BARO_ORDER_DATABASE_URL, ..) and $BUILD.
struct checker *checker_create(void);
void checker_destroy(struct checker *checker);

// Waits until no saga is open; then the laws (baroctl audit), every promise that was made to a client,
// nothing beyond them, the balances, and the coupons of the round. Reports what is wrong.
void checker_run(struct checker *checker, const struct clients *clients, int64_t coupons);

struct checker_totals {
    int64_t lost;             // acknowledged, and not there or in an earlier state
    int64_t duplicated;       // there, and never acknowledged; or money taken for nothing
    int64_t longest_quiet_us; // until no saga was open
};
struct checker_totals checker_totals(const struct checker *checker);
