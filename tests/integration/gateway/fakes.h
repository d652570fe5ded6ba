#pragma once
// The gateway in this process, with all four services played by one RPC server: real envelopes, real
// sockets, scripted answers.

#include "gateway/gateway.h"
#include "lib/rpc/method.h"
#include "tests/support/tokens.h"

// What a service was asked for last.
struct asked {
    char method[64];
    struct caller caller;
    char key[256];
    char traceparent[64];
    const ProtobufCMessage *request; // lives until the stage ends
    int count;                       // calls so far, of all methods
};

struct stage;

// Starts the fake services and the gateway, and waits until it is ready. `tune` may be NULL.
struct stage *stage_open(void (*tune)(struct gateway_settings *settings));

// Stops the gateway (if stage_stop_gateway has not), then the services.
void stage_close(struct stage *stage);

int stage_port(const struct stage *stage);
struct gateway *stage_gateway(struct stage *stage);
struct arena *stage_arena(struct stage *stage);

// The answer of a method ("GetProduct") from now on: a message, or a refusal.
void stage_reply(struct stage *stage, const char *method, const ProtobufCMessage *message);
void stage_refuse(struct stage *stage, const char *method, struct status st);

// Calls of the method are kept unanswered from now on, until stage_release.
void stage_hold(struct stage *stage, const char *method);
void stage_release(struct stage *stage);

// Waits until that many calls are kept; false after 5 s.
bool stage_await_held(struct stage *stage, int count);

struct asked stage_asked(struct stage *stage);

// An access token of user 7 with the role.
const char *stage_token(struct stage *stage, const char *role);

// Rings the order service's doorbell for an order, once; it may get lost.
void stage_ring(struct stage *stage, int64_t order_id);

// Takes the RPC servers away: every service is gone, or one of them.
void stage_kill_services(struct stage *stage);
void stage_kill_coupon(struct stage *stage);

// Drains and stops the gateway, on this thread.
void stage_stop_gateway(struct stage *stage);
