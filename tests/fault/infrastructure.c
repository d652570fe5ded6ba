#include "tests/fault/infrastructure.h"

#include "tests/fault/cluster.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

enum { TMPFS = 0x01021994, PATH_SIZE = 512, BACKENDS_MAX = 256 };

struct infrastructure {
    char folder[PATH_SIZE];
    char sockets[PATH_SIZE]; // where Redis and PostgreSQL listen
    bool disk_is_full;
    unsigned next_backend;
};

struct infrastructure *infrastructure_open(const char *folder)
{
    struct infrastructure *infrastructure = calloc(1, sizeof(*infrastructure));
    const char *redis = getenv("BARO_REDIS_URL"); // "unix:///tmp/x/redis.sock"
    if (!infrastructure || !redis || strncmp(redis, "unix://", 7) != 0) {
        fprintf(stderr, "fault: BARO_REDIS_URL names no socket\n");
        exit(1);
    }
    snprintf(infrastructure->folder, sizeof(infrastructure->folder), "%s", folder);
    snprintf(infrastructure->sockets, sizeof(infrastructure->sockets), "%s", redis + 7);
    *strrchr(infrastructure->sockets, '/') = '\0';
    return infrastructure;
}

void infrastructure_close(struct infrastructure *infrastructure)
{
    free(infrastructure);
}

static bool run(const char *before, const char *word, const char *after)
{
    char command[2 * PATH_SIZE];
    snprintf(command, sizeof(command), "%s'%s%s", before, word, after);
    return system(command) == 0;
}

static bool start_servers(const struct infrastructure *infrastructure)
{
    return run("deploy/local/servers start ", infrastructure->folder, "' > /dev/null 2>&1");
}

// PostgreSQL

static pid_t postmaster(const struct infrastructure *infrastructure)
{
    char path[PATH_SIZE + 64];
    int pid = 0;
    snprintf(path, sizeof(path), "%s/postgres/postmaster.pid", infrastructure->folder);
    FILE *file = fopen(path, "r");
    if (file && fscanf(file, "%d", &pid) != 1)
        pid = 0;
    if (file)
        fclose(file);
    return pid;
}

static bool works_for_us(pid_t pid)
{
    char path[64], words[256] = "";
    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    FILE *file = fopen(path, "r");
    size_t length = file ? fread(words, 1, sizeof(words) - 1, file) : 0;
    words[length] = '\0';
    if (file)
        fclose(file);
    return strncmp(words, "postgres: baro_", 15) == 0;
}

// The processes that serve our services' connections.
static int find_backends(pid_t server, pid_t *pids)
{
    char path[64];
    int count = 0, pid;
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)server, (int)server);
    FILE *file = fopen(path, "r");
    while (file && count < BACKENDS_MAX && fscanf(file, "%d", &pid) == 1)
        if (works_for_us(pid))
            pids[count++] = pid;
    if (file)
        fclose(file);
    return count;
}

static void kill_backend(struct infrastructure *infrastructure, pid_t server)
{
    pid_t pids[BACKENDS_MAX];
    int count = find_backends(server, pids);
    if (count > 0)
        kill(pids[infrastructure->next_backend++ % (unsigned)count], SIGKILL);
}

void postgres_crash(struct infrastructure *infrastructure, enum crash crash)
{
    pid_t pid = postmaster(infrastructure);
    if (pid <= 1)
        return;
    if (crash == CRASH_BACKEND) {
        kill_backend(infrastructure, pid);
        return;
    }
    kill(pid, crash == CRASH_KILL ? SIGKILL : SIGQUIT);
    while (kill(pid, 0) == 0 || errno != ESRCH)
        pause_ms(1);
    (void)start_servers(infrastructure);
}

// Redis

static void signal_redis(const struct infrastructure *infrastructure, const char *pkill)
{
    (void)run(pkill, infrastructure->sockets, "/redis\\.sock'");
}

void redis_kill(struct infrastructure *infrastructure)
{
    signal_redis(infrastructure, "pkill -KILL -f -- ^redis-server.*");
}

void redis_start(struct infrastructure *infrastructure)
{
    (void)start_servers(infrastructure);
}

void redis_empty(struct infrastructure *infrastructure)
{
    (void)run("redis-cli -s ", infrastructure->sockets, "/redis.sock' FLUSHALL > /dev/null 2>&1");
}

void redis_stop(struct infrastructure *infrastructure)
{
    signal_redis(infrastructure, "pkill -STOP -f -- ^redis-server.*");
}

void redis_wake(struct infrastructure *infrastructure)
{
    signal_redis(infrastructure, "pkill -CONT -f -- ^redis-server.*");
}

// The disk

static void filler_path(const struct infrastructure *infrastructure, char *path, size_t size)
{
    snprintf(path, size, "%s/filler", infrastructure->folder);
}

bool disk_fill(struct infrastructure *infrastructure)
{
    enum { STEP = 1 << 20, SMALL_STEP = 4096 };
    char path[PATH_SIZE + 16];
    struct statfs disk;
    if (statfs(infrastructure->folder, &disk) != 0 || disk.f_type != TMPFS)
        return false;
    filler_path(infrastructure, path, sizeof(path));
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    off_t size = 0;
    infrastructure->disk_is_full = true;
    while (posix_fallocate(fd, size, STEP) == 0)
        size += STEP;
    while (posix_fallocate(fd, size, SMALL_STEP) == 0)
        size += SMALL_STEP;
    close(fd);
    return true;
}

void disk_free(struct infrastructure *infrastructure)
{
    char path[PATH_SIZE + 16];
    filler_path(infrastructure, path, sizeof(path));
    unlink(path);
    infrastructure->disk_is_full = false;
}

bool infrastructure_heal(struct infrastructure *infrastructure)
{
    if (infrastructure->disk_is_full)
        disk_free(infrastructure);
    redis_wake(infrastructure);
    for (int tries = 0; tries < 20; tries++) {
        if (start_servers(infrastructure))
            return true;
        pause_ms(500); // it recovers
    }
    return false;
}
