#pragma once
// The kernel's part of the network between the processes: packets that are lost, refused, or have no room
// (nftables and tbf), in the network namespace that the run has for itself (tests/fault/run).
//
// With DRESS_LINKS the processes talk over TCP on the loopback, each on ports of its own and as a
// group of its own, so that the kernel knows whose packet it has.

#include <stdint.h>

struct process;

// Which of the packets between two are meant.
enum ways { WAY_OUT = 1, WAY_IN = 2, WAY_BOTH = WAY_OUT | WAY_IN };

// Loses so many of a thousand packets, of whomever.
void packets_lose(int per_thousand);

// Loses what `one` sends to the other, or gets from it; other NULL: anybody.
void packets_cut(const struct process *one, const struct process *other, enum ways ways);

// Refuses what comes for it, by a reset.
void packets_refuse(const struct process *one);

// The whole loopback shares so many kilobits a second; what waits for longer than 50 ms is lost.
void packets_squeeze(int kilobits);

// All goes through again. Counts for the report how many were lost since the last time.
void packets_heal(void);

// A line of a process's environment in which addresses of peers are those of TCP; to be freed.
char *packets_reroute(const char *line);

// The group that it runs as.
int packets_group(const struct process *process);
