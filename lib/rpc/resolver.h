#pragma once
// Turns "tcp://host:port,.." into the addresses of all replicas, again and again: every few seconds
// and when a pipe is lost. nng's own resolver takes only the first address of a name.

#include <stdbool.h>
#include <stddef.h>

struct resolver;

// Called from the resolver's thread with the whole, sorted, deduplicated set of URLs whenever it
// changes (and once at the start). A name that does not resolve keeps its last addresses.
typedef void resolver_changed(void *arg, const char *const *urls, size_t count);

// Starts its thread; `addresses` is copied.
struct resolver *resolver_create(const char *addresses, resolver_changed *changed, void *arg);

// Asks for a look-up soon; from any thread.
void resolver_refresh(struct resolver *resolver);

// Waits for the thread. Accepts NULL.
void resolver_destroy(struct resolver *resolver);
