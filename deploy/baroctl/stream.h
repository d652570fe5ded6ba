#pragma once
// Rows of one query in the order of an order id, read through a cursor a page at a time: memory stays
// constant however many orders there are. The cursor outlives its transaction (WITH HOLD), because
// results are kept until their transaction ends.

#include "lib/db/db.h"

struct stream {
    struct db *db;                 // one stream for each connection
    const struct statement *fetch; // "FETCH 2000 FROM ..": column 0 is the order id
    struct rows page;
    size_t next; // row of the page to look at
    bool ended;
};

// Declares the cursor and fetches the first page.
struct status stream_open(struct stream *stream, struct db *db, const struct statement *declare,
                          const struct statement *fetch);

// The order id of the current row; INT64_MAX at the end.
int64_t stream_key(const struct stream *stream);

// Goes on to the next row.
struct status stream_advance(struct stream *stream);

// Ends the cursor with its connection. Accepts zeroed memory.
void stream_close(struct stream *stream);
