// The call that shows what sells best. Many ask for the same: equal questions of a batch cost one
// query.

#include "proto/product.pb-c.h"
#include "services/product/service.h"
#include "services/product/store.h"
#include "services/product/wire.h"

struct asked {
    struct popular_query query;
    const ProtobufCMessage *reply;
};

static bool is_same(const struct popular_query *a, const struct popular_query *b)
{
    return a->of_snapshot == b->of_snapshot && a->day_us == b->day_us && a->limit == b->limit &&
           a->window.from_us == b->window.from_us && a->window.to_us == b->window.to_us;
}

static struct status answer(struct batch *batch, struct asked *asked)
{
    struct ranked *ranking;
    size_t count;
    struct status st = store_rank(batch->tx, batch->arena, &asked->query, &ranking, &count);
    if (!failed(st))
        asked->reply = wire_ranking(ranking, count, batch->arena);
    return st;
}

struct status handle_list_popular(struct batch *batch)
{
    struct asked *asked = arena_array(batch->arena, batch->count + 1, sizeof(*asked));
    size_t count = 0;
    struct call *call;

    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        struct popular_wish wish = wire_popular_wish((const void *)call->request);
        struct status st = popular_query_of(&wish, batch->now_us, &asked[count].query);
        if (failed(st)) {
            call_refuse(call, st);
            continue;
        }
        size_t same = 0;
        while (same < count && !is_same(&asked[same].query, &asked[count].query))
            same++;
        if (same == count)
            st = answer(batch, &asked[count++]);
        if (failed(st))
            return st;
        call_reply(call, asked[same].reply);
    }
    return OK;
}
