#include "tests/unit/order/letters.h"

#include "lib/base/clock.h"
#include "lib/base/text.h"
#include "services/order/event_body.h"

#include <criterion/criterion.h>

enum { PATIENCE_S = 20 };

void letters_write(struct letters *letters, struct arena *arena, size_t count, int64_t orders)
{
    *letters = (struct letters){
        .lot = {.arena = arena,
                .count = count,
                .until_us = clock_monotonic_us() + PATIENCE_S * US_PER_S}
    };
    letters->lot.items = letters->pointers;
    letters->lot.stop = &letters->stop;
    for (size_t i = 0; i < count; i++) {
        Baro__Event *event = arena_alloc(arena, sizeof(*event));
        baro__event__init(event);
        event->id = (int64_t)i + 1;
        event->key = (int64_t)i % orders + 1;
        event->kind = text_copy(arena, "order.paid");
        struct delivery *item = letters->pointers[i] = &letters->items[i];
        item->row.event = event;
        item->message_id = event_message_id(arena, event->id);
        item->body = event_body(arena, event, &item->body_size);
    }
}

void expect_verdicts(const struct letters *letters, enum verdict verdict)
{
    for (size_t i = 0; i < letters->lot.count; i++) {
        const struct delivery *item = &letters->items[i];
        cr_expect_eq(item->verdict, verdict, "letter %zu: %d, %s", i, (int)item->verdict,
                     item->error);
        cr_expect(item->verdict != DELIVERED || !item->error, "letter %zu: %s", i, item->error);
    }
}
