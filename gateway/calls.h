#pragma once
// From an admitted request to the RPC that serves it, and from its outcome to the answer.

#include "gateway/request.h"

// Serves a request whose body is complete. Either sets the answer at once and returns true, or
// suspends the connection and returns false: the answer is then set later, on another thread, and
// the connection resumed, once.
bool call_begin(struct request *request);
