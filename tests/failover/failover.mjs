// `make failover`: customers shop while the primary is taken away, again and again.
//   node failover.mjs DIR
// With a synchronous standby nothing that was acknowledged may be missing and service must be back
// within 30 s; then once with an asynchronous one, where the loss is measured and printed.
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { Cluster, now } from "./cluster.mjs";
import { Shop } from "./customers.mjs";

const BACK_WITHIN_S = 30;
const [dir] = process.argv.slice(2);
const rounds = Number(process.env.ROUNDS ?? 3);
const customers = Number(process.env.CUSTOMERS ?? 16);
const port = Number(process.env.BARO_TEST_PORT);
const admin = {
  email: process.env.BARO_ADMIN_EMAIL ?? "admin@baro.local",
  password: process.env.BARO_ADMIN_PASSWORD ?? "Baro!2026",
};
const services = ["user", "product", "order", "coupon"];
const run = (program, ...args) =>
  execFileSync(program, args, { stdio: ["ignore", "inherit", "inherit"] });
const failures = [];

const environment = (cluster) => [
  ["BARO_ADMIN_DATABASE_URL", cluster.url("postgres", "postgres")],
  ...services.flatMap((s) => [
    [`BARO_${s.toUpperCase()}_DATABASE_URL`, cluster.url(`baro_${s}`, `baro_${s}`)],
    [`BARO_${s.toUpperCase()}_SERVICE_URL`, cluster.url(`baro_${s}_service`, `baro_${s}`)],
  ]),
];

async function startAll(cluster) {
  const addresses = environment(cluster);
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  writeFileSync(`${dir}/env.given`, addresses.map(([name, url]) => `${name}=${url}\n`).join(""));
  for (const [name, url] of addresses) process.env[name] = url;
  await cluster.start();
  run("deploy/local/servers", "start", dir);
  cluster.setPasswords(services.flatMap((s) => [`baro_${s}`, `baro_${s}_service`]));
  run("deploy/local/stack", "up", dir, "2");
}

async function audit(what) {
  try {
    execFileSync(`${process.env.BUILD ?? "build"}/baroctl`, ["audit", "--wait", "90s"], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    return "clean";
  } catch (error) {
    failures.push(`${what}: the audit says ${error.stdout}${error.stderr}`);
    return "BROKEN";
  }
}

// Until something that was asked for after the fault has been written and acknowledged: two more
// acknowledgements a customer than at the fault, so that no answer that was under way counts.
async function stallOf(shop, strike) {
  shop.stall = { since: now(), longest: 0 };
  const struck = now();
  const before = shop.acknowledged.payments;
  const mend = strike();
  while (
    shop.acknowledged.payments < before + 2 * shop.customers.length &&
    now() < struck + 4 * BACK_WITHIN_S * 1000
  )
    await pause(100);
  return { mend, seconds: shop.stall.longest / 1000 };
}

const row = (cells) =>
  console.log(cells.map((cell, i) => String(cell).padEnd([7, 16, 6, 9, 15, 10, 8, 8][i])).join(""));

async function round(cluster, shop, number, fault) {
  const { primary } = await cluster.whole();
  shop.answers = {};
  const before = { ...shop.acknowledged };
  const { mend, seconds } = await stallOf(shop, () => cluster.faults[fault](primary));
  mend();
  await cluster.whole();
  const made = Object.keys(before)
    .map((kind) => shop.acknowledged[kind] - before[kind])
    .join("/");
  row([
    number,
    fault,
    primary.name,
    seconds.toFixed(1),
    made,
    Object.entries(shop.answers)
      .map(([status, count]) => `${status}: ${count}`)
      .join(", "),
  ]);
  if (seconds > BACK_WITHIN_S) failures.push(`round ${number}: service was away for ${seconds} s`);
}

const gateways = [0, 1].map((i) => `http://127.0.0.1:${port + i}`);

async function synchronous() {
  const cluster = new Cluster({
    port: port + 80,
    synchronous: true,
    logs: `${dir}.log/synchronous`,
  });
  try {
    await startAll(cluster);
    const shop = new Shop(gateways, admin);
    await shop.open(customers);
    shop.begin();
    row(["round", "fault", "node", "stall s", "acknowledged", "answers (0: none)"]);
    const faults = Object.keys(cluster.faults);
    for (let i = 0; i < rounds; i++) await round(cluster, shop, i + 1, faults[i % faults.length]);
    await shop.end();
    const { checked, lost, wrong } = await shop.compare();
    console.log(
      `synchronous standby: ${checked} acknowledged charges and orders checked,`,
      `lost ${lost}, balances that are wrong ${wrong}, audit ${await audit("synchronous")}`,
    );
    if (lost || wrong) failures.push(`${lost} lost, ${wrong} balances wrong`);
  } finally {
    run("deploy/local/stack", "down", dir);
    await cluster.stop();
  }
}

// The standby is a second behind when the primary's machine is lost: what only the primary had is gone.
async function asynchronous() {
  const cluster = new Cluster({
    port: port + 90,
    synchronous: false,
    logs: `${dir}.log/asynchronous`,
  });
  try {
    await startAll(cluster);
    const shop = new Shop(gateways, admin);
    await shop.open(customers);
    shop.begin();
    await pause(3000);
    const { primary, standby } = await cluster.whole();
    const cut = cluster.holdBack(standby);
    await pause(1000);
    const { seconds } = await stallOf(shop, () => {
      const mend = cluster.faults["node killed"](primary);
      cut();
      return mend;
    });
    await shop.end();
    const { checked, lost, wrong } = await shop.compare();
    console.log(
      `asynchronous standby, one second behind: stall ${seconds.toFixed(1)} s,`,
      `${checked} acknowledged charges and orders checked, lost ${lost},`,
      `balances of ${wrong} of ${customers} customers differ from what they were told,`,
      `audit ${await audit("asynchronous")}`,
    );
  } finally {
    run("deploy/local/stack", "down", dir);
    await cluster.stop();
  }
}

await synchronous();
await asynchronous();
for (const failure of failures) console.error(`failover: ${failure}`);
process.exit(failures.length ? 1 : 0);
