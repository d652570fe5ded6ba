#pragma once
// "Sold out", said early by Redis: claims that cannot be granted cost PostgreSQL nothing.
//
// A hint says that a campaign, as it is since its last change (its epoch), has no coupon left, and
// who has one: those go to PostgreSQL to be told so. It only ever refuses; PostgreSQL grants. A job
// renews the hints out of PostgreSQL; one that is not renewed is gone after SOLD_OUT_LIFE_MS, and an
// admin's change takes it away before the admin is answered. With Redis away, emptied or slow,
// nobody is refused here. Thread-safe.

#include "lib/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SOLD_OUT_LIFE_MS = 3000,
    SOLD_OUT_OWNERS_MAX = 200000, // larger campaigns have no hint: it would be too large
};

// A campaign without coupons left, open for claims for so long at least.
struct sold_out_campaign {
    int64_t id;
    int64_t epoch; // grows with each change of the campaign
    int64_t open_for_ms;
};

struct sold_out;

// Connects in the background. INVALID_ARGUMENT for a bad URL.
struct status sold_out_create(const char *redis_url, struct sold_out **hints);

// From now on nobody is refused; those who wait are told so. Accepts NULL.
void sold_out_stop(struct sold_out *hints);

// Stops too, if that was not done. Accepts NULL.
void sold_out_destroy(struct sold_out *hints);

// Called once, on any thread, maybe before sold_out_ask returns; must not block.
typedef void sold_out_told(void *arg, bool sold_out);

// Whether this user's claim is surely in vain. Takes a tenth of a second at most.
void sold_out_ask(struct sold_out *hints, int64_t campaign_id, int64_t user_id, sold_out_told *told,
                  void *arg);

// Lets the campaign's hint live on; false: there is none, or one of another epoch.
bool sold_out_renew(struct sold_out *hints, const struct sold_out_campaign *campaign);

// Writes a hint with everybody who has a coupon; false: Redis did not take it, or knows of a change
// since.
bool sold_out_write(struct sold_out *hints, const struct sold_out_campaign *campaign,
                    const int64_t *owners, size_t count);

// Takes the hint away, and keeps hints of earlier epochs from coming. Tries for a tenth of a second.
void sold_out_forget(struct sold_out *hints, int64_t campaign_id, int64_t epoch);
