#pragma once
// What the product service's database shows of the laws of SPEC 8: law 2, and what orders hold.

#include "lib/laws/book.h"

extern const struct law_book product_laws;
