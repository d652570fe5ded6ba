// A closed-loop load generator: each connection places an order, pays it, and starts again.
//
//   bench-load --gateway 127.0.0.1:8080 --key key.pem --users FIRST:COUNT --options FIRST:COUNT
//              [--connections 64] [--seconds 10] [--warmup 2] [--lines 3]
//
// One thread, epoll, keep-alive; it signs the access tokens itself, so that sign-ins (argon2id) are not
// what is measured. Prints one line of JSON. Latency is that of a whole order: from the first byte of
// POST /orders to the last of the payment's answer, at the pace that the connections set.

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/macros.h"
#include "lib/base/text.h"
#include "services/user/token.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER_SIZE = 16384, EVENTS_MAX = 64 };

struct range {
    int64_t first, count;
};

struct options {
    struct sockaddr_in gateway;
    const char *key_file;
    struct range users, options;
    int64_t connections, seconds, warmup, lines;
};

enum phase { PLACING, PAYING };

struct connection {
    int fd;
    enum phase phase;
    int64_t order_id;
    size_t user;
    int64_t started_us;
    size_t sent, to_send, received;
    char out[BUFFER_SIZE];
    char in[BUFFER_SIZE];
};

struct load {
    struct options options;
    char **tokens;
    struct connection *connections;
    int epoll;
    uint64_t random;
    uint64_t next_key;
    int64_t measure_from_us, end_us;
    int64_t *latencies_us;
    size_t paid, capacity;
    double cpu_ms; // of the run, not of signing the tokens
    size_t orders; // also those of the warm-up
    int64_t refused, errors;
    char last_error[512];
};

// xorshift64*: the same sequence in every run.
static uint64_t next_random(struct load *load)
{
    load->random ^= load->random >> 12;
    load->random ^= load->random << 25;
    load->random ^= load->random >> 27;
    return load->random * UINT64_C(2685821657736338717);
}

static int64_t pick(struct load *load, int64_t count)
{
    return (int64_t)(next_random(load) % (uint64_t)count);
}

static void fail(const char *message)
{
    fprintf(stderr, "bench-load: %s\n", message);
    exit(2);
}

static void write_request(struct load *load, struct connection *connection, const char *path,
                          const char *body)
{
    int length = snprintf(connection->out, sizeof connection->out,
                          "POST %s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n"
                          "Content-Type: application/json\r\nIdempotency-Key: %" PRIu64 "-%d\r\n"
                          "Prefer: wait=10\r\nContent-Length: %zu\r\n\r\n%s",
                          path, load->tokens[connection->user], load->next_key++, (int)getpid(),
                          strlen(body), body);
    assert(length > 0 && (size_t)length < sizeof connection->out);
    connection->to_send = (size_t)length;
    connection->sent = connection->received = 0;
}

static void write_place(struct load *load, struct connection *connection)
{
    char body[1024];
    size_t length = (size_t)snprintf(body, sizeof body, "{\"items\":[");
    int64_t lines = 1 + pick(load, load->options.lines);
    int64_t option = pick(load, load->options.options.count);

    for (int64_t i = 0; i < lines; i++)
        length += (size_t)snprintf(
            body + length, sizeof body - length, "%s{\"option_id\":%" PRId64 ",\"quantity\":1}",
            i ? "," : "", load->options.options.first + (option + i) % load->options.options.count);
    snprintf(body + length, sizeof body - length, "]}");
    connection->phase = PLACING;
    connection->user = (size_t)pick(load, load->options.users.count);
    connection->started_us = clock_monotonic_us();
    write_request(load, connection, "/api/v1/orders", body);
}

static void write_pay(struct load *load, struct connection *connection)
{
    char path[96];
    snprintf(path, sizeof path, "/api/v1/orders/%" PRId64 "/payment", connection->order_id);
    connection->phase = PAYING;
    write_request(load, connection, path, "{}");
}

