// A call is one page is one statement.

#include "lib/service/laws.h"

struct status check_law_handle(struct batch *batch, const struct law_book *book)
{
    struct call *call;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        Baro__CheckLawReply *reply;
        struct status st = law_book_check(
            book, batch->tx, (const Baro__CheckLawRequest *)call->request, batch->arena, &reply);
        if (failed(st))
            return st;
        call_reply(call, &reply->base);
    }
    return OK;
}

struct status list_order_facts_handle(struct batch *batch, const struct law_book *book)
{
    struct call *call;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        Baro__OrderFacts *reply;
        struct status st =
            law_book_facts(book, batch->tx, (const Baro__ListOrderFactsRequest *)call->request,
                           batch->arena, &reply);
        if (failed(st))
            return st;
        call_reply(call, &reply->base);
    }
    return OK;
}
