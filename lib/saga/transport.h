#pragma once
// The orchestrator's way to its participants: the publish and ask ports of a runner, and the replies
// back into it.
//
// Commands go out on the topics of lib/bus/commands.h, one message per topic and call of publish,
// and name "saga.reply.<instance>" for the answers. Asks go over RPC to any replica.

#include "lib/bus/bus.h"
#include "lib/rpc/client.h"
#include "lib/saga/runner.h"

struct saga_transport;

struct saga_participant {
    const char *name;          // as in the saga tables: "user"
    const char *bus_addresses; // of its publishers
    struct rpc_client *client; // outlives the transport
};

struct saga_transport_options {
    struct publisher *publisher; // our own; outlives the transport
    const char *instance;        // of this orchestrator: unique among the living
    const char *secret;
    const struct saga_participant *participants; // copied
    size_t participant_count;
};

struct status saga_transport_start(const struct saga_transport_options *options,
                                   struct saga_transport **transport);

// Hands replies to the runner from now on; NULL: to nobody, and when it returns no reply is being
// handed over any more, so that the runner may be destroyed.
void saga_transport_bind(struct saga_transport *transport, struct saga_runner *runner);

// The ports. A participant that the options do not name is a programming error.
void saga_transport_publish(struct saga_transport *transport, const struct saga_command *commands,
                            size_t count);
void saga_transport_ask(struct saga_transport *transport, const struct saga_command *command);

// Waits for the asks under way (a few seconds at most). Accepts NULL.
void saga_transport_destroy(struct saga_transport *transport);
