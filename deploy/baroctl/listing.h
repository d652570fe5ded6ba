#pragma once
// What commands that ask the gateway have in common: a list that goes over several pages, and one
// errand for each of several ids. Both end in one document {"items": [..]}, or a table.

#include "deploy/baroctl/command.h"

#include <jansson.h>

// Prints items for people.
typedef void show_items(const json_t *items);

// Reads pages of `path` ("/admin/sagas?state=RUNNING&", ready for another parameter) until there are
// arguments->limit items or no more.
enum exit_code listing_run(const char *command, const char *path, const struct arguments *arguments,
                           show_items *show, struct arena *arena);

// One call for each id; `path` has "{id}" in its place.
struct errand {
    const char *command;
    const char *method;
    const char *path;
    show_items *show;
};

// Says which ids were refused, shows the others' replies. EXIT_WRONG when any was refused.
enum exit_code errand_run(const struct errand *errand, const struct arguments *arguments,
                          struct arena *arena);

// A text as it may stand in a query.
const char *listing_escape(const char *text, struct arena *arena);
