// Dead letters as admins see them: listed, filtered, paged, sent again.

#include "tests/integration/order/life.h"

#include "tests/support/database.h"

#include <criterion/criterion.h>
#include <string.h>

enum { ALICE = 1 };

// Three letters of the webhook and one of kafka, with ids 1 to 4; 5 is not dead but waits.
static struct life *given_letters(void)
{
    struct life *here = life_begin();
    here->settings.webhook.url = "http://192.0.2.1/";
    SCOPED(db) *db = rig_db(here->rig);
    test_script(
        db, "INSERT INTO sink_event (event_id, key, occurred_at, since, tried_at, due_at, died_at,"
            "                        tries, state, sink, kind, error, payload)"
            " SELECT n, 100 + n, baro_now(), baro_now(), baro_now(), baro_now(),"
            "        CASE WHEN n < 5 THEN baro_now() END, n, CASE WHEN n < 5 THEN 2 ELSE 1 END,"
            "        CASE WHEN n = 2 THEN 'kafka' ELSE 'webhook' END, 'order.paid', 'HTTP 410', ''"
            " FROM generate_series(1, 5) n");
    return here;
}

static const Baro__Order__DeadLetterPage *
list(struct life *here, const char *sink, Baro__Order__DeadLetterState state, const char *token)
{
    Baro__Order__ListDeadLettersRequest request;
    baro__order__list_dead_letters_request__init(&request);
    request.sink = (char *)(uintptr_t)sink;
    request.state = state;
    request.page_size = 2;
    request.page_token = (char *)(uintptr_t)token;
    return reply_of(ask(here, "ListDeadLetters", as_admin(), &request.base));
}

static const struct asked *replay(struct life *here, struct as as, int64_t id)
{
    Baro__Order__ReplayDeadLetterRequest request;
    baro__order__replay_dead_letter_request__init(&request);
    request.dead_letter_id = id;
    return ask(here, "ReplayDeadLetter", as, &request.base);
}

Test(dead_letter, are_listed_newest_first_in_pages_without_what_still_waits)
{
    struct life *here = given_letters();
    const Baro__Order__DeadLetterPage *page = list(here, "", 0, "");
    cr_assert_eq(page->n_items, 2);
    cr_expect_eq(page->items[0]->id, 4);
    cr_expect_eq(page->items[1]->id, 3);
    page = list(here, "", 0, page->next_page_token);
    cr_assert_eq(page->n_items, 2);
    cr_expect_eq(page->items[0]->id, 2);
    cr_expect_eq(page->items[1]->id, 1);
    cr_expect_str_empty(page->next_page_token);
    const Baro__Order__DeadLetterView *letter = page->items[0];
    cr_expect_str_eq(letter->sink, "kafka");
    cr_expect_str_eq(letter->kind, "order.paid");
    cr_expect_str_eq(letter->error, "HTTP 410");
    cr_expect_eq(letter->order_id, 102);
    cr_expect_eq(letter->attempts, 2);
    cr_expect(strstr(letter->payload, "\"type\":\"order.paid\"") != NULL, "%s", letter->payload);
    cr_expect_not_null(letter->created_at);
    cr_expect_null(letter->replayed_at);
    life_end(here);
}

Test(dead_letter, that_are_large_come_in_shorter_pages)
{
    struct life *here = given_letters();
    SCOPED(db) *db = rig_db(here->rig);
    test_script(db, "UPDATE sink_event SET error = repeat('x', 120000)");
    const Baro__Order__DeadLetterPage *page = list(here, "", 0, "");
    cr_assert_eq(page->n_items, 1);
    page = list(here, "", 0, page->next_page_token);
    cr_assert_eq(page->n_items, 1);
    cr_expect_eq(page->items[0]->id, 3);
    life_end(here);
}

Test(dead_letter, are_found_by_sink_and_by_state)
{
    struct life *here = given_letters();
    cr_expect_eq(list(here, "kafka", 0, "")->n_items, 1);
    cr_expect_eq(list(here, "pigeon", 0, "")->n_items, 0);
    reply_of(replay(here, as_admin(), 3));
    const Baro__Order__DeadLetterPage *page =
        list(here, "webhook", BARO__ORDER__DEAD_LETTER_STATE__DEAD_LETTER_STATE_REPLAYING, "");
    cr_assert_eq(page->n_items, 1);
    cr_expect_eq(page->items[0]->id, 3);
    life_end(here);
}

Test(dead_letter, replayed_twice_is_marked_once)
{
    struct life *here = given_letters();
    for (int i = 0; i < 2; i++) {
        const Baro__Order__DeadLetterView *letter = reply_of(replay(here, as_admin(), 1));
        cr_expect_eq(letter->state, BARO__ORDER__DEAD_LETTER_STATE__DEAD_LETTER_STATE_REPLAYING);
        cr_expect_eq(letter->attempts, 1);
    }
    cr_expect_eq(life_number(here, "SELECT count(*) FROM sink_event WHERE state = 3"), 1);
    life_end(here);
}

Test(dead_letter, replayed_under_a_key_is_replayed_once_and_no_other_is)
{
    struct life *here = given_letters();
    struct as admin = as_admin();
    admin.key = "k";
    reply_of(replay(here, admin, 1));
    reply_of(replay(here, admin, 1));
    expect_refused(replay(here, admin, 3), REASON_IDEMPOTENCY_KEY_REUSED);
    cr_expect_eq(life_number(here, "SELECT count(*) FROM sink_event WHERE state = 3"), 1);
    life_end(here);
}

Test(dead_letter, that_cannot_be_sent_is_not_replayed)
{
    struct life *here = given_letters();
    expect_refused(replay(here, as_admin(), 99), REASON_DEAD_LETTER_NOT_FOUND);
    expect_refused(replay(here, as_admin(), 5), REASON_DEAD_LETTER_NOT_FOUND);
    expect_refused(replay(here, as_admin(), 2), REASON_ILLEGAL_TRANSITION); // no Kafka here
    life_end(here);
}

Test(dead_letter, are_for_admins_only)
{
    struct life *here = given_letters();
    Baro__Order__ListDeadLettersRequest request;
    baro__order__list_dead_letters_request__init(&request);
    expect_refused(ask(here, "ListDeadLetters", as_user(ALICE), &request.base), REASON_FORBIDDEN);
    expect_refused(replay(here, as_user(ALICE), 1), REASON_FORBIDDEN);
    expect_refused(replay(here, as_nobody(), 1), REASON_UNAUTHENTICATED);
    life_end(here);
}

// Six days are the longest that an event may wait for a sink; here something held it up for longer.
Test(dead_letter, events_that_a_sink_has_still_to_get_are_kept)
{
    struct life *here = given_letters();
    SCOPED(arena) *arena = arena_create();
    test_script(here->jobs,
                "INSERT INTO outbox (kind, key, payload, txid, occurred_at)"
                " SELECT 'order.paid', n, '', '0', baro_now() - (11 - n) * interval '1 day'"
                " FROM generate_series(1, 10) n;"
                "INSERT INTO sink (name, last_id, rest_until, lease_until)"
                " VALUES ('webhook', 2, '-infinity', '-infinity'),"
                "        ('kafka', 0, '-infinity', '-infinity')");
    cr_assert(!failed(prune_outbox(&here->service, here->jobs, arena)));
    cr_expect_eq(life_number(here, "SELECT min(id) FROM outbox"), 3);
    here->settings.webhook.url = ""; // nobody waits for them
    cr_assert(!failed(prune_outbox(&here->service, here->jobs, arena)));
    cr_expect_eq(life_number(here, "SELECT min(id) FROM outbox"), 5);
    life_end(here);
}
