#pragma once
// The description of the API, OpenAPI 3.1, out of what the gateway runs by: the route table and its
// endpoints, the descriptors, the table of problems, and the comments of the .proto files.

#include "gateway/routes.h"

// The document as JSON, in the arena; the router is that of route_table.
const char *openapi_make(struct arena *arena, const struct router *router);
