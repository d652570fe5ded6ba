#include "tests/support/redis.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

void redis_server_init(struct redis_server *server)
{
    *server = (struct redis_server){.folder = "/tmp/baro-redis-XXXXXX"};
    cr_assert_not_null(mkdtemp(server->folder));
    snprintf(server->socket, sizeof(server->socket), "%s/redis.sock", server->folder);
    snprintf(server->url, sizeof(server->url), "unix://%s", server->socket);
}

void redis_server_start(struct redis_server *server, const char *password)
{
    char *words[] = {
        "setpriv",        "--pdeathsig", "KILL", // a test that fails must not leave it behind
        "redis-server",   "--port",      "0",    "--unixsocket", server->socket, "--dir",
        server->folder,   "--save",      "",     "--logfile",    "/dev/null",    "--requirepass",
        strdup(password), NULL};
    unlink(server->socket);
    cr_assert_eq(posix_spawnp(&server->pid, "setpriv", NULL, NULL, words, environ), 0);
    free(words[15]);
}

void redis_server_kill(struct redis_server *server)
{
    if (server->pid <= 0)
        return;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

void redis_server_fini(struct redis_server *server)
{
    redis_server_kill(server);
    unlink(server->socket);
    rmdir(server->folder);
}
