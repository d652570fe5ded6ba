// Prints the comments of .proto files as the C table that gateway/comments.h declares; protobuf-c's
// descriptors carry none. It reads what `protoc --include_source_info` wrote, on standard input, so
// what belongs to what is protoc's word: a comment above a line, or behind it.
//
// A location's path leads through the numbers of FileDescriptorProto: {4, 2} is the third message,
// {4, 2, 2, 0} its first field; 5 are enums and 6 services, whose members are number 2 as well.

#include "source_info.pb-c.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_MAX = 4 * 1024 * 1024, MEMBERS = 2, LINES_MAX = 8192 };

struct line {
    char *name;
    const char *comment;
};

struct table {
    struct line lines[LINES_MAX];
    size_t count;
};

static void fail(const char *message)
{
    fprintf(stderr, "comments: %s\n", message);
    exit(1);
}

static const Baro__Tools__Type *find_type(const Baro__Tools__File *file, int32_t kind,
                                          int32_t index)
{
    size_t at = (size_t)index;
    if (kind == 4 && at < file->n_message_type)
        return file->message_type[at];
    if (kind == 5 && at < file->n_enum_type)
        return file->enum_type[at];
    if (kind == 6 && at < file->n_service)
        return file->service[at];
    return NULL;
}

// The full name of what a path leads to; NULL for what is not documented (options, imports).
static char *name_of(const Baro__Tools__File *file, const Baro__Tools__Location *location)
{
    const int32_t *path = location->path;
    size_t depth = location->n_path;
    const Baro__Tools__Type *type =
        depth == 2 || depth == 4 ? find_type(file, path[0], path[1]) : NULL;
    if (!type || (depth == 4 && (path[2] != MEMBERS || (size_t)path[3] >= type->n_member)))
        return NULL;
    char *name;
    if (asprintf(&name, "%s.%s%s%s", file->package, type->name, depth == 4 ? "." : "",
                 depth == 4 ? type->member[path[3]]->name : "") < 0)
        fail("out of memory");
    return name;
}

static void collect(struct table *table, const Baro__Tools__File *file)
{
    for (size_t i = 0; i < file->source_code_info->n_location; i++) {
        const Baro__Tools__Location *location = file->source_code_info->location[i];
        const char *comment =
            location->leading_comments ? location->leading_comments : location->trailing_comments;
        char *name = comment ? name_of(file, location) : NULL;
        if (!name)
            continue;
        if (table->count == LINES_MAX)
            fail("too many comments");
        table->lines[table->count++] = (struct line){name, comment};
    }
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct line *)a)->name, ((const struct line *)b)->name);
}

// The text as a C string in one line: every run of white space is one space.
static void print_text(const char *text)
{
    putchar('"');
    for (text += strspn(text, " \n\t"); *text; text++) {
        if (isspace((unsigned char)*text)) {
            text += strspn(text, " \n\t") - 1;
            if (text[1])
                putchar(' ');
            continue;
        }
        // A question mark is escaped too: two of them could begin a trigraph.
        if (strchr("\\\"?", *text))
            putchar('\\');
        putchar(*text);
    }
    putchar('"');
}

static void print_table(const struct table *table)
{
    puts("// Made by gateway/tools/comments.c from the .proto files; do not edit.\n"
         "#include \"gateway/comments.h\"\n\n"
         "const struct comment comments[] = {");
    for (size_t i = 0; i < table->count; i++) {
        printf("    {\"%s\", ", table->lines[i].name);
        print_text(table->lines[i].comment);
        puts("},");
    }
    printf("};\nconst size_t comment_count = %zu;\n", table->count);
}

int main(void)
{
    static uint8_t input[INPUT_MAX];
    static struct table table;
    size_t size = fread(input, 1, sizeof(input), stdin);
    Baro__Tools__FileSet *set = baro__tools__file_set__unpack(NULL, size, input);
    if (!set)
        fail("this is no output of protoc --descriptor_set_out");
    for (size_t i = 0; i < set->n_file; i++)
        collect(&table, set->file[i]);
    if (table.count == 0)
        fail("there are no comments");
    qsort(table.lines, table.count, sizeof(table.lines[0]), compare);
    print_table(&table);
    for (size_t i = 0; i < table.count; i++)
        free(table.lines[i].name);
    baro__tools__file_set__free_unpacked(set, NULL);
    return 0;
}
