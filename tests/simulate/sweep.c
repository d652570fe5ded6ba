// The same seed again and again: up to the fault all of its runs are the same, so the nth time is the nth
// time of all, until a run ends before it comes to it.

#include "tests/simulate/sweep.h"

#include "tests/simulate/faults.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const WORDS[PLACES] = {
    [PLACE_WAIT] = "processes killed where they wait",
    [PLACE_TRIP] = "connections to a database lost",
    [PLACE_STATEMENT] = "statements failed",
    [PLACE_COMMIT] = "COMMITs unanswered",
    [PLACE_LOST] = "messages lost",
    [PLACE_DOUBLED] = "messages doubled",
    [PLACE_LATE] = "messages late",
};

static bool sweep_place(uint64_t seed, uint64_t every, enum fault_place place, sweep_run *run)
{
    uint64_t nth = 1, runs = 0;
    size_t sagas = 0;
    for (;; nth += every, runs++) {
        faults_aim(place, nth);
        if (run(seed, true, &sagas) > 0) {
            printf("seed %" PRIu64 " breaks a law: --seed %" PRIu64 " --place %d --nth %" PRIu64
                   " --trace\n",
                   seed, seed, (int)place, nth);
            return false;
        }
        if (!faults_hit())
            break;
    }
    printf("%-34s %6" PRIu64 " runs, each another one of %" PRIu64 "; %zu sagas ended\n",
           WORDS[place], runs, nth - 1, sagas);
    return runs > 0;
}

bool sweep(uint64_t seed, uint64_t every, sweep_run *run)
{
    for (int place = 0; place < PLACES; place++)
        if (!sweep_place(seed, every, (enum fault_place)place, run))
            return false;
    return true;
}