static void send_some(struct load *load, struct connection *connection)
{
    while (connection->sent < connection->to_send) {
        ssize_t count = send(connection->fd, connection->out + connection->sent,
                             connection->to_send - connection->sent, MSG_NOSIGNAL);
        if (count < 0 && errno == EAGAIN)
            break;
        if (count <= 0)
            fail("the gateway closed a connection");
        connection->sent += (size_t)count;
    }
    struct epoll_event event = {.data.ptr = connection, .events = EPOLLIN};
    if (connection->sent < connection->to_send)
        event.events |= EPOLLOUT;
    epoll_ctl(load->epoll, EPOLL_CTL_MOD, connection->fd, &event);
}

static void note_paid(struct load *load, const struct connection *connection)
{
    int64_t now_us = clock_monotonic_us();
    load->orders++;
    if (now_us < load->measure_from_us || now_us > load->end_us)
        return;
    if (load->paid == load->capacity) {
        load->capacity = load->capacity ? 2 * load->capacity : 65536;
        load->latencies_us =
            realloc(load->latencies_us, load->capacity * sizeof *load->latencies_us);
        assert(load->latencies_us);
    }
    load->latencies_us[load->paid++] = now_us - connection->started_us;
}

static void note_other(struct load *load, int status, const char *body)
{
    if (status >= 400 && status < 500)
        load->refused++;
    else
        load->errors++;
    snprintf(load->last_error, sizeof load->last_error, "%d %.400s", status, body);
}

// A whole answer has come: decide what the connection does next.
static void take_reply(struct load *load, struct connection *connection, int status,
                       const char *body)
{
    const char *id = strstr(body, "\"id\":");

    if (connection->phase == PLACING && status == 201 && id) {
        connection->order_id = strtoll(id + strlen("\"id\":"), NULL, 10);
        write_pay(load, connection);
    } else {
        if (connection->phase == PAYING && status == 200)
            note_paid(load, connection);
        else
            note_other(load, status, body);
        write_place(load, connection);
    }
    send_some(load, connection);
}

static void receive_some(struct load *load, struct connection *connection)
{
    ssize_t count = recv(connection->fd, connection->in + connection->received,
                         sizeof connection->in - 1 - connection->received, 0);
    if (count < 0 && errno == EAGAIN)
        return;
    if (count <= 0)
        fail("the gateway closed a connection, or an answer is too long");
    connection->received += (size_t)count;
    connection->in[connection->received] = '\0';

    const char *body = strstr(connection->in, "\r\n\r\n");
    const char *length = strcasestr(connection->in, "\r\ncontent-length:");
    if (!body || !length)
        return;
    body += 4;
    size_t whole =
        (size_t)(body - connection->in) + strtoul(length + strlen("\r\ncontent-length:"), NULL, 10);
    if (connection->received >= whole)
        take_reply(load, connection, atoi(connection->in + strlen("HTTP/1.1 ")), body);
}

static void open_connection(struct load *load, struct connection *connection)
{
    int on = 1;
    struct epoll_event event = {.data.ptr = connection, .events = EPOLLIN};

    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0 || connect(connection->fd, (struct sockaddr *)&load->options.gateway,
                                      sizeof load->options.gateway))
        fail("cannot connect to the gateway");
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    epoll_ctl(load->epoll, EPOLL_CTL_ADD, connection->fd, &event);
    write_place(load, connection);
    send_some(load, connection);
}

static void sign_tokens(struct load *load, struct arena *arena)
{
    char pem[4096];
    struct signing_key *key;
    FILE *file = fopen(load->options.key_file, "r");
    if (!file)
        fail("cannot read the file of --key");
    pem[fread(pem, 1, sizeof pem - 1, file)] = '\0';
    fclose(file);
    if (failed(signing_key_parse(pem, arena, &key)))
        fail("the file of --key holds no P-256 key in PEM");

    size_t count = (size_t)load->options.users.count;
    load->tokens = arena_array(arena, count, sizeof *load->tokens);
    for (size_t i = 0; i < count; i++) {
        struct account account = {.id = load->options.users.first + (int64_t)i, .role = ROLE_USER};
        const char *token;
        if (failed(access_token_sign(key, &account, clock_realtime_us(), arena, &token)))
            fail("cannot sign a token");
        load->tokens[i] = text_copy(arena, token);
    }
}

