// Ctrl-C at `make run`: the terminal sends SIGINT to the whole foreground group, as often as it is pressed.
//   node check.mjs DIR     (started by tests/local/run)
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

const [dir] = process.argv.slice(2);
const BETWEEN_MS = 50;
const IMPATIENT = 20;

// Runs the demo in a group of its own; ends when a line of its output has these words.
async function runUntil(words) {
  const run = spawn("deploy/local/run", [dir], {
    detached: true,
    env: { ...process.env, BARO_RUN_STAY: "1" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  run.ended = once(run, "exit");
  for await (const line of createInterface({ input: run.stdout }))
    if (line.includes(words)) return run;
  throw new Error(`it ended without "${words}"`);
}

const running = () =>
  spawnSync("deploy/local/stack", ["status", dir], { encoding: "utf8" }).stdout.match(
    /^.* runs, pid \d+$/gm,
  ) ?? [];

async function interrupt(run) {
  run.stdout.resume();
  for (let i = 0; i < IMPATIENT && run.exitCode === null && run.signalCode === null; i++) {
    process.kill(-run.pid, "SIGINT");
    await sleep(BETWEEN_MS);
  }
  await run.ended;
}

test("Ctrl-C in the middle of the start, pressed again and again, stops everything", async () => {
  const run = await runUntil("starting");
  while (!running().length) await sleep(BETWEEN_MS);
  await interrupt(run);
  assert.deepEqual(running(), []);
});

test("Ctrl-C when all of it runs, pressed again and again, stops everything", async () => {
  const run = await runUntil("Ctrl-C stops everything");
  assert.ok(running().length > 0);
  await interrupt(run);
  assert.deepEqual(running(), []);
  assert.equal(run.exitCode, 0);
});
