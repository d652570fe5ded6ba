// THE table of what baroctl can do, and how a command line becomes one of its rows.
//
// --json and --help belong to every command.

#include "deploy/baroctl/command.h"

#include "deploy/baroctl/commands.h"
#include "deploy/baroctl/output.h"
#include "lib/base/log.h"
#include "lib/base/macros.h"
#include "lib/base/text.h"
#include "lib/base/version.h"

#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ARGUMENTS(table) table, COUNT(table)
#define AT(field) offsetof(struct arguments, field)
#define GATEWAY                                                                                    \
    {"--gateway", "URL", ARGUMENT_TEXT, AT(gateway), 0, 0, "instead of BARO_GATEWAY_URL"}
#define LIMIT {"--limit", "N", ARGUMENT_NUMBER, AT(limit), 1, LIST_LIMIT_MAX, "at most (20)"}
#define IDS {NULL, "ID", ARGUMENT_IDS, 0, 1, INT64_MAX, "one or more"}

enum {
    LIST_LIMIT = 20,
    LIST_LIMIT_MAX = 10000,
    SECOND_LOOK_MS = 2000,
    WATCH_MS = 5000,
    DEMO_ORDERS_MAX = 100000000,
    DEMO_PRODUCTS_MAX = 1000000,
    SALE_STOCK_MAX = 1000000,
    SALE_BUYERS_MAX = 4000, // a gateway takes so many connections from one address
};
#define AUDIT_DEFAULTS {.wait_ms = SECOND_LOOK_MS, .every_ms = WATCH_MS}
#define SALE_DEFAULTS {.stock = 50, .buyers = 200}
#define DEMO_DEFAULTS {.orders = 10000, .products = 500, .seed = 1}

static const struct argument AUDIT[] = {
    {"--wait",  "TIME", ARGUMENT_DURATION_MS, AT(wait_ms),  0, 0,
     "how long to look again while something seems wrong or is under way (2s)"            },
    {"--watch", NULL,   ARGUMENT_FLAG,        AT(watch),    0, 0,
     "look again and again, and say what changes, until SIGINT or SIGTERM"                },
    {"--every", "TIME", ARGUMENT_DURATION_MS, AT(every_ms), 0, 0, "between two looks (5s)"},
};
static const struct argument SAGA_LIST[] = {
    {"--state",  "STATE", ARGUMENT_TEXT,   AT(state),    0, 0,
     "RUNNING, COMPENSATING, COMPLETED or COMPENSATED"                                         },
    {"--parked", NULL,    ARGUMENT_FLAG,   AT(parked),   0, 0,         "those that need a hand"},
    {"--order",  "ID",    ARGUMENT_NUMBER, AT(order_id), 1, INT64_MAX, "of this order"         },
    LIMIT,
    GATEWAY,
};
static const struct argument DEAD_LETTER_LIST[] = {
    {"--sink",  "SINK",  ARGUMENT_TEXT, AT(sink),  0, 0, "kafka or webhook"           },
    {"--state", "STATE", ARGUMENT_TEXT, AT(state), 0, 0, "DEAD, REPLAYING or REPLAYED"},
    LIMIT,
    GATEWAY,
};
static const struct argument BY_ID[] = {IDS, GATEWAY};
static const struct argument USER_PROMOTE[] = {
    {NULL, "EMAIL", ARGUMENT_TEXT, AT(email), 0, 0, "of an account that exists"},
};
static const struct argument LOAD_DEMO[] = {
    {"--orders",   "N", ARGUMENT_NUMBER, AT(orders),   1, DEMO_ORDERS_MAX,   "how many (10000)"              },
    {"--users",    "N", ARGUMENT_NUMBER, AT(users),    1, DEMO_ORDERS_MAX,
     "new customers (one for 20 orders)"                                                                     },
    {"--products", "N", ARGUMENT_NUMBER, AT(products), 1, DEMO_PRODUCTS_MAX, "new products (500)"            },
    {"--seed",     "S", ARGUMENT_NUMBER, AT(seed),     0, INT64_MAX,         "another seed, another past (1)"},
};
static const struct argument FLASH_SALE[] = {
    {"--stock",  "N", ARGUMENT_NUMBER, AT(stock),  1, SALE_STOCK_MAX,  "units on the shelf (50)"},
    {"--buyers", "N", ARGUMENT_NUMBER, AT(buyers), 1, SALE_BUYERS_MAX, "who want one each (200)"},
    GATEWAY,
};
static const struct argument HELP[] = {
    {NULL, "COMMAND", ARGUMENT_WORDS, 0, 0, 0, "what to explain"},
};

