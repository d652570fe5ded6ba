#pragma once
// State diagrams in the documents are printed from the tables that the code uses (STYLE 3): these
// functions draw a table and look whether a document shows just that.

#include <stdbool.h>

// A state machine as numbers; states run from first_state, where it begins, to last_state.
struct machine {
    const char *begin; // what makes it: "claim"
    int first_state, last_state;
    int event_count;
    bool (*next)(int from, int event, int *to);
    const char *(*state_name)(int state);
    const char *(*event_name)(int event);
};

// Fails, with the text to paste, unless the document has the machine's mermaid diagram. Events that
// lead back to where they come from are not drawn.
void expect_diagram(const struct machine *machine, const char *document);
