#pragma once
// May this request go on? Everything that can be said from its request line and headers.

#include "gateway/request.h"

// Reads the headers, finds the route, checks who calls, the idempotency key and the type of the
// body. A refusal is set as the request's answer.
void admit(struct request *request, const char *method, const char *version);
