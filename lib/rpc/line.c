// A plain line is nng's own dialer or listener. With TLS nng neither dials nor listens on the network: it
// hears what the tunnel passes on, and a line is the tunnel and nng's end of it.

#include "lib/rpc/line.h"

#include "lib/base/memory.h"
#include "lib/base/text.h"
#include "lib/rpc/tls.h"
#include "lib/rpc/tunnel.h"

#include <stdlib.h>
#include <string.h>

static const char TLS[] = "tls+tcp://";

struct line {
    bool dials;
    nng_dialer dialer;     // of a plain line that dials
    nng_listener listener; // of all others: nng hears what the tunnel passes on
    struct tunnel *tunnel;
};

static int open_tunnel(nng_socket socket, const char *url, bool dials, struct line *line)
{
    const char *address = url + strlen(TLS);
    int error = nng_listen(socket, "socket://", &line->listener, 0);
    if (error)
        return error;
    error = dials ? tunnel_dial(address, line->listener, &line->tunnel)
                  : tunnel_listen(address, line->listener, &line->tunnel);
    if (error)
        nng_listener_close(line->listener);
    return error;
}

static int open_plain(nng_socket socket, const char *url, bool dials, struct line *line)
{
    line->dials = dials;
    if (dials)
        return nng_dial(socket, url, &line->dialer, NNG_FLAG_NONBLOCK);
    return nng_listen(socket, url, &line->listener, 0);
}

static int open_line(nng_socket socket, const char *url, bool dials, struct line **line)
{
    bool secret = text_begins_with(url, TLS);
    if (secret != tls_is_on() && !text_begins_with(url, "ipc://"))
        return NNG_EPEERAUTH;
    struct line *made = memory_alloc(sizeof(*made));
    int error =
        secret ? open_tunnel(socket, url, dials, made) : open_plain(socket, url, dials, made);
    if (error)
        free(made);
    else
        *line = made;
    return error;
}

int line_listen(nng_socket socket, const char *url, struct line **line)
{
    return open_line(socket, url, false, line);
}

int line_dial(nng_socket socket, const char *url, struct line **line)
{
    return open_line(socket, url, true, line);
}

int line_port(const struct line *line)
{
    int port = 0;
    if (line->tunnel)
        return tunnel_port(line->tunnel);
    return nng_listener_get_int(line->listener, NNG_OPT_TCP_BOUND_PORT, &port) == 0 ? port : 0;
}

void line_close(struct line *line)
{
    if (!line)
        return;
    tunnel_close(line->tunnel);
    if (line->dials)
        nng_dialer_close(line->dialer);
    else
        nng_listener_close(line->listener);
    free(line);
}
