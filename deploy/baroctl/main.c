// baroctl: the operator's tool. One row a command.

#include "deploy/baroctl/audit.h"
#include "lib/base/log.h"
#include "lib/base/macros.h"
#include "lib/base/version.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} COMMANDS[] = {
    {"audit", audit_command, "check the conservation laws; exit 1 and say what is broken"},
};

static void print_help(void)
{
    puts("baroctl " BARO_VERSION ": usage: baroctl COMMAND [ARGUMENT ...]\n");
    for (size_t i = 0; i < COUNT(COMMANDS); i++)
        printf("  %-10s %s\n", COMMANDS[i].name, COMMANDS[i].help);
    puts("\nDatabases are named by BARO_USER_DATABASE_URL, BARO_PRODUCT_DATABASE_URL,\n"
         "BARO_ORDER_DATABASE_URL and BARO_COUPON_DATABASE_URL; `make up` writes them to "
         ".local/up/env.");
}

int main(int argc, char **argv)
{
    log_init("baroctl", LOG_LEVEL_ERROR);
    if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "help")) {
        print_help();
        return argc < 2 ? 2 : 0;
    }
    for (size_t i = 0; i < COUNT(COMMANDS); i++)
        if (!strcmp(argv[1], COMMANDS[i].name))
            return COMMANDS[i].run(argc - 1, argv + 1);
    fprintf(stderr, "baroctl: no command '%s'; baroctl --help lists them\n", argv[1]);
    return 2;
}
