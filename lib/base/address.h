#pragma once
// What an address looks like, so that a mistyped one is refused at start and not found out by silence.
// Whether somebody is there is another question.

#include <stdbool.h>

// "HOST:PORT"; the host may be a name, a number or "[::1]".
bool address_is_host_port(const char *text);

// One socket of ours: "tcp://HOST:PORT", "tls+tcp://HOST:PORT", "ipc:///path".
bool address_is_socket(const char *text);

// One or more of them, separated by commas; spaces around them do not count.
bool address_are_sockets(const char *text);
