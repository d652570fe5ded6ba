// The reference for reads: libmicrohttpd alone, with the gateway's flags, answering every request with
// the same body.
//
//   bench-constant PORT SIZE      until SIGTERM

#include "lib/base/text.h"

#include <assert.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_MAX = 65536 };

static enum MHD_Result answer(void *body, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *piece,
                              size_t *piece_size, void **context)
{
    static char seen;
    (void)url, (void)method, (void)version, (void)piece, (void)piece_size;
    if (!*context) { // the head; whoever answers here closes the connection
        *context = &seen;
        return MHD_YES;
    }
    struct MHD_Response *response = MHD_create_response_from_buffer_static(strlen(body), body);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

int main(int argc, char **argv)
{
    int64_t port, size;
    static char body[BODY_MAX + 1];
    sigset_t ends;
    int number;
    if (argc != 3 || !text_parse_int64(argv[1], 1, 65535, &port) ||
        !text_parse_int64(argv[2], 0, BODY_MAX, &size))
        return 2;
    memset(body, 'x', (size_t)size);
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TURBO | MHD_ALLOW_SUSPEND_RESUME,
                         (uint16_t)port, NULL, NULL, answer, body, MHD_OPTION_END);
    if (!daemon) {
        fprintf(stderr, "bench-constant: cannot listen on port %lld\n", (long long)port);
        return 1;
    }
    sigwait(&ends, &number);
    MHD_stop_daemon(daemon);
    return 0;
}
