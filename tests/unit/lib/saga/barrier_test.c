// The verdict on every pair of rows.

#include "lib/saga/barrier.h"

#include "lib/base/macros.h"

#include <criterion/criterion.h>

static const struct verdict_row {
    bool compensation;
    enum barrier_row action, undo;
    enum barrier_verdict verdict;
} VERDICTS[] = {
    {false, BARRIER_ABSENT,    BARRIER_ABSENT,    BARRIER_RUN            },
    {false, BARRIER_DONE,      BARRIER_ABSENT,    BARRIER_REPEAT         },
    {false, BARRIER_REFUSED,   BARRIER_ABSENT,    BARRIER_REPEAT         },
    {false, BARRIER_TOMBSTONE, BARRIER_ABSENT,    BARRIER_REFUSE         },
    {false, BARRIER_ABSENT,    BARRIER_DONE,      BARRIER_REFUSE         },
    {false, BARRIER_DONE,      BARRIER_DONE,      BARRIER_REFUSE         },
    {false, BARRIER_REFUSED,   BARRIER_DONE,      BARRIER_REPEAT         },
    {false, BARRIER_TOMBSTONE, BARRIER_DONE,      BARRIER_REFUSE         },
    {true,  BARRIER_ABSENT,    BARRIER_ABSENT,    BARRIER_LEAVE_TOMBSTONE},
    {true,  BARRIER_DONE,      BARRIER_ABSENT,    BARRIER_RUN            },
    {true,  BARRIER_REFUSED,   BARRIER_ABSENT,    BARRIER_DO_NOTHING     },
    {true,  BARRIER_TOMBSTONE, BARRIER_ABSENT,    BARRIER_DO_NOTHING     },
    {true,  BARRIER_ABSENT,    BARRIER_DONE,      BARRIER_REPEAT         },
    {true,  BARRIER_DONE,      BARRIER_DONE,      BARRIER_REPEAT         },
    {true,  BARRIER_REFUSED,   BARRIER_DONE,      BARRIER_REPEAT         },
    {true,  BARRIER_TOMBSTONE, BARRIER_DONE,      BARRIER_REPEAT         },
    {false, BARRIER_FORGOTTEN, BARRIER_FORGOTTEN, BARRIER_RUN            },
    {false, BARRIER_FORGOTTEN, BARRIER_DONE,      BARRIER_REFUSE         },
    {false, BARRIER_DONE,      BARRIER_FORGOTTEN, BARRIER_REPEAT         },
    {true,  BARRIER_FORGOTTEN, BARRIER_FORGOTTEN, BARRIER_RUN            },
    {true,  BARRIER_FORGOTTEN, BARRIER_DONE,      BARRIER_REPEAT         },
    {true,  BARRIER_REFUSED,   BARRIER_FORGOTTEN, BARRIER_DO_NOTHING     },
};

Test(barrier, every_pair_of_rows_has_its_verdict)
{
    for (size_t i = 0; i < COUNT(VERDICTS); i++) {
        const struct verdict_row *row = &VERDICTS[i];
        cr_expect_eq(barrier_decide(row->compensation, row->action, row->undo), row->verdict,
                     "row %zu", i);
    }
}

// What a participant holds after a sequence of copies, written as the letters a and c.
struct step {
    enum barrier_row action, undo;
    int runs, undone;
};

static void deliver(struct step *step, bool compensation)
{
    switch (barrier_decide(compensation, step->action, step->undo)) {
    case BARRIER_RUN:
        *(compensation ? &step->undone : &step->runs) += 1;
        *(compensation ? &step->undo : &step->action) = BARRIER_DONE;
        break;
    case BARRIER_LEAVE_TOMBSTONE:
        step->action = BARRIER_TOMBSTONE;
        step->undo = BARRIER_DONE;
        break;
    case BARRIER_DO_NOTHING:
        step->undo = BARRIER_DONE;
        break;
    case BARRIER_REPEAT:
    case BARRIER_REFUSE:
        break;
    }
}

static void deliver_every_order(struct step step, int actions, int compensations, bool compensated)
{
    if (actions > 0) {
        struct step next = step;
        deliver(&next, false);
        deliver_every_order(next, actions - 1, compensations, compensated);
    }
    if (compensations > 0) {
        struct step next = step;
        deliver(&next, true);
        deliver_every_order(next, actions, compensations - 1, true);
    }
    if (actions > 0 || compensations > 0)
        return;
    cr_expect_leq(step.runs, 1);
    cr_expect_eq(step.undone, compensated ? step.runs : 0);
}

Test(barrier, any_order_of_any_copies_is_once_or_undone)
{
    for (int actions = 0; actions <= 4; actions++)
        for (int compensations = 0; compensations <= 4; compensations++)
            deliver_every_order((struct step){BARRIER_ABSENT, BARRIER_ABSENT, 0, 0}, actions,
                                compensations, false);
}
