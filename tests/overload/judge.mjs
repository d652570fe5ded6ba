// Prints what a run of tests/overload/run has measured as a table, and says what falls short.
//   node judge.mjs CASE DIR BEST
// DIR/offer.json has a line for each second (tests/bench/offer.c), DIR/memory one for each process,
// DIR/beside.json what the closed loop reached while libmicrohttpd refused as many as Baro had,
// DIR/recovery_ms how long PostgreSQL took from its start to its first answer. BEST is what the closed
// loop reached, in journeys a second.
import { readFileSync } from "node:fs";

const [what, dir, best] = [process.argv[2], process.argv[3], Number(process.argv[4])];
const GOOD_SHARE = 0.8;
const P99_MS = 2000;
const BACK_WITHIN_S = 5;
const MEMORY_MB = 512;
const REFUSED_WITHIN_MS = 1000;
const WAIT_MS = 10_000; // that bench-offer asks for
const read = (name) => readFileSync(`${dir}/${name}`, "utf8").trim();
const lines = read("offer.json")
  .split("\n")
  .map((line) => JSON.parse(line));
const seconds = lines.filter((line) => "second" in line);
const phase = (n) => seconds.filter((second) => second.phase === n);
const quantiles = (n) => lines.find((line) => line.phase === n && !("second" in line));
const sum = (rows, name) => rows.reduce((total, second) => total + second[name], 0);
const rate = (rows, name) => sum(rows, name) / rows.length;
const whole = (number) => Math.round(number).toLocaleString("en");
const failures = [];

function row(name, value, limit = "", holds = true) {
  const verdict = limit && (holds ? "yes" : "NO");
  const figure = String(value).padStart(16);
  console.log(`  ${name.padEnd(42)}${figure}  ${limit.padEnd(26)}${verdict}`);
  if (!holds) failures.push(`${name}: ${value}, ${limit}`);
}

// The second, counted from the first of these, from which on everything is answered well. What ends just
// after its second counts for the next one: they are looked at in pairs.
function backAfter(rows) {
  const bad = rows.findLastIndex(({ refused, wrong, lost }, i) => {
    const pair = rows.slice(i, i + 2);
    return refused + wrong + lost > 0 || sum(pair, "good") < 0.8 * sum(pair, "offered");
  });
  return bad + 1;
}

function answersAreProper() {
  row("wrong answers", whole(sum(seconds, "wrong")), "0", sum(seconds, "wrong") === 0);
  row("connections lost", whole(sum(seconds, "lost")), "0", sum(seconds, "lost") === 0);
}

function memoryIsBounded() {
  for (const line of read("memory").split("\n")) {
    const [name, kb] = line.split(" ");
    row(
      `highest memory of ${name}`,
      `${whole(kb / 1024)} MB`,
      `under ${MEMORY_MB} MB`,
      kb > 0 && kb / 1024 < MEMORY_MB,
    );
  }
}

function recovery(rows) {
  const back = backAfter(rows);
  row(
    "all is well again after",
    `${back} s`,
    `within ${BACK_WITHIN_S} s`,
    back <= BACK_WITHIN_S && back < rows.length,
  );
}

const cases = {
  overload() {
    const crowd = phase(0);
    row("best in a closed loop", `${whole(best)}/s`);
    row("offered", `${whole(rate(crowd, "offered"))}/s`);
    row("that is so many times the best", (rate(crowd, "offered") / best).toFixed(1));
    row("due, with no connection free", `${whole(rate(crowd, "unsent"))}/s`);
    row("refused", `${whole(rate(crowd, "refused"))}/s`);
    row("of them after the order was placed", `${whole(rate(crowd, "broken_off"))}/s`);
    row(
      "good",
      `${whole(rate(crowd, "good"))}/s`,
      `${GOOD_SHARE * 100} % of the best`,
      rate(crowd, "good") >= GOOD_SHARE * best,
    );
    const beside = JSON.parse(read("beside.json")).per_second;
    row("best beside as many refusals elsewhere", `${whole(beside)}/s`);
    row("p50 of accepted requests", `${whole(quantiles(0).p50_ms)} ms`);
    row(
      "p99 of accepted requests",
      `${whole(quantiles(0).p99_ms)} ms`,
      `under ${P99_MS} ms`,
      quantiles(0).p99_ms < P99_MS,
    );
    answersAreProper();
    recovery(phase(1));
    memoryIsBounded();
  },
  // Three phases at the same rate: all is well, PostgreSQL is away, PostgreSQL is started.
  outage() {
    const [before, away] = [phase(0), phase(1).slice(1)]; // the second in which it went is neither
    const recoveryMs = Number(read("recovery_ms"));
    const back = phase(2).slice(Math.floor(recoveryMs / 1000));
    row("offered", `${whole(rate([...before, ...away, ...back], "offered"))}/s`);
    row("good before", `${whole(rate(before, "good"))}/s`);
    row(
      "refused while PostgreSQL is away",
      `${whole(rate(away, "refused"))}/s`,
      "all",
      rate(away, "refused") >= 0.99 * rate(away, "offered"),
    );
    const slowest = (rows) => Math.max(...rows.map(({ slowest_refusal_ms: ms }) => ms));
    row(
      "slowest refusal of what was asked then",
      `${whole(slowest(away))} ms`,
      `under ${whole(REFUSED_WITHIN_MS)} ms`,
      slowest(away) < REFUSED_WITHIN_MS,
    );
    const underWay = slowest([...before, phase(1)[0]]);
    row(
      "slowest of what was under way",
      `${whole(underWay)} ms`,
      `its wait of ${whole(WAIT_MS)} ms`,
      underWay < WAIT_MS + REFUSED_WITHIN_MS,
    );
    answersAreProper();
    row("answered while the payment was open", whole(sum(seconds, "open")));
    row("PostgreSQL's own recovery", `${whole(recoveryMs)} ms`);
    recovery(back);
    memoryIsBounded();
  },
};

cases[what]();
for (const failure of failures) console.error(`${what}: ${failure}`);
process.exit(failures.length ? 1 : 0);
