// The look-up in the table that the build made.

#include "gateway/comments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *name, const void *comment)
{
    return strcmp(name, ((const struct comment *)comment)->name);
}

const char *comment_of(const char *type, const char *member)
{
    char name[256];
    snprintf(name, sizeof(name), "%s%s%s", type, member ? "." : "", member ? member : "");
    const struct comment *found =
        bsearch(name, comments, comment_count, sizeof(*comments), compare);
    return found ? found->text : "";
}
