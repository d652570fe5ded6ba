// For admins: what happens now, whether the laws hold, and the sagas.

import { get, post } from "./api.js";
import { h, notice, replace, table } from "./dom.js";
import { say, time } from "./words.js";

/* global uPlot */
const PERIOD = 2000, POINTS = 120;

// Prometheus' text format: [{ name, labels, value }].
function parse(text) {
  return text.split("\n").filter((line) => line && !line.startsWith("#")).map((line) => {
    const [, name, labels, value] = line.match(/^(\w+)(?:\{(.*)\})? (\S+)$/);
    return { name, labels: Object.fromEntries([...(labels ?? "").matchAll(/(\w+)="([^"]*)"/g)].map((m) => [m[1], m[2]])), value: Number(value) };
  });
}

const sum = (samples, name, fits = () => true) =>
  samples.filter((sample) => sample.name === name && fits(sample.labels)).reduce((total, { value }) => total + value, 0);

// The quantile of what two readings of a histogram have between them, in its unit; null without any.
function quantile(before, after, name, share) {
  const bounds = [...new Set(after.filter((sample) => sample.name === `${name}_bucket`).map(({ labels }) => labels.le))]
    .map((le) => [le === "+Inf" ? Infinity : Number(le), sum(after, `${name}_bucket`, (l) => l.le === le) - sum(before, `${name}_bucket`, (l) => l.le === le)])
    .sort(([a], [b]) => a - b);
  const total = bounds.at(-1)?.[1] ?? 0;
  if (total === 0) return null;
  const index = bounds.findIndex(([, count]) => count >= share * total);
  const [low, below] = index ? bounds[index - 1] : [0, 0];
  const [high, upTo] = bounds[index];
  return high === Infinity ? low : low + ((high - low) * (share * total - below)) / (upTo - below);
}

// A chart of a few lines over the last minutes.
function chart(title, lines) {
  const holder = h("div", { class: "chart" }, h("h2", {}, title));
  const data = [[], ...lines.map(() => [])];
  const colour = getComputedStyle(document.documentElement);
  const strokes = ["--accent", "--wait", "--bad"].map((name) => colour.getPropertyValue(name).trim());
  const axis = { stroke: colour.getPropertyValue("--quiet").trim(), grid: { stroke: colour.getPropertyValue("--line").trim(), width: 1 } };
  let plot = null;
  return {
    holder,
    add(...values) {
      data[0].push(Date.now() / 1000);
      values.forEach((value, index) => data[index + 1].push(value));
      if (data[0].length > POINTS) data.forEach((column) => column.shift());
      plot ??= new uPlot({
        width: Math.max(260, holder.clientWidth - 20), height: 200, axes: [axis, axis],
        series: [{}, ...lines.map((label, index) => ({ label, stroke: strokes[index], width: 2 }))],
      }, data, holder);
      plot.setData(data);
    },
  };
}

function lawList({ checked_at, laws }) {
  return [
    h("ul", { class: "laws" }, laws.map((law) =>
      h("li", { class: law.ok ? "good" : "bad" }, law.ok ? say("lawOk", law.name) : say("lawBroken", law.name, law.violations)))),
    h("p", { class: "quiet" }, say("checkedAt", time(checked_at))),
  ];
}

async function deadLetters() {
  const { items } = await get("/admin/dead-letters?page_size=20");
  if (!items.length) return h("p", { class: "quiet" }, say("nothing"));
  return table([
    [say("when"), (letter) => time(letter.created_at)],
    [say("sink"), (letter) => letter.sink],
    [say("error"), (letter) => letter.error],
    [say("attempts"), (letter) => String(letter.attempts), "number"],
    ["", (letter) => h("button", { type: "button", onclick: async () => { await post(`/admin/dead-letters/${letter.id}/replay`, {}); notice(say("done")); } }, say("replay"))],
  ], items, say("deadLetters"));
}

export async function operationsPage(signal) {
  const requests = chart(say("requestsPerSecond"), ["/s"]);
  const latency = chart(say("p99"), ["p50", "p99"]);
  const laws = h("div"), hottest = h("div"), letters = h("div");
  let before = null, at = 0;

  async function look() {
    const after = parse(await (await fetch("metrics", { signal })).text());
    const now = performance.now();
    if (before) {
      const count = sum(after, "baro_http_requests_total") - sum(before, "baro_http_requests_total");
      requests.add(count / ((now - at) / 1000));
      latency.add(...[0.5, 0.99].map((share) => {
        const seconds = quantile(before, after, "baro_http_request_seconds", share);
        return seconds === null ? null : seconds * 1000;
      }));
    }
    [before, at] = [after, now];
  }

  async function lookSlowly() {
    const [invariants, popular] = await Promise.all([get("/admin/invariants"), get("/products/popular?limit=10")]);
    replace(laws, lawList(invariants));
    replace(hottest, table([
      ["#", (row) => String(row.rank)],
      [say("product"), (row) => h("a", { href: `#/products/${row.product_id}` }, row.name)],
      [say("sold"), (row) => String(row.units_sold), "number"],
    ], popular.items, say("hottest")));
    replace(letters, await deadLetters());
  }

  async function every(period, action) {
    while (!signal.aborted) {
      await action().catch((error) => signal.aborted || notice(error.message, "bad"));
      await new Promise((resolve) => setTimeout(resolve, period));
    }
  }
  every(PERIOD, look);
  every(5 * PERIOD, lookSlowly);
  return [
    h("h1", {}, say("operations")),
    h("div", { class: "charts" }, requests.holder, latency.holder),
    h("h2", {}, say("laws")), laws,
    h("h2", {}, say("hottest")), hottest,
    h("h2", {}, say("deadLetters")), letters,
  ];
}

const states = ["", "RUNNING", "COMPENSATING", "COMPLETED", "COMPENSATED", "PARKED"];

export async function sagasPage() {
  const list = h("div");
  async function load(state) {
    const { items } = await get(`/admin/sagas?page_size=50${state ? `&state=${state}` : ""}`);
    replace(list, items.length ? table([
      ["id", (saga) => h("a", { href: `#/sagas/${saga.id}` }, String(saga.id))],
      [say("kind"), (saga) => saga.kind],
      [say("state"), (saga) => (saga.parked ? h("strong", { class: "bad" }, `${saga.state} · PARKED`) : saga.state)],
      [say("step"), (saga) => saga.step ?? ""],
      [say("when"), (saga) => time(saga.created_at)],
    ], items, say("sagas")) : h("p", { class: "quiet" }, say("nothing")));
  }
  await load("");
  return [
    h("h1", {}, say("sagas")),
    h("label", {}, say("state"), h("select", { onchange: (event) => load(event.target.value) },
      states.map((state) => h("option", { value: state }, state || say("all"))))),
    list,
  ];
}

export async function sagaPage(signal, id) {
  const saga = await get(`/admin/sagas/${id}`);
  const took = ({ started_at, finished_at }) => (finished_at ? `${new Date(finished_at) - new Date(started_at)} ms` : "");
  return [
    h("h1", {}, `${saga.kind} ${saga.id}`),
    h("p", {}, saga.state, saga.parked ? h("strong", { class: "bad" }, " PARKED ") : "",
      h("a", { href: `#/orders/${saga.order_id}` }, say("orderTitle", saga.order_id))),
    h("button", { type: "button", disabled: !saga.parked, onclick: async () => { await post(`/admin/sagas/${id}/retry`, {}); notice(say("done")); } }, say("retry")),
    table([
      [say("step"), (step) => say(step.name)],
      [say("kind"), (step) => step.op],
      [say("outcome"), (step) => step.outcome],
      [say("attempts"), (step) => String(step.attempts), "number"],
      [say("took"), took, "number"],
    ], saga.steps ?? [], say("path")),
  ];
}
