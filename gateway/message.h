#pragma once
// The message to the service, out of all that a client says: path, query, headers and body.

#include "gateway/request.h"

// The message of a request that was admitted and whose body is complete. NULL: the answer says what is
// wrong, field by field.
ProtobufCMessage *message_build(struct request *request);
