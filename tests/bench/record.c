// Stands between the services and PostgreSQL and keeps what each connection sends, byte by byte, for
// bench-replay.
//
//   bench-record FOLDER SOCKET SERVER     until SIGTERM
//
// Listens on the unix socket SOCKET, passes everything on to the unix socket SERVER and back. What a
// client sends goes to FOLDER/APPLICATION.DATABASE.NUMBER, named after its start-up message.

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CHUNK = 65536, STARTUP_MAX = 4096, STARTUP_HEADER = 8, NAME_MAX_LENGTH = 64 };

static const char *folder, *server;
static atomic_int connections;

// One direction of a connection; `trace` is NULL for what the server says.
struct stream {
    int from, to;
    FILE *trace;
};

static void fail(const char *what)
{
    fprintf(stderr, "bench-record: ");
    perror(what);
    exit(2);
}

static int open_socket(const char *path, struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (fd < 0 || strlen(path) >= sizeof(address->sun_path))
        fail(path);
    strcpy(address->sun_path, path);
    return fd;
}

static bool write_all(int fd, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t written = send(fd, bytes, count, MSG_NOSIGNAL);
        if (written <= 0)
            return false;
        bytes += written;
        count -= (size_t)written;
    }
    return true;
}

static void *pass_on(void *arg)
{
    struct stream *stream = arg;
    char *bytes = malloc(CHUNK);
    ssize_t count;
    assert(bytes);
    while ((count = read(stream->from, bytes, CHUNK)) > 0) {
        if (stream->trace)
            fwrite(bytes, 1, (size_t)count, stream->trace);
        if (!write_all(stream->to, bytes, (size_t)count))
            break;
    }
    shutdown(stream->to, SHUT_WR);
    free(bytes);
    return NULL;
}

// The value of a parameter in a start-up message: pairs of strings behind the header.
static const char *parameter(const char *message, size_t size, const char *name)
{
    for (const char *at = message + STARTUP_HEADER; at < message + size && *at;) {
        const char *value = at + strlen(at) + 1;
        if (strcmp(at, name) == 0)
            return value;
        at = value + strlen(value) + 1;
    }
    return "unknown";
}

// Reads the start-up message; it arrives whole, because libpq sends it with one call.
static FILE *open_trace(int client, char *message, size_t *size)
{
    char path[1024];
    ssize_t count = read(client, message, STARTUP_MAX - 1);
    if (count < STARTUP_HEADER)
        return NULL;
    message[count] = '\0';
    *size = (size_t)count;
    snprintf(path, sizeof(path), "%s/%.*s.%.*s.%d", folder, NAME_MAX_LENGTH,
             parameter(message, *size, "application_name"), NAME_MAX_LENGTH,
             parameter(message, *size, "database"), atomic_fetch_add(&connections, 1));
    FILE *trace = fopen(path, "w");
    if (trace)
        fwrite(message, 1, *size, trace);
    return trace;
}

static void *serve(void *arg)
{
    struct sockaddr_un address;
    char message[STARTUP_MAX];
    size_t size;
    int client = (int)(intptr_t)arg, postgres = open_socket(server, &address);
    FILE *trace = open_trace(client, message, &size);
    if (trace && connect(postgres, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        write_all(postgres, message, size)) {
        struct stream there = {client, postgres, trace}, back = {postgres, client, NULL};
        pthread_t thread;
        if (pthread_create(&thread, NULL, pass_on, &back) != 0)
            fail("thread");
        pass_on(&there);
        pthread_join(thread, NULL);
    }
    if (trace)
        fclose(trace);
    close(client);
    close(postgres);
    return NULL;
}

static void *accept_all(void *arg)
{
    int listener = (int)(intptr_t)arg, client;
    pthread_t thread;
    while ((client = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)client) != 0)
            fail("thread");
        pthread_detach(thread);
    }
    fail("accept");
    return NULL;
}

int main(int argc, char **argv)
{
    struct sockaddr_un address;
    sigset_t ends;
    pthread_t thread;
    int number;
    if (argc != 4) {
        fprintf(stderr, "usage: bench-record FOLDER SOCKET SERVER\n");
        return 2;
    }
    folder = argv[1];
    server = argv[3];
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    int listener = open_socket(argv[2], &address);
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener, SOMAXCONN) != 0)
        fail(argv[2]);
    if (pthread_create(&thread, NULL, accept_all, (void *)(intptr_t)listener) != 0)
        fail("thread");
    sigwait(&ends, &number);
    return 0; // the services have closed their connections: what they sent is on disk
}
