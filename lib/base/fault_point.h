#pragma once
// Named places at which the fault runs (tests/fault) make a process die or stand still, such as
// "DebitWallet/commit": the debit is committed, nobody knows yet. In a normal build they are nothing.

#ifdef BARO_FAULTS

#include <stdatomic.h>
#include <sys/types.h>

enum { FAULT_SLOTS = 4, FAULT_NAME_SIZE = 48 };

// The file that $BARO_FAULT_BOARD names, which the processes and the fault runs share in memory. A slot
// that is armed raises its signal in the process that comes to its place as the countdown ends.
enum fault_state { FAULT_FREE, FAULT_ARMED, FAULT_FIRED };

struct fault_slot {
    _Atomic enum fault_state state;
    atomic_int countdown; // how many more come by unharmed
    int signal;           // SIGKILL, or SIGSTOP until somebody sends SIGCONT
    _Atomic pid_t victim; // once it has fired
    char name[FAULT_NAME_SIZE];
};

struct fault_board {
    struct fault_slot slots[FAULT_SLOTS];
};

// `what` is a method or a part of the program, `where` the moment in its life.
void fault_point(const char *what, const char *where);

#else

static inline void fault_point(const char *what, const char *where)
{
    (void)what;
    (void)where;
}

#endif
