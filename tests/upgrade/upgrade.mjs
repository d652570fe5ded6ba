// A rolling upgrade, as a cluster does it: one replica after the other is replaced while customers order
// and pay. The first of each service to come changes the tables under the others. Then, as after a
// change of mind, one replica of each goes back, on tables that it does not know.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Buyers, Shop, until } from "../support/buyers.mjs";

const folder = process.argv[2];
const dir = `${folder}/stack`;
const NEXT = `${folder}/next/build`;
const services = ["user", "product", "coupon", "order"];
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
  run("deploy/local/stack", ["start", dir, name, String(i)], build ? { BUILD: build } : {});
  await until(`${name}-${i} is ready`, () => answers(readyz(name, i)));
  if (name === "gateway") balanced.add(gateways[i]);
  await enough(10);
  assert.deepEqual(buyers.failures, [], `after ${name}-${i}`);
}

const versionOf = async (gateway) => (await (await fetch(`${gateway}/version`)).json()).version;
const environment = () =>
  Object.fromEntries(
    readFileSync(`${dir}/env`, "utf8")
      .trim()
      .split("\n")
      .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );

test("old and new serve side by side, and no request fails", async () => {
  run("deploy/local/stack", ["up", dir, "2"]);
  await buyers.start(6, await shop.newOption(100, 1000000));
  await enough(20);
  for (const name of [...services, "gateway"]) for (const i of [0, 1]) await replace(name, i, NEXT);
  assert.match(await versionOf(gateways[1]), /^next-/);
  for (const [name, table] of [
    ["USER", "wallet"],
    ["PRODUCT", "product_option"],
    ["COUPON", "user_coupon"],
    ["ORDER", "orders"],
  ])
    run("psql", [
      "-Xq",
      environment()[`BARO_${name}_DATABASE_URL`],
      "-c",
      `SELECT next_word FROM ${table} LIMIT 1`,
    ]);
  for (const name of [...services, "gateway"]) await replace(name, 0);
  assert.doesNotMatch(await versionOf(gateways[0]), /^next-/);

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
