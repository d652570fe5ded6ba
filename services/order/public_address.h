#pragma once
// Which addresses a webhook may go to: those of the public internet.

#include <stdbool.h>
#include <sys/socket.h>

// False for loopback, private, link-local, multicast, documentation and other special networks of IPv4
// and IPv6, for IPv6 addresses that stand for such an IPv4 address, and for anything that is neither.
bool address_is_public(const struct sockaddr *address);
