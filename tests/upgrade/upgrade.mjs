// A rolling upgrade, as a cluster does it: one replica after the other is replaced while customers order
// and pay. The first of each service to come changes the tables under the others. Then, as after a
// change of mind, one replica of each goes back, on tables that it does not know.
//   node upgrade.mjs DIR OLD NEW [there]
// OLD and NEW are folders with the executables, beside their sources. With "there" one replica of each is
// new and the other stays old: the same end, without the ways to it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";
import { Buyers, Shop, until } from "../support/buyers.mjs";

const [folder, OLD, NEW, short] = process.argv.slice(2);
const dir = `${folder}/stack`;
const services = ["user", "product", "coupon", "order"];
const everybody = [...services, "gateway"];
const [host, http] = process.env.BARO_HTTP_ADDRESS.split(":");
const gateways = [0, 1].map((i) => `http://${host}:${Number(http) + i}`);
const balanced = new Set(gateways);
const shop = new Shop(() => [...balanced]);
const buyers = new Buyers(shop);
const enough = (count) =>
  until(
    `${count} more orders`,
    (
      (goal) => () =>
        buyers.paid.length >= goal || buyers.failures.length
    )(buyers.paid.length + count),
  );
const run = (command, args, env) =>
  execFileSync(command, args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...env },
  }).trim();
const answers = (url) =>
  fetch(url).then(
    ({ ok }) => ok,
    () => false,
  );

const readyz = (name, i) =>
  name === "gateway"
    ? `${gateways[i]}/readyz`
    : `http://${host}:${Number(process.env.BARO_OPS_PORT) + 10 * i + services.indexOf(name)}/readyz`;

async function replace(name, i, build) {
  if (name === "gateway") balanced.delete(gateways[i]); // as a load balancer that sees /readyz
  run("deploy/local/stack", ["stop", dir, name, String(i)]);
  run("deploy/local/stack", ["start", dir, name, String(i)], { BUILD: build });
  await until(`${name}-${i} is ready`, () => answers(readyz(name, i)));
  if (name === "gateway") balanced.add(gateways[i]);
  await enough(10);
  assert.deepEqual(buyers.failures, [], `after ${name}-${i}`);
}

// Which of the two a process is.
const buildOf = (name, i) => {
  const pid = readFileSync(`${dir}/run/${name}-${i}.pid`, "utf8").trim();
  const program = readlinkSync(`/proc/${pid}/exe`);
  return [OLD, NEW].find((build) => program === resolve(build, `baro-${name}`));
};
const environment = () =>
  Object.fromEntries(
    readFileSync(`${dir}/env`, "utf8")
      .trim()
      .split("\n")
      .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );

// Every migration of the new version has been made.
function expectTablesOfNew(name) {
  const server = environment()[`BARO_${name.toUpperCase()}_DATABASE_URL`];
  const made = run("psql", ["-XqAt", server, "-c", "SELECT name FROM migration"]).split("\n");
  for (const file of readdirSync(`${NEW}/../services/${name}/migrations`))
    assert.ok(made.includes(file), `${name}: ${file}`);
}

test("old and new serve side by side, and no request fails", async (t) => {
  t.after(() => buyers.stop());
  run("deploy/local/stack", ["up", dir, "2"], { BUILD: OLD });
  await buyers.start(6, await shop.newOption(100, 1000000));
  await enough(20);
  if (!short) for (const name of everybody) await replace(name, 0, NEW);
  for (const name of everybody) await replace(name, 1, NEW);
  for (const name of services) expectTablesOfNew(name);
  if (!short) for (const name of everybody) await replace(name, 0, OLD);
  for (const name of everybody)
    assert.deepEqual([buildOf(name, 0), buildOf(name, 1)], [OLD, NEW], name);

  // The same request is the same whichever version reads it.
  const token = await shop.newCustomer(10000);
  const key = crypto.randomUUID();
  const charge = (gateway) =>
    new Shop(() => [gateway]).call("POST", "/me/balance/charges", {
      token,
      key,
      body: { amount: 1000 },
    });
  const first = await charge(gateways[1]);
  for (let i = 0; i < 8; i++) assert.deepEqual(await charge(gateways[i % 2]), first);

  await buyers.stop();
  assert.deepEqual(buyers.failures, []);
  for (const { id, token: owner } of buyers.paid)
    assert.equal((await shop.call("GET", `/orders/${id}`, { token: owner })).status, "PAID");
  run(`${process.env.BUILD ?? "build"}/baroctl`, ["audit", "--wait", "60s"], environment());
});
