// For admins: what all processes do now, whether the laws hold, and what is left on the shelves.

import { get } from "./api.js";
import { chart } from "./charts.js";
import { h, notice, replace, table } from "./dom.js";
import { faultPanel } from "./faults.js";
import { between, largest, mean, quantile } from "./metrics.js";
import { deadLetters } from "./sagas.js";
import { say, time, won } from "./words.js";

const PERIOD = 2000;
const SLOWLY = 5000;
const HOTTEST = 5;

// What customers wait for: not what this page itself asks, nor streams, which are meant to last.
const customers = ({ route }) =>
  route.includes("/api/v1/") && !route.includes("/admin/") && !route.includes("/events");
const outcome = (wanted) => (labels) => labels.outcome === wanted;
const state = (wanted) => (labels) => labels.state === wanted;
const writes = ({ method }) => !/\/(Get|List|Find|Fetch|Read|Reserve|CheckLaw)/.test(method);
const ms = (microseconds) => (microseconds === null ? null : microseconds / 1000);

const tile = (name) => {
  const value = h("strong", { class: "big" }, "–");
  return {
    element: h("li", { class: "card" }, h("span", { class: "quiet" }, say(name)), value),
    set: (text, tone = "") => {
      value.textContent = text;
      value.className = `big ${tone}`;
    },
  };
};

// The charts, each with what it shows of the time between two looks.
const charts = () => [
  [
    chart(say("ordersPerSecond"), [say("placed"), say("paid"), say("refusedOrders")]),
    (now) => [
      now.rate("baro_order_orders_total", outcome("placed")),
      now.rate("baro_order_payments_total", outcome("completed")),
      now.rate("baro_order_payments_total", outcome("refused")) +
        now.rate("baro_order_orders_total", outcome("stock_conflict")),
    ],
  ],
  [
    chart(say("latency"), ["p50", "p99"]),
    (now) => {
      const seconds = now.histogram("baro_http_request_seconds", customers);
      return [ms(quantile(seconds, 0.5)), ms(quantile(seconds, 0.99))];
    },
  ],
  [
    chart(say("batchSizes"), [say("meanSize"), say("largestSize")]),
    (now) => {
      const sizes = now.histogram("baro_batch_size", writes);
      return [mean(sizes), sizes.count ? largest(sizes) : null];
    },
  ],
  [
    chart(say("sagaStates"), [
      say("RUNNING"),
      say("PARKED"),
      say("completedRate"),
      say("compensatedRate"),
    ]),
    (now) => [
      now.gauge("baro_saga_running"),
      now.gauge("baro_saga_parked"),
      now.rate("baro_saga_ended_total", state("COMPLETED")),
      now.rate("baro_saga_ended_total", state("COMPENSATED")),
    ],
  ],
];

function batchTable(now) {
  const rows = now
    .names("baro_batch_size", "method", writes)
    .map((method) => ({
      method,
      sizes: now.histogram("baro_batch_size", (labels) => labels.method === method),
      waiting: now.gauge("baro_queue_depth", (labels) => labels.method === method),
    }))
    .filter(({ sizes }) => sizes.count > 0)
    .sort((a, b) => b.sizes.sum - a.sizes.sum)
    .slice(0, 8);
  return rows.length
    ? table(
        [
          [say("method"), ({ method }) => method.replace(/^baro\.\w+\./, "")],
          [say("callsPerSecond"), ({ sizes }) => (sizes.sum / now.seconds).toFixed(1), "number"],
          [say("meanSize"), ({ sizes }) => mean(sizes).toFixed(1), "number"],
          [say("largestSize"), ({ sizes }) => `≤ ${largest(sizes)}`, "number"],
          [say("waiting"), ({ waiting }) => String(waiting), "number"],
        ],
        rows,
        say("batchSizes"),
      )
    : h("p", { class: "quiet" }, say("quietNow"));
}

