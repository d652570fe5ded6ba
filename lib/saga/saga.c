// The words for states and outcomes: they stand in rows, in the API and in metrics.

#include "lib/saga/saga.h"

#include <assert.h>
#include <string.h>

const char *saga_state_name(enum saga_state state)
{
    static const char *const names[] = {
        [SAGA_RUNNING] = "RUNNING",
        [SAGA_COMPENSATING] = "COMPENSATING",
        [SAGA_COMPLETED] = "COMPLETED",
        [SAGA_COMPENSATED] = "COMPENSATED",
    };
    return names[state];
}

bool saga_state_may_follow(enum saga_state from, enum saga_state to)
{
    // From each row's state, in the order of the enum, to each column's.
    static const bool FOLLOWS[][SAGA_COMPENSATED + 1] = {
        {true,  true,  true,  true },
        {false, true,  false, true },
        {false, false, true,  false},
        {false, false, false, true },
    };
    return FOLLOWS[from][to];
}

const char *saga_outcome_name(enum saga_outcome outcome)
{
    static const char *const names[] = {
        [SAGA_PENDING] = "PENDING", [SAGA_DONE] = "DONE",       [SAGA_REFUSED] = "REFUSED",
        [SAGA_UNKNOWN] = "UNKNOWN", [SAGA_SKIPPED] = "SKIPPED",
    };
    return names[outcome];
}

const char *saga_traceparent(const ProtobufCMessage *context)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(context->descriptor, "traceparent");
    assert(!field || field->type == PROTOBUF_C_TYPE_STRING);
    return field ? *(char *const *)((const char *)context + field->offset) : "";
}

int saga_place(const struct saga_definition *definition, const char *step, bool compensation)
{
    int count = (int)definition->step_count;
    for (int i = 0; i < count; i++) {
        if (strcmp(definition->steps[i].name, step) != 0)
            continue;
        if (compensation)
            return count + (count - i);
        return definition->steps[i].kind == SAGA_ON_FAILURE ? 2 * count + 1 + i : 1 + i;
    }
    return 0;
}
