// For admins: what all processes do now, whether the laws hold, and what is left on the shelves.

import { get } from "./api.js";
import { chart } from "./charts.js";
import { empty, h, notice, replace, table } from "./dom.js";
import { faultPanel } from "./faults.js";
import { deadLetters } from "./letters.js";
import { between, largest, mean, quantile } from "./metrics.js";
import { say, time, won } from "./words.js";

const PERIOD_MS = 2000;
const SLOWLY_MS = 5000;
const HOTTEST = 5;
const METHODS = 8;

// What customers wait for: not what this page itself asks, nor streams, which are meant to last.
const customers = ({ route }) =>
  route.includes("/api/v1/") && !route.includes("/admin/") && !route.includes("/events");
const outcome = (wanted) => (labels) => labels.outcome === wanted;
const state = (wanted) => (labels) => labels.state === wanted;
const writes = ({ method }) => !/\/(Get|List|Find|Fetch|Read|Reserve|CheckLaw)/.test(method);
const ms = (microseconds) => (microseconds === null ? null : microseconds / 1000);

// What is read of the time between two looks, by name.
const READINGS = {
  orders: (now) => [
    now.rate("baro_order_orders_total", outcome("placed")),
    now.rate("baro_order_payments_total", outcome("completed")),
    now.rate("baro_order_payments_total", outcome("refused")) +
      now.rate("baro_order_orders_total", outcome("stock_conflict")),
  ],
  latency: (now) => {
    const seconds = now.histogram("baro_http_request_seconds", customers);
    return [ms(quantile(seconds, 0.5)), ms(quantile(seconds, 0.99))];
  },
  batches: (now) => {
    const sizes = now.histogram("baro_batch_size", writes);
    return [mean(sizes), sizes.count ? largest(sizes) : null];
  },
  sagas: (now) => [
    now.gauge("baro_saga_running"),
    now.rate("baro_saga_ended_total", state("COMPLETED")),
    now.rate("baro_saga_ended_total", state("COMPENSATED")),
    now.gauge("baro_saga_parked"),
  ],
};

const makeCharts = () => ({
  orders: chart(say("ordersPerSecond"), [say("placed"), say("paid"), say("refusedOrders")]),
  latency: chart(say("latency"), ["p50", "p99"]),
  batches: chart(say("batchSizes"), [say("meanSize"), say("largestSize")]),
  sagas: chart(say("sagaStates"), [
    say("RUNNING"),
    say("completedRate"),
    say("compensatedRate"),
    say("PARKED"),
  ]),
});

function tile(name) {
  const value = h("strong.big", "–");
  const set = (text, tone = "") => {
    value.textContent = text;
    value.className = `big ${tone}`;
  };
  return { element: h("li.card", h("span.quiet", say(name)), value), set };
}
const TILES = ["paidPerSecond", "p99", "meanBatch", "parkedNow", "lawsHold", "processes"];
const makeTiles = () => Object.fromEntries(TILES.map((name) => [name, tile(name)]));

function showReadings(tiles, { orders, latency, batches, sagas }) {
  const parked = sagas.at(-1);
  tiles.paidPerSecond.set(orders[1].toFixed(1));
  tiles.p99.set(latency[1] === null ? "–" : `${latency[1].toFixed(0)} ms`);
  tiles.meanBatch.set(batches[0] === null ? "–" : batches[0].toFixed(1));
  tiles.parkedNow.set(String(parked), parked ? "bad" : "good");
}

function batchTable(now) {
  const of = (method) => (labels) => labels.method === method;
  const rows = now
    .names("baro_batch_size", "method", writes)
    .map((method) => ({
      method,
      sizes: now.histogram("baro_batch_size", of(method)),
      waiting: now.gauge("baro_queue_depth", of(method)),
    }))
    .filter(({ sizes }) => sizes.count > 0)
    .sort((a, b) => b.sizes.sum - a.sizes.sum)
    .slice(0, METHODS);
  if (!rows.length) return empty(say("quietNow"));
  return table(
    [
      [say("method"), ({ method }) => method.replace(/^baro\.\w+\./, "")],
      [say("callsPerSecond"), ({ sizes }) => (sizes.sum / now.seconds).toFixed(1), "number"],
      [say("meanSize"), ({ sizes }) => mean(sizes).toFixed(1), "number"],
      [say("largestSize"), ({ sizes }) => `≤ ${largest(sizes)}`, "number"],
      [say("waiting"), ({ waiting }) => String(waiting), "number"],
    ],
    rows,
    say("batchSizes"),
  );
}

