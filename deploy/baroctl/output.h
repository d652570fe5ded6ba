#pragma once
// What baroctl shows: tables for people, one JSON document for programs.

#include "deploy/baroctl/command.h"

#include <jansson.h>
#include <stdio.h>

// A column of a table: its title, and the member of each row that it shows.
struct column {
    const char *title;
    const char *member;
};

// Rows are objects. Numbers stand at the right, true is "yes", what is absent, null or false is empty.
// Columns are as wide as their widest cell on a terminal. "none" when there are no rows.
void output_table(FILE *file, const struct column *columns, size_t count, const json_t *rows);

// One object as "title  value" lines; members that are absent or empty are left out.
void output_object(FILE *file, const struct column *members, size_t count, const json_t *object);

// One document and a line feed.
void output_json(FILE *file, const json_t *document);

// The same in one line, at once: for what goes on and on.
void output_json_line(FILE *file, const json_t *document);

// Says on standard error what went wrong: EXIT_USAGE for a VALIDATION_ERROR, else EXIT_WRONG.
enum exit_code complain(const char *command, struct status st);

static inline void json_free(json_t **json)
{
    json_decref(*json);
}
// A JSON value that is given back at the end of the scope.
#define SCOPED_JSON __attribute__((cleanup(json_free))) json_t
