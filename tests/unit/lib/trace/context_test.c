#include "lib/trace/context.h"

#include <criterion/criterion.h>
#include <string.h>

static const char parent[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

Test(trace_context, is_written_as_it_was_read)
{
    struct trace_context context;
    char text[TRACEPARENT_SIZE];
    cr_assert(trace_context_parse(parent, &context));
    cr_expect(context.sampled);
    trace_context_write(&context, text);
    cr_assert_str_eq(text, parent);
}

Test(trace_context, a_child_has_its_parents_trace_and_a_span_of_its_own)
{
    struct trace_context context;
    cr_assert(trace_context_parse(parent, &context));
    struct trace_context child = trace_context_child(&context);
    cr_expect_eq(memcmp(child.trace, context.trace, sizeof(child.trace)), 0);
    cr_expect_neq(child.span, context.span);
    cr_expect(child.sampled);
}

Test(trace_context, unknown_flags_are_no_wish_to_be_sampled)
{
    struct trace_context context;
    cr_assert(
        trace_context_parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-fe", &context));
    cr_expect_not(context.sampled);
}
