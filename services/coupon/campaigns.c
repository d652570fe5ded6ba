// The calls that show and edit campaigns, and the first-come claims.
//
// A claim first asks Redis whether it is in vain (sold_out.h): without a key PostgreSQL is then not
// touched at all; with one the refusal is kept under it. Whoever has a coupon already is told so, also
// when none are left.
//
// A claim batch locks its campaigns in id order; ranks are counted in memory in the order in which the
// calls came, so they have no gaps, and the table's unique constraints stand behind.

#include "lib/rpc/access.h"
#include "proto/coupon.pb-c.h"
#include "services/coupon/service.h"
#include "services/coupon/store.h"
#include "services/coupon/wire.h"

#include <stdlib.h>

static const struct status NO_CAMPAIGN = {STATUS_NOT_FOUND, REASON_COUPON_NOT_FOUND, NULL,
                                          "there is no such coupon"};

// Rows come by id, ascending.
static int compare_id(const void *id, const void *row)
{
    int64_t left = *(const int64_t *)id, right = ((const struct campaign *)row)->id;
    return (left > right) - (left < right);
}

static struct campaign *find_campaign(struct campaign *campaigns, size_t count, int64_t id)
{
    return bsearch(&id, campaigns, count, sizeof(*campaigns), compare_id);
}

struct status handle_list_campaigns(struct batch *batch)
{
    size_t first = 0;
    struct call *call = batch_next(batch, &first);
    const Baro__Coupon__ListCampaignsRequest *request = (const void *)call->request;
    struct page_query query;
    struct campaign *campaigns;
    size_t count;

    struct status st =
        wire_page_query(request->page_size, request->page_token, batch->arena, &query);
    if (failed(st)) {
        call_refuse(call, st);
        return OK;
    }
    st = store_list_campaigns(batch->tx, batch->arena, call->caller.user_id, query.below_id,
                              query.limit, &campaigns, &count);
    if (!failed(st))
        call_reply(call,
                   wire_campaign_page(campaigns, count, (size_t)query.limit - 1, batch->arena));
    return st;
}

// Loads what the open calls of the batch ask about: one pair for each, in their order.
static struct status load_claims(struct batch *batch,
                                 int64_t (*campaign_of)(const struct call *call), bool lock,
                                 struct claims *claims)
{
    struct call *call;

    *claims = (struct claims){
        .campaign_ids = arena_array(batch->arena, batch->count, sizeof(int64_t)),
        .user_ids = arena_array(batch->arena, batch->count, sizeof(int64_t)),
    };
    for (size_t i = 0; (call = batch_next(batch, &i)); i++) {
        claims->campaign_ids[claims->count] = campaign_of(call);
        claims->user_ids[claims->count++] = call->caller.user_id;
    }
    return store_load_claims(batch->tx, batch->arena, lock, claims);
}

static int64_t shown_campaign(const struct call *call)
{
    return ((const Baro__Coupon__GetCampaignRequest *)(const void *)call->request)->coupon_id;
}

struct status handle_get_campaign(struct batch *batch)
{
    struct claims claims;
    struct call *call;
    size_t place = 0;

    struct status st = load_claims(batch, shown_campaign, false, &claims);
    for (size_t i = 0; !failed(st) && (call = batch_next(batch, &i)); i++, place++) {
        const struct campaign *campaign =
            find_campaign(claims.campaigns, claims.campaign_count, claims.campaign_ids[place]);
        if (!campaign) {
            call_refuse(call, NO_CAMPAIGN);
            continue;
        }
        struct campaign shown = *campaign;
        shown.claimed_by_caller = claims.claimed[place];
        call_reply(call, wire_campaign(&shown, batch->arena));
    }
    return st;
}

struct status handle_create_campaign(struct batch *batch)
{
    size_t first = 0;
    struct call *call = batch_next(batch, &first);
    struct campaign campaign = wire_new_campaign((const void *)call->request, batch->arena);

    struct status st = campaign_check(&campaign);
    if (!failed(st))
        st = store_insert_campaign(batch->tx, &campaign, batch->now_us);
    if (!failed(st))
        call_reply(call, wire_campaign(&campaign, batch->arena));
    else if (st.reason == REASON_VALIDATION_ERROR || st.reason == REASON_CODE_TAKEN)
        call_refuse(call, st);
    else
        return st;
    return OK;
}

struct status handle_update_campaign(struct batch *batch)
{
    size_t first = 0;
    struct call *call = batch_next(batch, &first);
    const Baro__Coupon__UpdateCampaignRequest *request = (const void *)call->request;
    struct campaign *campaign;

