// A thread that accepts, and one for each connection, which reads requests one after the other.

#include "tests/support/receiver.h"

#include <arpa/inet.h>
#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    REQUEST_MAX = 256 * 1024,
    PARCELS_MAX = 65536, // what comes after these is answered and not kept
    CONNECTIONS_MAX = 1024,
};

struct receiver {
    struct conduct (*decide)(void *context, const struct parcel *parcel);
    void *context;
    struct conduct conduct; // without `decide`
    int port, listener;
    char url[64];
    pthread_t acceptor;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int connections[CONNECTIONS_MAX];
    size_t connection_count;
    struct parcel *parcels[PARCELS_MAX];
    size_t count;
    size_t under_way, most_at_once;
};

struct visit {
    struct receiver *receiver;
    int connection;
};

static void take_header(const char *head, const char *name, char *value, size_t size)
{
    size_t length = strlen(name);
    value[0] = '\0';
    for (const char *line = head; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncasecmp(line, name, length) != 0 || line[length] != ':')
            continue;
        line += length + 1;
        line += strspn(line, " ");
        snprintf(value, size, "%.*s", (int)strcspn(line, "\r\n"), line);
        return;
    }
}

// Reads one request into `text`; NULL at the end of the connection.
static struct parcel *read_request(int connection, char *text)
{
    size_t have = 0, wanted = 0;
    char *body = NULL, length[32];
    while (!body || have < wanted) {
        ssize_t got = recv(connection, text + have, REQUEST_MAX - have - 1, 0);
        if (got <= 0)
            return NULL;
        have += (size_t)got;
        text[have] = '\0';
        if (body || !(body = strstr(text, "\r\n\r\n")))
            continue;
        body += 4;
        take_header(text, "content-length", length, sizeof(length));
        wanted = (size_t)(body - text) + strtoul(length, NULL, 10);
    }
    struct parcel *parcel = calloc(1, sizeof(*parcel));
    assert(parcel);
    take_header(text, "webhook-id", parcel->id, sizeof(parcel->id));
    take_header(text, "webhook-timestamp", parcel->timestamp, sizeof(parcel->timestamp));
    take_header(text, "webhook-signature", parcel->signature, sizeof(parcel->signature));
    parcel->body = strdup(body);
    return parcel;
}

static void put(int connection, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(connection, bytes, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        bytes += sent;
        size -= (size_t)sent;
    }
}

static void answer(int connection, const struct conduct *conduct)
{
    char head[1024], block[1024];
    int length =
        snprintf(head, sizeof(head), "HTTP/1.1 %d Word\r\n%s%s", conduct->status,
                 conduct->headers ? conduct->headers : "", conduct->status == 204 ? "\r\n" : "");
    if (conduct->status != 204)
        length += snprintf(head + length, sizeof(head) - (size_t)length,
                           "Content-Length: %zu\r\n\r\n", conduct->body_size);
    put(connection, head, (size_t)length);
    memset(block, 'x', sizeof(block));
    for (size_t left = conduct->body_size; left > 0;) {
        size_t part = left < sizeof(block) ? left : sizeof(block);
        put(connection, block, part);
        left -= part;
    }
}

static void discard(struct parcel *parcel)
{
    free(parcel->body);
    free(parcel);
}

static struct conduct note(struct receiver *receiver, struct parcel *parcel)
{
    pthread_mutex_lock(&receiver->lock);
    struct conduct conduct = receiver->conduct;
    if (receiver->decide)
        conduct = receiver->decide(receiver->context, parcel);
    parcel->status = conduct.status;
    if (receiver->count < PARCELS_MAX)
        receiver->parcels[receiver->count++] = parcel;
    else
        discard(parcel);
    if (++receiver->under_way > receiver->most_at_once)
        receiver->most_at_once = receiver->under_way;
    pthread_mutex_unlock(&receiver->lock);
    return conduct;
}

static void hold(int delay_ms)
{
    nanosleep(&(struct timespec){.tv_sec = delay_ms / 1000, .tv_nsec = delay_ms % 1000 * 1000000L},
              NULL);
}

static void be_done(struct receiver *receiver)
{
    pthread_mutex_lock(&receiver->lock);
    receiver->under_way--;
    pthread_mutex_unlock(&receiver->lock);
}

static void forget(struct receiver *receiver, int connection)
{
    pthread_mutex_lock(&receiver->lock);
    for (size_t i = 0; i < receiver->connection_count; i++)
        if (receiver->connections[i] == connection)
            receiver->connections[i] = receiver->connections[--receiver->connection_count];
    close(connection);
    pthread_cond_broadcast(&receiver->changed);
    pthread_mutex_unlock(&receiver->lock);
}

