// The identities of calls: what is the same request, and what is the same body.

#include "lib/rpc/call.h"

#include "tests/support/stand.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct method echo = {"Echo", METHOD_WRITE, ACCESS_ANYBODY, stand_echo};
static const struct method other = {"Other", METHOD_WRITE, ACCESS_ANYBODY, stand_echo};
static struct call_pool pool;

static void given_pool(void)
{
    call_pool_init(&pool);
}

static struct call *made[8];
static size_t made_count;

static void end_pool(void)
{
    for (size_t i = 0; i < made_count; i++)
        call_release(&pool, made[i]);
    call_pool_fini(&pool);
}

TestSuite(call, .init = given_pool, .fini = end_pool);

static struct call *call_of(const struct method *method, int64_t user_id, const char *key,
                            const char *text)
{
    struct call *call = made[made_count++] = call_acquire(&pool);
    call->method = method;
    call->caller.user_id = user_id;
    call->idempotency_key = key;
    call->request = &stand_text(call->arena, text)->base;
    return call;
}

static bool same_id(const struct call *a, const struct call *b)
{
    uint8_t left[16], right[16];
    cr_assert(call_idempotency_id(a, left));
    cr_assert(call_idempotency_id(b, right));
    return memcmp(left, right, sizeof(left)) == 0;
}

Test(call, is_the_same_request_for_the_same_user_method_and_key_only)
{
    const struct call *first = call_of(&echo, 1, "key", "a");
    cr_expect(same_id(first, call_of(&echo, 1, "key", "another body")));
    cr_expect(!same_id(first, call_of(&echo, 2, "key", "a")));
    cr_expect(!same_id(first, call_of(&other, 1, "key", "a")));
    cr_expect(!same_id(first, call_of(&echo, 1, "key2", "a")));
}

Test(call, has_no_identity_without_a_key)
{
    uint8_t id[16];
    cr_expect(!call_idempotency_id(call_of(&echo, 1, "", "a"), id));
}

Test(call, tells_another_body_by_its_hash)
{
    uint8_t a[16], again[16], b[16];
    call_request_hash(call_of(&echo, 1, "key", "a"), a);
    call_request_hash(call_of(&echo, 2, "k", "a"), again);
    call_request_hash(call_of(&echo, 1, "key", "b"), b);
    cr_expect_eq(memcmp(a, again, sizeof(a)), 0);
    cr_expect_neq(memcmp(a, b, sizeof(a)), 0);
}

Test(call, is_the_same_request_from_a_gateway_that_knows_more)
{
    uint8_t known[16], more[16];
    struct call *call = call_of(&echo, 1, "key", "text");
    call_request_hash(call, known);
    uint8_t value = 1;
    ProtobufCMessageUnknownField field = {.tag = 1000, .len = 1, .data = &value};
    ProtobufCMessage *request =
        arena_copy(call->arena, call->request, call->request->descriptor->sizeof_message);
    request->unknown_fields = &field;
    request->n_unknown_fields = 1;
    call->request = request;
    call_request_hash(call, more);
    cr_assert_eq(memcmp(known, more, sizeof(known)), 0);
}

Test(call, comes_back_from_the_pool_empty)
{
    struct call *call = call_of(&echo, 1, "key", "a");
    const ProtobufCMessage *first = call->request;
    call_refuse(call, refuse(REASON_INTERNAL, "x"));
    call_release(&pool, call);
    const struct call *next = made[0] = call_acquire(&pool);
    cr_expect_eq(next, call);
    cr_expect_eq(next->status.code, STATUS_OK);
    cr_expect_null(next->method);
    cr_expect_eq((void *)stand_text(next->arena, "b"), (const void *)first, "the arena too");
}
