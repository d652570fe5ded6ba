#pragma once
// What people and programs read about the API: its description and Swagger UI.

#include "lib/base/arena.h"

struct request;
struct router;
struct docs;

// Makes the description and the entity tags, in the arena.
const struct docs *docs_create(struct arena *arena, const struct router *router);

// Answers one of the documents by its path: 200, or 304 to a client that has it already.
void docs_serve(struct request *request);
