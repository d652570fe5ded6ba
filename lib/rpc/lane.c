// A push wakes one worker only if one sleeps that nobody has called yet; busy workers find the new
// calls by themselves when they come back. That, and no timer, makes the batches.

#include "lib/rpc/lane.h"

#include "lib/base/clock.h"
#include "lib/base/metrics.h"

void lane_init(struct lane *lane)
{
    *lane = (struct lane){0};
    pthread_mutex_init(&lane->lock, NULL);
    pthread_cond_init(&lane->wake, NULL);
}

void lane_fini(struct lane *lane)
{
    pthread_cond_destroy(&lane->wake);
    pthread_mutex_destroy(&lane->lock);
}

void lane_add(struct lane *lane, struct call_queue *queue)
{
    queue->lane = lane;
    queue->next = lane->queues;
    lane->queues = queue;
}

static void call_a_worker(struct lane *lane)
{
    if (lane->idle == 0)
        return;
    lane->idle--;
    pthread_cond_signal(&lane->wake);
}

void queue_push(struct call_queue *queue, struct call *call)
{
    struct lane *lane = queue->lane;
    struct call_private *own = call->private;
    own->next = NULL;
    own->queued_at_us = clock_monotonic_us();
    metric_add(queue->depth, 1);
    pthread_mutex_lock(&lane->lock);
    if (queue->tail)
        queue->tail->private->next = call;
    else
        queue->head = call;
    queue->tail = call;
    queue->count++;
    call_a_worker(lane);
    pthread_mutex_unlock(&lane->lock);
}

static struct call_queue *oldest(const struct lane *lane)
{
    struct call_queue *first = NULL;
    for (struct call_queue *queue = lane->queues; queue; queue = queue->next) {
        if (!queue->head)
            continue;
        if (!first || queue->head->private->queued_at_us < first->head->private->queued_at_us)
            first = queue;
    }
    return first;
}

static size_t take(struct call_queue *queue, struct call **calls)
{
    size_t count = 0;
    while (queue->head && count < queue->batch_max) {
        calls[count++] = queue->head;
        queue->head = queue->head->private->next;
    }
    if (!queue->head)
        queue->tail = NULL;
    queue->count -= count;
    return count;
}

struct call_queue *lane_take(struct lane *lane, struct call **calls, size_t *count)
{
    pthread_mutex_lock(&lane->lock);
    struct call_queue *queue;
    while (!(queue = oldest(lane)) && !lane->stopping) {
        lane->idle++;
        pthread_cond_wait(&lane->wake, &lane->lock);
    }
    if (queue) {
        *count = take(queue, calls);
        if (oldest(lane))
            call_a_worker(lane);
    }
    pthread_mutex_unlock(&lane->lock);
    if (queue)
        metric_add(queue->depth, -(int64_t)*count);
    return queue;
}

void lane_stop(struct lane *lane)
{
    pthread_mutex_lock(&lane->lock);
    lane->stopping = true;
    pthread_cond_broadcast(&lane->wake);
    pthread_mutex_unlock(&lane->lock);
}
