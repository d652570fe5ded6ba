// The coupon rush: campaigns with their countdown, and the rank of who was quick enough.

import { get, post, user } from "./api.js";
import { busy, empty, h, replace, table } from "./dom.js";
import { goAfterSigningIn } from "./places.js";
import { countdown, say, time, won } from "./words.js";

const TICK_MS = 250;
const LOOK_MS = 2000;
const SOON_MS = 10000;

const worth = ({ type, value }) =>
  type === "PERCENT" ? say("discountPercent", Number(value)) : say("discountWon", won(value));

// The button's word for a campaign.
function claimWord(campaign) {
  if (campaign.claimed) return say("claimed");
  return say(campaign.remaining_quantity ? "claims" : "soldOut");
}

// The parts that show a campaign; show(campaign, rank) brings them up to the clock.
function ticket() {
  const parts = {
    clock: h("span.clock", { role: "timer" }),
    left: h("meter", { "aria-label": say("left") }),
    count: h("span.quiet"),
    place: h("p.rank", { role: "status" }),
    claim: h("button.main", { type: "button" }),
  };
  parts.show = (campaign, rank) => {
    const opens = new Date(campaign.starts_at) - Date.now();
    const closes = new Date(campaign.ends_at) - Date.now();
    const open = opens <= 0 && closes > 0;
    if (opens > 0) parts.clock.textContent = say("opensIn", countdown(opens));
    else parts.clock.textContent = open ? say("closesIn", countdown(closes)) : say("closed");
    parts.clock.classList.toggle("soon", opens > 0 && opens < SOON_MS);
    parts.claim.textContent = claimWord(campaign);
    parts.claim.disabled = campaign.claimed || !open || campaign.remaining_quantity === 0;
    parts.left.max = campaign.total_quantity;
    parts.left.value = campaign.remaining_quantity;
    parts.count.textContent = say(
      "couponsLeft",
      campaign.remaining_quantity,
      campaign.total_quantity,
    );
    parts.place.textContent = rank ? say("yourRank", rank) : "";
  };
  return parts;
}

// A ticket that follows its campaign until the page is left, and can be claimed: the list and the page
// of one share it. `claimed` runs when this customer has got one.
function rush(campaign, rankBefore, signal, claimed) {
  const parts = ticket();
  let rank = rankBefore;
  const show = () => parts.show(campaign, rank);

  async function look() {
    Object.assign(campaign, await get(`/coupons/${campaign.id}`));
    show();
  }

  async function take() {
    if (!user()) return goAfterSigningIn(`/coupons/${campaign.id}`);
    try {
      ({ rank } = await post(`/coupons/${campaign.id}/claims`, {}));
      campaign.claimed = true;
      campaign.remaining_quantity--;
      return await claimed();
    } finally {
      await look();
    }
  }

  show();
  const timers = [setInterval(show, TICK_MS), setInterval(() => look().catch(() => {}), LOOK_MS)];
  signal.addEventListener("abort", () => timers.forEach(clearInterval));
  parts.claim.addEventListener("click", busy(take, show));
  return parts;
}

function campaignCard(campaign, rank, signal, claimed) {
  const { clock, left, count, place, claim } = rush(campaign, rank, signal, claimed);
  return h(
    "li.card.ticket",
    h("div.stub", worth(campaign)),
    h(
      "div",
      h("h2", h("a", { href: `#/coupons/${campaign.id}` }, campaign.name)),
      left,
      h("p.row.spread", count, clock),
      claim,
      place,
    ),
  );
}

const ownCoupons = async () => (user() ? (await get("/me/coupons?page_size=50")).items : []);

const ownTable = (items) => [
  h("h2", say("yourCoupons")),
  items.length
    ? table(
        [
          [say("coupon"), (coupon) => coupon.name],
          [say("worth"), worth],
          [say("status"), (coupon) => say(coupon.status)],
          [say("rank"), (coupon) => String(coupon.rank), "number"],
          [say("validUntil"), (coupon) => time(coupon.expires_at)],
        ],
        items,
        say("yourCoupons"),
      )
    : empty(say("noOwnCoupons")),
];

const rankOf = (own, campaign) => own.find((coupon) => coupon.coupon_id === campaign.id)?.rank;

export async function couponsPage(signal) {
  const [{ items }, had] = await Promise.all([get("/coupons?page_size=50"), ownCoupons()]);
  const own = h("div");
  const showOwn = (coupons) => user() && replace(own, ownTable(coupons));
  const claimed = async () => showOwn(await ownCoupons());
  showOwn(had);
  const cards = items.map((one) => campaignCard(one, rankOf(had, one), signal, claimed));
  return [
    h("h1", say("coupons")),
    h("p.quiet.lead", say("couponsWhat")),
    cards.length ? h("ul.grid.tickets", cards) : empty(say("noCampaigns")),
    own,
  ];
}

// One campaign, also before it opens: the page to wait on.
export async function rushPage(signal, id) {
  const [campaign, own] = await Promise.all([get(`/coupons/${id}`), ownCoupons()]);
  const parts = rush(campaign, rankOf(own, campaign), signal, async () => {});
  return h(
    "section.card.rush",
    h("h1", campaign.name),
    h("p.stub", worth(campaign)),
    parts.clock,
    parts.left,
    parts.count,
    parts.claim,
    parts.place,
  );
}
