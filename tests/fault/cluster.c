#include "tests/fault/cluster.h"

#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "tests/fault/packets.h"
#include "tests/fault/proxy.h"
#include "tests/support/http.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    ENVIRONMENT_MAX = 512,
    FIRST_PRIVATE_FD = 9, // 8 holds the lock of our ports (tests/ports)
    STOP_MS = 30000,
    READY_MS = 60000,
    POLL_MS = 2,
};

#define FAKETIME "/usr/$LIB/faketime/libfaketimeMT.so.1" // the loader knows $LIB

static const char *const NAMES[] = {"user", "product", "coupon", "order", "gateway"};

void pause_ms(int64_t ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
}

_Noreturn static void fail(const char *what)
{
    fprintf(stderr, "fault: %s: %s\n", what, strerror(errno));
    exit(1);
}

static char *copied(const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        fail("memory");
    return copy;
}

static const char *value_of(char *const *environment, const char *name)
{
    size_t length = strlen(name);
    for (; *environment; environment++)
        if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
            return *environment + length + 1;
    return "";
}

static char **read_environment(pid_t pid)
{
    static char text[65536];
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
    FILE *file = fopen(path, "r");
    char **environment = calloc(ENVIRONMENT_MAX, sizeof(*environment));
    if (!file || !environment)
        fail(path);
    size_t size = fread(text, 1, sizeof(text) - 1, file), count = 0;
    fclose(file);
    text[size] = '\0';
    for (char *line = text; line < text + size && count < ENVIRONMENT_MAX - 1;
         line += strlen(line) + 1)
        environment[count++] = copied(line);
    return environment;
}

static void pid_path(const struct cluster *cluster, const struct process *process, char *path,
                     size_t size)
{
    snprintf(path, size, "%s/run/%s-%d.pid", cluster->folder, process->name, process->replica);
}

static bool find_process(struct cluster *cluster, const char *name, int replica)
{
    char path[512];
    struct process *process = &cluster->processes[cluster->count];
    snprintf(process->name, sizeof(process->name), "%s", name);
    process->replica = replica;
    pid_path(cluster, process, path, sizeof(path));
    FILE *file = fopen(path, "r");
    int pid = 0;
    if (!file)
        return false;
    if (fscanf(file, "%d", &pid) != 1)
        pid = 0;
    fclose(file);
    snprintf(path, sizeof(path), "/proc/%d/exe", pid);
    process->path = realpath(path, NULL);
    if (!process->path)
        fail(path);
    process->pid = pid;
    process->environment = read_environment(pid);
    cluster->count++;
    return true;
}

void cluster_find(struct cluster *cluster)
{
    cluster->count = 0;
    for (size_t i = 0; i < COUNT(NAMES); i++)
        for (int replica = 0;
             cluster->count < PROCESSES_MAX && find_process(cluster, NAMES[i], replica); replica++)
            continue;
    if (cluster->count == 0)
        fail(cluster->folder);
}

struct process *cluster_process(struct cluster *cluster, pid_t pid)
{
    for (int i = 0; i < cluster->count; i++)
        if (cluster->processes[i].pid == pid && pid)
            return &cluster->processes[i];
    return NULL;
}

// Those that the stack has started are not our children.
static bool is_gone(pid_t pid)
{
    if (waitpid(pid, NULL, WNOHANG) == pid)
        return true;
    return kill(pid, 0) != 0 && errno == ESRCH;
}

bool process_is_dead(struct process *process)
{
    if (process->pid && is_gone(process->pid))
        process->pid = 0;
    return process->pid == 0;
}

void process_kill(struct process *process)
{
    if (process->pid)
        kill(process->pid, SIGKILL);
    while (!process_is_dead(process))
        pause_ms(1);
}

