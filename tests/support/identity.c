#include "tests/support/identity.h"

#include "lib/base/text.h"

#include <stdio.h>
#include <stdlib.h>

static const char *folder(void)
{
    const char *given = getenv("BARO_TEST_CERTIFICATES");
    return given ? given : "build/tests/certificates";
}

const char *identity_file(struct arena *arena, const char *file)
{
    return file ? text_printf(arena, "%s/%s", folder(), file) : NULL;
}

struct tls_files identity(const char *name)
{
    static char certificate[256], key[256], authority[256];
    snprintf(certificate, sizeof certificate, "%s/%s.pem", folder(), name);
    snprintf(key, sizeof key, "%s/%s.key", folder(), name);
    snprintf(authority, sizeof authority, "%s/ca.pem", folder());
    return (struct tls_files){certificate, key, authority, "baro"};
}

void identity_take(const char *name)
{
    SCOPED(arena) *arena = arena_create();
    const struct tls_files files = identity(name);
    struct status st = tls_prepare(&files, arena);
    if (!failed(st))
        return;
    fprintf(stderr, "%s: %s\n", st.field, st.message);
    exit(1);
}
