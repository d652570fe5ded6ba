// The images: each process runs out of its own by `buildah run`, as the dev overlay describes its pod, and
// a customer signs up, orders and pays.
//   node smoke.mjs DIR STORE     (started by tests/cluster/run; STORE is deploy/images/build's)
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { resolve } from "node:path";
import test, { after } from "node:test";
import { promisify } from "node:util";
import { render } from "../manifests.mjs";
import { Cluster, databasesOf } from "./cluster.mjs";
import { openStore, programs } from "./images.mjs";
import { namespaceFile } from "./network.mjs";

const [folder, store] = process.argv.slice(2);
const { images, configOf, treeOf } = openStore(resolve(store));
const cluster = new Cluster({
  objects: render("deploy/kubernetes/overlays/dev"),
  images,
  folder: `${folder}/logs`,
});

// Runs a container of an image to its end and returns what it printed.
async function runOnce(start) {
  const { words, env } = images(start.image)({ binds: [], variables: {}, args: [], ...start });
  return (await promisify(execFile)(words[0], words.slice(1), { env })).stdout;
}

test("the images start as their pods' manifests say", async () => {
  cluster.apply();
  await cluster.settled(90);
  assert.deepEqual(cluster.complaints, []);
});

test("a customer signs up, orders and pays", async (t) => {
  const [{ address }] = cluster.endpoints("baro-gateway");
  const { stdout } = await promisify(execFile)("nsenter", [
    `--net=${namespaceFile("ingress")}`,
    "deploy/local/demo",
    `http://${address}:8080/api/v1`,
  ]);
  t.diagnostic(stdout.match(/^.*is PAID$/m)[0].trim());
});

// The processes of the images, as this PID namespace has them.
function running() {
  const isOurs = (pid) => {
    try {
      return readlinkSync(`/proc/${pid}/exe`).endsWith("/usr/bin/baro");
    } catch {
      return false; // it has ended meanwhile
    }
  };
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name) && isOurs(name));
}

test("nobody in an image is root, and nothing of it was written", () => {
  const pids = running();
  assert.equal(pids.length, programs.length);
  for (const pid of pids)
    assert.match(
      readFileSync(`/proc/${pid}/status`, "utf8"),
      /^Uid:\t65532\t65532\t65532\t65532$/m,
    );
  for (const { name, component } of cluster.pods.filter(
    (pod) => programs.includes(pod.component) && !pod.ended,
  ))
    assert.equal(
      execFileSync("find", [treeOf(name), "-uid", "65532"], { encoding: "utf8" }),
      "",
      component,
    );
});

test("the labels of an image say what it is, and from which commit", () => {
  const version = readFileSync("lib/base/version.h", "utf8").match(/BARO_VERSION "(.*)"/)[1];
  for (const image of [...programs.map((name) => `baro-${name}`), "baroctl"]) {
    const { Labels, User } = configOf(image);
    const label = (name) => Labels[`org.opencontainers.image.${name}`];
    assert.deepEqual([User, label("title"), label("version")], ["65532:65532", image, version]);
    assert.match(label("revision"), /^([0-9a-f]{40}|unknown)$/, image);
    assert.match(label("description"), new RegExp(image));
  }
});

test("the laws hold, says baroctl out of its image", async () => {
  await runOnce({
    name: "audit",
    image: "baroctl",
    variables: databasesOf(cluster.objects),
    args: ["audit", "--wait", "30s"],
  });
});

test("no image has a shell, and each says what is in it", async () => {
  for (const image of [...programs.map((name) => `baro-${name}`), "baroctl"]) {
    await assert.rejects(
      runOnce({ name: `shell-${image}`, image, command: ["/bin/sh", "-c", "true"] }),
    );
    const listed = JSON.parse(
      readFileSync(`${treeOf(`shell-${image}`)}/usr/share/baro/sbom.spdx.json`, "utf8"),
    );
    assert.ok(
      listed.packages.some(({ name }) => name === "libc6") &&
        listed.packages.some(({ name }) => name === image),
      image,
    );
  }
});

// All that is left ends with the namespaces. The reporter must have had its say.
after(() => setTimeout(() => process.exit(), 200).unref());
