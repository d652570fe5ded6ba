#pragma once
// An order service that knows of no order that lives, and that can be made to think for long: what
// sweepers on several replicas ask. It may lie in memory that processes share.

#include "lib/service/live_orders.h"

#include <stdatomic.h>
#include <stdbool.h>

struct no_orders {
    atomic_bool thinks; // answers nobody until it is false again
    atomic_int asking;  // those that wait for an answer
};

struct live_orders no_orders_of(struct no_orders *orders);

// Waits until so many ask.
void no_orders_await(struct no_orders *orders, int asking);
