// The owner of the tables makes them and gives the role that the service runs as the rights that it
// needs; that role alone can do neither. So a deployment that keeps the owner's password away from
// what serves lets one process migrate ("only") and the others wait for it ("wait").

#include "lib/service/tables.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/macros.h"
#include "lib/db/rights.h"
#include "lib/db/schema.h"

#include <poll.h>
#include <string.h>

enum { LOOK_PERIOD_MS = 250 };

extern const struct migration bus_migrations[];
extern const size_t bus_migration_count;
extern const struct migration saga_migrations[];
extern const size_t saga_migration_count;

bool tables_mode_read(const char *text, enum tables_mode *mode)
{
    static const char *const words[] = {
        [TABLES_MAKE] = "start", [TABLES_ONLY] = "only", [TABLES_WAIT] = "wait"};
    for (size_t i = 0; i < COUNT(words); i++)
        if (strcmp(text, words[i]) == 0) {
            *mode = (enum tables_mode)i;
            return true;
        }
    return false;
}

// All that a service's tables are made of, in order.
static struct status for_each_set(const struct service_definition *definition, struct db *db,
                                  struct status (*act)(struct db *, const struct migration *,
                                                       size_t))
{
    struct status st = act(db, bus_migrations, bus_migration_count);
    if (!failed(st))
        st = act(db, saga_migrations, saga_migration_count);
    if (!failed(st))
        st = act(db, definition->migrations, *definition->migration_count);
    return st;
}

static struct status make(const struct service_settings *settings,
                          const struct service_definition *definition, struct arena *arena)
{
    bool apart = settings->migrate_url[0] != '\0', excess = false;
    SCOPED(db) *owner =
        db_create(apart ? settings->migrate_url : settings->database_url, "migrate");
    SCOPED(db) *own = db_create(settings->database_url, "rights");
    const char *role;

    struct status st = db_wait(owner, settings->start_wait_ms);
    if (failed(st))
        st.field = apart ? "BARO_MIGRATE_URL" : "BARO_DATABASE_URL";
    if (!failed(st))
        st = schema_prepare(owner);
    if (!failed(st))
        st = for_each_set(definition, owner, migrate);
    if (!failed(st))
        st = rights_role(own, arena, &role, &excess);
    if (!failed(st) && apart)
        st = rights_grant(owner, role);
    if (!failed(st) && apart)
        st = rights_role(own, arena, &role, &excess);
    if (!failed(st) && excess)
        log_warn("this role could change histories: run as one that does not own the tables",
                 log_text("role", role));
    return status_keep(st, arena);
}

static struct status await(const struct service_settings *settings,
                           const struct service_definition *definition, struct arena *arena)
{
    int64_t end_us = clock_monotonic_us() + settings->start_wait_ms * US_PER_MS;
    SCOPED(db) *db = db_create(settings->database_url, "tables");
    struct status st = db_wait(db, settings->start_wait_ms);
    bool told = false;

    if (failed(st))
        st.field = "BARO_DATABASE_URL";
    while (!failed(st)) {
        st = for_each_set(definition, db, migrate_check);
        if (!failed(st) || clock_monotonic_us() > end_us)
            break;
        if (!told)
            log_info("waiting for the tables", log_status(st));
        told = true;
        poll(NULL, 0, LOOK_PERIOD_MS);
        st = OK;
    }
    return status_keep(st, arena);
}

struct status tables_prepare(const struct service_settings *settings,
                             const struct service_definition *definition, struct arena *arena)
{
    return settings->tables == TABLES_WAIT ? await(settings, definition, arena)
                                           : make(settings, definition, arena);
}