// What is left of what sells best; the bar is full at the most that this page has seen.
function shelf() {
  const most = new Map();
  return (products) => {
    const options = products.flatMap(({ product, sold }) =>
      product.options.map((option) => ({ ...option, product, sold })),
    );
    for (const { id, available } of options) most.set(id, Math.max(available, most.get(id) ?? 1));
    return options.length
      ? table(
          [
            [
              say("product"),
              ({ product }) => h("a", { href: `#/products/${product.id}` }, product.name),
            ],
            [say("option"), ({ name }) => name],
            [say("price"), ({ price }) => won(price), "number"],
            [say("sold"), ({ sold }) => String(sold), "number"],
            [
              say("left"),
              ({ id, available }) => [
                h("meter", {
                  min: 0,
                  max: most.get(id),
                  value: available,
                  "aria-label": say("left"),
                }),
                ` ${available}`,
              ],
              "number",
            ],
          ],
          options,
          say("hottest"),
        )
      : h("p", { class: "quiet" }, say("nothing"));
  };
}

const lawList = ({ checked_at, laws }) => [
  h(
    "ul",
    { class: "laws" },
    laws.map((law) =>
      h(
        "li",
        { class: law.ok ? "good" : "bad" },
        h("span", { "aria-hidden": "true" }, law.ok ? "✓ " : "✗ "),
        law.ok
          ? say("lawOk", say(`law_${law.name}`))
          : say("lawBroken", say(`law_${law.name}`), law.violations),
        law.sample.map((line) => h("p", {}, line)),
      ),
    ),
  ),
  h("p", { class: "quiet" }, say("checkedAt", time(checked_at))),
];

async function hottest() {
  const { items } = await get(`/products/popular?limit=${HOTTEST}`);
  return Promise.all(
    items.map(async (row) => ({
      sold: row.units_sold,
      product: await get(`/products/${row.product_id}`),
    })),
  );
}

// A look that fails is told once; the next that succeeds says that all is well again.
async function every(signal, period, action) {
  let well = true;
  while (!signal.aborted) {
    try {
      await action();
      well = true;
    } catch (error) {
      if (well && !signal.aborted) notice(error.message, "bad");
      well = false;
    }
    await new Promise((resolve) => setTimeout(resolve, period));
  }
}

export async function operationsPage(signal) {
  const all = charts();
  const shelves = shelf();
  const tiles = {
    paidPerSecond: tile("paidPerSecond"),
    p99: tile("p99"),
    meanSize: tile("meanBatch"),
    parkedNow: tile("parkedNow"),
    lawsHold: tile("lawsHold"),
    processes: tile("processes"),
  };
  const laws = h("div");
  const stock = h("div");
  const batches = h("div");
  let before = null;

  async function look() {
    const after = await get("/admin/operations");
    tiles.processes.set(String(after.replicas.length));
    if (before) {
      const now = between(before, after);
      const [orders, latency, sizes, sagas] = all.map(([shown, values]) => {
        const them = values(now);
        shown.add(...them);
        return them;
      });
      tiles.paidPerSecond.set(orders[1].toFixed(1));
      tiles.p99.set(latency[1] === null ? "–" : `${latency[1].toFixed(0)} ms`);
      tiles.meanSize.set(sizes[0] === null ? "–" : sizes[0].toFixed(1));
      tiles.parkedNow.set(String(sagas[1]), sagas[1] ? "bad" : "good");
      replace(batches, batchTable(now));
    }
    before = after;
  }
  async function lookAtLaws() {
    const invariants = await get("/admin/invariants");
    tiles.lawsHold.set(invariants.ok ? "✓" : "✗", invariants.ok ? "good" : "bad");
    replace(laws, lawList(invariants));
  }
  async function lookAtStock() {
    replace(stock, shelves(await hottest()));
  }
  const [panel, letters] = await Promise.all([faultPanel(), deadLetters()]);
  every(signal, PERIOD, look);
  every(signal, SLOWLY, lookAtLaws);
  every(signal, SLOWLY, lookAtStock);
  return [
    h("h1", {}, say("operations")),
    h(
      "ul",
      { class: "tiles" },
      Object.values(tiles).map(({ element }) => element),
    ),
    h("h2", {}, say("laws")),
    laws,
    h(
      "div",
      { class: "charts" },
      all.map(([shown]) => shown.holder),
    ),
    panel,
    h("h2", {}, say("batchesNow")),
    batches,
    h("h2", {}, say("hottest")),
    stock,
    h("h2", {}, say("deadLetters")),
    letters,
  ].filter(Boolean);
}
