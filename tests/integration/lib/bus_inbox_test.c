// Idempotency keys through the real dispatcher, on a real server.

#include "lib/bus/inbox.h"

#include "lib/base/protobuf.h"
#include "tests/integration/lib/guarded.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static const char *url;
static struct dispatcher *dispatcher;
static struct stand_desk *desk;
static struct stand_gate gate;
static int answers;

static const struct method ECHO = {.name = "Echo",
                                   .kind = METHOD_WRITE,
                                   .access = ACCESS_ANYBODY,
                                   .guard = &idempotency_guard,
                                   .handle = guarded_echo};

static void given_service(void)
{
    url = guarded_database("inbox");
    dispatcher = guarded_dispatcher(url, &ECHO, 1);
    desk = stand_desk_create();
}

static void end_service(void)
{
    dispatcher_drain(dispatcher, 5000);
    dispatcher_destroy(dispatcher);
    free(desk);
}

TestSuite(inbox, .init = given_service, .fini = end_service, .timeout = 60);

static const struct stand_answer *ask(const char *text, const char *key)
{
    size_t place = (size_t)answers++;
    stand_submit(dispatcher, desk, place, text, key, 5000);
    cr_assert(stand_answered(desk, answers));
    return &desk->places[place];
}

static int64_t effects(void)
{
    return test_number(url, "SELECT count(*) FROM effect");
}

Test(inbox, the_same_key_and_body_get_the_first_answer_and_one_effect)
{
    cr_expect_str_eq(ask("hello", "k")->text, "hello");
    const struct stand_answer *second = ask("hello", "k");
    cr_expect_eq(second->code, STATUS_OK);
    cr_expect_str_eq(second->text, "hello");
    cr_expect_eq(effects(), 1);
}

Test(inbox, another_body_under_the_same_key_is_refused)
{
    ask("hello", "k");
    cr_expect_eq(ask("bye", "k")->reason, REASON_IDEMPOTENCY_KEY_REUSED);
    cr_expect_str_eq(ask("hello", "k")->text, "hello");
    cr_expect_eq(effects(), 1);
}

Test(inbox, a_refusal_is_kept_with_its_words)
{
    ask("refused", "k");
    const struct stand_answer *second = ask("refused", "k");
    cr_expect_eq(second->reason, REASON_INSUFFICIENT_STOCK);
    cr_expect_str_eq(second->text, "Nothing is left.");
    cr_expect_eq(effects(), 1);
}

Test(inbox, validation_failures_and_faults_are_not_kept)
{
    ask("invalid", "k");
    cr_expect_eq(ask("invalid", "k")->reason, REASON_VALIDATION_ERROR);
    ask("broken", "l");
    cr_expect_eq(ask("broken", "l")->reason, REASON_INTERNAL);
    cr_expect_eq(effects(), 4);
    cr_expect_eq(test_number(url, "SELECT count(*) FROM idempotency"), 0);
}

Test(inbox, calls_without_a_key_pass)
{
    ask("hello", "");
    ask("hello", "");
    cr_expect_eq(effects(), 2);
}

// Submits calls that wait behind a held one, so that they are taken as one batch.
static void hold_worker(void)
{
    guarded_gate = &gate;
    stand_submit(dispatcher, desk, (size_t)answers++, "first", "", 5000);
    cr_assert(stand_held(&gate));
}

static void release_worker(void)
{
    atomic_store(&gate.open, true);
    cr_assert(stand_answered(desk, answers));
}

Test(inbox, copies_in_one_batch_run_once_and_share_the_answer)
{
    static const char *const texts[] = {"a",       "a",       "b",       "a",
                                        "refused", "refused", "invalid", "invalid"};
    static const char *const keys[] = {"1", "1", "1", "1", "2", "2", "3", "3"};
    hold_worker();
    for (size_t i = 0; i < COUNT(texts); i++)
        stand_submit(dispatcher, desk, 10 + i, texts[i], keys[i], 5000);
    answers += (int)COUNT(texts);
    release_worker();
    cr_expect_str_eq(desk->places[10].text, "a");
    cr_expect_str_eq(desk->places[11].text, "a");
    cr_expect_eq(desk->places[12].reason, REASON_IDEMPOTENCY_KEY_REUSED);
    cr_expect_str_eq(desk->places[13].text, "a");
    cr_expect_eq(desk->places[14].reason, REASON_INSUFFICIENT_STOCK);
    cr_expect_eq(desk->places[15].reason, REASON_INSUFFICIENT_STOCK);
    cr_expect_eq(desk->places[16].reason, REASON_VALIDATION_ERROR);
    cr_expect_eq(desk->places[17].reason, REASON_VALIDATION_ERROR);
    cr_expect_eq(effects(), 1 + 3);
}

