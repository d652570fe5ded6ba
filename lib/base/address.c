// Only the form is looked at: nothing is resolved and nothing is opened.

#include "lib/base/address.h"

#include "lib/base/macros.h"
#include "lib/base/text.h"

#include <string.h>

bool address_is_host_port(const char *text)
{
    const char *colon = strrchr(text, ':');
    int64_t port;
    if (!colon || colon == text || !text_parse_int64(colon + 1, 0, UINT16_MAX, &port))
        return false;
    size_t host = (size_t)(colon - text);
    if (strcspn(text, "/@, \t") < host)
        return false;
    bool bracketed = text[0] == '[' && host > 2 && text[host - 1] == ']';
    return bracketed || !memchr(text, ':', host);
}

bool address_is_socket(const char *text)
{
    static const char TCP[] = "tcp://", TLS[] = "tls+tcp://", IPC[] = "ipc:///";
    if (text_begins_with(text, TCP))
        return address_is_host_port(text + strlen(TCP));
    if (text_begins_with(text, TLS))
        return address_is_host_port(text + strlen(TLS));
    return text_begins_with(text, IPC) && text[strlen(IPC)] != '\0';
}

bool address_are_sockets(const char *text)
{
    SCOPED(arena) *arena = arena_create();
    const char **parts;
    size_t count = text_split(arena, text, ',', &parts);
    bool right = count > 0;
    for (size_t i = 0; i < count; i++)
        right = right && address_is_socket(parts[i]);
    return right;
}
