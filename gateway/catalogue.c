// A request that fetches (request->flight) lands in catalogue_deliver, whatever the outcome: those who
// wait get the same page or the same refusal, each with trace and request id of its own.

#include "gateway/catalogue.h"

#include "lib/base/clock.h"
#include "proto/order.pb-c.h"

#include <string.h>

// The target as it was sent: request.c has cut it at the question mark.
static size_t key_length(const struct request *request)
{
    return request->path_length + (request->query ? 1 + strlen(request->query) : 0);
}

static bool is_shared(const struct request *request)
{
    return request->match.endpoint->route->catalogue && request->caller.user_id == 0 &&
           key_length(request) <= PAGE_KEY_MAX;
}

bool catalogue_serve(struct request *request)
{
    if (!is_shared(request))
        return false;
    struct page *page = page_cache_find(request->gateway->pages, request->path, key_length(request),
                                        request->started_us);
    if (page)
        answer_page(request, page);
    return page;
}

bool catalogue_wait(struct request *request)
{
    struct page *page = NULL;
    if (!is_shared(request))
        return false;
    enum page_way way =
        page_cache_enter(request->gateway->pages, request->path, key_length(request),
                         clock_monotonic_us(), &request->waiter, &page, &request->flight);
    if (way == PAGE_FOUND) {
        answer_page(request, page);
        request_resume(request);
    }
    return way != PAGE_FETCH;
}

static struct request *request_of(struct page_waiter *waiter)
{
    return (struct request *)(void *)((char *)waiter - offsetof(struct request, waiter));
}

static void land(struct request *request, struct page *page, struct status st, int64_t pushback_ms)
{
    struct page_waiter *waiter = page_cache_land(request->gateway->pages, request->flight, page);
    request->flight = NULL;
    while (waiter) {
        struct request *other = request_of(waiter);
        waiter = waiter->next;
        if (page)
            answer_page(other, page_hold(page));
        else
            answer_problem(other, st, NULL, pushback_ms);
        request_resume(other);
    }
}

void catalogue_deliver(struct request *request, struct status st, int64_t pushback_ms)
{
    const struct text_buffer *body = &request->answer.body;
    struct page *page = NULL;
    if (!failed(st) && request->match.endpoint->route->catalogue) {
        page = page_create(body->data, body->length);
        answer_page(request, page);
    }
    if (request->flight)
        land(request, page, st, pushback_ms);
}

static void forget(struct request *request, const char *key)
{
    page_cache_forget(request->gateway->pages, key, strlen(key));
}

static void forget_ordered(struct request *request, const Baro__Order__OrderView *order)
{
    for (size_t i = 0; i < order->n_items; i++)
        forget(request, text_printf(request->arena, "%s%lld", request->match.endpoint->stale_path,
                                    (long long)order->items[i]->product_id));
}

void catalogue_note_change(struct request *request, const ProtobufCMessage *reply)
{
    switch (request->match.endpoint->route->changes) {
    case CHANGES_NOTHING:
        break;
    case CHANGES_CATALOGUE:
        page_cache_clear(request->gateway->pages);
        break;
    case CHANGES_STOCK:
        forget_ordered(request, (const Baro__Order__OrderView *)reply);
        break;
    case CHANGES_COUPON:
        forget(request,
               text_printf(request->arena, "%s%.*s", request->match.endpoint->stale_path,
                           (int)request->match.parameter_lengths[0], request->match.parameters[0]));
        break;
    }
}
