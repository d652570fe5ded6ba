// Who may speak with whom over TLS: each case is a server and a client, in processes of their own,
// because a process has one identity and nobody may fork after nng. All cases run at once.

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/metrics.h"
#include "lib/bus/bus.h"
#include "lib/rpc/client.h"
#include "lib/rpc/line.h"
#include "lib/rpc/nng.h"
#include "lib/rpc/server.h"
#include "tests/support/descriptors.h"
#include "tests/support/identity.h"
#include "tests/support/stand.h"
#include "tests/unit/lib/rpc/peer.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <nng/protocol/reqrep0/req.h>
#include <openssl/ssl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PATIENCE_MS = 20000, // with what must come
    REFUSED_MS = 3000,   // with what must not
    DESCRIPTORS = 60,
    ROOM = 28, // fewer are open when the silent have gone
};

#define TOPIC "tls"

static void begin(const char *name)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    log_init("test", LOG_LEVEL_OFF);
    if (failed(nng_prepare()))
        _exit(2);
    if (name)
        identity_take(name);
}

// Tells the port of its RPC server and the port of its publisher, then serves until it is killed.
_Noreturn static void serve(const char *name, int tell)
{
    static const struct method echo = {"Echo", METHOD_WRITE, ACCESS_ANYBODY, stand_echo};
    static struct stand_store store;
    begin(name);
    struct rpc_server *server;
    struct publisher *publisher;
    const struct rpc_server_options options = {
        "tls+tcp://127.0.0.1:0", STAND_SECRET, "tls", 64,
        stand_dispatcher(&echo, &store, (struct dispatcher_options){0})};
    if (failed(rpc_server_start(&options, &server)) ||
        failed(publisher_start(options.listen, STAND_SECRET, &publisher)))
        _exit(2);
    int ports[] = {rpc_server_port(server), publisher_port(publisher)};
    if (write(tell, ports, sizeof(ports)) != sizeof(ports))
        _exit(2);
    Baro__BusMessage message;
    baro__bus_message__init(&message);
    for (;;) {
        publish(publisher, TOPIC, &message);
        usleep(20 * US_PER_MS);
    }
}

struct server {
    pid_t pid;
    int ports[2]; // RPC, bus
};

static struct server given_server(const char *name)
{
    struct server server;
    int tell[2];
    cr_assert_eq(pipe(tell), 0);
    server.pid = fork();
    if (server.pid == 0)
        serve(name, tell[1]);
    close(tell[1]);
    cr_assert_eq(read(tell[0], server.ports, sizeof server.ports), (ssize_t)sizeof server.ports,
                 "%s did not start", name);
    close(tell[0]);
    return server;
}

static void stop(struct server server)
{
    cr_expect_eq(waitpid(server.pid, NULL, WNOHANG), 0, "it died by itself");
    kill(server.pid, SIGKILL);
    waitpid(server.pid, NULL, 0);
}

static const char *url_of(const char *scheme, int port)
{
    static char url[64];
    snprintf(url, sizeof url, "%s://127.0.0.1:%d", scheme, port);
    return url;
}

static bool is_ready(void *client)
{
    return rpc_client_ready(client);
}

static bool is_answered(const char *scheme, int port, int64_t patience_ms)
{
    const struct rpc_client_options options = {"tls", url_of(scheme, port), STAND_SECRET, 0};
    struct rpc_client *client = rpc_client_create(&options);
    return stand_wait(is_ready, client, patience_ms) &&
           strcmp(peer_echo(client, "hello", (int)patience_ms, false).text, "hello") == 0;
}

static atomic_int heard;

static void hear(void *arg, const Baro__BusMessage *message)
{
    (void)arg, (void)message;
    atomic_fetch_add(&heard, 1);
}

static bool has_heard(void *arg)
{
    (void)arg;
    return atomic_load(&heard) > 0;
}

static bool hears(const char *scheme, int port, int64_t patience_ms)
{
    static const char *const topics[] = {TOPIC};
    struct subscriber *subscriber;
    if (failed(subscriber_start(url_of(scheme, port), STAND_SECRET, hear, NULL, &subscriber)))
        return false;
    subscriber_set_topics(subscriber, topics, COUNT(topics));
    return stand_wait(has_heard, NULL, patience_ms);
}