bool process_stop(struct process *process)
{
    int64_t until_us = clock_monotonic_us() + STOP_MS * US_PER_MS;
    if (process->pid)
        kill(process->pid, SIGTERM);
    while (!process_is_dead(process)) {
        if (clock_monotonic_us() > until_us) {
            process_kill(process);
            return false;
        }
        pause_ms(POLL_MS);
    }
    return true;
}

// What it is started with

static void clock_path(const struct cluster *cluster, const struct process *process, char *path,
                       size_t size)
{
    snprintf(path, size, "%s/clock/%s-%d", cluster->folder, process->name, process->replica);
}

void process_set_clock(const struct cluster *cluster, const struct process *process,
                       int64_t offset_s)
{
    char path[512], new_path[520];
    clock_path(cluster, process, path, sizeof(path));
    snprintf(new_path, sizeof(new_path), "%s.new", path);
    FILE *file = fopen(new_path, "w");
    if (!file)
        fail(new_path);
    fprintf(file, "%+lld\n", (long long)offset_s);
    if (fclose(file) != 0 || rename(new_path, path) != 0)
        fail(path);
}

struct wardrobe {
    char *lines[ENVIRONMENT_MAX + 1];
    size_t count;
};

static void put(struct wardrobe *wardrobe, const char *name, const char *value)
{
    char *line = NULL;
    if (asprintf(&line, "%s=%s", name, value) < 0 || wardrobe->count >= ENVIRONMENT_MAX)
        fail("environment");
    wardrobe->lines[wardrobe->count++] = line;
}

static bool shortens_leases(const char *line)
{
    static const char *const SHORT[] = {
        "BARO_SAGA_LEASE=", "BARO_SAGA_HELD_AFTER=", "BARO_SAGA_DECIDE_AFTER="};
    for (size_t i = 0; i < COUNT(SHORT); i++)
        if (strncmp(line, SHORT[i], strlen(SHORT[i])) == 0)
            return true;
    return false;
}

static void put_clock(const struct cluster *cluster, const struct process *process,
                      struct wardrobe *wardrobe)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/clock", cluster->folder);
    mkdir(path, 0700);
    clock_path(cluster, process, path, sizeof(path));
    process_set_clock(cluster, process, 0);
    put(wardrobe, "LD_PRELOAD", FAKETIME);
    put(wardrobe, "FAKETIME_TIMESTAMP_FILE", path);
    put(wardrobe, "FAKETIME_CACHE_DURATION", "1");
    put(wardrobe, "FAKETIME_DONT_FAKE_MONOTONIC", "1");
    put(wardrobe, "FAKETIME_FORCE_MONOTONIC_FIX", "0"); // else waits end at any time but theirs
}

static char *rerouted(const struct cluster *cluster, const char *line)
{
    if (cluster->dress & DRESS_PROXIES)
        return proxies_reroute(cluster->proxies, line);
    return cluster->dress & DRESS_LINKS ? packets_reroute(line) : copied(line);
}