// clang-format off
const struct command commands[] = {
    {"audit",              ARGUMENTS(AUDIT),            AUDIT_DEFAULTS,        audit_run,              "check the conservation laws; exit 1 and say what is broken"},
    {"saga list",          ARGUMENTS(SAGA_LIST),        {.limit = LIST_LIMIT}, saga_list_run,          "list sagas, newest first"},
    {"saga show",          ARGUMENTS(BY_ID),            {0},                   saga_show_run,          "show sagas with every step, attempt, outcome and time"},
    {"saga retry",         ARGUMENTS(BY_ID),            {0},                   saga_retry_run,         "drive open sagas again, at once; parked ones too"},
    {"dead-letter list",   ARGUMENTS(DEAD_LETTER_LIST), {.limit = LIST_LIMIT}, dead_letter_list_run,   "list events that an outside sink did not take, newest first"},
    {"dead-letter replay", ARGUMENTS(BY_ID),            {0},                   dead_letter_replay_run, "send dead letters again"},
    {"user promote",       ARGUMENTS(USER_PROMOTE),     {0},                   user_promote_run,       "make an account an admin"},
    {"load-demo",          ARGUMENTS(LOAD_DEMO),        DEMO_DEFAULTS,         load_demo_run,          "load a shop with half a year of orders beside what is there"},
    {"flash-sale",         ARGUMENTS(FLASH_SALE),       SALE_DEFAULTS,         flash_sale_run,         "sell a little stock to many buyers at once; exit 1 unless exactly that was sold"},
    {"help",               ARGUMENTS(HELP),             {0},                   help_run,               "explain a command, or list them all"},
};
// clang-format on
const size_t command_count = COUNT(commands);

// Number of words of the name if the line begins with them; 0 if not.
static size_t match_name(const char *name, char *const *words, size_t count)
{
    size_t used = 0;
    while (used < count) {
        size_t length = strcspn(name, " ");
        if (strlen(words[used]) != length || strncmp(words[used], name, length) != 0)
            return 0;
        used++;
        if (!name[length])
            return used;
        name += length + 1;
    }
    return 0;
}

const struct command *command_find(char *const *words, size_t count, size_t *used)
{
    for (size_t i = 0; i < command_count; i++)
        if ((*used = match_name(commands[i].name, words, count)))
            return &commands[i];
    return NULL;
}

// Arguments

struct parsing {
    const struct command *command;
    struct arena *arena;
    char *const *words;
    size_t count, next;
    struct arguments *arguments;
    int64_t *ids; // room for one a word
    const struct argument *operand;
    bool operand_given;
};

__attribute__((format(printf, 2, 3))) static struct status bad(const struct parsing *parsing,
                                                               const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *problem = text_vprintf(parsing->arena, format, args);
    va_end(args);
    return invalid(NULL, text_printf(parsing->arena, "%s\nusage: %s", problem,
                                     command_usage(parsing->command, parsing->arena)));
}

static struct status store_number(struct parsing *parsing, const struct argument *argument,
                                  const char *text, int64_t *into)
{
    if (text_parse_int64(text, argument->min, argument->max, into))
        return OK;
    const char *what = argument->name ? argument->name : argument->value;
    const char *range = argument->max == INT64_MAX
                            ? text_printf(parsing->arena, "from %lld", (long long)argument->min)
                            : text_printf(parsing->arena, "from %lld to %lld",
                                          (long long)argument->min, (long long)argument->max);
    return bad(
        parsing, "%s",
        text_printf(parsing->arena, "%s must be a whole number %s, not '%s'", what, range, text));
}

