#pragma once
// What the user service's database shows of the laws of SPEC 8: law 1, and who has paid for orders.

#include "lib/laws/book.h"

extern const struct law_book user_laws;
