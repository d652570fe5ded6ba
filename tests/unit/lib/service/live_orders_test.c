// The sweepers' question, to an order service that knows nothing else.

#include "lib/service/live_orders.h"

#include "lib/rpc/server.h"
#include "proto/order.pb-c.h"
#include "tests/support/stand.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { METHODS_MAX = 64 };

// Orders with odd ids live; the answer is not in the order of the question.
static struct status find_odd(struct batch *batch)
{
    struct call *call;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        const Baro__Order__FindLiveOrdersRequest *request = (const void *)call->request;
        Baro__Order__FindLiveOrdersReply *reply = arena_alloc(call->arena, sizeof(*reply));
        baro__order__find_live_orders_reply__init(reply);
        reply->order_ids = arena_array(call->arena, request->n_order_ids, sizeof(int64_t));
        for (size_t j = request->n_order_ids; j-- > 0;)
            if (request->order_ids[j] % 2)
                reply->order_ids[reply->n_order_ids++] = request->order_ids[j];
        call_reply(call, &reply->base);
    }
    return OK;
}

// A table has a row for each method; only one of them is called.
static struct dispatcher *order_service(struct stand_store *store)
{
    static struct method methods[METHODS_MAX];
    const ProtobufCServiceDescriptor *service = &baro__order__order__descriptor;
    const struct method_table table = {service, methods, service->n_methods};
    struct dispatcher *dispatcher = dispatcher_create(&(struct dispatcher_options){
        .transaction = &stand_transaction, .transaction_context = store});

    cr_assert_leq(service->n_methods, METHODS_MAX);
    for (unsigned i = 0; i < service->n_methods; i++)
        methods[i] = (struct method){.name = service->methods[i].name,
                                     .kind = METHOD_READ,
                                     .access = ACCESS_ANYBODY,
                                     .handle = find_odd};
    cr_assert(!failed(dispatcher_add(dispatcher, &table)));
    dispatcher_start(dispatcher);
    return dispatcher;
}

static struct status drop(const char *address, int64_t *ids, size_t count, size_t *dead)
{
    SCOPED(arena) *arena = arena_create();
    struct rpc_client *client = rpc_client_create(&(struct rpc_client_options){
        .service = "order", .addresses = address, .secret = STAND_SECRET});
    struct live_orders source = live_orders_of(client);
    struct status st = live_orders_drop(&source, arena, ids, count, dead);
    st.message = NULL; // it was the arena's
    rpc_client_destroy(client);
    return st;
}

Test(live_orders, are_dropped_from_those_that_were_asked_for)
{
    struct stand_store store = {0};
    struct dispatcher *dispatcher = order_service(&store);
    const struct rpc_server_options options = {
        .listen = "tcp://127.0.0.1:0",
        .secret = STAND_SECRET,
        .instance = "order-1",
        .contexts = 8,
        .dispatcher = dispatcher,
    };
    struct rpc_server *server;
    struct status st = rpc_server_start(&options, &server);
    cr_assert(!failed(st));
    char address[64];
    snprintf(address, sizeof(address), "tcp://127.0.0.1:%d", rpc_server_port(server));

    int64_t some[] = {8, 3, 7, 2, 5}, living[] = {1, 3};
    size_t dead;
    cr_assert(!failed(drop(address, some, 5, &dead)));
    cr_assert_eq(dead, 2);
    cr_assert_eq(some[0], 8);
    cr_assert_eq(some[1], 2);
    cr_assert(!failed(drop(address, living, 2, &dead)));
    cr_assert_eq(dead, 0);

    dispatcher_drain(dispatcher, 1000);
    rpc_server_destroy(server);
    dispatcher_destroy(dispatcher);
}

Test(live_orders, are_not_known_while_nobody_answers)
{
    int64_t ids[] = {8, 3};
    size_t dead = 7;
    struct status st = drop("tcp://127.0.0.1:1", ids, 2, &dead);
    cr_assert(failed(st));
    cr_assert_eq(dead, 7);
    cr_assert_eq(ids[1], 3);
}
