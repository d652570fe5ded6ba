#pragma once
// The certificates that tests/support/certificates makes, and processes that show them.

#include "lib/rpc/tls.h"

// One of its files, in $BARO_TEST_CERTIFICATES or where make puts them; NULL for NULL.
const char *identity_file(struct arena *arena, const char *file);

// The files of a name ("baro", "stranger", ..), believing our authority; static until the next call.
struct tls_files identity(const char *name);

// Makes this process show them, from now on. Ends it when they cannot be used.
void identity_take(const char *name);