static void *serve(void *arg)
{
    struct visit visit = *(struct visit *)arg;
    char *text = malloc(REQUEST_MAX);
    struct parcel *parcel;
    free(arg);
    assert(text);
    while ((parcel = read_request(visit.connection, text))) {
        struct conduct conduct = note(visit.receiver, parcel);
        hold(conduct.delay_ms);
        be_done(visit.receiver);
        if (conduct.status == 0)
            break;
        answer(visit.connection, &conduct);
    }
    free(text);
    forget(visit.receiver, visit.connection);
    return NULL;
}

static void welcome(struct receiver *receiver, int connection)
{
    pthread_t thread;
    struct visit *visit = malloc(sizeof(*visit));
    assert(visit);
    *visit = (struct visit){receiver, connection};
    pthread_mutex_lock(&receiver->lock);
    assert(receiver->connection_count < CONNECTIONS_MAX);
    receiver->connections[receiver->connection_count++] = connection;
    pthread_mutex_unlock(&receiver->lock);
    pthread_create(&thread, NULL, serve, visit);
    pthread_detach(thread);
}

static void *accept_all(void *arg)
{
    struct receiver *receiver = arg;
    int connection;
    while ((connection = accept(receiver->listener, NULL, NULL)) >= 0)
        welcome(receiver, connection);
    return NULL;
}

void receiver_resume(struct receiver *receiver)
{
    struct sockaddr_in here = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)receiver->port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(here);
    receiver->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(receiver->listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    int error = bind(receiver->listener, (struct sockaddr *)&here, sizeof(here));
    assert(error == 0);
    error = listen(receiver->listener, 64);
    assert(error == 0);
    getsockname(receiver->listener, (struct sockaddr *)&here, &size);
    receiver->port = ntohs(here.sin_port);
    snprintf(receiver->url, sizeof(receiver->url), "http://127.0.0.1:%d/hook", receiver->port);
    pthread_create(&receiver->acceptor, NULL, accept_all, receiver);
}

void receiver_pause(struct receiver *receiver)
{
    shutdown(receiver->listener, SHUT_RDWR);
    pthread_join(receiver->acceptor, NULL);
    close(receiver->listener);
    pthread_mutex_lock(&receiver->lock);
    for (size_t i = 0; i < receiver->connection_count; i++)
        shutdown(receiver->connections[i], SHUT_RDWR);
    while (receiver->connection_count > 0)
        pthread_cond_wait(&receiver->changed, &receiver->lock);
    pthread_mutex_unlock(&receiver->lock);
}

struct receiver *receiver_open(struct conduct (*decide)(void *context, const struct parcel *parcel),
                               void *context)
{
    struct receiver *receiver = calloc(1, sizeof(*receiver));
    assert(receiver);
    receiver->decide = decide;
    receiver->context = context;
    receiver->conduct.status = 204;
    pthread_mutex_init(&receiver->lock, NULL);
    pthread_cond_init(&receiver->changed, NULL);
    receiver_resume(receiver);
    return receiver;
}

void receiver_close(struct receiver *receiver)
{
    receiver_pause(receiver);
    for (size_t i = 0; i < receiver->count; i++)
        discard(receiver->parcels[i]);
    pthread_cond_destroy(&receiver->changed);
    pthread_mutex_destroy(&receiver->lock);
    free(receiver);
}

void receiver_behave(struct receiver *receiver, struct conduct conduct)
{
    pthread_mutex_lock(&receiver->lock);
    receiver->conduct = conduct;
    pthread_mutex_unlock(&receiver->lock);
}

const char *receiver_url(const struct receiver *receiver)
{
    return receiver->url;
}

size_t receiver_most_at_once(struct receiver *receiver)
{
    pthread_mutex_lock(&receiver->lock);
    size_t most = receiver->most_at_once;
    pthread_mutex_unlock(&receiver->lock);
    return most;
}

size_t receiver_count(struct receiver *receiver)
{
    pthread_mutex_lock(&receiver->lock);
    size_t count = receiver->count;
    pthread_mutex_unlock(&receiver->lock);
    return count;
}

const struct parcel *receiver_parcel(struct receiver *receiver, size_t index)
{
    pthread_mutex_lock(&receiver->lock);
    assert(index < receiver->count);
    const struct parcel *parcel = receiver->parcels[index];
    pthread_mutex_unlock(&receiver->lock);
    return parcel;
}
