// A request passes through a dozen threads, and most of them have done their part in microseconds. By
// default each that wakes may push aside whoever runs, so that under load the processors are busy
// with switching, and the batches stay small. With SCHED_BATCH the woken wait until a processor is
// free: whoever runs finishes what it has, and finds more the next time. Measured with the paid orders
// of `make bench`: 15 % less processor time an order. A processor that is idle takes the woken thread
// at once, as ever.

#include "lib/base/scheduling.h"

#include <sched.h>

void scheduling_prefer_batches(void)
{
    const struct sched_param param = {.sched_priority = 0};
    (void)sched_setscheduler(0, SCHED_BATCH, &param);
}
