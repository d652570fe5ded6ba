#pragma once
// The listening socket.

#include "lib/base/status.h"

// Listens on "127.0.0.1:8080", "[::1]:8080" or "localhost:0". The descriptor is the caller's to
// close. VALIDATION_ERROR when it is no address, UNAVAILABLE when it is taken or not ours.
struct status listen_on(const char *address, int *listener);

// The port of a listening socket.
int listener_port(int listener);
