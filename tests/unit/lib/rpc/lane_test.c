// The queues of one kind of workers, without workers.

#include "lib/rpc/lane.h"

#include "lib/base/macros.h"
#include "lib/base/metrics.h"

#include <criterion/criterion.h>
#include <pthread.h>

static struct call_pool pool;
static struct lane lane;
static struct call_queue first, second;

static void given_queue(struct call_queue *queue, size_t batch_max)
{
    queue->batch_max = batch_max;
    queue->depth = metrics_gauge("test_depth", "", NULL);
    lane_add(&lane, queue);
}

static void given_lane(void)
{
    call_pool_init(&pool);
    lane_init(&lane);
    given_queue(&first, 2);
    given_queue(&second, 8);
}

static void end_lane(void)
{
    lane_fini(&lane);
    call_pool_fini(&pool);
}

TestSuite(lane, .init = given_lane, .fini = end_lane);

static struct call *push(struct call_queue *queue, int64_t queued_at_us)
{
    struct call *call = call_acquire(&pool);
    queue_push(queue, call);
    call->private->queued_at_us = queued_at_us;
    return call;
}

static void expect_taken(const struct call_queue *queue, struct call *const *expected, size_t count)
{
    struct call *calls[8];
    size_t taken = 0;
    cr_expect_eq(lane_take(&lane, calls, &taken), queue);
    cr_assert_eq(taken, count);
    for (size_t i = 0; i < taken; i++) {
        cr_expect_eq(calls[i], expected[i]);
        call_release(&pool, calls[i]);
    }
}

Test(lane, serves_the_queue_whose_first_call_has_waited_longest)
{
    struct call_queue *const orders[][2] = {
        {&first,  &second},
        {&second, &first }
    };
    for (size_t i = 0; i < COUNT(orders); i++) {
        struct call *late[] = {push(orders[i][0], 30), push(orders[i][0], 31)};
        struct call *early[] = {push(orders[i][1], 20), push(orders[i][1], 40)};
        expect_taken(orders[i][1], early, 2);
        expect_taken(orders[i][0], late, 2);
    }
}

Test(lane, keeps_order_and_leaves_what_is_beyond_the_batch_size)
{
    struct call *calls[] = {push(&first, 1), push(&first, 2), push(&first, 3)};
    expect_taken(&first, calls, 2);
    expect_taken(&first, calls + 2, 1);
    cr_expect_eq(metric_value(first.depth), 0);
}

Test(lane, hands_out_what_it_holds_before_it_stops)
{
    struct call *last = push(&second, 1);
    lane_stop(&lane);
    expect_taken(&second, &last, 1);
    size_t count;
    struct call *none[8];
    cr_expect_null(lane_take(&lane, none, &count));
}

static void *take_one(void *arg)
{
    (void)arg;
    struct call *calls[8];
    size_t count;
    while (lane_take(&lane, calls, &count))
        for (size_t i = 0; i < count; i++)
            call_release(&pool, calls[i]);
    return NULL;
}

Test(lane, wakes_its_workers_for_every_call)
{
    pthread_t workers[3];
    for (size_t i = 0; i < COUNT(workers); i++)
        pthread_create(&workers[i], NULL, take_one, NULL);
    for (int i = 0; i < 20000; i++)
        queue_push(i % 2 ? &first : &second, call_acquire(&pool));
    lane_stop(&lane);
    for (size_t i = 0; i < COUNT(workers); i++)
        pthread_join(workers[i], NULL);
    cr_expect_eq(metric_value(first.depth), 0);
}
