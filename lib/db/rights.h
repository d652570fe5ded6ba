#pragma once
// What is kept for ever, and who may do what: functions that migrations use, and the rights of the role
// that a service runs as.
//
//   baro_refuse_change()               a trigger's: the event that it stands before never happens
//   baro_keep(relation, events)        refuses these events ("UPDATE OR DELETE", "DELETE") and TRUNCATE
//                                      to everybody

#include "lib/db/db.h"

// Makes those functions where they are missing; a part of schema_prepare.
struct status rights_prepare(struct db *db);

// Gives a role what a service needs of the tables that the migrations made, and takes away what it
// does not: it reads and inserts everywhere, changes and deletes where no table refuses that, and
// neither truncates nor makes, changes or drops anything. Run by the owner, after migrate(), by any
// number of replicas at once.
struct status rights_grant(struct db *db, const char *role);

// Who we are here, and whether that role has rights to what the tables refuse (an owner has).
struct status rights_role(struct db *db, struct arena *arena, const char **role, bool *excess);
