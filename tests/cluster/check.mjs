// The local cluster: what Kubernetes would do with deploy/kubernetes/overlays/dev, done with namespaces.
//   node check.mjs DIR [COMPONENT ...]     (started by tests/cluster/run)
// With components, the dev overlay has these too; for mutual-tls the certificates are those of the tests.
import assert from "node:assert/strict";
import { execFile, execFileSync, spawn } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import test, { after } from "node:test";
import { promisify } from "node:util";
import { fileURLToPath } from "node:url";
import { allowed, devWith, render } from "../manifests.mjs";
import { Cluster, databasesOf, secretOf, until } from "./cluster.mjs";
import { fromTrees, programs } from "./images.mjs";
import { namespaceFile } from "./network.mjs";

const [folder, ...components] = process.argv.slice(2);
const build = process.env.BUILD ?? "build";
const CUSTOMERS = 48;
const SHARE_S = 10;
const CUT_MS = 6000;
const SHOWN = 5;
const beside = (file) => fileURLToPath(new URL(file, import.meta.url));
const within = (name, command) => ["nsenter", [`--net=${namespaceFile(name)}`, ...command]];

const CERTIFICATES = { "tls.crt": "baro.pem", "tls.key": "baro.key", "ca.crt": "ca.pem" };
function overlay() {
  if (!components.length) return "deploy/kubernetes/overlays/dev";
  const own = `${folder}/overlay`;
  if (!components.includes("mutual-tls")) return devWith(own, components);
  mkdirSync(own);
  for (const [name, file] of Object.entries(CERTIFICATES))
    copyFileSync(`${process.env.BARO_TEST_CERTIFICATES}/${file}`, `${own}/${name}`);
  const options = { disableNameSuffixHash: true };
  const secret = { name: "baro-mutual-tls", files: Object.keys(CERTIFICATES), options };
  return devWith(own, components, { secretGenerator: [secret] });
}

const began = Date.now();
for (const name of programs)
  execFileSync("deploy/images/tree", [`${build}/baro-${name}`, `${folder}/trees/baro-${name}`]);
const cluster = new Cluster({
  objects: render(overlay()),
  images: fromTrees(`${folder}/trees`),
  folder: `${folder}/logs`,
});

// The customers, what they did each second, which of their requests failed, and what they lost by it.
const shop = { failed: [], lost: [], seconds: [], open: false };