static void run(struct load *load)
{
    struct epoll_event events[EVENTS_MAX];
    int64_t start_us = clock_monotonic_us();

    load->measure_from_us = start_us + load->options.warmup * US_PER_S;
    load->end_us = load->measure_from_us + load->options.seconds * US_PER_S;
    for (int64_t i = 0; i < load->options.connections; i++)
        open_connection(load, &load->connections[i]);
    while (clock_monotonic_us() < load->end_us) {
        int count = epoll_wait(load->epoll, events, EVENTS_MAX, 100);
        for (int i = 0; i < count; i++) {
            if (events[i].events & EPOLLOUT)
                send_some(load, events[i].data.ptr);
            if (events[i].events & ~(uint32_t)EPOLLOUT)
                receive_some(load, events[i].data.ptr);
        }
    }
}

static int compare(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static double quantile_ms(const struct load *load, double q)
{
    if (load->paid == 0)
        return 0;
    return (double)load->latencies_us[(size_t)(q * (double)(load->paid - 1))] / (double)US_PER_MS;
}

static double cpu_ms(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec * 1e3 + (double)used.tv_nsec / 1e6;
}

static void print(struct load *load)
{
    qsort(load->latencies_us, load->paid, sizeof *load->latencies_us, compare);
    printf("{\"connections\": %" PRId64 ", \"paid\": %zu, \"per_second\": %.0f, \"p50_ms\": %.2f, "
           "\"p99_ms\": %.2f, \"max_ms\": %.2f, \"refused\": %" PRId64 ", \"errors\": %" PRId64
           ", \"orders\": %zu, \"load_cpu_ms\": %.0f}\n",
           load->options.connections, load->paid,
           (double)load->paid / (double)load->options.seconds, quantile_ms(load, 0.5),
           quantile_ms(load, 0.99), quantile_ms(load, 1), load->refused, load->errors, load->orders,
           load->cpu_ms);
    if (load->last_error[0])
        fprintf(stderr, "bench-load: last answer that was no success: %s\n", load->last_error);
}

static bool parse_range(const char *text, struct range *range)
{
    return sscanf(text, "%" SCNd64 ":%" SCNd64, &range->first, &range->count) == 2 &&
           range->count > 0;
}

static bool parse_gateway(const char *text, struct sockaddr_in *address)
{
    char host[64];
    int port;
    if (sscanf(text, "%63[0-9.]:%d", host, &port) != 2)
        return false;
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    return inet_pton(AF_INET, host, &address->sin_addr) == 1;
}

static bool parse_option(const char *name, const char *value, struct options *options)
{
    const struct {
        const char *name;
        int64_t *value;
    } numbers[] = {
        {"--connections", &options->connections},
        {"--seconds",     &options->seconds    },
        {"--warmup",      &options->warmup     },
        {"--lines",       &options->lines      },
    };
    if (!strcmp(name, "--gateway"))
        return parse_gateway(value, &options->gateway);
    if (!strcmp(name, "--users"))
        return parse_range(value, &options->users);
    if (!strcmp(name, "--options"))
        return parse_range(value, &options->options);
    if (!strcmp(name, "--key")) {
        options->key_file = value;
        return true;
    }
    for (size_t i = 0; i < COUNT(numbers); i++)
        if (!strcmp(name, numbers[i].name))
            return text_parse_int64(value, 0, 100000, numbers[i].value);
    return false;
}

int main(int argc, char **argv)
{
    SCOPED(arena) *arena = arena_create();
    struct load load = {.random = UINT64_C(88172645463325252),
                        .epoll = epoll_create1(EPOLL_CLOEXEC)};

    load.options = (struct options){.connections = 64, .seconds = 10, .warmup = 2, .lines = 3};
    for (int i = 1; i < argc; i += 2)
        if (i + 1 == argc || !parse_option(argv[i], argv[i + 1], &load.options))
            fail("bad argument; the top of tests/bench/load.c lists them");
    if (!load.options.key_file || !load.options.users.count || !load.options.options.count)
        fail("--gateway, --key, --users and --options are required");
    sign_tokens(&load, arena);
    load.connections =
        arena_array(arena, (size_t)load.options.connections, sizeof *load.connections);
    load.cpu_ms = -cpu_ms();
    run(&load);
    load.cpu_ms += cpu_ms();
    print(&load);
    free(load.latencies_us);
    return load.paid == 0;
}
