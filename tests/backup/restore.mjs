// The backup of docs/runbook.md: one base backup of the server that holds the four databases, and its
// WAL from then on. Taken under load, it is restored to a named moment, and must hold everything that
// any customer had been told until then, in databases that fit together.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { appendFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { Buyers, Shop, until } from "../support/buyers.mjs";

const folder = process.argv[2];
const [lost, restored, wal] = ["lost", "restored", "wal"].map((name) => `${folder}/${name}`);
const bin = "/usr/lib/postgresql/17/bin";
const run = (command, args, env) =>
  execFileSync(command, args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...env },
  }).trim();
const stack = (...args) => run("deploy/local/stack", args);
const environmentOf = (dir) =>
  Object.fromEntries(
    readFileSync(`${dir}/env`, "utf8")
      .trim()
      .split("\n")
      .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
const shop = new Shop(() => [`http://${process.env.BARO_HTTP_ADDRESS}`]);
const buyers = new Buyers(shop);
const enough = (count) =>
  until(
    `${count} more orders`,
    (
      (goal) => () =>
        buyers.paid.length >= goal
    )(buyers.paid.length + count),
  );

// The WAL is reached from the data folder, because the server may not see the whole path; the segment that
// pg_receivewal has not finished is called .partial.
const RECOVERY = `restore_command = 'cp "../wal/%f" "%p" 2> /dev/null || cp "../wal/%f.partial" "%p"'
recovery_target_name = 'before_the_accident'
recovery_target_action = promote
hot_standby = off # nobody sees it before it is whole
`;

test("what was acknowledged before the moment that is restored is there, and the books are right", async (t) => {
  t.after(() => buyers.stop());
  stack("up", lost, "1");
  const server = environmentOf(lost).BARO_ADMIN_DATABASE_URL;
  await buyers.start(8, await shop.newOption(100, 1000000));
  await enough(50);

  mkdirSync(wal);
  run("psql", ["-Xq", server, "-c", "SELECT pg_create_physical_replication_slot('backup', true)"]);
  const receiver = spawn(`${bin}/pg_receivewal`, ["-d", server, "-D", wal, "--slot=backup"], {
    stdio: "ignore",
  });
  t.after(() => receiver.kill());
  run(`${bin}/pg_basebackup`, [
    "-d",
    server,
    "-D",
    `${folder}/base`,
    "-X",
    "stream",
    "--checkpoint=fast",
  ]);
  await enough(50);
  const promised = [...buyers.paid];
  run("psql", ["-Xq", server, "-c", "SELECT pg_create_restore_point('before_the_accident')"]);
  await enough(50);
  await buyers.stop();
  stack("down", lost); // which sends the rest of the WAL
  receiver.kill();
  await new Promise((resolve) => receiver.once("exit", resolve));
  assert.deepEqual(buyers.failures, [], "a backup disturbs nobody");

  mkdirSync(restored);
  renameSync(`${folder}/base`, `${restored}/postgres`);
  renameSync(wal, `${restored}/wal`);
  writeFileSync(`${restored}/postgres/recovery.signal`, "");
  appendFileSync(`${restored}/postgres/postgresql.auto.conf`, RECOVERY);
  run("chown", ["-R", "postgres:", `${restored}/postgres`, `${restored}/wal`]);
  run("chmod", ["755", folder, restored]);
  stack("up", restored, "1");

  run(
    `${process.env.BUILD ?? "build"}/baroctl`,
    ["audit", "--wait", "60s"],
    environmentOf(restored),
  );
  for (const { id, token } of promised)
    assert.equal((await shop.call("GET", `/orders/${id}`, { token })).status, "PAID");
  assert.ok(buyers.paid.length > promised.length);

  // And the shop goes on: the ids that it gives are new.
  const later = new Buyers(shop);
  t.after(() => later.stop());
  await later.start(2, await shop.newOption(100, 1000));
  await until("new orders", () => later.paid.length >= 10);
  await later.stop();
  assert.deepEqual(later.failures, []);
  run(
    `${process.env.BUILD ?? "build"}/baroctl`,
    ["audit", "--wait", "60s"],
    environmentOf(restored),
  );
});
