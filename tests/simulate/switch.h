#pragma once
// Stacks and the switch between them.

#include <stddef.h>

struct fiber_context;

// A stack; made once, prepared for each new fiber.
struct fiber_context *context_create(size_t stack_size);
void context_prepare(struct fiber_context *context, void (*run)(void));

void switch_to_fiber(struct fiber_context *context);
void switch_to_scheduler(struct fiber_context *context);
