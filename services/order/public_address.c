// The networks are those of the IANA special-purpose registries (RFC 6890) that are not globally
// reachable, and those that lead to another address inside: mapped, translated, 6to4, Teredo.

#include "services/order/public_address.h"

#include "lib/base/macros.h"

#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

struct network {
    uint8_t prefix[16];
    unsigned int bits;
};

static const struct network V4[] = {
    {{0},            8 }, // this network
    {{10},           8 },
    {{100, 64},      10}, // shared by carriers
    {{127},          8 },
    {{169, 254},     16}, // link-local: cloud metadata
    {{172, 16},      12},
    {{192, 0, 0},    24},
    {{192, 0, 2},    24},
    {{192, 88, 99},  24}, // 6to4 relays
    {{192, 168},     16},
    {{198, 18},      15}, // benchmarks
    {{198, 51, 100}, 24},
    {{203, 0, 113},  24},
    {{224},          4 }, // multicast
    {{240},          4 }, // reserved, broadcast
};

// Of IPv6 only 2000::/3 is handed out at all; these parts of it are special.
static const struct network GLOBAL = {{0x20}, 3};
static const struct network V6[] = {
    {{0x20, 0x01, 0x00},       23}, // protocols: Teredo, ORCHID, ..
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, // documentation
    {{0x20, 0x02},             16}, // 6to4: an IPv4 address inside
    {{0x3f, 0xff, 0x00},       20}, // documentation
};
static const uint8_t MAPPED[12] = {[10] = 0xff, [11] = 0xff};

static bool inside(const uint8_t *address, const struct network *network)
{
    unsigned int whole = network->bits / 8, rest = network->bits % 8;
    if (memcmp(address, network->prefix, whole) != 0)
        return false;
    return rest == 0 || (address[whole] ^ network->prefix[whole]) >> (8 - rest) == 0;
}

static bool inside_any(const uint8_t *address, const struct network *networks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (inside(address, &networks[i]))
            return true;
    return false;
}

static bool is_public_v6(const uint8_t *address)
{
    if (memcmp(address, MAPPED, sizeof(MAPPED)) == 0)
        return !inside_any(address + sizeof(MAPPED), V4, COUNT(V4));
    return inside(address, &GLOBAL) && !inside_any(address, V6, COUNT(V6));
}

bool address_is_public(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        uint8_t bytes[4];
        memcpy(&v4, address, sizeof(v4));
        memcpy(bytes, &v4.sin_addr, sizeof(bytes));
        return !inside_any(bytes, V4, COUNT(V4));
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof(v6));
        return is_public_v6(v6.sin6_addr.s6_addr);
    }
    return false;
}
