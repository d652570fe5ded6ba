#pragma once
// Replicas as processes of their own, which run a service's jobs and can be killed while they work
// (kill -9), and a gate that stops them at a statement. Fork them before anything else: no library of
// ours outlives a fork.

#include "lib/service/service.h"

struct replicas;

// What a replica works on.
struct replica {
    const char *url; // of the service's database
    void *service;
    const struct job *jobs;
    size_t job_count;
    const char *names; // of the jobs that it runs, again and again: "sweep_holds prune_barrier"
};

// Makes what replica `index` works on, in its process. `shared` is memory that all have in common with
// the test.
typedef struct replica replica_open(size_t index, void *shared);

// Forks `count` processes, which wait until replicas_go; `shared` is zeroed.
struct replicas *replicas_fork(size_t count, replica_open *open, size_t shared_size);
void *replicas_shared(const struct replicas *replicas);
void replicas_go(struct replicas *replicas);

// Kills one where it stands, and waits until it is gone.
void replicas_kill(struct replicas *replicas, size_t index);

// Waits until those that live have each begun and ended a run since now; none may have failed.
void replicas_await_round(struct replicas *replicas);

// Lets those that live finish what they do. None may have failed.
void replicas_end(struct replicas *replicas);

// A gate in front of a kind of change of a table ("INSERT", "UPDATE", "DELETE"): who gets there
// waits, with all that it has locked, until the gate opens.
struct gate;
// The strings must live until it opens.
struct gate *gate_close(const char *url, const char *table, const char *change);

// Waits until so many connections stand at the gate, or behind somebody who does.
void gate_await(struct gate *gate, int64_t connections);

// Ends the connections that stand at the gate or behind it, as when their machine is lost: what they
// did is undone. Without it, what a killed replica has sent is still done when the gate opens.
void gate_cut(struct gate *gate);
void gate_open(struct gate *gate);
