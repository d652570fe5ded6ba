#pragma once
// Outcomes in reply envelopes, both ways, and envelopes out of sealed messages.

#include "lib/base/arena.h"
#include "lib/base/status.h"
#include "lib/rpc/seal.h"
#include "proto/common.pb-c.h"

// Initialises the reply and sets code, reason, field and message; the texts are borrowed.
void envelope_fill_status(Baro__RpcReply *reply, struct status st);

// The outcome that a reply carries; the texts are borrowed from it.
struct status envelope_status(const Baro__RpcReply *reply);

// Checks the seal and unpacks; NULL for what is not ours. The message stays the caller's.
ProtobufCMessage *envelope_open(const struct seal_key *key, nng_msg *message,
                                const ProtobufCMessageDescriptor *type, struct arena *arena);
