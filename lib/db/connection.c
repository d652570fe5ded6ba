// One connection to PostgreSQL: how it is made, how it is found dead, how it is dropped.
//
// What the URL says wins over our defaults. Keepalives and tcp_user_timeout make a vanished host a
// lost connection within seconds. Prepared statements live and die with the connection, so closing
// forgets them all.

#include "lib/db/pipeline.h"

#include "lib/base/clock.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

// The server's notices ("relation exists, skipping") are nobody's business.
static void ignore_notice(void *context, const PGresult *result)
{
    (void)context;
    (void)result;
}

static PGconn *connect_with_defaults(const struct db *db)
{
    // Keywords after dbname override the URL, those before it are its defaults.
    static const char *const keywords[] = {
        "fallback_application_name",
        "connect_timeout",
        "keepalives_idle",
        "keepalives_interval",
        "keepalives_count",
        "tcp_user_timeout",
        "dbname",
        "client_encoding",
        NULL,
    };
    const char *values[] = {
        db->application_name, "3", "10", "5", "3", "15000", db->url, "UTF8", NULL,
    };
    _Static_assert(COUNT(keywords) == COUNT(values), "one value a keyword");
    return PQconnectdbParams(keywords, values, 1);
}

static struct status cannot_connect(struct db *db, PGconn *connection)
{
    snprintf(db->message, sizeof(db->message), "%s", PQerrorMessage(connection));
    db->message[strcspn(db->message, "\n")] = '\0';
    return (struct status){STATUS_UNAVAILABLE, REASON_UNAVAILABLE, NULL, db->message};
}

struct status db_open(struct db *db)
{
    db_close(db);
    metric_add(db->metrics.connects, 1);
    PGconn *connection = connect_with_defaults(db);
    if (PQstatus(connection) != CONNECTION_OK || PQsetnonblocking(connection, 1) != 0 ||
        PQenterPipelineMode(connection) != 1) {
        struct status st = cannot_connect(db, connection);
        PQfinish(connection);
        return st;
    }
    PQsetNoticeReceiver(connection, ignore_notice, NULL);
    db->connection = connection;
    metric_add(db->metrics.connections, 1);
    return OK;
}

void db_close(struct db *db)
{
    if (!db->connection)
        return;
    PQfinish(db->connection);
    db->connection = NULL;
    db->pending_count = 0;
    for (size_t i = 0; i < db->prepared_count; i++)
        db->prepared[i].state = PREPARE_NEEDED;
    metric_add(db->metrics.connections, -1);
}

bool db_is_alive(struct db *db)
{
    if (!db->connection)
        return false;
    for (;;) {
        struct pollfd socket = {.fd = PQsocket(db->connection), .events = POLLIN};
        if (poll(&socket, 1, 0) <= 0)
            return PQstatus(db->connection) == CONNECTION_OK;
        // Something arrived that nobody asked for: a farewell, or the end of the stream.
        if (!PQconsumeInput(db->connection))
            return false;
        (void)PQisBusy(db->connection);
    }
}
