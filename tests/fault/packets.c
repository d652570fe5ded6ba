// Connection tracking knows who opened a connection (the group of the first packet's sender, noted as its
// mark) and which way a packet goes; the port says whom he wanted. Packets are lost where they arrive: who
// sent them believes that they are on their way.

#include "tests/fault/packets.h"

#include "lib/base/macros.h"
#include "tests/fault/cluster.h"
#include "tests/fault/report.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_PORT = 7400, PORTS = 2, REPLICAS_MAX = 8, FIRST_GROUP = 20000 };

static const char *const LISTENING[] = {"user", "product", "coupon", "order"};
enum { LAST_PORT = FIRST_PORT + (int)COUNT(LISTENING) * REPLICAS_MAX * PORTS - 1 };

// Who listens, on which ports; without a group: all of them.
struct end {
    int group, first_port, last_port;
};

static int place_of(const char *name)
{
    int place = 0;
    while (place < (int)COUNT(LISTENING) &&
           strncmp(name, LISTENING[place], strlen(LISTENING[place])) != 0)
        place++;
    return place; // the gateway, which nobody calls over RPC, comes last
}

static int port_of(const char *name, int replica)
{
    return FIRST_PORT + (place_of(name) * REPLICAS_MAX + replica) * PORTS;
}

int packets_group(const struct process *process)
{
    return FIRST_GROUP + place_of(process->name) * REPLICAS_MAX + process->replica;
}

static struct end end_of(const struct process *process)
{
    if (!process)
        return (struct end){0, FIRST_PORT, LAST_PORT};
    int port = port_of(process->name, process->replica);
    return (struct end){packets_group(process), port, port + PORTS - 1};
}

// nftables

static FILE *open_rules(void)
{
    FILE *nft = popen("nft -f -", "w");
    if (!nft)
        abort();
    fprintf(nft,
            "table inet fault {\n"
            "  counter lost { }\n"
            "  chain notes {\n"
            "    type filter hook output priority -10\n"
            "    tcp dport %d-%d ct direction original ct mark set meta skgid\n"
            "  }\n"
            "  chain losses { type filter hook input priority 0; }\n"
            "}\n"
            "flush chain inet fault losses\n",
            FIRST_PORT, LAST_PORT);
    return nft;
}

static void close_rules(FILE *nft)
{
    if (pclose(nft) != 0)
        report_violation("nftables takes no rules here");
}

// What goes from the client to the server, or back.
static void cut_one_way(FILE *nft, const struct end *client, const struct end *server, bool forth)
{
    fprintf(nft, "add rule inet fault losses tcp %s %d-%d ct direction %s",
            forth ? "dport" : "sport", server->first_port, server->last_port,
            forth ? "original" : "reply");
    if (client->group)
        fprintf(nft, " ct mark %d", client->group);
    fprintf(nft, " counter name lost drop\n");
}

void packets_lose(int per_thousand)
{
    FILE *nft = open_rules();
    fprintf(nft,
            "add rule inet fault losses meta l4proto tcp numgen random mod 1000 < %d"
            " counter name lost drop\n",
            per_thousand);
    close_rules(nft);
}

void packets_cut(const struct process *one, const struct process *other, enum ways ways)
{
    struct end a = end_of(one), b = end_of(other);
    FILE *nft = open_rules();
    for (int out = 0; out < 2; out++) {
        if (!(ways & (out ? WAY_OUT : WAY_IN)))
            continue;
        cut_one_way(nft, &a, &b, out);
        cut_one_way(nft, &b, &a, !out);
    }
    close_rules(nft);
}

void packets_refuse(const struct process *one)
{
    struct end end = end_of(one);
    FILE *nft = open_rules();
    fprintf(nft,
            "add rule inet fault losses tcp dport %d-%d counter name lost reject with tcp reset\n",
            end.first_port, end.last_port);
    close_rules(nft);
}

static void run(const char *command)
{
    if (system(command) != 0)
        report_violation("it fails: %s", command);
}

void packets_squeeze(int kilobits)
{
    char command[128];
    snprintf(command, sizeof(command),
             "tc qdisc replace dev lo root tbf rate %dkbit burst 64kb latency 50ms", kilobits);
    run(command);
}

// "{"metainfo": ..}, {"counter": {.. "packets": 12, ..}}"
static int64_t take_count(const char *command, const char *before)
{
    char text[4096];
    FILE *from = popen(command, "r");
    size_t length = from ? fread(text, 1, sizeof(text) - 1, from) : 0;
    text[length] = '\0';
    if (from)
        pclose(from);
    const char *at = strstr(text, before);
    return at ? strtoll(at + strlen(before), NULL, 10) : 0;
}

void packets_heal(void)
{
    close_rules(open_rules());
    report_faults_more(FAULT_PACKET_LOST,
                       take_count("nft reset counter inet fault lost", "packets "));
    report_faults_more(FAULT_PACKET_LOST, take_count("tc -s qdisc show dev lo", "(dropped "));
    run("tc qdisc del dev lo root 2> /dev/null || true");
}

// Addresses

// "ipc:///tmp/x/user-0.rpc" is "tcp://127.0.0.1:7400".
static void print_address(FILE *out, const char *url)
{
    const char *name = strrchr(url, '/') + 1;
    int port = port_of(name, atoi(strchr(name, '-') + 1)) + (strstr(name, ".bus") != NULL);
    fprintf(out, "tcp://127.0.0.1:%d", port);
}

char *packets_reroute(const char *line)
{
    char copy[4096], *rest = copy, *text = NULL;
    const char *value = strchr(line, '=');
    size_t size = 0;
    if (!value || strncmp(value + 1, "ipc://", 6) != 0)
        return strdup(line);
    FILE *out = open_memstream(&text, &size);
    if (!out)
        abort();
    snprintf(copy, sizeof(copy), "%s", value + 1);
    fprintf(out, "%.*s", (int)(value - line), line);
    for (char *url, separator = '='; (url = strsep(&rest, ",")); separator = ',') {
        fputc(separator, out);
        print_address(out, url);
    }
    fclose(out);
    return text;
}
