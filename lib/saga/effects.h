#pragma once
// What is to be done for sagas when the runner's lock is free again.

#include "lib/saga/runner.h"

struct record_effect {
    enum saga_record what;
    const struct saga *saga;
};

// What is to be done when the lock is free. All memory is in `arena`.
struct effects {
    struct arena *arena;
    struct saga_command *publish, *ask;
    size_t publish_count, publish_capacity, ask_count, ask_capacity;
    struct record_effect *records;
    size_t record_count, record_capacity;
    struct saga **ended;
    size_t ended_count, ended_capacity;
};

void effects_command(struct effects *effects, const struct saga_command *command, bool ask);
void effects_record(struct effects *effects, enum saga_record what, const struct saga *saga);
void effects_ended(struct effects *effects, struct saga *saga);
