// The pages of the reference against what the programs say of themselves.
//   node reference.mjs BUILD BASE OPS_BASE ...     (the gateway's address, those of the services' metrics)
// Prints the rows that a page lacks, and those that are stale. With WRITE set it writes the tables of
// settings, errors and metrics instead.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import test from "node:test";

const [build, base, ...ops] = process.argv.slice(2);
const processes = ["gateway", "user", "product", "order", "coupon"];

const fileOf = (page) => `docs/reference/${page}.md`;
const lineOf = (row) => `| ${row.join(" | ")} |`;

// The rows of a page's tables whose first cell is in code: [cell, cell, ..].
const rowsOf = (page) =>
  [...readFileSync(fileOf(page), "utf8").matchAll(/^\| (`.*) \|$/gm)].map(([, row]) =>
    row.split(" | "),
  );

// The page with these rows in place of the first of its tables that has such.
function writeRows(page, rows) {
  const text = readFileSync(fileOf(page), "utf8");
  const written = text.replace(/(^\| `.*\n)+/m, () => `${rows.map(lineOf).join("\n")}\n`);
  writeFileSync(fileOf(page), written);
}

function expectRows(page, wanted) {
  if (process.env.WRITE) writeRows(page, wanted);
  const there = new Set(rowsOf(page).map(lineOf));
  const needed = new Set(wanted.map(lineOf));
  const missing = [...needed].filter((row) => !there.has(row));
  const stale = [...there].filter((row) => !needed.has(row));
  assert.ok(
    !missing.length && !stale.length,
    `docs/reference/${page}.md\nmissing:\n${missing.join("\n")}\nstale:\n${stale.join("\n")}`,
  );
}

const cell = (text) => text.replaceAll("|", "\\|").replaceAll("<", "&lt;");
const code = (text) => `\`${text}\``;

// [setting, default, what it is] of a process.
function settingsOf(name) {
  const help = execFileSync(`${build}/baro-${name}`, ["--help"], { encoding: "utf8", env: {} });
  return [...help.matchAll(/^(BARO_\w+) +(\S+) +(.*)$/gm)].map(([, ...setting]) => setting);
}

// Settings that are the same in several processes share a row.
test("settings are those of --help", () => {
  const owners = new Map();
  for (const name of processes)
    for (const setting of settingsOf(name)) {
      const key = setting.join("\n");
      owners.set(key, [...(owners.get(key) ?? []), name]);
    }
  const rows = [...owners].map(([key, names]) => {
    const [setting, initial, help] = key.split("\n");
    const of = names.length === processes.length ? "all" : names.join(", ");
    return [code(setting), cell(initial), of, cell(help)];
  });
  expectRows("settings", rows.sort());
});

test("errors are those of /api/v1/problems, in both languages", async () => {
  const kinds = async (language) => {
    const headers = { "Accept-Language": language };
    return (await (await fetch(`${base}/api/v1/problems`, { headers })).json()).items;
  };
  const [english, korean] = [await kinds("en"), await kinds("ko")];
  const rows = english.map(({ code: word, status, title, retryable }, index) => [
    code(word),
    String(status),
    title,
    korean[index].title,
    retryable ? "yes" : "",
  ]);
  expectRows("errors", rows);
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
  const rows = new Map(rowsOf("metrics").map(([name, ...row]) => [name.replaceAll("`", ""), row]));
  const known = registered();
  const names = new Set([...rows.keys(), ...shown.keys()].filter((name) => known.has(name)));
  const rowOf = (name) => [code(name), ...(shown.get(name) ?? rows.get(name))];
  expectRows("metrics", [...names].map(rowOf));
  for (const name of known)
    assert.ok(names.has(name), `docs/reference/metrics.md lacks ${name}, which nobody counts here`);
});