// A client of its own process; its exit status is what it reached: 1 RPC, 2 bus.
static pid_t given_client(const char *name, struct server server, int64_t patience_ms)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    begin(name);
    const char *scheme = name ? "tls+tcp" : "tcp";
    int reached = is_answered(scheme, server.ports[0], patience_ms) ? 1 : 0;
    _exit(reached + (hears(scheme, server.ports[1], patience_ms) ? 2 : 0));
}

static const struct {
    const char *server, *client; // NULL: without TLS
    bool good;
} CASES[] = {
    {"baro",       "baro",       true },
    {"renewed",    "baro",       true },
    {"baro",       "stranger",   false}, // of another authority
    {"stranger",   "baro",       false},
    {"baro",       "expired",    false},
    {"expired",    "baro",       false},
    {"baro",       "other-name", false}, // our authority signed it, for something else
    {"other-name", "baro",       false},
    {"baro",       NULL,         false},
};

// Who is not believed may be hung up on while it still speaks.
static void set_up(void)
{
    signal(SIGPIPE, SIG_IGN);
}

TestSuite(tls, .init = set_up);

Test(tls, only_peers_whose_certificates_are_ours_are_spoken_with, .timeout = 180)
{
    struct server servers[COUNT(CASES)];
    pid_t clients[COUNT(CASES)];
    for (size_t i = 0; i < COUNT(CASES); i++) {
        servers[i] = given_server(CASES[i].server);
        clients[i] =
            given_client(CASES[i].client, servers[i], CASES[i].good ? PATIENCE_MS : REFUSED_MS);
    }
    for (size_t i = 0; i < COUNT(CASES); i++) {
        int status;
        waitpid(clients[i], &status, 0);
        cr_expect_eq(WEXITSTATUS(status), CASES[i].good ? 3 : 0, "%s to %s reached %d",
                     CASES[i].client ? CASES[i].client : "plain TCP", CASES[i].server,
                     WEXITSTATUS(status));
        stop(servers[i]);
    }
}

static int connect_to(int port)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static SSL *client_of(int fd, long version, const char *name)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(context, version);
    if (name) {
        SSL_CTX_use_certificate_chain_file(context, identity(name).certificate);
        SSL_CTX_use_PrivateKey_file(context, identity(name).key, SSL_FILETYPE_PEM);
    }
    SSL *ssl = SSL_new(context);
    SSL_CTX_free(context);
    SSL_set_fd(ssl, fd);
    return ssl;
}

