// Whoever is called at night finds a page: every alert has a section in the runbook that says what it
// means, what to look at and what to do, and every section has its alert.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const rules = readFileSync("deploy/monitoring/rules.yaml", "utf8");
const runbook = readFileSync("docs/runbook.md", "utf8");
const alerts = [...rules.matchAll(/- alert: (\w+)\n([^]*?)(?=\n {6}- |$)/g)].map(
  ([, name, body]) => ({ name, body }),
);
const sections = new Map(
  [...runbook.matchAll(/^## (\w+)\n([^]*?)(?=\n#|$(?![^]))/gm)].map(([, name, body]) => [
    name,
    body,
  ]),
);

test("every alert leads to its section of the runbook", () => {
  for (const { name, body } of alerts) {
    assert.match(body, new RegExp(`runbook: docs/runbook.md#${name.toLowerCase()}$`, "m"), name);
    assert.match(body, /severity: (page|ticket)/, name);
    assert.match(body, /summary: \S/, name);
    assert.ok(sections.has(name), `docs/runbook.md has no section ${name}`);
  }
});

test("every section of an alert says what it means, what to look at and what to do", () => {
  const named = new Set(alerts.map(({ name }) => name));
  for (const [name, body] of sections) {
    assert.ok(named.has(name), `no alert ${name}`);
    for (const word of ["Means", "Look at", "Do"])
      assert.match(body, new RegExp(`^\\*\\*${word}\\.\\*\\* \\S`, "m"), `${name}: ${word}`);
  }
});

test("chapters that other files refer to are there", () => {
  for (const chapter of ["Backup and restore", "Upgrade"])
    assert.match(runbook, new RegExp(`^# ${chapter}$`, "m"));
});

// promtool runs these; here is only asked whether an alert is among them, on both sides of its threshold.
test("every alert is tested: that it fires, and that it is silent", () => {
  const text = readFileSync("tests/monitoring/rules_test.yaml", "utf8");
  const cases = [...text.matchAll(/alertname: (\w+)[,\s]+exp_alerts:( \[\])?/g)];
  for (const { name } of alerts) {
    const outcomes = cases
      .filter(([, alert]) => alert === name)
      .map(([, , none]) => (none ? "silent" : "fires"));
    assert.deepEqual([...new Set(outcomes)].sort(), ["fires", "silent"], name);
  }
});