static void dress(const struct cluster *cluster, const struct process *process,
                  struct wardrobe *wardrobe)
{
    wardrobe->count = 0;
    for (char *const *line = process->environment; *line; line++) {
        if (cluster->dress & DRESS_LONG_LEASES && shortens_leases(*line))
            continue;
        wardrobe->lines[wardrobe->count++] = rerouted(cluster, *line);
    }
    put(wardrobe, "BARO_FAULT_BOARD", cluster->board);
    put(wardrobe, "BARO_WEBHOOK_URL", cluster->webhook);
    put(wardrobe, "BARO_WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    put(wardrobe, "BARO_WEBHOOK_ALLOW_PRIVATE", "on");
    put(wardrobe, "BARO_WEBHOOK_TIMEOUT", "200ms"); // its courier's lease follows from it
    if (cluster->dress & DRESS_CLOCK)
        put_clock(cluster, process, wardrobe);
    wardrobe->lines[wardrobe->count] = NULL;
}

static void undress(struct wardrobe *wardrobe)
{
    for (size_t i = 0; i < wardrobe->count; i++)
        free(wardrobe->lines[i]);
}

// A killed process leaves its sockets.
static void remove_sockets(const struct process *process)
{
    static const char *const LISTENING[] = {"BARO_RPC_LISTEN", "BARO_BUS_LISTEN"};
    for (size_t i = 0; i < COUNT(LISTENING); i++) {
        const char *url = value_of(process->environment, LISTENING[i]);
        if (strncmp(url, "ipc://", 6) == 0)
            unlink(url + 6);
    }
}

static void note_pid(const struct cluster *cluster, const struct process *process)
{
    char path[512];
    pid_path(cluster, process, path, sizeof(path));
    FILE *file = fopen(path, "w");
    if (file) { // not while the disk is full: the next start will do it
        fprintf(file, "%d\n", (int)process->pid);
        fclose(file);
    }
}

static void spawn(const struct cluster *cluster, struct process *process, char **environment)
{
    char log[512], group[16];
    // Should we be killed, nobody must be left behind.
    char *words[] = {"setpriv",     "--regid", group,         "--clear-groups",
                     "--pdeathsig", "KILL",    process->path, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    snprintf(group, sizeof(group), "%d", cluster->dress & DRESS_LINKS ? packets_group(process) : 0);
    snprintf(log, sizeof(log), "%s/log/%s-%d.log", cluster->folder, process->name,
             process->replica);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    posix_spawn_file_actions_addclosefrom_np(&actions, FIRST_PRIVATE_FD);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    errno = posix_spawnp(&process->pid, words[0], &actions, &attributes, words, environment);
    if (errno)
        fail(process->path);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
}

void process_start(struct cluster *cluster, struct process *process)
{
    static struct wardrobe wardrobe;
    if (!process_is_dead(process))
        return;
    remove_sockets(process);
    dress(cluster, process, &wardrobe);
    spawn(cluster, process, wardrobe.lines);
    undress(&wardrobe);
    note_pid(cluster, process);
}

// Readiness

bool process_is_ready(const struct process *process)
{
    char root[64];
    const char *ops = value_of(process->environment, "BARO_OPS_LISTEN");
    const char *http = value_of(process->environment, "BARO_HTTP_ADDRESS");
    snprintf(root, sizeof(root), "http://%s", strcmp(process->name, "gateway") == 0 ? http : ops);
    struct http_client *probe = http_open(root);
    http_set_timeout(probe, 2000);
    long status = http_call(probe, "GET", "/readyz", NULL).status;
    http_close(probe);
    return status == 200;
}

bool process_await_ready(struct process *process, int64_t timeout_ms)
{
    int64_t until_us = clock_monotonic_us() + timeout_ms * US_PER_MS;
    while (!process_is_ready(process)) {
        if (process_is_dead(process) || clock_monotonic_us() > until_us)
            return false;
        pause_ms(POLL_MS);
    }
    return true;
}

bool cluster_heal(struct cluster *cluster, int64_t timeout_ms)
{
    int64_t until_us = clock_monotonic_us() + timeout_ms * US_PER_MS;
    for (int i = 0; i < cluster->count;) {
        struct process *process = &cluster->processes[i];
        if (process->pid)
            kill(process->pid, SIGCONT);
        if (cluster->dress & DRESS_CLOCK)
            process_set_clock(cluster, process, 0);
        process_start(cluster, process);
        int64_t left_ms = (until_us - clock_monotonic_us()) / US_PER_MS;
        if (process_await_ready(process, left_ms))
            i++;
        else if (left_ms <= 0)
            return false; // else it has died once more: by what was still armed
    }
    return true;
}

bool cluster_dress(struct cluster *cluster, unsigned dress)
{
    for (int i = 0; i < cluster->count; i++)
        process_kill(&cluster->processes[i]);
    cluster->dress = dress;
    for (int i = 0; i < cluster->count; i++)
        process_start(cluster, &cluster->processes[i]);
    return cluster_heal(cluster, READY_MS);
}
