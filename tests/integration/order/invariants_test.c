// The laws as an endpoint and a metric. The other services of this shop have nothing to say, so an
// order that is paid breaks law 4 here.

#include "tests/integration/order/life.h"
#include "tests/support/database.h"
#include "tests/support/stand.h"

#include "lib/base/metrics.h"
#include "lib/base/text.h"
#include "services/order/invariants.h"

#include <criterion/criterion.h>
#include <string.h>

#define STATUS(name) BARO__ORDER__ORDER_STATUS__ORDER_STATUS_##name

enum { ALICE = 1 };

static const struct asked *ask_laws(struct life *here, struct as as)
{
    Baro__Empty request;
    baro__empty__init(&request);
    return ask(here, "GetInvariants", as, &request.base);
}

static const Baro__Order__LawView *law(const Baro__Order__Invariants *view, const char *name)
{
    for (size_t i = 0; i < view->n_laws; i++)
        if (strcmp(view->laws[i]->name, name) == 0)
            return view->laws[i];
    cr_assert_fail("no law %s", name);
    return NULL;
}

static bool shows(const char *line)
{
    SCOPED(arena) *arena = arena_create();
    struct text_buffer text;
    text_buffer_init(&text, arena, 65536);
    metrics_write(&text);
    return strstr(text.data, line) != NULL;
}

static bool shows_broken_orders(void *unused)
{
    (void)unused;
    return shows("\nbaro_law_violations{law=\"order\"} 3\n");
}

Test(order_laws, are_checked_for_who_asks_and_shown_as_a_metric)
{
    struct life *here = life_begin();
    const Baro__Order__Invariants *view = reply_of(ask_laws(here, as_admin()));
    cr_assert(view->ok && view->fresh);
    cr_assert_eq(view->n_laws, 5);
    cr_assert(law(view, "order")->ok);
    cr_assert(shows("\nbaro_law_violations{law=\"order\"} 0\n"));

    // No money, no stock: "completed payments" is right, the rest is not there.
    shop_set_balance(here->shop, ALICE, 5000);
    expect_order(pay(here, as_user(ALICE), given_order(here, ALICE), 0), STATUS(PAID));
    view = reply_of(ask_laws(here, as_admin()));
    cr_assert(!view->ok && view->fresh);
    cr_assert_eq(law(view, "order")->violations, 3);
    cr_assert_eq(law(view, "order")->n_sample, 3);
    cr_assert(strstr(law(view, "order")->sample[0], "won kept 0, must be 2000"));
    cr_assert(shows_broken_orders(NULL));
    cr_assert(law(view, "saga")->ok);
    life_end(here);
}

Test(order_laws, are_shown_to_admins_only)
{
    struct life *here = life_begin();
    expect_refused(ask_laws(here, as_user(ALICE)), REASON_FORBIDDEN);
    expect_refused(ask_laws(here, as_nobody()), REASON_UNAUTHENTICATED);
    life_end(here);
}

Test(order_laws, cannot_be_checked_while_a_service_is_silent)
{
    struct life *here = life_begin();
    Baro__Empty request;
    baro__empty__init(&request);
    shop_silence(here->shop, "CheckLaw", 0);
    struct asked *asked[] = {
        rig_start(here->rig, "GetInvariants", as_admin(), &request.base),
        rig_start(here->rig, "GetInvariants", as_admin(), &request.base),
        rig_start(here->rig, "GetInvariants", as_admin(), &request.base),
    };
    for (size_t i = 0; i < COUNT(asked); i++) {
        expect_refused(rig_await(asked[i]), REASON_UNAVAILABLE);
        cr_assert_str_eq(asked[i]->message, asked[0]->message);
    }
    shop_speak(here->shop, "CheckLaw");
    cr_assert(((const Baro__Order__Invariants *)reply_of(ask_laws(here, as_admin())))->ok);
    life_end(here);
}

Test(order_laws, many_who_ask_at_once_share_a_check)
{
    enum { MANY = 20 };
    struct life *here = life_begin();
    struct asked *asked[MANY];
    Baro__Empty request;
    baro__empty__init(&request);
    for (int i = 0; i < MANY; i++)
        asked[i] = rig_start(here->rig, "GetInvariants", as_admin(), &request.base);
    for (int i = 0; i < MANY; i++)
        cr_assert(((const Baro__Order__Invariants *)reply_of(rig_await(asked[i])))->fresh);
    cr_assert_lt(shop_calls(here->shop, "ListOrderFacts"), 3 * MANY);
    life_end(here);
}

static struct invariants *given_checks(const struct life *here)
{
    return invariants_start(
        &(struct invariants_options){.database_url = here->settings.common.database_url,
                                     .user = here->service.user,
                                     .product = here->service.product,
                                     .coupon = here->service.coupon,
                                     .period_ms = 3600000});
}

static bool shows_an_age(void *unused)
{
    (void)unused;
    return shows("\nbaro_law_check_age_seconds ") && !shows("\nbaro_law_check_age_seconds 0\n");
}

Test(order_laws, grow_old_while_they_cannot_be_checked)
{
    struct life *here = life_begin();
    shop_silence(here->shop, "CheckLaw", 0);
    struct invariants *one = given_checks(here);
    cr_assert(stand_wait(shows_an_age, NULL, 20000));
    invariants_stop(one);
    life_end(here);
}

// One replica checks when the period is over; the others show what it has found.
Test(order_laws, are_checked_in_the_background_by_one_for_all)
{
    struct life *here = life_begin();
    shop_set_balance(here->shop, ALICE, 5000);
    expect_order(pay(here, as_user(ALICE), given_order(here, ALICE), 0), STATUS(PAID));
    struct invariants *one = given_checks(here);
    cr_assert(stand_wait(shows_broken_orders, NULL, 20000));
    await_number(here, 1, "SELECT count(*) FROM law_pass WHERE report IS NOT NULL");
    invariants_stop(one);

    // An hour is not over: another one claims nothing.
    bool ours = true;
    cr_assert(!failed(store_claim_law_pass(here->jobs, 3600000, &ours)));
    cr_assert(!ours);
    life_pass_time(here, 3700000);
    cr_assert(!failed(store_claim_law_pass(here->jobs, 3600000, &ours)));
    cr_assert(ours);
    cr_assert(!failed(store_claim_law_pass(here->jobs, 3600000, &ours)));
    cr_assert(!ours, "two at a time");
    life_end(here);
}
