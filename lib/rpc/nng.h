#pragma once
// What every use of nng in Baro shares: a version that can be trusted, the options that every
// socket gets, and the table of its errors.

#include "lib/base/status.h"

#include <nng/nng.h>

// What a socket receives at most, in bytes, with nng's own header (RELIABILITY 3).
enum { MESSAGE_MAX = 256 * 1024 };

// FAILED_PRECONDITION unless the loaded nng is 1.10 or newer (DESIGN 2); sets nng's thread counts.
// Call once at start-up, before any other nng call.
struct status nng_prepare(void);

// Receive limit and reconnect times: the options of DESIGN 3 and RELIABILITY 3. nng's errors.
int socket_set_common_options(nng_socket socket);

// nng -> status: the one table at this border.
struct status status_of_nng(int error);