static void wait_patiently(int fd)
{
    const struct timeval patience = {.tv_sec = PATIENCE_MS / MS_PER_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

// TLS over a connection, as far as it comes.
static SSL *speak(int fd, long version, const char *name)
{
    SSL *ssl = client_of(fd, version, name);
    wait_patiently(fd);
    SSL_connect(ssl);
    return ssl;
}

static void hang_up(SSL *ssl)
{
    close(SSL_get_rfd(ssl));
    SSL_free(ssl);
}

// Whether a byte comes back; TLS 1.3 tells a client only then that it was not believed.
static bool is_let_in(int fd, long version, const char *name)
{
    char byte;
    SSL *ssl = speak(fd, version, name);
    bool in = SSL_read(ssl, &byte, 1) == 1;
    hang_up(ssl);
    return in;
}

Test(tls, a_client_needs_a_certificate_and_tls_1_3, .timeout = 180)
{
    struct server server = given_server("baro");
    for (size_t i = 0; i < COUNT(server.ports); i++) {
        cr_expect(is_let_in(connect_to(server.ports[i]), TLS1_3_VERSION, "baro"));
        cr_expect_not(is_let_in(connect_to(server.ports[i]), TLS1_3_VERSION, NULL));
        cr_expect_not(is_let_in(connect_to(server.ports[i]), TLS1_2_VERSION, "baro"));
    }
    stop(server);
}

Test(tls, noise_and_silence_at_its_ports_harm_nobody, .timeout = 180)
{
    enum { SILENT = 200 };
    static const char NOISE[] = "\x16\x03\x01\x40\x00\x01 GET / HTTP/1.1\r\n\r\n";
    struct server server = given_server("baro");
    int silent[SILENT];
    for (int i = 0; i < SILENT; i++) {
        silent[i] = connect_to(server.ports[i % 2]);
        int fd = connect_to(server.ports[i % 2]);
        cr_expect_gt(send(fd, NOISE, sizeof NOISE, MSG_NOSIGNAL), 0);
        close(fd);
    }
    pid_t client = given_client("baro", server, PATIENCE_MS);
    int status;
    waitpid(client, &status, 0);
    cr_expect_eq(WEXITSTATUS(status), 3);
    for (int i = 0; i < SILENT; i++)
        close(silent[i]);
    stop(server);
}

// Of its threads each runs until it waits: a batch that is woken does not push another aside.
static struct server given_server_that_takes_turns(const char *name)
{
    const struct sched_param none = {0};
    cpu_set_t all, one;
    sched_getaffinity(0, sizeof all, &all);
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    sched_setaffinity(0, sizeof one, &one);
    sched_setscheduler(0, SCHED_BATCH, &none);
    struct server server = given_server(name);
    sched_setscheduler(0, SCHED_OTHER, &none);
    sched_setaffinity(0, sizeof all, &all);
    return server;
}

static void send_held(SSL *ssl)
{
    char *held;
    BIO *out = SSL_get_wbio(ssl);
    long size = BIO_get_mem_data(out, &held);
    cr_assert_eq(send(SSL_get_rfd(ssl), held, (size_t)size, MSG_NOSIGNAL), size);
    BIO_reset(out);
}

// A handshake of which only the client's last words are missing: they are held.
static SSL *given_almost_in(int port)
{
    int fd = connect_to(port);
    SSL *ssl = client_of(fd, TLS1_3_VERSION, "baro");
    SSL_set0_wbio(ssl, BIO_new(BIO_s_mem()));
    fcntl(fd, F_SETFL, O_NONBLOCK);
    SSL_connect(ssl);
    send_held(ssl);
    fcntl(fd, F_SETFL, 0);
    wait_patiently(fd);
    cr_assert_eq(SSL_connect(ssl), 1);
    return ssl;
}

// The server is stopped while clients speak, so that it sees all of them end their handshakes in one turn.
Test(tls, who_comes_at_the_same_moment_as_others_is_let_in, .timeout = 180)
{
    enum { CROWD = 6 }; // the first has five seconds, also under valgrind
    SSL *crowd[CROWD];
    char byte;
    struct server server = given_server_that_takes_turns("baro");
    for (int i = 0; i < CROWD; i++)
        crowd[i] = given_almost_in(server.ports[0]);
    kill(server.pid, SIGSTOP);
    for (int i = 0; i < CROWD; i++)
        send_held(crowd[i]);
    kill(server.pid, SIGCONT);
    for (int i = 0; i < CROWD; i++) {
        cr_expect_eq(SSL_read(crowd[i], &byte, 1), 1, "client %d", i);
        hang_up(crowd[i]);
    }
    stop(server);
}

static bool is_starved(void *pid)
{
    return open_descriptors(*(pid_t *)pid) >= DESCRIPTORS;
}

static bool has_room(void *pid)
{
    return open_descriptors(*(pid_t *)pid) < ROOM;
}

// The tunnels have seen what came before: nng hangs up on who speaks nonsense, through them.
static void await_turn(SSL *early)
{
    static const char NONSENSE[] = "this is not what nng says at first";
    char byte;
    cr_assert_gt(SSL_write(early, NONSENSE, sizeof NONSENSE), 0);
    while (SSL_read(early, &byte, 1) == 1)
        continue;
    hang_up(early);
}

// Who knocked while there was no descriptor is let in when there is one again.
Test(tls, a_server_without_descriptors_lets_in_who_waited, .timeout = 180)
{
    int silent[DESCRIPTORS];
    struct server server = given_server("baro");
    SSL *early = speak(connect_to(server.ports[0]), TLS1_3_VERSION, "baro");
    const struct rlimit few = {DESCRIPTORS, DESCRIPTORS};
    cr_assert_eq(prlimit(server.pid, RLIMIT_NOFILE, &few, NULL), 0);
    for (int i = 0; i < DESCRIPTORS; i++)
        silent[i] = connect_to(server.ports[i % 2]);
    cr_assert(stand_wait(is_starved, &server.pid, 5000), "%d", (int)open_descriptors(server.pid));
    int late = connect_to(server.ports[0]);
    await_turn(early);
    for (int i = 0; i < DESCRIPTORS; i++)
        close(silent[i]);
    cr_assert(stand_wait(has_room, &server.pid, 5000));
    cr_expect(is_let_in(late, TLS1_3_VERSION, "baro"));
    stop(server);
}

Test(tls, what_is_not_whole_is_refused_by_the_name_of_its_setting)
{
    SCOPED(arena) *arena = arena_create();
    struct {
        const char *certificate, *key, *authority, *name, *setting;
    } rows[] = {
        {"baro.pem", "renewed.key", "ca.pem",   "baro", "BARO_TLS_KEY" },
        {"baro.pem", "baro.pem",    "ca.pem",   "baro", "BARO_TLS_KEY" },
        {"baro.key", "baro.key",    "ca.pem",   "baro", "BARO_TLS_CERT"},
        {"baro.pem", "baro.key",    "baro.key", "baro", "BARO_TLS_CA"  },
        {"nowhere",  "baro.key",    "ca.pem",   "baro", "BARO_TLS_CERT"},
        {"baro.pem", NULL,          "ca.pem",   "baro", "BARO_TLS_KEY" },
        {"baro.pem", "baro.key",    NULL,       "baro", "BARO_TLS_CA"  },
        {NULL,       "baro.key",    NULL,       "baro", "BARO_TLS_CERT"},
        {"baro.pem", "baro.key",    "ca.pem",   "",     "BARO_TLS_NAME"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct tls_files files = {identity_file(arena, rows[i].certificate),
                                        identity_file(arena, rows[i].key),
                                        identity_file(arena, rows[i].authority), rows[i].name};
        struct status st = tls_prepare(&files, arena);
        cr_expect_eq(st.code, STATUS_INVALID_ARGUMENT, "row %zu", i);
        cr_expect_str_eq(st.field ? st.field : "", rows[i].setting, "row %zu: %s", i, st.message);
    }
    cr_expect_not(tls_is_on());
}

static int64_t shown_end(void)
{
    return metric_value(metrics_gauge("baro_tls_expires_seconds", "", NULL));
}

Test(tls, the_end_of_the_own_certificate_is_shown)
{
    SCOPED(arena) *arena = arena_create();
    cr_assert(!failed(tls_prepare(&(struct tls_files){"", "", "", "baro"}, arena)));
    cr_expect_eq(shown_end(), 0);
    identity_take("expired");
    cr_expect_eq(shown_end(), 1767312000); // 2026-01-02T00:00:00Z, tests/support/certificates
}

static int try_line(const char *url)
{
    nng_socket socket;
    struct line *line;
    cr_assert_eq(nng_req0_open(&socket), 0);
    int error = line_dial(socket, url, &line);
    if (!error)
        line_close(line);
    nng_close(socket);
    return error;
}

Test(tls, addresses_and_certificates_come_together)
{
    cr_expect_eq(try_line("tls+tcp://127.0.0.1:1"), NNG_EPEERAUTH);
    cr_expect_eq(try_line("tcp://127.0.0.1:1"), 0);
    identity_take("baro");
    cr_expect_eq(try_line("tls+tcp://127.0.0.1:1"), 0);
    cr_expect_eq(try_line("tls+tcp://[::1]:1"), 0);
    cr_expect_eq(try_line("tcp://127.0.0.1:1"), NNG_EPEERAUTH);
    cr_expect_eq(try_line("ipc:///tmp/baro-nobody"), 0);
}
