// Prometheus and what it needs, against the stack of tests/monitoring/run (its environment says where).
//
// The rules are those of deploy/monitoring, but that nothing has to last for a minute before it counts;
// how long it lasts is promtool's to test (rules_test.yaml).
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { Shop } from "../support/buyers.mjs";

const MONITORING = "deploy/monitoring";
const REPLICAS = 2;
const folder = process.env.BARO_STACK_DIR;
const [host, http] = process.env.BARO_HTTP_ADDRESS.split(":");
const ops = Number(process.env.BARO_OPS_PORT);
const address = `${host}:${Number(http) + 91}`;
const prometheus = `http://${address}`;

// The ports of deploy/local/stack.
const services = ["user", "product", "coupon", "order"];
const replicas = [...Array(REPLICAS).keys()];
const targets = Object.fromEntries([
  ...services.map((name, index) => [
    name,
    replicas.map((replica) => `${host}:${ops + 10 * replica + index}`),
  ]),
  ["gateway", replicas.map((replica) => `${host}:${Number(http) + replica}`)],
]);

async function until(what, condition, seconds = 60) {
  for (const end = Date.now() + seconds * 1000; ;) {
    const outcome = await condition().catch((error) => {
      if (Date.now() > end) throw error;
    });
    if (outcome) return outcome;
    assert.ok(Date.now() < end, `not within ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const ask = async (path) => (await (await fetch(`${prometheus}/api/v1/${path}`)).json()).data;
const metricsOf = async (target) => (await fetch(`http://${target}/metrics`)).text();

// One customer pays one order, so that what is counted at first use is there.
async function payAnOrder() {
  const shop = new Shop(() => [`http://${process.env.BARO_HTTP_ADDRESS}`]);
  const option = await shop.newOption(1000, 9);
  const token = await shop.newCustomer(10000);
  const items = [{ option_id: option, quantity: 1 }];
  assert.equal((await shop.call("POST", "/checkout", { token, body: { items } })).status, "PAID");
}

const children = [];
const hook = createServer((request, response) =>
  request.resume().on("end", () => response.writeHead(204).end()),
);

function startPrometheus() {
  const own = `${folder}/prometheus`;
  mkdirSync(own, { recursive: true });
  writeFileSync(
    `${own}/rules.yaml`,
    readFileSync(`${MONITORING}/rules.yaml`, "utf8").replace(/for: \w+/g, "for: 1s"),
  );
  writeFileSync(
    `${own}/prometheus.yaml`,
    [
      "global: {scrape_interval: 1s, evaluation_interval: 1s}",
      "rule_files: [rules.yaml]",
      "scrape_configs:",
      ...Object.entries(targets).map(
        ([name, list]) =>
          `  - {job_name: baro-${name}, static_configs: [{targets: ${JSON.stringify(list)}}]}`,
      ),
    ].join("\n"),
  );
  const child = spawn(
    "prometheus",
    [
      `--config.file=${own}/prometheus.yaml`,
      `--storage.tsdb.path=${own}/data`,
      `--web.listen-address=${address}`,
      "--log.level=warn",
    ],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  children.push(child);
}

before(async () => {
  await new Promise((resolve) => hook.listen(Number(http) + 90, host, resolve));
  await payAnOrder();
  startPrometheus();
  await until("Prometheus is ready", async () => (await fetch(`${prometheus}/-/ready`)).ok);
});

after(() => {
  for (const child of children) child.kill();
  hook.closeAllConnections();
  hook.close();
});

test("every replica of every process is scraped", async () => {
  const wanted = Object.values(targets).flat().sort();
  await until("all targets are up", async () => {
    const { activeTargets } = await ask("targets?state=active");
    const up = activeTargets
      .filter(({ health }) => health === "up")
      .map(({ labels }) => labels.instance)
      .sort();
    return JSON.stringify(up) === JSON.stringify(wanted);
  });
});

test("every rule is loaded and can be evaluated", async () => {
  const text = readFileSync(`${MONITORING}/rules.yaml`, "utf8");
  const written = [...text.matchAll(/- (?:alert|record): (\S+)/g)].map((match) => match[1]);
  await until("all rules were evaluated", async () => {
    const rules = (await ask("rules")).groups.flatMap((group) => group.rules);
    assert.deepEqual(rules.map(({ name }) => name).sort(), written.toSorted());
    return rules.every(({ health, lastError }) => {
      assert.equal(lastError ?? "", "");
      return health === "ok";
    });
  });
});

test("metrics are named as Prometheus wants them", async () => {
  for (const [name, [target]] of Object.entries(targets))
    assert.equal(
      execFileSync("promtool", ["check", "metrics"], {
        input: await metricsOf(target),
        encoding: "utf8",
      }),
      "",
      name,
    );
});

// The words of PromQL that look like names of metrics here all begin with baro, process or up.
const namesIn = (text) =>
  [...text.matchAll(/(?<![\w:"])(?:baro|process)[_:][\w:]+|(?<![\w:"])up(?=\{)/g)].map(
    (match) => match[0],
  );

// [file, expression] of every panel.
function expressions() {
  const files = readdirSync(`${MONITORING}/dashboards`).map(
    (name) => `${MONITORING}/dashboards/${name}`,
  );
  return files.flatMap((file) =>
    JSON.parse(readFileSync(file, "utf8")).panels.flatMap(({ targets: list }) =>
      (list ?? []).map(({ expr }) => [file, expr]),
    ),
  );
}

function named() {
  const rules = readFileSync(`${MONITORING}/rules.yaml`, "utf8").replace(
    /^ *(summary|runbook):.*$/gm,
    "",
  );
  const adapter = readFileSync(`${MONITORING}/adapter.yaml`, "utf8").replace(/^ *(#|as:).*$/gm, "");
  return [...expressions(), ["rules.yaml", rules], ["adapter.yaml", adapter]].flatMap(
    ([file, text]) => namesIn(text).map((name) => [name, file]),
  );
}

test("what dashboards, rules and adapter name is there", async () => {
  const recorded = new Set(
    [...readFileSync(`${MONITORING}/rules.yaml`, "utf8").matchAll(/record: (\S+)/g)].map(
      (match) => match[1],
    ),
  );
  const known = await until(
    "the order is in the metrics",
    async () => new Set(await ask("label/__name__/values")),
  );
  const exposed = new Set([
    ...known,
    ...recorded,
    ...(await Promise.all(Object.values(targets).flat().map(metricsOf))).flatMap((text) =>
      text.match(/^\w+/gm),
    ),
  ]);
  const missing = named()
    .filter(([name]) => !exposed.has(name))
    .map(([name, file]) => `${file}: ${name}`);
  assert.deepEqual([...new Set(missing)], []);
});

test("labels that dashboards group by are labels of their metrics", async () => {
  const groups = expressions().flatMap(([file, expr]) =>
    [...expr.matchAll(/by \(([^)]*)\) \((.*?)(?=\)|\[)/g)].flatMap(([, labels, inner]) =>
      namesIn(inner).map((name) => ({ file, name, labels: labels.split(/, */) })),
    ),
  );
  const given = new Set(["job", "pod", "instance", "le"]); // by the scrape and the histograms
  for (const { file, name, labels } of groups) {
    const seen = new Set(await ask(`labels?match[]=${encodeURIComponent(name)}`));
    for (const label of labels)
      assert.ok(
        given.has(label) || seen.has(label) || seen.size === 0,
        `${file}: ${name} has no label ${label}`,
      );
  }
});

const stateOf = async (alert) =>
  (await ask("alerts")).alerts
    .filter(({ labels, state }) => labels.alertname === alert && state === "firing")
    .map(({ labels }) => labels.instance);

test("an alert fires when a replica is gone, and clears when it is back", async () => {
  await until("nothing is down", async () => (await stateOf("BaroDown")).length === 0);
  execFileSync("deploy/local/stack", ["stop", folder, "coupon", "1"], { stdio: "ignore" });
  await until("BaroDown names the replica", async () =>
    (await stateOf("BaroDown")).includes(targets.coupon[1]),
  );
  assert.deepEqual(await stateOf("BaroDown"), [targets.coupon[1]]);
  execFileSync("deploy/local/stack", ["start", folder, "coupon", "1"], { stdio: "ignore" });
  await until("BaroDown is over", async () => (await stateOf("BaroDown")).length === 0);
});
