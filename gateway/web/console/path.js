// The path of an order through its saga, as it happens: stations that light up, and the lines of what
// was done and given back.

import { h, svg } from "./dom.js";
import { say, time } from "./words.js";

// Steps take milliseconds; so that the eye can follow, what comes while one looks on is shown one by
// one. The times beside the lines are the true ones.
const PACE_MS = 450;

const TONES = {
  PAID: "good",
  PREPARING: "good",
  SHIPPING: "good",
  DELIVERED: "good",
  COMPLETED: "good",
  FAILED: "bad",
  CANCELLED: "bad",
  EXPIRED: "bad",
  HELD: "wait",
  PAYING: "wait",
  REFUNDING: "wait",
  REFUNDED: "wait",
};
export const toneOf = (status) => TONES[status] ?? "";
export const statusWord = (status) => h(`strong.badge.${toneOf(status) || "plain"}`, say(status));
export const stepWord = ({ name, op }) => say(op === "compensation" ? `undo_${name}` : name);

// What becomes of a step, as one word for style: done, refused, or returned (given back).
export function fateOf({ op, outcome }) {
  if (op === "compensation") return "returned";
  return { DONE: "done", REFUSED: "refused" }[outcome] ?? "";
}

const SHAPES = {
  done: "M5 12.5l4.5 4.5L19 7.5",
  refused: "M7 7l10 10M17 7L7 17",
  returned: "M8 8H14.5a4.5 4.5 0 0 1 0 9H8M8 8l3.5-3.5M8 8l3.5 3.5",
};
const mark = (fate) =>
  h(
    "span.mark",
    { "aria-hidden": "true" },
    SHAPES[fate] ? svg("svg", { viewBox: "0 0 24 24" }, svg("path", { d: SHAPES[fate] })) : "",
  );

// The stations in their order; each with the steps that reach it, and those that go back from it.
const STATIONS = [
  { word: "atOrder", reached: [], left: [] },
  { word: "atCoupon", reached: ["redeem_coupon"], left: ["restore_coupon", "release_coupon"] },
  { word: "atWallet", reached: ["debit_wallet"], left: ["refund_wallet"] },
  { word: "atStock", reached: ["confirm_stock"], left: ["return_stock", "release_stock"] },
  { word: "atEnd", reached: [], left: [] },
];
const ENDS = {
  PAID: "done",
  DELIVERED: "done",
  FAILED: "refused",
  CANCELLED: "refused",
  EXPIRED: "refused",
  REFUNDED: "returned",
};

// The stations of one order. tell(event) moves them on; `events` are those of its stream.
export function track(order) {
  const stations = STATIONS.filter(({ word }) => word !== "atCoupon" || order.user_coupon_id);
  const end = stations.length - 1;
  const fates = stations.map((_, index) => (index === 0 ? "done" : ""));
  const element = h("ol.track", { "aria-label": say("path") });
  let paying = false;

  function draw() {
    const next = paying ? fates.findIndex((fate) => !fate) : -1;
    const items = stations.map(({ word }, index) => {
      const fate = fates[index] || (index === next ? "next" : "");
      const said = fates[index]
        ? say(fates[index])
        : say(index === next ? "underWay" : "notYetDone");
      return h(
        fate ? `li.${fate}` : "li",
        mark(fates[index]),
        h("span", say(word), h("span.hidden", `: ${said}`)),
      );
    });
    element.replaceChildren(...items);
  }

  function tellStep(step) {
    const index = stations.findIndex(
      ({ reached, left }) => reached.includes(step.name) || left.includes(step.name),
    );
    if (index < 0) return;
    fates[index] = stations[index].left.includes(step.name) ? "returned" : fateOf(step);
    if (fates[index] !== "done") paying = false;
  }

  function tellStatus(status) {
    if (status === "PAYING") fates.fill("", 1);
    paying = status === "PAYING";
    fates[end] = ENDS[status] ?? (paying || status === "PENDING" ? "" : fates[end]);
  }

  draw();
  return {
    element,
    tell(event) {
      if (event.step) tellStep(event.step);
      else tellStatus(event.status);
      draw();
    },
  };
}

function stepLine({ step, at }) {
  const fate = fateOf(step);
  const took = `${Math.max(0, new Date(at) - new Date(step.started_at))} ms`;
  const refused = fate === "refused" ? ` · ${say("REFUSED")}` : "";
  const name = h("span", stepWord(step), refused);
  return h(fate ? `li.${fate}` : "li", mark(fate), name, h("span.quiet", `${time(at)} · ${took}`));
}

function statusLine({ status, reason, at }, why) {
  const kind = { good: "done", bad: "refused", wait: "returned" }[toneOf(status)];
  const said = h("span", h("strong", say(status)), reason ? ` · ${why(reason)}` : "");
  return h(kind ? `li.status.${kind}` : "li.status", mark(""), said, h("span.quiet", time(at)));
}

export const eventLine = (event, why) => (event.step ? stepLine(event) : statusLine(event, why));

// Runs what it is given one after the other; after news, it waits until that has been seen.
export function paced() {
  const hurried = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let before = Promise.resolve();
  return (show, isNews) => {
    before = before.then(async () => {
      show();
      if (isNews && !hurried) await new Promise((resolve) => setTimeout(resolve, PACE_MS));
    });
  };
}
