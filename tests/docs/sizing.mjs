// docs/sizing.md against what it is made of: the bench's figures for one order, and the processors that
// the manifests ask for. The arithmetic is done again here.
//   node sizing.mjs
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

const PROCESSES = ["gateway", "order", "product", "coupon", "user"];
const RATES = [1000, 10000, 100000]; // orders a second
const BUSY = 0.65; // of a core, what an autoscaler keeps
const DATABASE_BUSY = 0.5;

const text = (path) => readFileSync(path, "utf8");
const page = text("docs/sizing.md");
const plain = (cell) => cell.replaceAll("*", "").trim();
const number = (words) => Number(words.replaceAll(",", ""));

// The rows of the tables under a heading, by their first cell: [cell, ..] of the others.
function rowsUnder(document, heading) {
  const section = document.split(`\n## ${heading}\n`)[1].split("\n## ")[0];
  const rows = [...section.matchAll(/^\| (.*) \|$/gm)].map(([, row]) => row.split("|").map(plain));
  return new Map(rows.map(([first, ...others]) => [first, others]));
}

const one = rowsUnder(page, "One order");
const rates = rowsUnder(page, "Three rates");
const scaling = rowsUnder(page, "Autoscaling");
const costOf = (name) => number(one.get(name)[0]); // milliseconds
const request = (name) =>
  Number(text(`deploy/kubernetes/base/${name}/deployment.yaml`).match(/cpu: (\d+)m/)[1]);

test("the costs of one order are those of the bench", () => {
  const measured = rowsUnder(text("tests/bench/README.md"), "Where an order's processor time goes");
  for (const name of [...PROCESSES, "PostgreSQL"])
    assert.equal(one.get(name)[0], measured.get(name)[1], name);
});

test("the manifests say what their requests are made of, with the same figures", () => {
  const comment = text("deploy/kubernetes/base/service/deployment.yaml").replaceAll("\n# ", " ");
  const [, said] = comment.match(/of which one takes (.*?), and ten sign-ins/);
  const figures = [...said.matchAll(/([\d.]+)(?: ms at the)? (\w+)/g)];
  assert.deepEqual(
    figures.map(([, cost, name]) => [name, Number(cost)]),
    PROCESSES.map((name) => [name, costOf(name)]),
  );
});

test("the parts make the whole", () => {
  const together = PROCESSES.reduce((sum, name) => sum + costOf(name), 0);
  assert.equal(one.get("processes together")[0], together.toFixed(2));
  const [least] = one.get("everything")[0].split(" to ").map(Number);
  assert.equal((together + costOf("PostgreSQL")).toFixed(2), least.toFixed(2));
});

// "8.5; 14" of a row at each rate: cores that are busy, and how many are planned (pods, or cores).
const busyAndPlanned = (row) =>
  RATES.map((_, i) => {
    const [busy, planned] = rates.get(row)[i].split("; ").map(Number);
    return { busy, planned };
  });
const reckoned = (name, plan) =>
  RATES.map((rate) => {
    const busy = Number(((rate * costOf(name)) / 1000).toFixed(3));
    return { busy, planned: plan(busy) };
  });

test("cores and pods at each rate follow from the costs", () => {
  const pods = (cores) => Math.max(2, Math.ceil(cores / BUSY));
  for (const name of PROCESSES) {
    const row = name === "gateway" ? "gateway: cores; pods of 0.65" : name;
    assert.deepEqual(busyAndPlanned(row), reckoned(name, pods), name);
  }
});

test("PostgreSQL's cores follow from its cost", () => {
  const cores = (busy) => Math.ceil(busy / DATABASE_BUSY);
  const row = "PostgreSQL, busy cores; planned at 50 %";
  assert.deepEqual(busyAndPlanned(row), reckoned("PostgreSQL", cores));
});

test("what an autoscaler does follows from the manifests and the costs", () => {
  for (const name of PROCESSES) {
    const [asked, perReplica, replicas] = scaling.get(name);
    const orders = (request(name) * BUSY) / costOf(name); // millicores / milliseconds = 1/s
    assert.equal(asked, `${request(name)}m`, name);
    assert.equal(number(perReplica), Math.round(orders / 100) * 100, name);
    assert.equal(number(replicas), Math.ceil(RATES.at(-1) / orders), name);
  }
});
