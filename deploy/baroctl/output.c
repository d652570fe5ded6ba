// Tables are laid out in two passes: widths first. Width is what a terminal shows (Hangul takes two
// columns), not bytes.

#include "deploy/baroctl/output.h"

#include "lib/base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

enum { CELL_MAX = 256, GAP = 2 };

// The cell as text; false for one without a value.
static bool write_cell(const json_t *value, char cell[CELL_MAX])
{
    cell[0] = '\0';
    if (json_is_integer(value))
        snprintf(cell, CELL_MAX, "%lld", (long long)json_integer_value(value));
    else if (json_is_string(value))
        snprintf(cell, CELL_MAX, "%s", json_string_value(value));
    else if (json_is_true(value))
        snprintf(cell, CELL_MAX, "yes");
    else if (json_is_real(value))
        snprintf(cell, CELL_MAX, "%.1f", json_real_value(value));
    return cell[0] != '\0';
}

static int width_of(const char *text)
{
    wchar_t wide[CELL_MAX];
    size_t length = mbstowcs(wide, text, CELL_MAX);
    int width = length == (size_t)-1 ? -1 : wcswidth(wide, length);
    return width < 0 ? (int)strlen(text) : width;
}

static void pad(FILE *file, int width)
{
    fprintf(file, "%*s", width > 0 ? width : 0, "");
}

static int column_width(const struct column *column, const json_t *rows)
{
    char cell[CELL_MAX];
    int widest = width_of(column->title);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        write_cell(json_object_get(json_array_get(rows, i), column->member), cell);
        if (width_of(cell) > widest)
            widest = width_of(cell);
    }
    return widest;
}

static bool is_number_column(const struct column *column, const json_t *rows)
{
    for (size_t i = 0; i < json_array_size(rows); i++)
        if (!json_is_number(json_object_get(json_array_get(rows, i), column->member)))
            return false;
    return true;
}

// One column's place: nothing is written behind the last cell of a line.
struct place {
    int width;
    bool right;
    bool last;
};

static void print_cell(FILE *file, const char *cell, const struct place *place)
{
    int rest = place->width - width_of(cell);
    if (place->right)
        pad(file, rest);
    fputs(cell, file);
    if (!place->last)
        pad(file, GAP + (place->right ? 0 : rest));
}

void output_table(FILE *file, const struct column *columns, size_t count, const json_t *rows)
{
    char cell[CELL_MAX];
    struct place *places = memory_array(count, sizeof(*places));
    if (json_array_size(rows) == 0)
        fputs("none\n", file);
    for (size_t c = 0; c < count; c++)
        places[c] = (struct place){column_width(&columns[c], rows),
                                   is_number_column(&columns[c], rows), c + 1 == count};
    for (size_t c = 0; c < count && json_array_size(rows); c++)
        print_cell(file, columns[c].title, &places[c]);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        fputc('\n', file);
        for (size_t c = 0; c < count; c++) {
            write_cell(json_object_get(json_array_get(rows, i), columns[c].member), cell);
            print_cell(file, cell, &places[c]);
        }
    }
    if (json_array_size(rows))
        fputc('\n', file);
    free(places);
}

void output_object(FILE *file, const struct column *members, size_t count, const json_t *object)
{
    char cell[CELL_MAX];
    int widest = 0;
    for (size_t i = 0; i < count; i++)
        if (width_of(members[i].title) > widest)
            widest = width_of(members[i].title);
    for (size_t i = 0; i < count; i++) {
        if (!write_cell(json_object_get(object, members[i].member), cell))
            continue;
        fputs(members[i].title, file);
        pad(file, widest - width_of(members[i].title) + GAP);
        fprintf(file, "%s\n", cell);
    }
}

void output_json(FILE *file, const json_t *document)
{
    json_dumpf(document, file, JSON_INDENT(2));
    fputc('\n', file);
}

void output_json_line(FILE *file, const json_t *document)
{
    json_dumpf(document, file, JSON_COMPACT);
    fputc('\n', file);
    fflush(file);
}

enum exit_code complain(const char *command, struct status st)
{
    fprintf(stderr, "baroctl %s: %s\n", command, st.message ? st.message : reason_word(st.reason));
    return st.reason == REASON_VALIDATION_ERROR ? EXIT_USAGE : EXIT_WRONG;
}
