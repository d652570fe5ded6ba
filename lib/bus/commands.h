#pragma once
// Runs saga commands that arrive over pub/sub through the dispatcher, like calls; the replies of one
// batch for one topic travel as one message.
//
// Commands of participant P arrive on the topics "saga.P.0" .. "saga.P.15" (partition = saga id
// modulo 16). Replicas lease shares of the partitions in their own database (leases.h) and subscribe to
// theirs; leases are for efficiency only, the barrier is what makes it correct.

#include "lib/base/arena.h"
#include "lib/bus/bus.h"
#include "lib/bus/leases.h"
#include "lib/rpc/dispatcher.h"

// "saga.user.7": where commands of a saga to a participant go.
char *saga_topic(struct arena *arena, const char *participant, int64_t saga_id);

struct command_receiver;

// `participant` is the service's name; commands come from the publishers at `addresses` (the order
// service) and are answered through `publisher`.
struct status command_receiver_start(const char *participant, const char *addresses,
                                     const char *secret, struct dispatcher *dispatcher,
                                     struct publisher *publisher,
                                     struct command_receiver **receiver);

// Subscribes to the given partitions only; bit i is partition i.
void command_receiver_set_partitions(struct command_receiver *receiver, uint32_t partitions);
void command_receiver_destroy(struct command_receiver *receiver);
