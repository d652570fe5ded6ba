// For admins: the sagas with the timeline of each; one that is parked can be driven on.

import { get, post } from "./api.js";
import { busy, button, choice, empty, h, notice, replace, svg, table } from "./dom.js";
import { fateOf, stepWord } from "./path.js";
import { say, time } from "./words.js";

const FILTERS = {
  "": "",
  RUNNING: "state=RUNNING",
  COMPENSATING: "state=COMPENSATING",
  COMPLETED: "state=COMPLETED",
  COMPENSATED: "state=COMPENSATED",
  PARKED: "parked=true",
};
const TONES = { COMPLETED: "good", COMPENSATED: "wait", COMPENSATING: "wait" };

const stateWord = (saga) => [
  h(`strong.badge.${TONES[saga.state] ?? "plain"}`, say(saga.state)),
  saga.parked && [" ", h("strong.badge.bad", say("PARKED"))],
];

const sagaName = (saga) => `${say(`saga_${saga.kind}`)} ${saga.id}`;

// PENDING is also a word of orders.
const outcomeWord = ({ outcome }) => say(outcome === "PENDING" ? "unanswered" : outcome);

const tookOf = ({ started_at, finished_at }) =>
  finished_at ? `${new Date(finished_at) - new Date(started_at)} ms` : "";

function retryButton(saga, then) {
  const retry = async () => {
    await post(`/admin/sagas/${saga.id}/retry`, {});
    notice(say("doneNow"), "good");
    await then();
  };
  return h("button", { type: "button", onclick: busy(retry) }, say("retry"));
}

const sagaTable = (items, reload) =>
  table(
    [
      [say("saga"), (saga) => h("a", { href: `#/sagas/${saga.id}` }, sagaName(saga))],
      [say("state"), stateWord],
      [say("step"), (saga) => say(saga.step)],
      [say("orderNumber"), (saga) => String(saga.order_id)],
      [say("when"), (saga) => time(saga.created_at)],
      ["", (saga) => (saga.parked ? retryButton(saga, reload) : "")],
    ],
    items,
    say("sagas"),
  );

export async function sagasPage() {
  const list = h("div");
  const states = Object.keys(FILTERS).map((state) => [state, say(state || "all")]);
  const filter = choice(say("state"), { onchange: () => load() }, states);
  async function load() {
    const state = filter.querySelector("select").value;
    const { items } = await get(`/admin/sagas?page_size=50&${FILTERS[state]}`);
    replace(list, items.length ? sagaTable(items, load) : empty(say("noSagas")));
  }
  await load();
  return [
    h("h1", say("sagas")),
    h("p.quiet.lead", say("sagasWhat")),
    h("div.row.filters", filter, button("", say("reload"), load)),
    list,
  ];
}

// Each step as a bar from its start to its end, on the time of the whole saga.
function timeline(saga) {
  const began = new Date(saga.created_at);
  const ends = saga.steps.map((step) => new Date(step.finished_at ?? saga.updated_at));
  const ended = Math.max(...ends, +began + 1);
  const share = (at) => (100 * (new Date(at) - began)) / (ended - began);

  function bar(step) {
    const from = share(step.started_at);
    const to = step.finished_at ? share(step.finished_at) : 100;
    const size = { x: `${from}%`, width: `${Math.max(to - from, 1)}%`, height: "100%", rx: "3" };
    return svg("svg", svg("rect", size));
  }

  const line = (step) =>
    h(
      `li${fateOf(step) && `.${fateOf(step)}`}`,
      h("span", stepWord(step)),
      bar(step),
      h("span.quiet", [outcomeWord(step), tookOf(step)].filter(Boolean).join(" · ")),
    );
  return h("ol.card.timeline", { "aria-label": say("path") }, saga.steps.map(line));
}

const stepTable = (saga) =>
  table(
    [
      [say("step"), (step) => say(step.name)],
      [say("kind"), (step) => say(step.op)],
      [say("outcome"), outcomeWord],
      [say("attempts"), (step) => String(step.attempts), "number"],
      [say("when"), (step) => time(step.started_at)],
      [say("took"), tookOf, "number"],
    ],
    saga.steps,
    say("path"),
  );

export async function sagaPage(signal, id) {
  const content = h("div");
  async function load() {
    const saga = await get(`/admin/sagas/${id}`);
    const head = h(
      "p.row.middle",
      stateWord(saga),
      h("span.quiet", `${say("orderTitle", saga.order_id)} · ${time(saga.created_at)}`),
      saga.parked && retryButton(saga, load),
    );
    const steps = saga.steps.length ? [timeline(saga), stepTable(saga)] : empty(say("notYet"));
    replace(content, h("h1", sagaName(saga)), head, h("h2", say("path")), steps);
  }
  await load();
  return content;
}