// What is left of what sells best; the bar is full at the most that this page has seen.
function shelf() {
  const most = new Map();
  const bar = ({ id, available }) =>
    h("meter", { min: 0, max: most.get(id), value: available, "aria-label": say("left") });
  const columns = [
    [say("product"), ({ product }) => h("a", { href: `#/products/${product.id}` }, product.name)],
    [say("option"), ({ name }) => name],
    [say("price"), ({ price }) => won(price), "number"],
    [say("sold"), ({ sold }) => String(sold), "number"],
    [say("left"), (option) => [bar(option), ` ${option.available}`], "number"],
  ];
  return (products) => {
    const options = products.flatMap(({ product, sold }) =>
      product.options.map((option) => ({ ...option, product, sold })),
    );
    for (const { id, available } of options) most.set(id, Math.max(available, most.get(id) ?? 1));
    return options.length ? table(columns, options, say("hottest")) : empty(say("nothingSold"));
  };
}

async function hottest() {
  const { items } = await get(`/products/popular?limit=${HOTTEST}`);
  const withProduct = async (row) => ({
    sold: row.units_sold,
    product: await get(`/products/${row.product_id}`),
  });
  return Promise.all(items.map(withProduct));
}

function lawLine({ name, ok, violations, sample }) {
  const law = say(`law_${name}`);
  return h(
    ok ? "li.good" : "li.bad",
    h("span", { "aria-hidden": "true" }, ok ? "✓ " : "✗ "),
    ok ? say("lawOk", law) : say("lawBroken", law, violations),
    sample.map((line) => h("p", line)),
  );
}

const lawList = ({ checked_at, laws }) => [
  h("ul.laws", laws.map(lawLine)),
  h("p.quiet.hint", say("checkedAt", time(checked_at))),
];

// A look that fails is told once, until one succeeds again.
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

const part = (name, content) => h("section", h("h2", say(name)), content);

export async function operationsPage(signal) {
  const charts = makeCharts();
  const tiles = makeTiles();
  const shelves = shelf();
  const laws = h("div");
  const stock = h("div");
  const batches = h("div", empty(say("quietNow")));
  let before = null;

  async function look() {
    const after = await get("/admin/operations");
    tiles.processes.set(String(after.replicas.length));
    if (before) {
      const now = between(before, after);
      const read = Object.entries(READINGS).map(([name, reading]) => [name, reading(now)]);
      for (const [name, values] of read) charts[name].add(...values);
      showReadings(tiles, Object.fromEntries(read));
      replace(batches, batchTable(now));
    }
    before = after;
  }
  async function lookAtLaws() {
    const invariants = await get("/admin/invariants");
    tiles.lawsHold.set(invariants.ok ? "✓" : "✗", invariants.ok ? "good" : "bad");
    replace(laws, lawList(invariants));
  }
  const lookAtStock = async () => replace(stock, shelves(await hottest()));

  const [panel, letters] = await Promise.all([faultPanel(), deadLetters()]);
  every(signal, PERIOD_MS, look);
  every(signal, SLOWLY_MS, lookAtLaws);
  every(signal, SLOWLY_MS, lookAtStock);
  const elements = (made) => Object.values(made);
  return [
    h("h1", say("operations")),
    h(
      "ul.tiles",
      elements(tiles).map(({ element }) => element),
    ),
    part("laws", laws),
    h(
      "div.charts",
      elements(charts).map(({ holder }) => holder),
    ),
    panel,
    part("hottest", stock),
    part("batchesNow", batches),
    part("deadLetters", letters),
  ];
}
