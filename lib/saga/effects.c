// Effects are plain arrays that grow in the arena of their entry.

#include "lib/saga/effects.h"

#include <string.h>

static void *append(struct effects *effects, void *items, size_t *count, size_t *capacity,
                    size_t size, const void *item)
{
    char *grown = items;
    if (*count == *capacity) {
        *capacity = *capacity ? 2 * *capacity : 16;
        grown = arena_array(effects->arena, *capacity, size);
        if (*count)
            memcpy(grown, items, *count * size);
    }
    memcpy(grown + *count * size, item, size);
    (*count)++;
    return grown;
}

void effects_command(struct effects *effects, const struct saga_command *command, bool ask)
{
    if (ask)
        effects->ask = append(effects, effects->ask, &effects->ask_count, &effects->ask_capacity,
                              sizeof(*command), command);
    else
        effects->publish = append(effects, effects->publish, &effects->publish_count,
                                  &effects->publish_capacity, sizeof(*command), command);
}

void effects_record(struct effects *effects, enum saga_record what, const struct saga *saga)
{
    struct record_effect effect = {what, saga};
    effects->records = append(effects, effects->records, &effects->record_count,
                              &effects->record_capacity, sizeof(effect), &effect);
}

void effects_ended(struct effects *effects, struct saga *saga)
{
    effects->ended = append(effects, effects->ended, &effects->ended_count,
                            &effects->ended_capacity, sizeof(struct saga *), &saga);
}
