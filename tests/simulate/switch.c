// ucontext makes a fiber's first frame; from then on _setjmp and _longjmp switch, which unlike
// swapcontext make no system call. glibc's checked longjmp knows of one stack only: it is off here.

#undef _FORTIFY_SOURCE

#include "tests/simulate/switch.h"

#include <assert.h>
#include <setjmp.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <ucontext.h>

void *__real_malloc(size_t size);

struct fiber_context {
    ucontext_t first;
    jmp_buf here;
    bool started;
    void *stack;
    size_t stack_size;
};

static jmp_buf scheduler;

struct fiber_context *context_create(size_t stack_size)
{
    struct fiber_context *context = __real_malloc(sizeof(*context));
    assert(context);
    context->stack_size = stack_size;
    context->stack = mmap(NULL, stack_size, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert(context->stack != MAP_FAILED);
    getcontext(&context->first);
    context->first.uc_stack.ss_sp = context->stack;
    context->first.uc_stack.ss_size = stack_size;
    return context;
}

void context_prepare(struct fiber_context *context, void (*run)(void))
{
    context->started = false;
    makecontext(&context->first, run, 0);
}

void switch_to_fiber(struct fiber_context *context)
{
    if (_setjmp(scheduler))
        return;
    if (context->started)
        _longjmp(context->here, 1);
    context->started = true;
    setcontext(&context->first);
}

void switch_to_scheduler(struct fiber_context *context)
{
    if (_setjmp(context->here) == 0)
        _longjmp(scheduler, 1);
}
