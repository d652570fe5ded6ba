// Orders, and the page of one that follows its saga live.

import { follow, get, post } from "./api.js";
import { h, replace, table } from "./dom.js";
import { countdown, say, time, won } from "./words.js";

const tones = { PAID: "good", DELIVERED: "good", FAILED: "bad", CANCELLED: "bad", EXPIRED: "bad", HELD: "wait", PAYING: "wait", REFUNDING: "wait" };
export const statusWord = (status) => h("strong", { class: tones[status] ?? "" }, say(status));

export async function ordersPage() {
  const { items } = await get("/me/orders?page_size=50");
  return [
    h("h1", {}, say("orders")),
    items.length ? table([
      [say("order"), (order) => h("a", { href: `#/orders/${order.id}` }, String(order.id))],
      [say("when"), (order) => time(order.created_at)],
      [say("status"), (order) => statusWord(order.status)],
      [say("total"), (order) => won(order.final_amount), "number"],
    ], items, say("orders")) : h("p", { class: "quiet" }, say("nothing")),
  ];
}

const marks = { DONE: ["done", "✓"], REFUSED: ["refused", "✕"] };

function stepLine({ step, at }) {
  const [kind, mark] = step.op === "compensation" ? ["returned", "↺"] : marks[step.outcome] ?? ["", "…"];
  return h("li", { class: kind },
    h("span", { class: "mark", "aria-hidden": "true" }, mark),
    h("span", {}, say(step.name), step.op === "compensation" ? ` (${say("compensated")})` : ""),
    h("span", { class: "quiet" }, time(at)));
}

function statusLine({ status, reason, at }) {
  const kind = { good: "done", bad: "refused", wait: "returned" }[tones[status]] ?? "";
  return h("li", { class: kind },
    h("span", { class: "mark", "aria-hidden": "true" }, "●"),
    h("span", {}, statusWord(status), reason ? ` · ${reason}` : ""),
    h("span", { class: "quiet" }, time(at)));
}

function actions(order, reload) {
  const button = (text, path, kind) => h("button", {
    type: "button", class: kind,
    onclick: async (event) => {
      event.target.disabled = true;
      await post(`/orders/${order.id}/${path}`, {}).finally(reload);
    },
  }, text);
  const left = h("span", { class: "quiet" });
  const tick = () => { left.textContent = say("payUntil", countdown(new Date(order.expires_at) - Date.now())); };
  tick();
  const clock = setInterval(() => (left.isConnected ? tick() : clearInterval(clock)), 1000);
  if (order.status === "PENDING")
    return [button(say("pay", won(order.final_amount)), "payment", "main"), button(say("cancel"), "cancel"), left];
  clearInterval(clock);
  return order.status === "PAID" ? [button(say("refund"), "cancel")] : [];
}

export async function orderPage(signal, id) {
  const head = h("div");
  const steps = h("ol", { class: "steps", "aria-live": "polite" });

  async function reload() {
    const order = await get(`/orders/${id}`);
    replace(head,
      h("p", { class: "big" }, statusWord(order.status)),
      order.failure_reason && h("p", { class: "bad" }, order.failure_reason),
      h("div", { class: "row" }, actions(order, reload)),
      h("h2", {}, say("items")),
      table([
        [say("product"), (item) => `${item.product_name} · ${item.option_name}`],
        [say("price"), (item) => won(item.unit_price), "number"],
        [say("quantity"), (item) => String(item.quantity), "number"],
        [say("total"), (item) => won(item.subtotal), "number"],
      ], order.items, say("items")),
      h("p", {}, `${say("total")} ${won(order.total_amount)} − ${won(order.discount_amount)} = `, h("strong", {}, won(order.final_amount))));
  }

  await reload();
  follow(`/orders/${id}/events`, ({ data }) => {
    const event = JSON.parse(data);
    steps.append(event.step ? stepLine(event) : statusLine(event));
    if (event.step) return;
    reload();
    window.dispatchEvent(new Event("baro:balance"));
  }, signal).catch(() => {});
  return [h("h1", {}, say("orderTitle", id)), head, h("h2", {}, say("path")), steps];
}
