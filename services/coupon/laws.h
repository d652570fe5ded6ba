#pragma once
// What the coupon service's database shows of the laws of SPEC 8: the claims of law 3, and which
// coupons orders have.

#include "lib/laws/book.h"

extern const struct law_book coupon_laws;
