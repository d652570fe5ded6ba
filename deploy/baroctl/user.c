// Accounts, in the database: the first admin of a shop has nobody to ask. Tokens that are out keep the
// role with which they were signed; the next refresh or sign-in has the new one.

#include "deploy/baroctl/commands.h"
#include "deploy/baroctl/output.h"
#include "lib/base/settings.h"
#include "lib/db/db.h"

struct user_settings {
    const char *database_url;
};

static const struct setting SETTINGS[] = {
    {"BARO_USER_DATABASE_URL", SETTING_TEXT, NULL, offsetof(struct user_settings, database_url), 0,
     0, "database of the user service"},
};

static const struct statement PROMOTE = {
    "baroctl_promote",
    "WITH found AS (SELECT id, email, name, role FROM account"
    "               WHERE lower(email COLLATE \"C\") = lower($1::text COLLATE \"C\") FOR UPDATE),"
    " promoted AS (UPDATE account a SET role = 'ADMIN' FROM found"
    "              WHERE a.id = found.id AND found.role <> 'ADMIN' RETURNING a.id)"
    " SELECT id, email, name, EXISTS (SELECT FROM promoted) FROM found"};

static const struct column MEMBERS[] = {
    {"id",       "id"      },
    {"email",    "email"   },
    {"name",     "name"    },
    {"role",     "role"    },
    {"promoted", "promoted"},
};

static void show(const struct rows *rows, bool as_json)
{
    bool promoted = rows_bool(rows, 0, 3);
    SCOPED_JSON *user =
        json_pack("{s: I, s: s, s: s, s: s, s: b}", "id", (json_int_t)rows_int64(rows, 0, 0),
                  "email", rows_text(rows, 0, 1), "name", rows_text(rows, 0, 2), "role", "ADMIN",
                  "promoted", promoted);
    if (as_json) {
        output_json(stdout, user);
        return;
    }
    output_object(stdout, MEMBERS, COUNT(MEMBERS), user);
    puts(promoted ? "The role counts from the next sign-in or refresh on."
                  : "This account was an admin already.");
}

enum exit_code user_promote_run(const struct arguments *arguments, struct arena *arena)
{
    struct user_settings settings;
    struct rows rows;
    struct status st = settings_load(SETTINGS, COUNT(SETTINGS), arena, &settings);

    if (failed(st))
        return complain("user promote", st);
    SCOPED(db) *db = db_create(settings.database_url, "baroctl user promote");
    st = db_query(db, &PROMOTE, PARAMS(p_text(arguments->email)), &rows);
    if (!failed(st) && rows.count == 0)
        st = refuse(REASON_USER_NOT_FOUND, "there is no account with this e-mail address");
    if (failed(st))
        return complain("user promote", st);
    show(&rows, arguments->json);
    return EXIT_DONE;
}
