// PostgreSQL alone: sends what bench-record has kept, to databases in the state in which the recording
// began, as fast as the server answers.
//
//   bench-replay SOCKET TRACE:USER:DATABASE ...     SOCKET is the server's unix socket
//
// One connection for each trace, all at once, as the services' workers had them. A connection sends up
// to its next sync point, waits for the server to be ready, and goes on: the same statements with the
// same parameters in the same round trips, without anybody who has to think in between. Prints one
// line of JSON; the answers are not looked at, but an error ends with status 1.

#include "lib/base/clock.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    RECEIVED_MAX = 65536,
    HEADER = 5, // type and length
    PROTOCOL_3 = 196608,
};

struct replay {
    const char *socket, *trace, *user, *database;
    char *bytes; // of the trace
    size_t size, at;
    int fd;
    size_t header, skip; // bytes of a message's header that came; bytes of its body that will
    char head[HEADER];
    size_t waits, errors;
    int64_t took_us;
    pthread_barrier_t *start;
    pthread_t thread;
};

static void fail(const struct replay *replay, const char *what)
{
    fprintf(stderr, "bench-replay: %s: %s: %s\n", replay->trace, what, strerror(errno));
    exit(2);
}

static uint32_t length_at(const char *bytes)
{
    uint32_t length;
    memcpy(&length, bytes, sizeof(length));
    return be32toh(length);
}

static void read_trace(struct replay *replay)
{
    struct stat stat;
    FILE *file = fopen(replay->trace, "r");
    if (!file || fstat(fileno(file), &stat) != 0)
        fail(replay, "open");
    replay->size = (size_t)stat.st_size;
    replay->bytes = malloc(replay->size + 1);
    assert(replay->bytes);
    if (fread(replay->bytes, 1, replay->size, file) != replay->size)
        fail(replay, "read");
    fclose(file);
    replay->at = length_at(replay->bytes); // behind the start-up message, which we write ourselves
}

// Where the messages up to the next sync point end; 0 when there is none left.
static size_t next_sync(const struct replay *replay)
{
    for (size_t at = replay->at; at + HEADER <= replay->size;) {
        char type = replay->bytes[at];
        at += 1 + length_at(replay->bytes + at + 1);
        if (type == 'S' || type == 'Q')
            return at <= replay->size ? at : 0;
    }
    return 0;
}

// Goes through received bytes message by message. True when the server said that it is ready.
static bool take_answers(struct replay *replay, const char *bytes, size_t count)
{
    bool ready = false;
    while (count > 0) {
        if (replay->skip > 0) {
            size_t passed = replay->skip < count ? replay->skip : count;
            replay->skip -= passed;
            bytes += passed;
            count -= passed;
            continue;
        }
        replay->head[replay->header++] = *bytes++;
        count--;
        if (replay->header < HEADER)
            continue;
        replay->header = 0;
        replay->skip = length_at(replay->head + 1) - sizeof(uint32_t);
        replay->errors += replay->head[0] == 'E';
        ready = ready || replay->head[0] == 'Z';
    }
    return ready;
}

// Sends and receives at once, so that neither side waits for the other with full buffers.
static void exchange(struct replay *replay, const char *bytes, size_t count)
{
    char received[RECEIVED_MAX];
    for (bool ready = false; !ready;) {
        struct pollfd socket = {.fd = replay->fd,
                                .events = (short)(POLLIN | (count > 0 ? POLLOUT : 0))};
        if (poll(&socket, 1, -1) < 0)
            fail(replay, "poll");
        if (socket.revents & POLLOUT) {
            ssize_t sent = send(replay->fd, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (sent < 0 && errno != EAGAIN)
                fail(replay, "send");
            bytes += sent > 0 ? sent : 0;
            count -= sent > 0 ? (size_t)sent : 0;
        }
        if (socket.revents & (POLLIN | POLLHUP)) {
            ssize_t got = recv(replay->fd, received, sizeof(received), MSG_DONTWAIT);
            if (got == 0 || (got < 0 && errno != EAGAIN))
                fail(replay, "the server closed the connection");
            ready = got > 0 && take_answers(replay, received, (size_t)got);
        }
    }
    replay->waits++;
}

static void start_session(struct replay *replay)
{
    char message[512];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    uint32_t words[2] = {0, htobe32(PROTOCOL_3)};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", replay->socket);
    replay->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(replay->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        fail(replay, "connect");
    int length = snprintf(message + sizeof(words), sizeof(message) - sizeof(words),
                          "user%c%s%cdatabase%c%s%c", 0, replay->user, 0, 0, replay->database, 0);
    size_t size = sizeof(words) + (size_t)length + 1;
    words[0] = htobe32((uint32_t)size);
    memcpy(message, words, sizeof(words));
    message[size - 1] = '\0';
    exchange(replay, message, size);
}

static void *run(void *arg)
{
    struct replay *replay = arg;
    size_t end;
    start_session(replay);
    replay->waits = 0;
    pthread_barrier_wait(replay->start);
    int64_t start_us = clock_monotonic_us();
    while ((end = next_sync(replay))) {
        exchange(replay, replay->bytes + replay->at, end - replay->at);
        replay->at = end;
    }
    replay->took_us = clock_monotonic_us() - start_us;
    close(replay->fd);
    free(replay->bytes);
    return NULL;
}

static _Noreturn void usage(void)
{
    fprintf(stderr, "usage: bench-replay SOCKET TRACE:USER:DATABASE ...\n");
    exit(2);
}

static void parse(struct replay *replay, const char *server, char *argument)
{
    replay->socket = server;
    replay->trace = strtok(argument, ":");
    replay->user = strtok(NULL, ":");
    replay->database = strtok(NULL, ":");
    if (!replay->trace || !replay->user || !replay->database)
        usage();
    read_trace(replay);
}

static int print(const struct replay *replays, size_t count)
{
    int64_t longest_us = 0;
    size_t errors = 0;
    for (size_t i = 0; i < count; i++) {
        errors += replays[i].errors;
        if (replays[i].took_us > longest_us)
            longest_us = replays[i].took_us;
    }
    printf("{\"seconds\": %.3f, \"errors\": %zu, \"connections\": [", (double)longest_us / US_PER_S,
           errors);
    for (size_t i = 0; i < count; i++)
        printf("%s{\"database\": \"%s\", \"seconds\": %.3f, \"round_trips\": %zu}", i ? ", " : "",
               replays[i].database, (double)replays[i].took_us / US_PER_S, replays[i].waits);
    printf("]}\n");
    return errors > 0;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        usage();
    size_t count = (size_t)argc - 2;
    struct replay *replays = calloc(count, sizeof(*replays));
    pthread_barrier_t start;
    assert(replays);
    pthread_barrier_init(&start, NULL, (unsigned)count);
    for (size_t i = 0; i < count; i++) {
        parse(&replays[i], argv[1], argv[i + 2]);
        replays[i].start = &start;
    }
    for (size_t i = 0; i < count; i++)
        if (pthread_create(&replays[i].thread, NULL, run, &replays[i]) != 0)
            fail(&replays[i], "thread");
    for (size_t i = 0; i < count; i++)
        pthread_join(replays[i].thread, NULL);
    int status = print(replays, count);
    free(replays);
    return status;
}
