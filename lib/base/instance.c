#include "lib/base/instance.h"

#include "lib/base/text.h"

#include <unistd.h>

const char *instance_name(struct arena *arena)
{
    char host[64] = "local";
    gethostname(host, sizeof(host) - 1);
    return text_printf(arena, "%s-%d", host, (int)getpid());
}
