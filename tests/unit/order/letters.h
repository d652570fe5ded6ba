#pragma once
// Lots for the sinks to deliver, without a database.

#include "services/order/delivery.h"

enum { LETTERS_MAX = 128 };

struct letters {
    struct lot lot;
    struct delivery items[LETTERS_MAX];
    struct delivery *pointers[LETTERS_MAX];
    atomic_bool stop;
};

// So many events of so many orders in turn: event 1 of order 1, event 2 of order 2 and so on. The
// arena is the caller's.
void letters_write(struct letters *letters, struct arena *arena, size_t count, int64_t orders);

// Ends the test unless every letter has this verdict.
void expect_verdicts(const struct letters *letters, enum verdict verdict);
