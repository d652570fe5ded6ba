// Runs every command of the documentation.
//   node commands.mjs PAGE.md ...
// The blocks of a page that are marked `sh` are one session, in their order. A comment behind a block,
// <!-- says: WORDS -->, names what it must print. The address and the folder of the pages become those
// of this run (BARO_HTTP_ADDRESS, UP).
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import test from "node:test";

const pages = process.argv.slice(2);
const { BARO_HTTP_ADDRESS: address, UP: folder } = process.env;
const TIMEOUT_MS = 240_000;

function blocksOf(text) {
  return [...text.matchAll(/^```sh\n([\s\S]*?)^```\n(?:<!-- says: (.*) -->)?/gm)].map(
    ([, commands, says]) => ({ commands, says }),
  );
}

const here = (commands) =>
  commands.replaceAll("127.0.0.1:8080", address).replaceAll(".local/up", folder);
const mark = (index) => `---- block ${index} ends ----`;

function run(script) {
  return new Promise((resolve) => {
    const shell = spawn("bash", ["-euo", "pipefail"], {
      stdio: ["pipe", "pipe", "pipe"],
      timeout: TIMEOUT_MS,
    });
    let output = "";
    for (const stream of [shell.stdout, shell.stderr])
      stream.on("data", (bytes) => {
        output += bytes;
      });
    shell.on("close", (code) => resolve({ code, output }));
    shell.stdin.end(script);
  });
}

for (const page of pages) {
  const blocks = blocksOf(readFileSync(page, "utf8"));
  if (!blocks.length) continue;
  test(`${page}: ${blocks.length} blocks of commands`, async () => {
    const { code, output } = await run(
      blocks.map(({ commands }, index) => `${here(commands)}\necho "${mark(index)}"\n`).join(""),
    );
    assert.equal(code, 0, output);
    let rest = output;
    for (const [index, { commands, says }] of blocks.entries()) {
      const [said, ...after] = rest.split(mark(index));
      rest = after.join(mark(index));
      if (says)
        assert.ok(
          said.includes(says),
          `this should say "${says}":\n${commands}\nit says:\n${said}`,
        );
    }
  });
}
