// What the tests have reached: node report.mjs BUILD FLOOR
//
// Prints lines and branches of each folder, then the branches of each file that FLOOR names ("PERCENT PATH"
// a line), and ends with 1 if one of these is below its floor, or was not seen at all.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname } from "node:path";

const [build, floorPath] = process.argv.slice(2);

// BUILD may still know sources that are gone.
const gone = "--gcov-ignore-errors=no_working_dir_found";
const filter = "--filter=(lib|services|gateway|deploy)/";
const summary = JSON.parse(
  execFileSync("gcovr", ["--root=.", "--json-summary=-", filter, gone, build], {
    maxBuffer: 64 << 20,
    stdio: ["ignore", "pipe", "ignore"],
  }),
);

const percent = (covered, total) => (total === 0 ? 100 : Math.floor((1000 * covered) / total) / 10);
const column = (covered, total) =>
  `${covered}/${total}`.padStart(12) + `${percent(covered, total).toFixed(1)} %`.padStart(9);
const row = (name, counts) =>
  console.log(
    name.padEnd(32) +
      column(counts.lines, counts.allLines) +
      column(counts.branches, counts.allBranches),
  );

function add(sums, name, file) {
  const sum = sums.get(name) ?? { lines: 0, allLines: 0, branches: 0, allBranches: 0 };
  sum.lines += file.line_covered;
  sum.allLines += file.line_total;
  sum.branches += file.branch_covered;
  sum.allBranches += file.branch_total;
  sums.set(name, sum);
}

const folders = new Map();
const files = new Map(summary.files.map((file) => [file.filename, file]));
for (const file of summary.files) {
  add(folders, dirname(file.filename), file);
  add(folders, "all", file);
}

console.log("folder".padEnd(32) + "lines".padStart(21) + "branches".padStart(21));
const names = [...folders.keys()].filter((name) => name !== "all");
for (const name of names.sort()) row(name, folders.get(name));
row("all", folders.get("all"));

const floors = readFileSync(floorPath, "utf8")
  .trim()
  .split("\n")
  .map((line) => line.trim().split(/ +/));
let low = 0;
console.log("\nrules" + "branches".padStart(48) + "floor".padStart(9));
for (const [floor, path] of floors) {
  const file = files.get(path);
  const reached = file ? percent(file.branch_covered, file.branch_total) : 0;
  const words = file ? column(file.branch_covered, file.branch_total) : "not seen".padStart(21);
  const below = reached < Number(floor);
  low += below ? 1 : 0;
  console.log(path.padEnd(32) + words + `${floor} %`.padStart(9) + (below ? "  BELOW" : ""));
}
if (low > 0) {
  console.error(`cover: ${low} files are below their floor: a test is missing`);
  process.exit(1);
}
