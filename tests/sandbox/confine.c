// Runs a program under a seccomp profile as container runtimes read it, with one difference: a call
// that the profile refuses by default kills the process, so that a test cannot miss it.
//
//     confine PROFILE PROGRAM [ARGUMENT ...]

#include "lib/base/macros.h"

#include <errno.h>
#include <jansson.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 6 };

_Noreturn static void give_up(const char *what, int error)
{
    fprintf(stderr, "confine: %s: %s\n", what, strerror(error));
    exit(1);
}

static const char *word(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    if (!value)
        give_up(name, EINVAL);
    return value;
}

static uint32_t action_of(const json_t *rule)
{
    const char *name = word(rule, "action");
    if (strcmp(name, "SCMP_ACT_ALLOW") == 0)
        return SCMP_ACT_ALLOW;
    if (strcmp(name, "SCMP_ACT_ERRNO") == 0)
        return SCMP_ACT_ERRNO((uint32_t)json_integer_value(json_object_get(rule, "errnoRet")));
    give_up(name, EINVAL);
}

static enum scmp_compare comparison_of(const json_t *argument)
{
    static const struct {
        const char *name;
        enum scmp_compare comparison;
    } known[] = {
        {"SCMP_CMP_EQ",        SCMP_CMP_EQ       },
        {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
    };
    const char *name = word(argument, "op");
    for (size_t i = 0; i < COUNT(known); i++)
        if (strcmp(known[i].name, name) == 0)
            return known[i].comparison;
    give_up(name, EINVAL);
}

static scmp_datum_t number(const json_t *argument, const char *name)
{
    return (scmp_datum_t)json_integer_value(json_object_get(argument, name));
}

static unsigned read_arguments(const json_t *rule, struct scmp_arg_cmp into[ARGUMENTS_MAX])
{
    const json_t *arguments = json_object_get(rule, "args");
    size_t count = json_array_size(arguments);
    if (count > ARGUMENTS_MAX)
        give_up("args", E2BIG);
    for (size_t i = 0; i < count; i++) {
        const json_t *argument = json_array_get(arguments, i);
        into[i] = (struct scmp_arg_cmp){
            .arg = (unsigned)number(argument, "index"),
            .op = comparison_of(argument),
            .datum_a = number(argument, "value"),
            .datum_b = number(argument, "valueTwo"),
        };
    }
    return (unsigned)count;
}

// A call that this machine does not have needs no rule.
static void add_rule(scmp_filter_ctx filter, const json_t *rule)
{
    struct scmp_arg_cmp arguments[ARGUMENTS_MAX];
    unsigned argument_count = read_arguments(rule, arguments);
    const json_t *names = json_object_get(rule, "names");
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        int call = seccomp_syscall_resolve_name(name);
        if (call == __NR_SCMP_ERROR)
            give_up(name, ENOSYS);
        int error =
            seccomp_rule_add_array(filter, action_of(rule), call, argument_count, arguments);
        if (error)
            give_up(name, -error);
    }
}

static void load(const char *path)
{
    json_error_t problem;
    json_t *profile = json_load_file(path, JSON_REJECT_DUPLICATES, &problem);
    if (!profile)
        give_up(problem.text, EINVAL);
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    const json_t *rules = json_object_get(profile, "syscalls");
    for (size_t i = 0; i < json_array_size(rules); i++)
        add_rule(filter, json_array_get(rules, i));
    int error = seccomp_load(filter); // with no new privileges
    if (error)
        give_up("the filter", -error);
    seccomp_release(filter);
    json_decref(profile);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: confine PROFILE PROGRAM [ARGUMENT ...]\n");
        return 2;
    }
    load(argv[1]);
    execv(argv[2], argv + 2);
    give_up(argv[2], errno);
}
