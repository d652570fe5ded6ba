#pragma once
// Requests of the steps that give back what an order has, for sagas whose context is an OrderContext.

#include "lib/saga/saga.h"

// For ReleaseStock and ReturnStock.
const ProtobufCMessage *give_back_stock(const struct saga *saga, struct arena *arena);

// For RestoreCoupon; NULL for an order without a coupon.
const ProtobufCMessage *give_back_coupon(const struct saga *saga, struct arena *arena);
