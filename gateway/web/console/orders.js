// Orders, and the page of one that follows its saga live.

import { follow, get, post, reasons } from "./api.js";
import { art } from "./art.js";
import { busy, empty, h, replace, table } from "./dom.js";
import { eventLine, paced, statusWord, track } from "./path.js";
import { countdown, say, time, won } from "./words.js";

const TICK_MS = 1000;

const titleOf = ({ items }) =>
  items.length > 1
    ? say("andMore", items[0].product_name, items.length - 1)
    : (items[0]?.product_name ?? "");

const orderTable = (items) =>
  table(
    [
      [say("orderNumber"), (order) => h("a", { href: `#/orders/${order.id}` }, String(order.id))],
      [say("product"), titleOf],
      [say("when"), (order) => time(order.created_at)],
      [say("status"), (order) => statusWord(order.status)],
      [say("total"), (order) => won(order.final_amount), "number"],
    ],
    items,
    say("orders"),
  );

export async function ordersPage() {
  const { items } = await get("/me/orders?page_size=50");
  return [
    h("h1", say("orders")),
    items.length ? orderTable(items) : empty(say("noOrders"), ["/", say("toShop")]),
  ];
}

function payUntil(order) {
  const left = h("span.quiet", { role: "timer" });
  const tick = () => {
    left.textContent = say("payUntil", countdown(new Date(order.expires_at) - Date.now()));
  };
  tick();
  const clock = setInterval(() => (left.isConnected ? tick() : clearInterval(clock)), TICK_MS);
  return left;
}

function actions(order, reload) {
  const action = (what, text, verb) => {
    const act = () => post(`/orders/${order.id}/${verb}`, {}).finally(reload);
    return h(`button${what}`, { type: "button", onclick: busy(act) }, text);
  };
  if (order.status === "PAID") return [action("", say("refund"), "cancel")];
  if (order.status !== "PENDING") return [];
  return [
    payUntil(order),
    action("", say("cancel"), "cancel"),
    action(".main", say("pay", won(order.final_amount)), "payment"),
  ];
}

const orderHead = (order, reload, why) => [
  h(
    "div.row.spread",
    h("p.state", statusWord(order.status)),
    h("div.row.middle", actions(order, reload)),
  ),
  order.failure_reason && h("p.bad", why(order.failure_reason)),
];

const itemLine = (item) =>
  h(
    "li.line",
    art({ name: item.product_name }),
    h(
      "div",
      h("strong", item.product_name),
      h("span.quiet", item.option_name),
      h("span.quiet", `${won(item.unit_price)} × ${item.quantity}`),
    ),
    h("strong.number", won(item.subtotal)),
  );

const sumLine = (label, amount, kind = "") =>
  h(`p.row.spread${kind}`, h("span", label), h("span", won(amount)));

const bill = (order) =>
  h(
    "section.card.summary",
    h("h2", say("items")),
    h("ul.list", order.items.map(itemLine)),
    order.discount_amount > 0 && [
      sumLine(say("total"), order.total_amount),
      sumLine(say("discount"), -order.discount_amount, ".good"),
    ],
    sumLine(say(order.status === "PENDING" ? "toPay" : "finalAmount"), order.final_amount, ".sum"),
  );

const paymentTable = (payments, why) => [
  h("h2", say("payments")),
  table(
    [
      [say("when"), (payment) => time(payment.created_at)],
      [say("amount"), (payment) => won(payment.amount), "number"],
      [say("status"), (payment) => statusWord(payment.status)],
      [say("reason"), (payment) => (payment.reason ? why(payment.reason) : "")],
    ],
    payments,
    say("payments"),
  ),
];

export async function orderPage(signal, id) {
  const head = h("div");
  const aside = h("aside");
  const attempts = h("div");
  const lines = h("ol.steps", { "aria-live": "polite" });
  const words = await reasons();
  const why = (code) => words.get(code) ?? code;

  async function reload() {
    const order = await get(`/orders/${id}`);
    replace(head, orderHead(order, reload, why));
    replace(aside, bill(order));
    replace(attempts, order.payments.length ? paymentTable(order.payments, why) : []);
    return order;
  }

  const order = await reload();
  const known = Math.max(...order.timeline.map(({ at }) => new Date(at)));
  const stations = track(order);
  const inTurn = paced();
  const tell = ({ data }) => {
    const event = JSON.parse(data);
    const show = () => {
      lines.append(eventLine(event, why));
      stations.tell(event);
      if (event.step) return;
      reload().catch(() => {});
      window.dispatchEvent(new Event("baro:balance"));
    };
    inTurn(show, new Date(event.at) > known);
  };
  follow(`/orders/${id}/events`, tell, signal).catch(() => {});
  const story = h(
    "div",
    h("section.card", head, stations.element),
    h("h2", say("path")),
    lines,
    attempts,
  );
  return [h("h1", say("orderTitle", id)), h("div.beside.wide", story, aside)];
}
