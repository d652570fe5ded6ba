#pragma once
// The handlers of CheckLaw and ListOrderFacts over a service's book.

#include "lib/laws/book.h"
#include "lib/rpc/method.h"

struct status check_law_handle(struct batch *batch, const struct law_book *book);
struct status list_order_facts_handle(struct batch *batch, const struct law_book *book);