Test(inbox, two_replicas_that_run_one_key_at_once_have_one_effect)
{
    struct dispatcher *other = guarded_dispatcher(url, &ECHO, 1);
    guarded_gate = &gate;
    stand_submit(dispatcher, desk, 0, "hello", "k", 5000);
    cr_assert(stand_held(&gate));
    stand_submit(other, desk, 1, "hello", "k", 5000);
    while (atomic_load(&gate.waiting) < 2)
        ;
    atomic_store(&gate.open, true);
    cr_assert(stand_answered(desk, 2));
    cr_expect_str_eq(desk->places[0].text, "hello");
    cr_expect_str_eq(desk->places[1].text, "hello");
    cr_expect_eq(effects(), 1);
    dispatcher_drain(other, 5000);
    dispatcher_destroy(other);
}

Test(inbox, keys_belong_to_their_user)
{
    ask("hello", "k");
    cr_assert_eq(test_number(url, "SELECT count(*) FROM idempotency"), 1);
    Baro__RpcRequest envelope;
    baro__rpc_request__init(&envelope);
    envelope.method = (char[]){STAND_METHOD};
    envelope.user_id = 8;
    envelope.timeout_ms = 5000;
    envelope.idempotency_key = (char[]){"k"};
    dispatcher_submit(dispatcher, &envelope, &desk->responder, &desk->places[answers++]);
    cr_assert(stand_answered(desk, answers));
    cr_expect_eq(effects(), 2);
}

Test(inbox, an_outcome_stored_for_a_deferred_call_is_answered_and_never_replaced)
{
    static const uint8_t id[16] = {1}, hash[16] = {2};
    static const uint8_t packed[] = {0x0a, 1, 'x'};
    SCOPED(db) *db = db_create(url, "test");
    struct bytes ids[] =
        {
            {id, 16}
    },
                 hashes[] = {{hash, 16}}, replies[] = {{packed, 3}};
    struct status outcomes[] = {OK, refuse(REASON_HOLD_LOST, NULL)};
    for (int i = 0; i < 2; i++) {
        cr_assert(!failed(db_begin(db)));
        cr_assert(!failed(inbox_store(db, ids, hashes, &outcomes[i], replies, 1)));
        cr_assert(!failed(db_commit(db)));
    }
    cr_expect_eq(test_number(url, "SELECT code FROM idempotency"), STATUS_OK);
    cr_expect_eq(test_number(url, "SELECT length(reply) FROM idempotency"), 3);
}

Test(inbox, a_claim_becomes_the_outcome_or_frees_its_key)
{
    static const uint8_t first[16] = {1}, second[16] = {2}, hash[16] = {3};
    const struct bytes ids[] =
        {
            {first,  16},
            {second, 16}
    },
                       hashes[] = {{hash, 16}, {hash, 16}};
    const struct bytes replies[] = {
        {NULL, 0},
        {NULL, 0}
    };
    const struct status claims[] = {refuse(REASON_HOLD_LOST, NULL),
                                    refuse(REASON_UNAVAILABLE, NULL)};
    SCOPED(db) *db = db_create(url, "test");
    test_number(url,
                "WITH made AS (INSERT INTO idempotency (id, request_hash, code, reason)"
                " SELECT decode(first || repeat('00', 15), 'hex'),"
                "        decode('03' || repeat('00', 15), 'hex'), 10, 'REQUEST_IN_PROGRESS'"
                " FROM unnest('{01,02}'::text[]) AS first RETURNING 1) SELECT count(*) FROM made");
    cr_assert(!failed(db_begin(db)));
    cr_assert(!failed(inbox_store(db, ids, hashes, claims, replies, 2)));
    cr_assert(!failed(db_commit(db)));
    cr_expect_eq(test_number(url, "SELECT count(*) FROM idempotency"), 1);
    cr_expect_eq(test_number(url, "SELECT count(*) FROM idempotency WHERE reason = 'HOLD_LOST'"),
                 1);
}

Test(inbox, keys_are_forgotten_after_a_day_some_at_a_time)
{
    SCOPED(db) *db = db_create(url, "test");
    int64_t deleted;
    for (int i = 0; i < 10; i++)
        ask("hello", (char[]){(char)('a' + i), '\0'});
    guarded_advance(url, 23 * 3600);
    cr_assert(!failed(inbox_prune(db, 100, &deleted)));
    cr_expect_eq(deleted, 0);
    guarded_advance(url, 25 * 3600);
    cr_assert(!failed(inbox_prune(db, 4, &deleted)));
    cr_expect_eq(deleted, 4);
    cr_assert(!failed(inbox_prune(db, 100, &deleted)));
    cr_expect_eq(deleted, 6);
}
