// An event a change, without payload or id: who fetches gets both.

#include "services/order/news.h"

#include "services/order/service.h"
#include "services/order/wire.h"

#include "lib/base/text.h"

static const char TOPIC[] = "order.events", STEP[] = "order.step";

struct news {
    struct arena *arena;
    Baro__Event **events;
    size_t count;
};

static void add(struct news *news, char *kind, int64_t order_id)
{
    Baro__Event *event = arena_alloc(news->arena, sizeof(*event));
    baro__event__init(event);
    event->kind = kind;
    event->key = order_id;
    news->events[news->count++] = event;
}

struct news *news_of(struct arena *arena, struct order *const *orders, size_t count, size_t steps)
{
    struct news *news = arena_alloc(arena, sizeof(*news));
    size_t capacity = steps;
    for (size_t i = 0; i < count; i++)
        capacity += orders[i]->change_count - orders[i]->changes_saved;
    *news = (struct news){arena, arena_array(arena, capacity + 1, sizeof(Baro__Event *)), 0};
    for (size_t i = 0; i < count; i++)
        for (size_t j = orders[i]->changes_saved; j < orders[i]->change_count; j++)
            add(news, wire_event_kind(arena, orders[i]->changes[j].status), orders[i]->id);
    return news;
}

void news_add_step(struct news *news, int64_t order_id)
{
    add(news, text_copy(news->arena, STEP), order_id);
}

void news_publish(const struct news *news, struct publisher *publisher)
{
    Baro__BusMessage message;
    baro__bus_message__init(&message);
    if (news->count == 0)
        return;
    message.events = news->events;
    message.n_events = news->count;
    publish(publisher, TOPIC, &message);
}

struct status news_save_orders(struct batch *batch, struct order *const *orders, size_t count)
{
    batch->handled = news_of(batch->arena, orders, count, 0);
    return store_save_orders(batch->tx, batch->arena, orders, count);
}

struct status news_save_set(struct batch *batch, const struct order_set *set)
{
    return news_save_orders(batch, order_set_list(set, batch->arena), set->count);
}

void news_committed(struct batch *batch)
{
    const struct order_service *service = batch->service;
    if (batch->handled)
        news_publish(batch->handled, service->publisher);
}