static struct status store(struct parsing *parsing, const struct argument *argument,
                           const char *text)
{
    struct arguments *arguments = parsing->arguments;
    void *into = (char *)arguments + argument->offset;
    switch (argument->type) {
    case ARGUMENT_FLAG:
        *(bool *)into = true;
        return OK;
    case ARGUMENT_TEXT:
        *(const char **)into = text;
        return *text ? OK : bad(parsing, "%s must not be empty", argument->value);
    case ARGUMENT_NUMBER:
        return store_number(parsing, argument, text, into);
    case ARGUMENT_DURATION_MS:
        return text_parse_duration_ms(text, into)
                   ? OK
                   : bad(parsing, "'%s' is no duration such as 500ms, 10s or 5m", text);
    case ARGUMENT_IDS:
        return store_number(parsing, argument, text, &parsing->ids[arguments->id_count++]);
    case ARGUMENT_WORDS:
        arguments->words[arguments->word_count++] = text;
        return OK;
    }
    return OK;
}

static bool repeats(const struct argument *argument)
{
    return argument->type == ARGUMENT_IDS || argument->type == ARGUMENT_WORDS;
}

static struct status parse_operand(struct parsing *parsing, const char *word)
{
    if (!parsing->operand || (parsing->operand_given && !repeats(parsing->operand)))
        return bad(parsing, "'%s' is too much", word);
    parsing->operand_given = true;
    return store(parsing, parsing->operand, word);
}

static struct status parse_option(struct parsing *parsing, const char *word)
{
    for (size_t i = 0; i < parsing->command->argument_count; i++) {
        const struct argument *argument = &parsing->command->arguments[i];
        if (!argument->name || strcmp(argument->name, word) != 0)
            continue;
        if (argument->type == ARGUMENT_FLAG)
            return store(parsing, argument, NULL);
        if (parsing->next == parsing->count)
            return bad(parsing, "%s needs a value", word);
        return store(parsing, argument, parsing->words[parsing->next++]);
    }
    if (strcmp(word, "--json") != 0)
        return bad(parsing, "there is no option '%s'", word);
    parsing->arguments->json = true;
    return OK;
}

struct status command_parse(const struct command *command, char *const *words, size_t count,
                            struct arena *arena, struct arguments *arguments)
{
    struct parsing parsing = {.command = command, .arena = arena, .words = words, .count = count};
    struct status st = OK;

    *arguments = command->defaults;
    parsing.arguments = arguments;
    parsing.ids = arena_array(arena, count + 1, sizeof(*parsing.ids));
    arguments->ids = parsing.ids;
    arguments->words = arena_array(arena, count + 1, sizeof(*arguments->words));
    for (size_t i = 0; i < command->argument_count; i++)
        if (!command->arguments[i].name)
            parsing.operand = &command->arguments[i];
    while (!failed(st) && parsing.next < count) {
        const char *word = words[parsing.next++];
        st = word[0] == '-' && word[1] ? parse_option(&parsing, word)
                                       : parse_operand(&parsing, word);
    }
    bool lacks = parsing.operand && !parsing.operand_given;
    if (!failed(st) && lacks && parsing.operand->type != ARGUMENT_WORDS)
        return bad(&parsing, "%s is missing", parsing.operand->value);
    return st;
}

// Help

static void append_argument(struct text_buffer *usage, const struct argument *argument)
{
    if (!argument->name) {
        bool optional = argument->type == ARGUMENT_WORDS;
        text_appendf(usage,
                     optional            ? " [%s]"
                     : repeats(argument) ? " %s ..."
                                         : " %s",
                     argument->value);
        return;
    }
    text_appendf(usage, " [%s", argument->name);
    if (argument->value)
        text_appendf(usage, " %s", argument->value);
    text_append(usage, "]");
}

