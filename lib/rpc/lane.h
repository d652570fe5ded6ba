#pragma once
// The queues in front of one kind of workers: reads have a lane, writes have a lane.
//
// Each method has its own queue, so that a crowd at one method does not mix into the batches of
// another; a free worker takes from the queue whose first call has waited longest.

#include "lib/rpc/call.h"

struct metric;

// What is done with the calls of a queue.
enum queue_work {
    QUEUE_HANDLE,  // the whole way
    QUEUE_LOOK_UP, // only ask the guard, before `prepare` runs
};

struct call_queue {
    struct method_entry *entry;
    enum queue_work work;
    size_t batch_max;
    struct call *head, *tail;
    size_t count;
    struct metric *depth;    // shared by the queues of a method
    struct call_queue *next; // in its lane
    struct lane *lane;
};

struct lane {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct call_queue *queues;
    size_t idle; // workers that wait and were not yet called
    bool stopping;
};

void lane_init(struct lane *lane);
void lane_fini(struct lane *lane);

// Adds a queue; before any call arrives.
void lane_add(struct lane *lane, struct call_queue *queue);

void queue_push(struct call_queue *queue, struct call *call);

// Waits for calls and takes up to the batch size of the queue that has waited longest. NULL when the
// lane stops and all its queues are empty.
struct call_queue *lane_take(struct lane *lane, struct call **calls, size_t *count);

void lane_stop(struct lane *lane);
