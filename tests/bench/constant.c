// The reference for reads and for refusals: libmicrohttpd alone, with the gateway's flags, answering
// every request with the same body.
//
//   bench-constant PORT SIZE             until SIGTERM
//   bench-constant PORT SIZE refusing    the same, as a server that has too much to do

#include "lib/base/text.h"

#include <assert.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_MAX = 65536, CONNECTIONS_MAX = 16384 };

static bool refusing;

static enum MHD_Result answer(void *body, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *piece,
                              size_t *piece_size, void **context)
{
    static char seen;
    (void)url, (void)method, (void)version, (void)piece;
    if (!*context) { // the head; whoever answers here closes the connection
        *context = &seen;
        return MHD_YES;
    }
    if (*piece_size) {
        *piece_size = 0;
        return MHD_YES;
    }
    struct MHD_Response *response = MHD_create_response_from_buffer_static(strlen(body), body);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                            refusing ? "application/problem+json" : "application/json");
    if (refusing)
        MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
    enum MHD_Result result = MHD_queue_response(
        connection, refusing ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

int main(int argc, char **argv)
{
    int64_t port, size;
    static char body[BODY_MAX + 1];
    sigset_t ends;
    int number;
    refusing = argc == 4 && strcmp(argv[3], "refusing") == 0;
    if (argc != 3 + refusing || !text_parse_int64(argv[1], 1, 65535, &port) ||
        !text_parse_int64(argv[2], 0, BODY_MAX, &size))
        return 2;
    memset(body, 'x', (size_t)size);
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TURBO | MHD_ALLOW_SUSPEND_RESUME,
                         (uint16_t)port, NULL, NULL, answer, body, MHD_OPTION_CONNECTION_LIMIT,
                         (unsigned int)CONNECTIONS_MAX, MHD_OPTION_END);
    if (!daemon) {
        fprintf(stderr, "bench-constant: cannot listen on port %lld\n", (long long)port);
        return 1;
    }
    sigwait(&ends, &number);
    MHD_stop_daemon(daemon);
    return 0;
}
