#include "tests/support/stack.h"

#include "tests/support/http.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <time.h>
#include <unistd.h>

static const char *stack_folder(void)
{
    const char *folder = getenv("BARO_STACK_DIR");
    cr_assert(folder, "BARO_STACK_DIR names the folder of deploy/local/stack; `make test` sets it");
    return folder;
}

static int read_number(const char *path)
{
    int number = 0;
    FILE *file = fopen(path, "r");
    if (!file || fscanf(file, "%d", &number) != 1)
        number = 0;
    if (file)
        fclose(file);
    return number;
}

static pid_t pid_of(const char *name, int replica)
{
    char path[512];
    snprintf(path, sizeof path, "%s/run/%s-%d.pid", stack_folder(), name, replica);
    pid_t pid = read_number(path);
    cr_assert_gt(pid, 1, "%s names no process", path);
    return pid;
}

int64_t stack_memory_kib(const char *name, int replica)
{
    char path[64];
    long pages = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid_of(name, replica));
    FILE *file = fopen(path, "r");
    cr_assert(file && fscanf(file, "%*d %ld", &pages) == 1, "%s cannot be read", path);
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

void stack_signal(const char *name, int replica, int signal_number)
{
    enum { DEATH_MS = 10000 };
    pid_t pid = pid_of(name, replica);
    struct pollfd process = {pidfd_open(pid, 0), POLLIN, 0};
    cr_assert(process.fd >= 0 && kill(pid, signal_number) == 0, "%s-%d (pid %d) is not running",
              name, replica, (int)pid);
    // Dead is also who is not buried yet.
    if (signal_number == SIGKILL)
        cr_assert_eq(poll(&process, 1, DEATH_MS), 1, "%s-%d does not die", name, replica);
    close(process.fd);
}

static void run_stack(const char *verb, const char *name, int replica)
{
    char command[1024];
    snprintf(command, sizeof command, "deploy/local/stack %s '%s' %s %d", verb, stack_folder(),
             name, replica);
    cr_assert_eq(system(command), 0, "cannot %s %s-%d", verb, name, replica);
}

void stack_stop(const char *name, int replica)
{
    run_stack("stop", name, replica);
}

void stack_start(const char *name, int replica)
{
    run_stack("start", name, replica);
}

const char *stack_gateway(int replica)
{
    static char root[64];
    const char *first = getenv("BARO_HTTP_ADDRESS"); // "127.0.0.1:18080"
    cr_assert(first && strchr(first, ':'), "BARO_HTTP_ADDRESS is set by tests/e2e/run");
    snprintf(root, sizeof root, "http://127.0.0.1:%ld",
             strtol(strchr(first, ':') + 1, NULL, 10) + replica);
    return root;
}

// As deploy/local/stack counts them.
int stack_ops_port(const char *name, int replica)
{
    static const char *const names[] = {"user", "product", "coupon", "order", "gateway"};
    const char *first = getenv("BARO_OPS_PORT");
    int index = 0;
    cr_assert(first, "BARO_OPS_PORT is set by tests/e2e/run");
    while (strcmp(names[index], name) != 0)
        index++;
    return (int)strtol(first, NULL, 10) + 10 * replica + index;
}

static bool is_ready(const char *root)
{
    struct http_client *probe = http_open(root);
    long status = http_call(probe, "GET", "/readyz", NULL).status;
    http_close(probe);
    return status == 200;
}

void stack_start_gateway(int replica)
{
    stack_start("gateway", replica);
    for (int tries = 0; !is_ready(stack_gateway(replica)); tries++) {
        cr_assert_lt(tries, 1000, "gateway-%d does not become ready", replica);
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000000}, NULL);
    }
}

void stack_kill_all(const char *name)
{
    for (int i = 0; i < stack_replicas(); i++)
        stack_signal(name, i, SIGKILL);
}

void stack_start_all(const char *name)
{
    for (int i = 0; i < stack_replicas(); i++)
        stack_start(name, i);
}

int stack_replicas(void)
{
    char path[512];
    snprintf(path, sizeof path, "%s/run/replicas", stack_folder());
    return read_number(path);
}

static void start_servers(void)
{
    char command[1024];
    snprintf(command, sizeof command, "deploy/local/servers start '%s'", stack_folder());
    cr_assert_eq(system(command), 0, "the servers do not start again");
}

void stack_crash_database(void)
{
    char path[512];
    snprintf(path, sizeof path, "%s/postgres/postmaster.pid", stack_folder());
    pid_t pid = read_number(path);
    cr_assert_gt(pid, 1, "%s names no process", path);
    cr_assert_eq(kill(pid, SIGKILL), 0, "PostgreSQL (pid %d) is not running", (int)pid);
    start_servers();
}

void stack_empty_redis(void)
{
    cr_assert_eq(system("redis-cli -s \"${BARO_REDIS_URL#unix://}\" FLUSHALL > /dev/null"), 0);
}

void stack_stop_redis(void)
{
    // The connection ends with the server, so redis-cli says that it failed.
    int outcome = system("redis-cli -s \"${BARO_REDIS_URL#unix://}\" SHUTDOWN NOSAVE; "
                         "! redis-cli -s \"${BARO_REDIS_URL#unix://}\" PING > /dev/null 2>&1");
    cr_assert_eq(outcome, 0, "Redis still answers");
}

void stack_start_redis(void)
{
    start_servers();
}
