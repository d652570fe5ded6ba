#pragma once
// What outside sinks get of an event: the same JSON for all of them (Standard Webhooks' shape).

#include "lib/base/arena.h"
#include "proto/common.pb-c.h"

// {"type": "order.paid", "timestamp": RFC 3339, "data": {order_id, user_id, status, version,
// total_amount, discount_amount, final_amount, reason, items[..], paid_at}}. `version` counts the
// order's status changes from 1: who gets an event twice, or late, can tell. `items` are there when
// the event has them (paid and refunded), `paid_at` is null until the order is paid. An event whose
// payload cannot be understood has "data": null.
char *event_body(struct arena *arena, const Baro__Event *event, size_t *size);

// "evt_17": the same at every try and in every sink, so that receivers can tell repeats.
char *event_message_id(struct arena *arena, int64_t event_id);
