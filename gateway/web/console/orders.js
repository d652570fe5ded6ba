// Orders, and the page of one that follows its saga live.

import { follow, get, post, reasons } from "./api.js";
import { busy, h, replace, table } from "./dom.js";
import { countdown, say, time, won } from "./words.js";

// Steps take milliseconds; so that the eye can follow, what comes while one looks on is shown one by
// one. The times beside the lines are the true ones.
const PACE = 400;
const tones = {
  PAID: "good",
  DELIVERED: "good",
  COMPLETED: "good",
  FAILED: "bad",
  CANCELLED: "bad",
  EXPIRED: "bad",
  HELD: "wait",
  PAYING: "wait",
  REFUNDING: "wait",
};
export const statusWord = (status) => h("strong", { class: tones[status] ?? "" }, say(status));
export const stepWord = ({ name, op }) => say(op === "compensation" ? `undo_${name}` : name);

export async function ordersPage() {
  const { items } = await get("/me/orders?page_size=50");
  return [
    h("h1", {}, say("orders")),
    items.length
      ? table(
          [
            [
              say("orderNumber"),
              (order) => h("a", { href: `#/orders/${order.id}` }, String(order.id)),
            ],
            [say("when"), (order) => time(order.created_at)],
            [say("status"), (order) => statusWord(order.status)],
            [say("total"), (order) => won(order.final_amount), "number"],
          ],
          items,
          say("orders"),
        )
      : h("p", { class: "quiet" }, say("nothing")),
  ];
}

const marks = { DONE: ["done", "✓"], REFUSED: ["refused", "✕"] };

const line = (kind, mark, at, ...words) =>
  h(
    "li",
    { class: kind },
    h("span", { class: "mark", "aria-hidden": "true" }, mark),
    h("span", {}, ...words),
    h("span", { class: "quiet" }, at),
  );

function stepLine({ step, at }) {
  const returned = step.op === "compensation";
  const [kind, mark] = returned ? ["returned", "↺"] : (marks[step.outcome] ?? ["", "…"]);
  const took = `${Math.max(0, new Date(at) - new Date(step.started_at))} ms`;
  return line(
    kind,
    mark,
    `${time(at)} · ${took}`,
    stepWord(step),
    returned ? "" : step.outcome === "REFUSED" ? ` · ${say("REFUSED")}` : "",
  );
}

const statusLine = ({ status, reason, at }, why) =>
  line(
    { good: "done", bad: "refused", wait: "returned" }[tones[status]] ?? "",
    "●",
    time(at),
    statusWord(status),
    reason ? ` · ${why(reason)}` : "",
  );

function actions(order, reload) {
  const button = (text, path, kind) =>
    h(
      "button",
      {
        type: "button",
        class: kind,
        onclick: busy(() => post(`/orders/${order.id}/${path}`, {}).finally(reload)),
      },
      text,
    );
  if (order.status === "PAID") return [button(say("refund"), "cancel")];
  if (order.status !== "PENDING") return [];
  const left = h("span", { class: "quiet", role: "timer" });
  const tick = () => {
    left.textContent = say("payUntil", countdown(new Date(order.expires_at) - Date.now()));
  };
  tick();
  const clock = setInterval(() => (left.isConnected ? tick() : clearInterval(clock)), 1000);
  return [
    button(say("pay", won(order.final_amount)), "payment", "main"),
    button(say("cancel"), "cancel"),
    left,
  ];
}

const paymentTable = (payments, why) => [
  h("h2", {}, say("payments")),
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

const orderHead = (order, reload, why) => [
  h("p", { class: "big" }, statusWord(order.status)),
  order.failure_reason && h("p", { class: "bad" }, why(order.failure_reason)),
  h("div", { class: "row" }, actions(order, reload)),
];

const orderBody = (order, why) => [
  h("h2", {}, say("items")),
  table(
    [
      [say("product"), (item) => `${item.product_name} · ${item.option_name}`],
      [say("price"), (item) => won(item.unit_price), "number"],
      [say("quantity"), (item) => String(item.quantity), "number"],
      [say("total"), (item) => won(item.subtotal), "number"],
    ],
    order.items,
    say("items"),
  ),
  h(
    "p",
    {},
    `${say("total")} ${won(order.total_amount)} − ${won(order.discount_amount)} = `,
    h("strong", {}, won(order.final_amount)),
  ),
  order.payments.length ? paymentTable(order.payments, why) : [],
];

// Lines appear in their order; news, each when the one before has been seen.
function paced(list) {
  const hurried = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let before = Promise.resolve();
  return (element, isNews, then) => {
    before = before.then(async () => {
      list.append(element);
      then?.();
      if (isNews && !hurried) await new Promise((resolve) => setTimeout(resolve, PACE));
    });
  };
}

export async function orderPage(signal, id) {
  const head = h("div");
  const body = h("div");
  const steps = h("ol", { class: "steps", "aria-live": "polite" });
  const words = await reasons();
  const why = (code) => words.get(code) ?? code;

  async function reload() {
    const order = await get(`/orders/${id}`);
    replace(head, orderHead(order, reload, why));
    replace(body, orderBody(order, why));
    return order;
  }

  const { timeline } = await reload();
  const known = Math.max(...timeline.map(({ at }) => new Date(at)));
  const show = paced(steps);
  follow(
    `/orders/${id}/events`,
    ({ data }) => {
      const event = JSON.parse(data);
      const isNews = new Date(event.at) > known;
      if (event.step) show(stepLine(event), isNews);
      else
        show(statusLine(event, why), isNews, () => {
          reload().catch(() => {});
          window.dispatchEvent(new Event("baro:balance"));
        });
    },
    signal,
  ).catch(() => {});
  return [h("h1", {}, say("orderTitle", id)), head, h("h2", {}, say("path")), steps, body];
}
