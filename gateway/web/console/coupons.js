// The coupon rush: campaigns with their countdown, and the rank of who was quick enough.

import { get, post, user } from "./api.js";
import { h, notice, replace, table } from "./dom.js";
import { countdown, say, time, won } from "./words.js";

const worth = ({ type, value }) => (type === "PERCENT" ? say("discountPercent", value) : say("discountWon", won(value)));

function campaignCard(campaign, signal, claimed) {
  const clock = h("span", { class: "quiet" });
  const left = h("span", {}, say("couponsLeft", campaign.remaining_quantity, campaign.total_quantity));
  const claim = h("button", { type: "button", class: "main" }, say(campaign.claimed ? "claimed" : "claims"));

  function tick() {
    const opens = new Date(campaign.starts_at) - Date.now(), closes = new Date(campaign.ends_at) - Date.now();
    clock.textContent = opens > 0 ? say("opensIn", countdown(opens)) : say("closesIn", countdown(closes));
    claim.disabled = campaign.claimed || opens > 0 || closes <= 0 || campaign.remaining_quantity === 0;
  }
  tick();
  const timer = setInterval(tick, 250);
  signal.addEventListener("abort", () => clearInterval(timer));

  claim.addEventListener("click", async () => {
    if (!user()) {
      location.hash = "/account";
      return;
    }
    claim.disabled = true;
    const coupon = await post(`/coupons/${campaign.id}/claims`, {});
    campaign.claimed = true;
    claim.textContent = say("claimed");
    notice(say("yourRank", coupon.rank));
    claimed();
  });
  return h("li", { class: "card" },
    h("h2", {}, campaign.name), h("strong", {}, worth(campaign)), left, clock, claim);
}

async function ownCoupons() {
  const { items } = await get("/me/coupons?page_size=50");
  return [h("h2", {}, say("yourCoupons")),
    items.length ? table([
      [say("coupon"), (coupon) => coupon.name],
      [say("kind"), worth],
      [say("status"), (coupon) => coupon.status],
      [say("rank"), (coupon) => String(coupon.rank), "number"],
      ["", (coupon) => say("until", time(coupon.expires_at))],
    ], items, say("yourCoupons")) : h("p", { class: "quiet" }, say("nothing"))];
}

export async function couponsPage(signal) {
  const { items } = await get("/coupons?page_size=50");
  const own = h("div");
  const showOwn = async () => user() && replace(own, await ownCoupons());
  await showOwn();
  return [
    h("h1", {}, say("coupons")),
    items.length
      ? h("ul", { class: "grid" }, items.map((campaign) => campaignCard(campaign, signal, showOwn)))
      : h("p", { class: "quiet" }, say("nothing")),
    own,
  ];
}
