#include "deploy/baroctl/stream.h"

static struct status fetch_page(struct stream *stream)
{
    struct status st = db_query(stream->db, stream->fetch, NO_PARAMS, &stream->page);
    if (failed(st))
        return st;
    stream->next = 0;
    stream->ended = stream->page.count == 0;
    return OK;
}

struct status stream_open(struct stream *stream, struct db *db, const struct statement *declare,
                          const struct statement *fetch)
{
    *stream = (struct stream){.db = db, .fetch = fetch};
    struct status st = db_begin(db);
    if (!failed(st))
        st = db_execute(db, declare, NO_PARAMS, NULL);
    if (!failed(st))
        st = db_commit(db);
    return failed(st) ? st : fetch_page(stream);
}

int64_t stream_key(const struct stream *stream)
{
    return stream->ended ? INT64_MAX : rows_int64(&stream->page, stream->next, 0);
}

struct status stream_advance(struct stream *stream)
{
    if (++stream->next < stream->page.count)
        return OK;
    return fetch_page(stream);
}

void stream_close(struct stream *stream)
{
    db_destroy(stream->db);
    *stream = (struct stream){0};
}
