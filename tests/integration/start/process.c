#include "tests/integration/start/process.h"

#include "lib/base/clock.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_S = 60, ENVIRONMENT_MAX = 32 };

static void spawn(struct process *process, const char *name, char **environment, int output)
{
    char path[256];
    char *const words[] = {path, NULL};
    const char *build = getenv("BUILD");
    posix_spawn_file_actions_t actions;
    snprintf(path, sizeof(path), "%s/baro-%s", build ? build : "build", name);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
    int error = posix_spawn(&process->pid, path, &actions, NULL, words, environment);
    posix_spawn_file_actions_destroy(&actions);
    cr_assert_eq(error, 0, "%s: %s", path, strerror(error));
}

void process_start(struct process *process, const char *name, const char *const *environment)
{
    char *copies[ENVIRONMENT_MAX + 2] = {NULL}, path[1024];
    size_t count = 0;
    int ends[2];
    snprintf(path, sizeof(path), "PATH=%s", getenv("PATH"));
    copies[count++] = strdup(path);
    for (size_t i = 0; environment[i]; i++) {
        cr_assert_lt(count, ENVIRONMENT_MAX);
        copies[count++] = strdup(environment[i]);
    }
    cr_assert_eq(pipe(ends), 0);
    *process = (struct process){.output = ends[0]};
    spawn(process, name, copies, ends[1]);
    close(ends[1]);
    while (count > 0)
        free(copies[--count]);
}

// Takes what it says next; false when there is no more, or the time is over.
static bool listen_on(struct process *process, int64_t until_us)
{
    int64_t left_ms = (until_us - clock_monotonic_us()) / US_PER_MS;
    struct pollfd readable = {.fd = process->output, .events = POLLIN};
    if (left_ms <= 0 || poll(&readable, 1, (int)left_ms) <= 0)
        return false;
    size_t room = sizeof(process->text) - 1 - process->length;
    cr_assert_gt(room, 0, "it says too much");
    ssize_t size = read(process->output, process->text + process->length, room);
    if (size <= 0)
        return false;
    process->length += (size_t)size;
    process->text[process->length] = '\0';
    return true;
}

bool process_says(struct process *process, const char *words, int64_t within_ms)
{
    int64_t until_us = clock_monotonic_us() + within_ms * US_PER_MS;
    while (!strstr(process->text, words))
        if (!listen_on(process, until_us))
            return false;
    return true;
}

int process_await_end(struct process *process)
{
    int64_t until_us = clock_monotonic_us() + PATIENCE_S * US_PER_S;
    int status;
    while (listen_on(process, until_us))
        continue;
    if (clock_monotonic_us() >= until_us)
        kill(process->pid, SIGKILL);
    waitpid(process->pid, &status, 0);
    close(process->output);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int process_stop(struct process *process)
{
    kill(process->pid, SIGTERM);
    return process_await_end(process);
}

size_t process_count(const struct process *process, const char *words)
{
    size_t count = 0;
    for (const char *at = process->text; (at = strstr(at, words)); at += strlen(words))
        count++;
    return count;
}
