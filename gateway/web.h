#pragma once
// What browsers read: the console, the API's description, and Swagger UI.

#include "lib/base/arena.h"

struct request;
struct router;
struct web;

// Makes the description and the entity tags, in the arena.
const struct web *web_create(struct arena *arena, const struct router *router);

// Answers one of the files by its path: 200, or 304 to a client that has it already.
void web_serve(struct request *request);
