// The pages of the reference against what the programs say of themselves.
//   node reference.mjs BUILD BASE OPS_BASE ...     (the gateway's address, those of the services' metrics)
// Prints the rows that a page lacks, and those that are stale.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import test from "node:test";

const [build, base, ...ops] = process.argv.slice(2);
const processes = ["gateway", "user", "product", "order", "coupon"];

// The rows of a page's tables whose first cell is in code: [cell, cell, ..].
const rowsOf = (page) =>
  [...readFileSync(`docs/reference/${page}.md`, "utf8").matchAll(/^\| (`.*) \|$/gm)].map(
    ([, row]) => row.split(" | "),
  );

function expectRows(page, wanted) {
  const text = (rows) => new Set(rows.map((row) => `| ${row.join(" | ")} |`));
  const there = text(rowsOf(page));
  const needed = text(wanted);
  const missing = [...needed].filter((row) => !there.has(row));
  const stale = [...there].filter((row) => !needed.has(row));
  assert.ok(
    !missing.length && !stale.length,
    `docs/reference/${page}.md\nmissing:\n${missing.join("\n")}\nstale:\n${stale.join("\n")}`,
  );
}

const cell = (text) => text.replaceAll("|", "\\|").replaceAll("<", "&lt;");
const code = (text) => `\`${text}\``;

// Settings that are the same in several processes share a row.
test("settings are those of --help", () => {
  const rows = new Map();
  for (const name of processes)
    for (const line of execFileSync(`${build}/baro-${name}`, ["--help"], {
      encoding: "utf8",
      env: {},
    }).split("\n")) {
      const [, setting, initial, help] = line.match(/^(BARO_\w+) +(\S+) +(.*)$/) ?? [];
      if (!setting) continue;
      const key = [setting, initial, help].join("\n");
      rows.set(key, [...(rows.get(key) ?? []), name]);
    }
  expectRows(
    "settings",
    [...rows].map(([key, names]) => {
      const [setting, initial, help] = key.split("\n");
      return [
        code(setting),
        cell(initial),
        names.length === processes.length ? "all" : names.join(", "),
        cell(help),
      ];
    }),
  );
});

test("errors are those of /api/v1/problems, in both languages", async () => {
  const kinds = async (language) =>
    (
      await (
        await fetch(`${base}/api/v1/problems`, { headers: { "Accept-Language": language } })
      ).json()
    ).items;
  const [english, korean] = [await kinds("en"), await kinds("ko")];
  expectRows(
    "errors",
    english.map(({ code: word, status, title, retryable }, index) => [
      code(word),
      String(status),
      title,
      korean[index].title,
      retryable ? "yes" : "",
    ]),
  );
});

test("events are the statuses of an order", () => {
  const [, body] = readFileSync("proto/order.proto", "utf8").match(
    /^enum OrderStatus \{([^}]*)\}/m,
  );
  const statuses = [...body.matchAll(/ORDER_STATUS_(\w+) =/g)]
    .map(([, word]) => word.toLowerCase())
    .filter((word) => word !== "unspecified");
  assert.deepEqual(
    rowsOf("events")
      .map(([name]) => name)
      .filter((name) => name.startsWith("`order."))
      .sort(),
    statuses.map((word) => code(`order.${word}`)).sort(),
  );
});

// What a stack without sinks and faults does not count is known by its name in the sources.
const registered = () =>
  new Set(
    ["lib", "services", "gateway"].flatMap((folder) =>
      readdirSync(folder, { recursive: true })
        .filter((name) => name.endsWith(".c"))
        .flatMap(
          (name) =>
            readFileSync(`${folder}/${name}`, "utf8").match(
              /(?<=")(?:baro|process)_[a-z_]+(?=")/g,
            ) ?? [],
        ),
    ),
  );

test("metrics are those that the processes count", async () => {
  const shown = new Map();
  for (const address of [base, ...ops]) {
    const text = await (await fetch(`${address}/metrics`)).text();
    for (const [, name, help] of text.matchAll(/^# HELP (\w+) (.*)$/gm))
      shown.set(name, [text.match(new RegExp(`^# TYPE ${name} (\\w+)$`, "m"))[1], cell(help)]);
  }
  const rows = new Map(
    rowsOf("metrics").map(([name, type, help]) => [name.replaceAll("`", ""), [type, help]]),
  );
  const known = registered();
  for (const [name, row] of shown)
    assert.deepEqual(
      rows.get(name),
      row,
      `docs/reference/metrics.md: | \`${name}\` | ${row.join(" | ")} |`,
    );
  for (const name of rows.keys())
    assert.ok(known.has(name), `docs/reference/metrics.md: ${name} is counted nowhere`);
  for (const name of known) assert.ok(rows.has(name), `docs/reference/metrics.md lacks ${name}`);
});