function openShop() {
  shop.process = spawn(
    ...within("ingress", [
      "node",
      beside("load.mjs"),
      CUSTOMERS,
      secretOf(cluster.objects, "baro-user", "admin-password"),
    ]),
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  createInterface({ input: shop.process.stdout }).on("line", (line) => {
    const { open, failed, lost, second } = JSON.parse(line);
    if (open) shop.open = true;
    if (failed) shop.failed.push(failed);
    if (lost) shop.lost.push(lost);
    if (second) shop.seconds.push(second);
  });
  cluster.onEndpoints = () =>
    shop.process.stdin.write(
      `${JSON.stringify({ endpoints: cluster.endpoints("baro-gateway").map(({ address }) => `${address}:8080`) })}\n`,
    );
  cluster.onEndpoints();
  return until("the shop is open", 90, () => shop.open);
}

// Runs something while customers shop, and says how they fared.
async function whileShopping(t, work) {
  const before = Object.fromEntries(
    ["failed", "lost", "seconds"].map((key) => [key, shop[key].length]),
  );
  await work();
  await until("customers go on", 5, () => shop.seconds.length > before.seconds + 1);
  const seconds = shop.seconds.slice(before.seconds);
  const total = (key) => seconds.reduce((sum, second) => sum + second[key], 0);
  const slowest = Math.max(...seconds.map(({ slowest_ms }) => slowest_ms));
  const done = `${total("answered")} requests, ${total("orders")} orders in ${seconds.length} s`;
  t.diagnostic(`${done}; the slowest took ${slowest} ms`);
  assert.ok(total("orders") > (seconds.length * CUSTOMERS) / 4, "customers buy all the time");
  assert.deepEqual(cluster.complaints, []);
  return { failed: shop.failed.slice(before.failed), lost: shop.lost.slice(before.lost) };
}

function expectNone(what, list) {
  assert.equal(
    list.length,
    0,
    `${list.length} ${what}: ${list
      .slice(0, SHOWN)
      .map((one) => JSON.stringify(one))
      .join("\n")}`,
  );
}

// How many calls or requests a pod has served since it began, probes not counted.
async function served(pod) {
  const port = pod.component === "gateway" ? "http" : "ops";
  const reply = await fetch(`http://${pod.address}:${pod.portNumber(port)}/metrics`, {
    headers: { connection: "close" },
  });
  const lines = (await reply.text()).match(/^baro_(rpc_calls|http_requests)_total\{.*$/gm) ?? [];
  return lines
    .filter((line) => !/Health|livez|readyz|metrics/.test(line))
    .reduce((sum, line) => sum + Number(line.split(" ").pop()), 0);
}

// Every pod of a component serves at least half of what would be its share, over a second.
async function sharesAreFair(component) {
  const pods = cluster.of(component);
  const before = await Promise.all(pods.map(served));
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const calls = (await Promise.all(pods.map(served))).map((count, i) => count - before[i]);
  const share = calls.reduce((sum, count) => sum + count, 0) / pods.length;
  return share > 0 && calls.every((count) => count >= share / 2);
}

// One step of the story; when one fails, those after it have nothing to stand on.
let broken = false;
const step = (name, work) =>
  test(name, async (t) => {
    if (broken) return t.skip("a step before it has failed");
    broken = true;
    await work(t);
    broken = false;
  });

step("Jobs make the tables, and every pod becomes ready", async (t) => {
  cluster.apply();
  await cluster.settled(60);
  assert.deepEqual(cluster.complaints, []);
  t.diagnostic(`${cluster.pods.length} pods, ready after ${Date.now() - began} ms`);
});

step("a headless name has the addresses of all ready pods", async () => {
  const lookUp = (name) =>
    execFileSync(...within("ingress", ["getent", "ahostsv4", name]), { encoding: "utf8" })
      .match(/^\S+(?= +STREAM)/gm)
      .sort();
  for (const name of programs)
    assert.deepEqual(
      lookUp(`baro-${name}`),
      cluster
        .of(name)
        .map(({ address }) => address)
        .sort(),
    );
});

step("an edge is open when a NetworkPolicy allows it, and no other is", async (t) => {
  const pods = cluster.pods.filter(({ ended }) => !ended);
  const ports = (pod) => pod.container.ports.map(({ containerPort }) => containerPort);
  let open = 0;
  let shut = 0;
  await Promise.all(
    [...pods, ...cluster.others].map(async (from) => {
      const edges = pods
        .filter((to) => to !== from)
        .flatMap((to) => ports(to).map((port) => ({ to, port, address: `${to.address}:${port}` })));
      const [name, args] = within(from.name, [
        "node",
        beside("knock.mjs"),
        ...edges.map(({ address }) => address),
      ]);
      const answering = (await promisify(execFile)(name, args)).stdout.trim().split("\n");
      for (const { to, port, address } of edges) {
        const expected = allowed(cluster.objects, from, to, port);
        assert.equal(answering.includes(address), expected, `${from.name} to ${to.name}:${port}`);
        if (expected) open++;
        else shut++;
      }
    }),
  );
  t.diagnostic(`${open} edges are open, ${shut} are not`);
});

step("1 -> 3: new replicas get their share within 10 s, and no request fails", async (t) => {
  await openShop();
  const { failed } = await whileShopping(t, () =>
    Promise.all(
      programs.map(async (name) => {
        await cluster.scale(name, 3);
        const ready = Math.max(...cluster.of(name).map((pod) => pod.readyAt));
        await until(`all replicas of ${name} serve`, SHARE_S, () => sharesAreFair(name));
        t.diagnostic(`${name}: all three serve ${Date.now() - ready} ms after they are ready`);
      }),
    ),
  );
  expectNone("requests failed", failed);
});

step(
  "a pod that is cut off costs nobody an order, and gets its share when it is back",
  async (t) => {
    const [cutOff] = cluster.of("order");
    const { failed, lost } = await whileShopping(t, async () => {
      cluster.cut(cutOff);
      await new Promise((resolve) => setTimeout(resolve, CUT_MS));
      cluster.heal();
      await until("the pod serves again", SHARE_S, () => sharesAreFair("order"));
    });
    t.diagnostic(`${failed.length} requests were asked again`);
    expectNone("customers did not get their answer", lost);
  },
);

step("3 -> 1: what goes away ends its work first, and no request fails", async (t) => {
  const { failed } = await whileShopping(t, () =>
    Promise.all(programs.map((name) => cluster.scale(name, 1))),
  );
  expectNone("requests failed", failed);
});

step("every Deployment rolls, and no request fails", async (t) => {
  const { failed } = await whileShopping(t, async () => {
    const leaving = [];
    for (const name of programs) leaving.push((await cluster.roll(name)).gone);
    await Promise.all(leaving);
  });
  expectNone("requests failed", failed);
});

step("nobody needs more memory than the manifest asks for", (t) => {
  for (const name of programs)
    for (const pod of cluster.of(name)) {
      const peak = Number(
        readFileSync(`/proc/${pod.process.pid}/status`, "utf8").match(/^VmHWM:\s+(\d+) kB/m)[1],
      );
      t.diagnostic(
        `${pod.name}: ${peak} kB at most, ${pod.container.resources.requests.memory} asked for`,
      );
      assert.ok(
        peak <= Number(pod.container.resources.requests.memory.match(/^(\d+)Mi$/)[1]) * 1024,
        pod.name,
      );
    }
});

step("the laws hold", async () => {
  shop.process.kill();
  const { stdout } = await promisify(execFile)(`${build}/baroctl`, ["audit", "--wait", "30s"], {
    env: { ...process.env, ...databasesOf(cluster.objects) },
  });
  assert.match(stdout, /./);
});

// All that is left ends with the namespaces. The reporter must have had its say.
after(() => setTimeout(() => process.exit(), 200).unref());