const char *command_usage(const struct command *command, struct arena *arena)
{
    struct text_buffer usage;
    text_buffer_init(&usage, arena, 128);
    text_appendf(&usage, "baroctl %s", command->name);
    for (size_t i = 0; i < command->argument_count; i++)
        append_argument(&usage, &command->arguments[i]);
    if (command->run != help_run)
        text_append(&usage, " [--json]");
    return usage.data;
}

static void explain(const struct command *command, struct arena *arena)
{
    printf("%s\n\n%s.\n", command_usage(command, arena), command->help);
    for (size_t i = 0; i < command->argument_count; i++) {
        const struct argument *argument = &command->arguments[i];
        const char *name = argument->name ? argument->name : argument->value;
        const char *value = argument->name && argument->value ? argument->value : "";
        printf("%s  %-10s %-6s %s\n", i ? "" : "\n", name, value, argument->help);
    }
}

static void list_commands(FILE *file, const char *beginning)
{
    for (size_t i = 0; i < command_count; i++)
        if (strncmp(commands[i].name, beginning, strlen(beginning)) == 0)
            fprintf(file, "  %-20s %s\n", commands[i].name, commands[i].help);
}

static const char SETTINGS_HELP[] =
    "\n--json prints one JSON document. Exit status: 0 done, 1 something is wrong or failed, 2 bad\n"
    "arguments or settings (for audit also: could not look).\n"
    "\n"
    "audit, user and load-demo go to the databases: BARO_USER_DATABASE_URL, BARO_PRODUCT_DATABASE_URL,\n"
    "BARO_ORDER_DATABASE_URL, BARO_COUPON_DATABASE_URL; `make up` writes them to .local/up/env.\n"
    "The others ask the gateway at BARO_GATEWAY_URL (http://127.0.0.1:8080), as the admin\n"
    "BARO_ADMIN_EMAIL with BARO_ADMIN_PASSWORD, or with the access token BARO_ADMIN_TOKEN.";

enum exit_code help_run(const struct arguments *arguments, struct arena *arena)
{
    size_t used;
    char **words = arena_array(arena, arguments->word_count + 1, sizeof(*words));
    for (size_t i = 0; i < arguments->word_count; i++)
        words[i] = text_copy(arena, arguments->words[i]);
    const struct command *command = command_find(words, arguments->word_count, &used);
    if (command) {
        explain(command, arena);
        return EXIT_DONE;
    }
    puts("baroctl " BARO_VERSION ": usage: baroctl COMMAND [ARGUMENT ...]\n");
    list_commands(stdout, "");
    puts(SETTINGS_HELP);
    return EXIT_DONE;
}

// The line

static int refuse_line(const char *word)
{
    if (!word) {
        fputs("usage: baroctl COMMAND [ARGUMENT ...]\n", stderr);
        list_commands(stderr, "");
        return EXIT_USAGE;
    }
    fprintf(stderr, "baroctl: no command '%s'; baroctl help lists them\n", word);
    list_commands(stderr, word);
    return EXIT_USAGE;
}

static bool asks_for_help(char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(words[i], "--help") == 0)
            return true;
    return false;
}

int command_line(int argc, char **argv)
{
    SCOPED(arena) *arena = arena_create();
    struct arguments arguments = {0};
    char **words = argv + 1;
    size_t count = argc > 1 ? (size_t)argc - 1 : 0, used = 0;

    log_init("baroctl", LOG_LEVEL_ERROR);
    setlocale(LC_CTYPE, "C.UTF-8"); // for the width of what people wrote
    const struct command *command = command_find(words, count, &used);
    if (asks_for_help(words, count)) {
        if (command)
            explain(command, arena);
        return (int)(command ? EXIT_DONE : help_run(&arguments, arena));
    }
    if (count && strcmp(words[0], "--version") == 0) {
        puts("baroctl " BARO_VERSION);
        return EXIT_DONE;
    }
    if (!command)
        return refuse_line(count ? words[0] : NULL);
    struct status st = command_parse(command, words + used, count - used, arena, &arguments);
    return (int)(failed(st) ? complain(command->name, st) : command->run(&arguments, arena));
}
