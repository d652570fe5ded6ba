// One line for each pair of states, with the events that lead from one to the other.

#include "tests/support/machine.h"

#include "lib/base/text.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool leads(const struct machine *machine, int from, int event, int to)
{
    int found;
    return from != to && machine->next(from, event, &found) && found == to;
}

// Whether anything was drawn.
static bool draw_edge(const struct machine *machine, int from, int to, struct text_buffer *out)
{
    bool drawn = false;
    for (int event = 0; event < machine->event_count; event++) {
        if (!leads(machine, from, event, to))
            continue;
        if (!drawn)
            text_appendf(out, "    %s --> %s: ", machine->state_name(from),
                         machine->state_name(to));
        text_appendf(out, "%s%s", drawn ? ", " : "", machine->event_name(event));
        drawn = true;
    }
    if (drawn)
        text_append(out, "\n");
    return drawn;
}

static const char *draw(const struct machine *machine, struct arena *arena)
{
    struct text_buffer out;
    text_buffer_init(&out, arena, 1024);
    text_appendf(&out, "```mermaid\nstateDiagram-v2\n    [*] --> %s: %s\n",
                 machine->state_name(machine->first_state), machine->begin);
    for (int from = machine->first_state; from <= machine->last_state; from++) {
        bool ends = true;
        for (int to = machine->first_state; to <= machine->last_state; to++)
            if (draw_edge(machine, from, to, &out))
                ends = false;
        if (ends)
            text_appendf(&out, "    %s --> [*]\n", machine->state_name(from));
    }
    text_append(&out, "```\n");
    return text_copy_n(arena, out.data, out.length);
}

static const char *read_document(const char *path, struct arena *arena)
{
    struct text_buffer text;
    char part[4096];
    size_t size;
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file, "%s: %s (tests run from the top folder)", path, strerror(errno));
    text_buffer_init(&text, arena, sizeof(part));
    do {
        size = fread(part, 1, sizeof(part), file);
        text_append_n(&text, part, size);
    } while (size == sizeof(part));
    fclose(file);
    return text_copy_n(arena, text.data, text.length);
}

void expect_diagram(const struct machine *machine, const char *document)
{
    SCOPED(arena) *arena = arena_create();
    const char *diagram = draw(machine, arena);
    cr_assert_not_null(strstr(read_document(document, arena), diagram),
                       "%s lacks this diagram, or has an older one:\n\n%s", document, diagram);
}
