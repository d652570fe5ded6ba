#pragma once
// One look at the laws, and looking again and again.

#include "deploy/baroctl/command.h"
#include "deploy/baroctl/databases.h"
#include "lib/laws/source.h"

#include <jansson.h>

// Looks until nothing is wrong and nothing is under way, or the time is over; the last look counts. The
// report is in the arena, which is emptied for each look. Fails if a database does not answer; CANCELLED
// when `going` (may be NULL) says so.
struct status audit_look(const struct audit_urls *urls, int64_t wait_ms,
                         const struct law_going *going, struct arena *arena, struct report *report);

// {name, ok, violations, sample}.
json_t *audit_json_of_law(enum law law, const struct finding *finding);

// Looks every arguments->every_ms and says what has changed, until SIGINT or SIGTERM. The exit status is
// that of the last look.
enum exit_code audit_watch(const struct arguments *arguments, const struct audit_urls *urls);
