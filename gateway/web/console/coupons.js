// The coupon rush: campaigns with their countdown, and the rank of who was quick enough.

import { get, post, user } from "./api.js";
import { busy, h, replace, table } from "./dom.js";
import { countdown, say, time, won } from "./words.js";

const PERIOD = 250;
const LOOK = 2000;

const worth = ({ type, value }) =>
  type === "PERCENT" ? say("discountPercent", value) : say("discountWon", won(value));

// What a campaign shows and how it changes with the clock: the list and the page of one share it.
function rush(campaign, rank, signal, claimed) {
  const clock = h("span", { class: "clock", role: "timer" });
  const left = h("meter", { min: 0, max: campaign.total_quantity, "aria-label": say("left") });
  const count = h("span", { class: "quiet" });
  const place = h("p", { class: "rank good", role: "status" });
  const claim = h("button", { type: "button", class: "main" });

  function show() {
    const opens = new Date(campaign.starts_at) - Date.now();
    const closes = new Date(campaign.ends_at) - Date.now();
    const open = opens <= 0 && closes > 0;
    clock.textContent =
      opens > 0
        ? say("opensIn", countdown(opens))
        : open
          ? say("closesIn", countdown(closes))
          : say("closed");
    clock.classList.toggle("soon", opens > 0 && opens < 10000);
    claim.textContent = say(
      campaign.claimed ? "claimed" : campaign.remaining_quantity ? "claims" : "soldOut",
    );
    claim.disabled = campaign.claimed || !open || campaign.remaining_quantity === 0;
    left.value = campaign.remaining_quantity;
    count.textContent = say("couponsLeft", campaign.remaining_quantity, campaign.total_quantity);
    place.textContent = rank ? say("yourRank", rank) : "";
  }
  async function look() {
    Object.assign(campaign, await get(`/coupons/${campaign.id}`));
    show();
  }
  show();
  const timers = [setInterval(show, PERIOD), setInterval(() => look().catch(() => {}), LOOK)];
  signal.addEventListener("abort", () => timers.forEach(clearInterval));

  claim.addEventListener(
    "click",
    busy(async () => {
      if (!user()) {
        location.hash = "/account";
        return;
      }
      try {
        ({ rank } = await post(`/coupons/${campaign.id}/claims`, {}));
        campaign.claimed = true;
        campaign.remaining_quantity--;
        await claimed();
      } finally {
        await look();
      }
    }, show),
  );
  return { clock, left, count, place, claim };
}

function campaignCard(campaign, rank, signal, claimed) {
  const { clock, left, count, place, claim } = rush(campaign, rank, signal, claimed);
  return h(
    "li",
    { class: "card" },
    h("h2", {}, h("a", { href: `#/coupons/${campaign.id}` }, campaign.name)),
    h("strong", {}, worth(campaign)),
    left,
    count,
    clock,
    claim,
    place,
  );
}

const ownCoupons = async () => (user() ? (await get("/me/coupons?page_size=50")).items : []);

const ownTable = (items) => [
  h("h2", {}, say("yourCoupons")),
  items.length
    ? table(
        [
          [say("coupon"), (coupon) => coupon.name],
          [say("kind"), worth],
          [say("status"), (coupon) => say(coupon.status)],
          [say("rank"), (coupon) => String(coupon.rank), "number"],
          ["", (coupon) => say("until", time(coupon.expires_at))],
        ],
        items,
        say("yourCoupons"),
      )
    : h("p", { class: "quiet" }, say("nothing")),
];

const rankOf = (own, campaign) => own.find((coupon) => coupon.coupon_id === campaign.id)?.rank;

export async function couponsPage(signal) {
  const [{ items }, had] = await Promise.all([get("/coupons?page_size=50"), ownCoupons()]);
  const own = h("div");
  const showOwn = (coupons) => user() && replace(own, ownTable(coupons));
  showOwn(had);
  return [
    h("h1", {}, say("coupons")),
    items.length
      ? h(
          "ul",
          { class: "grid" },
          items.map((campaign) =>
            campaignCard(campaign, rankOf(had, campaign), signal, async () =>
              showOwn(await ownCoupons()),
            ),
          ),
        )
      : h("p", { class: "quiet" }, say("nothing")),
    own,
  ];
}

// One campaign, also before it opens: the page to wait on.
export async function rushPage(signal, id) {
  const [campaign, own] = await Promise.all([get(`/coupons/${id}`), ownCoupons()]);
  const { clock, left, count, place, claim } = rush(
    campaign,
    rankOf(own, campaign),
    signal,
    async () => {},
  );
  return h(
    "section",
    { class: "card rush" },
    h("h1", {}, campaign.name),
    h("p", { class: "big" }, worth(campaign)),
    clock,
    left,
    count,
    claim,
    place,
  );
}
