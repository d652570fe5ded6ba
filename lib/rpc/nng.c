// nng 1.5 goes deaf when peers are killed under load, and starts as many threads as the machine has
// processors, whatever a container may use: both are set right before the first socket.

#include "lib/rpc/nng.h"

#include "lib/base/macros.h"

#include <nng/supplemental/util/platform.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    NNG_MAJOR = 1,
    NNG_MINOR_MIN = 10,
    TASK_THREADS_MIN = 2,
    TASK_THREADS_MAX = 4,
    RECONNECT_MIN_MS = 50,
    RECONNECT_MAX_MS = 1000,
};

static bool version_is_trusted(const char *version)
{
    char *dot, *end;
    long major = strtol(version, &dot, 10);
    if (*dot != '.')
        return false;
    long minor = strtol(dot + 1, &end, 10);
    return end > dot + 1 && major == NNG_MAJOR && minor >= NNG_MINOR_MIN;
}

static uint64_t task_threads(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (processors < TASK_THREADS_MIN)
        return TASK_THREADS_MIN;
    return processors < TASK_THREADS_MAX ? (uint64_t)processors : TASK_THREADS_MAX;
}

struct status nng_prepare(void)
{
    if (!version_is_trusted(nng_version()))
        return (struct status){STATUS_FAILED_PRECONDITION, REASON_UNAVAILABLE, NULL,
                               "nng 1.10 or newer is needed: older ones go deaf when peers die"};
    nng_init_set_parameter(NNG_INIT_NUM_TASK_THREADS, task_threads());
    nng_init_set_parameter(NNG_INIT_NUM_EXPIRE_THREADS, 1);
    nng_init_set_parameter(NNG_INIT_NUM_POLLER_THREADS, 1);
    nng_init_set_parameter(NNG_INIT_NUM_RESOLVER_THREADS, 1);
    return OK;
}

// nng sends without Nagle's delay by default; what is set here has no good default.
int socket_set_common_options(nng_socket socket)
{
    int error = nng_socket_set_size(socket, NNG_OPT_RECVMAXSZ, MESSAGE_MAX);
    if (error == 0)
        error = nng_socket_set_ms(socket, NNG_OPT_RECONNMINT, RECONNECT_MIN_MS);
    if (error == 0)
        error = nng_socket_set_ms(socket, NNG_OPT_RECONNMAXT, RECONNECT_MAX_MS);
    return error;
}

// What is not listed is INTERNAL. Errors that leave the outcome of a sent call open are UNKNOWN.
static const struct {
    int error;
    enum status_code code;
    enum reason reason;
    const char *message;
} errors[] = {
    {NNG_ETIMEDOUT,    STATUS_DEADLINE_EXCEEDED,   REASON_DEADLINE_EXCEEDED, "no answer in time"           },
    {NNG_ECONNREFUSED, STATUS_UNAVAILABLE,         REASON_UNAVAILABLE,       "the peer refuses connections"},
    {NNG_ECONNRESET,   STATUS_UNKNOWN,             REASON_OUTCOME_UNKNOWN,   "the connection was lost"     },
    {NNG_ECONNABORTED, STATUS_UNKNOWN,             REASON_OUTCOME_UNKNOWN,   "the connection was lost"     },
    {NNG_ECONNSHUT,    STATUS_UNKNOWN,             REASON_OUTCOME_UNKNOWN,   "the connection was lost"     },
    {NNG_ECANCELED,    STATUS_UNKNOWN,             REASON_OUTCOME_UNKNOWN,   "the call was given up"       },
    {NNG_ECLOSED,      STATUS_UNAVAILABLE,         REASON_UNAVAILABLE,       "the socket is closed"        },
    {NNG_EUNREACHABLE, STATUS_UNAVAILABLE,         REASON_UNAVAILABLE,       "the peer is not reachable"   },
    {NNG_EADDRINUSE,   STATUS_FAILED_PRECONDITION, REASON_UNAVAILABLE,       "the address is in use"       },
    {NNG_EADDRINVAL,   STATUS_INVALID_ARGUMENT,    REASON_VALIDATION_ERROR,  "the address is not valid"    },
    {NNG_EINVAL,       STATUS_INVALID_ARGUMENT,    REASON_VALIDATION_ERROR,  "not valid"                   },
    {NNG_ENOTSUP,      STATUS_INVALID_ARGUMENT,    REASON_VALIDATION_ERROR,  "not supported"               },
    {NNG_EPERM,        STATUS_FAILED_PRECONDITION, REASON_UNAVAILABLE,       "permission denied"           },
    {NNG_EPEERAUTH,    STATUS_INVALID_ARGUMENT,    REASON_VALIDATION_ERROR,
     "tls+tcp:// needs BARO_TLS_CERT, and tcp:// is refused with it"                                       },
    {NNG_EMSGSIZE,     STATUS_INVALID_ARGUMENT,    REASON_VALIDATION_ERROR,  "the message is too large"    },
    {NNG_ENOMEM,       STATUS_RESOURCE_EXHAUSTED,  REASON_OVERLOADED,        "out of memory"               },
    {NNG_ENOFILES,     STATUS_RESOURCE_EXHAUSTED,  REASON_OVERLOADED,        "out of file descriptors"     },
};

struct status status_of_nng(int error)
{
    if (error == 0)
        return OK;
    for (size_t i = 0; i < COUNT(errors); i++)
        if (errors[i].error == error)
            return (struct status){errors[i].code, errors[i].reason, NULL, errors[i].message};
    return refuse(REASON_INTERNAL, nng_strerror(error));
}
