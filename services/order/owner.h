#pragma once
// Whose is it? What belongs to a user is shown to that user, to admins and to our own services.

#include "lib/rpc/method.h"

// OK or FORBIDDEN.
struct status owner_check(struct caller caller, int64_t owner_id);
