#pragma once
// What baroctl can do: one row a command. A command's row names its arguments; what they say arrives
// in struct arguments.

#include "lib/base/arena.h"
#include "lib/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// How baroctl ends.
enum exit_code {
    EXIT_DONE = 0,  // done, nothing wrong
    EXIT_WRONG = 1, // something is wrong, was refused or could not be done
    EXIT_USAGE = 2, // arguments or settings that cannot be used; an audit that could not look
};

// What a command line may say; each command takes some of it.
struct arguments {
    bool json;
    bool parked;
    bool watch;
    int64_t wait_ms;
    int64_t every_ms;
    int64_t limit;
    int64_t order_id;
    int64_t stock, buyers;
    int64_t orders, users, products, seed;
    const char *gateway;
    const char *state;
    const char *sink;
    const char *email;
    const char **words; // of `help`
    size_t word_count;
    const int64_t *ids;
    size_t id_count;
};

enum argument_type {
    ARGUMENT_FLAG,        // bool
    ARGUMENT_TEXT,        // const char *
    ARGUMENT_NUMBER,      // int64_t inside [min, max]
    ARGUMENT_DURATION_MS, // int64_t
    ARGUMENT_IDS,         // struct arguments.ids: one or more, without a name
    ARGUMENT_WORDS,       // struct arguments.words: any number, without a name
};

// "--limit N", or an argument without a name: "EMAIL". What has no name is required.
struct argument {
    const char *name;  // "--limit"; NULL: without a name
    const char *value; // "N", as help shows it
    enum argument_type type;
    size_t offset; // in struct arguments
    int64_t min, max;
    const char *help;
};

struct command {
    const char *name; // "audit", "saga list"
    const struct argument *arguments;
    size_t argument_count;
    struct arguments defaults;
    enum exit_code (*run)(const struct arguments *arguments, struct arena *arena);
    const char *help;
};

// The table of command.c.
extern const struct command commands[];
extern const size_t command_count;

// The command whose words the line begins with, and how many words that are; NULL if none.
const struct command *command_find(char *const *words, size_t count, size_t *used);

// Reads what follows the command's words. VALIDATION_ERROR with a message that says what is wrong and
// what would be right; results are in the arena.
struct status command_parse(const struct command *command, char *const *words, size_t count,
                            struct arena *arena, struct arguments *arguments);

// "baroctl saga retry ID ... [--gateway URL] [--json]", in the arena.
const char *command_usage(const struct command *command, struct arena *arena);

// Finds, parses and runs; returns the process's exit status.
int command_line(int argc, char **argv);
