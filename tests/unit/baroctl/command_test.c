#include "deploy/baroctl/command.h"
#include "lib/base/macros.h"

#include <criterion/criterion.h>
#include <string.h>

enum { WORDS_MAX = 12 };

// A line without "baroctl", split at spaces.
struct line {
    char text[256];
    char *words[WORDS_MAX];
    size_t count;
};

static struct line *split(struct arena *arena, const char *text)
{
    struct line *line = arena_alloc(arena, sizeof(*line));
    char *rest = line->text;
    strncpy(line->text, text, sizeof(line->text) - 1);
    for (char *word; (word = strtok_r(rest, " ", &rest));)
        line->words[line->count++] = word;
    return line;
}

static struct status parse(struct arena *arena, const char *text, struct arguments *arguments)
{
    size_t used;
    struct line *line = split(arena, text);
    const struct command *command = command_find(line->words, line->count, &used);
    cr_assert(command, "%s", text);
    return command_parse(command, line->words + used, line->count - used, arena, arguments);
}

Test(baroctl_command, every_row_is_found_by_its_own_name_and_says_what_it_is_for)
{
    SCOPED(arena) *arena = arena_create();
    for (size_t i = 0; i < command_count; i++) {
        size_t used;
        struct line *line = split(arena, commands[i].name);
        cr_expect_eq(command_find(line->words, line->count, &used), &commands[i], "%s",
                     commands[i].name);
        cr_expect_eq(used, line->count);
        cr_expect(commands[i].run && commands[i].help[0]);
    }
}

Test(baroctl_command, half_a_name_and_an_unknown_one_are_no_command)
{
    SCOPED(arena) *arena = arena_create();
    static const char *const lines[] = {"", "saga", "saga lists", "audits", "list saga", "--json"};
    for (size_t i = 0; i < COUNT(lines); i++) {
        size_t used;
        struct line *line = split(arena, lines[i]);
        cr_expect_null(command_find(line->words, line->count, &used), "%s", lines[i]);
    }
}

Test(baroctl_command, what_is_not_said_keeps_its_default)
{
    SCOPED(arena) *arena = arena_create();
    struct arguments arguments;
    cr_assert(!failed(parse(arena, "saga list", &arguments)));
    cr_expect_eq(arguments.limit, 20);
    cr_expect(!arguments.json && !arguments.parked && !arguments.state && !arguments.gateway);
    cr_assert(!failed(parse(arena, "audit", &arguments)));
    cr_expect_eq(arguments.wait_ms, 2000);
}

Test(baroctl_command, what_is_said_arrives_wherever_it_stands)
{
    SCOPED(arena) *arena = arena_create();
    struct arguments arguments;
    cr_assert(!failed(parse(arena, "saga list --parked --json --limit 7 --state RUNNING --order 12",
                            &arguments)));
    cr_expect(arguments.parked && arguments.json);
    cr_expect_eq(arguments.limit, 7);
    cr_expect_eq(arguments.order_id, 12);
    cr_expect_str_eq(arguments.state, "RUNNING");
    cr_assert(!failed(parse(arena, "saga retry 5 --gateway http://x 6", &arguments)));
    cr_assert_eq(arguments.id_count, 2);
    cr_expect_eq(arguments.ids[0], 5);
    cr_expect_eq(arguments.ids[1], 6);
    cr_assert(!failed(parse(arena, "audit --wait 3m", &arguments)));
    cr_expect_eq(arguments.wait_ms, 180000);
    cr_assert(!failed(parse(arena, "user promote a@example.com", &arguments)));
    cr_expect_str_eq(arguments.email, "a@example.com");
}

Test(baroctl_command, what_makes_no_sense_is_refused_with_the_usage)
{
    static const struct {
        const char *line, *says;
    } cases[] = {
        {"saga show",                "ID is missing"                                 },
        {"saga show x",              "ID must be a whole number from 1, not 'x'"     },
        {"saga show 0",              "not '0'"                                       },
        {"saga list --limit",        "--limit needs a value"                         },
        {"saga list --limit 0",      "--limit must be a whole number from 1 to 10000"},
        {"saga list --limit 10001",  "not '10001'"                                   },
        {"saga list 5",              "'5' is too much"                               },
        {"saga list --colour",       "there is no option '--colour'"                 },
        {"audit --wait soon",        "'soon' is no duration"                         },
        {"user promote",             "EMAIL is missing"                              },
        {"user promote a@b.c d@e.f", "'d@e.f' is too much"                           },
    };
    SCOPED(arena) *arena = arena_create();
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arguments arguments;
        struct status st = parse(arena, cases[i].line, &arguments);
        cr_expect_eq(st.reason, REASON_VALIDATION_ERROR, "%s", cases[i].line);
        cr_expect(st.message && strstr(st.message, cases[i].says), "%s: %s", cases[i].line,
                  st.message);
        cr_expect(st.message && strstr(st.message, "usage: baroctl"), "%s", cases[i].line);
    }
}

Test(baroctl_command, the_usage_shows_what_is_required_and_what_is_not)
{
    SCOPED(arena) *arena = arena_create();
    size_t used;
    struct line *line = split(arena, "saga retry");
    cr_expect_str_eq(command_usage(command_find(line->words, 2, &used), arena),
                     "baroctl saga retry ID ... [--gateway URL] [--json]");
}