    struct status st = store_lock_campaign(batch->tx, batch->arena, request->coupon_id, &campaign);
    if (failed(st))
        return st;
    if (!campaign) {
        call_refuse(call, NO_CAMPAIGN);
        return OK;
    }
    wire_change_campaign(request, batch->arena, campaign);
    st = campaign_check(campaign);
    if (failed(st)) {
        call_refuse(call, st);
        return OK;
    }
    campaign->epoch++;
    call->own = campaign;
    call_reply(call, wire_campaign(campaign, batch->arena));
    return store_update_campaign(batch->tx, campaign);
}

// Before the admin is answered: from then on no claim is refused for what was so before. Waits for
// Redis, which is no harm here: admins seldom come.
void campaign_changed(struct batch *batch)
{
    const struct coupon_service *service = batch->service;
    const struct campaign *campaign = batch->calls[0]->own;
    if (campaign && service->sold_out && !failed(batch->calls[0]->status))
        sold_out_forget(service->sold_out, campaign->id, campaign->epoch);
}

static int64_t claimed_campaign(const struct call *call)
{
    return ((const Baro__Coupon__ClaimRequest *)(const void *)call->request)->coupon_id;
}

static void told(void *arg, bool sold_out)
{
    struct call *call = arg;
    uint8_t id[IDEMPOTENCY_ID_SIZE];
    if (!sold_out) {
        call_ready(call);
        return;
    }
    call_refuse(call, campaign_sold_out());
    if (call_idempotency_id(call, id))
        call_record(call);
    else
        call_finish(call);
}

// Whoever may not claim at all hears of that from the handler.
void prepare_claim(struct call *call)
{
    const struct coupon_service *service = call->service;
    if (service->sold_out &&
        !failed(access_check(call->method->access, call->caller, call->saga != NULL)))
        sold_out_ask(service->sold_out, claimed_campaign(call), call->caller.user_id, told, call);
    else
        call_ready(call);
}

// Whether an earlier call of this batch has got one: the database does not know yet.
static bool claimed_in_batch(const struct user_coupon *coupons, size_t count,
                             const struct campaign *campaign, int64_t user_id)
{
    for (size_t i = 0; i < count; i++)
        if (coupons[i].user_id == user_id && coupons[i].campaign == campaign)
            return true;
    return false;
}

// Each claim that succeeds has the next place among the new coupons, which have no ids yet.
static size_t claim_all(struct batch *batch, const struct claims *claims,
                        struct user_coupon *coupons)
{
    size_t made = 0, place = 0;
    struct call *call;

    for (size_t i = 0; (call = batch_next(batch, &i)); i++, place++) {
        int64_t user_id = claims->user_ids[place];
        struct campaign *campaign =
            find_campaign(claims->campaigns, claims->campaign_count, claims->campaign_ids[place]);
        struct status st = NO_CAMPAIGN;
        if (campaign)
            st = campaign_claim(campaign, user_id,
                                claims->claimed[place] ||
                                    claimed_in_batch(coupons, made, campaign, user_id),
                                batch->now_us, &coupons[made]);
        if (failed(st))
            call_refuse(call, st);
        else
            made++;
    }
    return made;
}

// Gives the new coupons their ids and the calls that are still open, which got them, their answers.
static struct status issue(struct batch *batch, struct user_coupon *coupons, size_t count)
{
    const struct coupon_service *service = batch->service;
    int64_t *ids = arena_array(batch->arena, count, sizeof(*ids));
    size_t place = 0;
    struct call *call;

    struct status st = ids_take(service->coupon_ids, batch->tx, count, ids);
    if (failed(st))
        return st;
    for (size_t i = 0; (call = batch_next(batch, &i)); i++, place++) {
        coupons[place].id = ids[place];
        call_reply(call, wire_user_coupon(&coupons[place], batch->arena));
    }
    return OK;
}

struct status handle_claim(struct batch *batch)
{
    struct claims claims;

    struct status st = load_claims(batch, claimed_campaign, true, &claims);
    if (failed(st))
        return st;
    struct user_coupon *coupons = arena_array(batch->arena, claims.count, sizeof(*coupons));
    size_t made = claim_all(batch, &claims, coupons);
    if (made == 0)
        return OK;
    st = issue(batch, coupons, made);
    return failed(st) ? st
                      : store_save_claims(batch->tx, batch->arena, coupons, made, claims.campaigns,
                                          claims.campaign_count, batch->now_us);
}
