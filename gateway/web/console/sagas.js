// For admins: the sagas with the timeline of each, and the dead letters; both can be driven on.

import { get, post } from "./api.js";
import { busy, h, notice, replace, table } from "./dom.js";
import { stepWord } from "./orders.js";
import { say, time } from "./words.js";

const filters = {
  "": "",
  RUNNING: "state=RUNNING",
  COMPENSATING: "state=COMPENSATING",
  COMPLETED: "state=COMPLETED",
  COMPENSATED: "state=COMPENSATED",
  PARKED: "parked=true",
};
const tones = { COMPLETED: "good", COMPENSATED: "wait", RUNNING: "", COMPENSATING: "wait" };
const stateWord = (saga) =>
  [
    h("strong", { class: tones[saga.state] }, say(saga.state)),
    saga.parked && h("strong", { class: "bad" }, ` · ${say("PARKED")}`),
  ].filter(Boolean);

const retryButton = (saga, then) =>
  h(
    "button",
    {
      type: "button",
      disabled: !saga.parked,
      onclick: busy(async () => {
        await post(`/admin/sagas/${saga.id}/retry`, {});
        notice(say("done"));
        await then();
      }),
    },
    say("retry"),
  );

export async function sagasPage() {
  const list = h("div");
  const choice = h(
    "select",
    { onchange: () => load() },
    Object.keys(filters).map((state) =>
      h("option", { value: state }, state ? say(state) : say("all")),
    ),
  );
  async function load() {
    const { items } = await get(`/admin/sagas?page_size=50&${filters[choice.value]}`);
    replace(
      list,
      items.length
        ? table(
            [
              [
                say("saga"),
                (saga) =>
                  h("a", { href: `#/sagas/${saga.id}` }, `${say(`saga_${saga.kind}`)} ${saga.id}`),
              ],
              [say("state"), stateWord],
              [say("step"), (saga) => say(saga.step)],
              [
                say("orderNumber"),
                (saga) => h("a", { href: `#/orders/${saga.order_id}` }, String(saga.order_id)),
              ],
              [say("when"), (saga) => time(saga.created_at)],
              ["", (saga) => (saga.parked ? retryButton(saga, load) : "")],
            ],
            items,
            say("sagas"),
          )
        : h("p", { class: "quiet" }, say("nothing")),
    );
  }
  await load();
  return [
    h("h1", {}, say("sagas")),
    h(
      "div",
      { class: "row" },
      h("label", {}, say("state"), choice),
      h("button", { type: "button", onclick: load }, say("reload")),
    ),
    list,
  ];
}

const tookOf = ({ started_at, finished_at }) =>
  finished_at ? `${new Date(finished_at) - new Date(started_at)} ms` : "";

// Each step as a bar from its start to its end, on the time of the whole saga.
function timeline(saga) {
  const began = new Date(saga.created_at);
  const ended = Math.max(
    ...saga.steps.map((step) => new Date(step.finished_at ?? saga.updated_at)),
    +began + 1,
  );
  const share = (at) => (100 * (new Date(at) - began)) / (ended - began);
  return h(
    "ol",
    { class: "timeline", "aria-label": say("path") },
    saga.steps.map((step) => {
      const from = share(step.started_at);
      const to = step.finished_at ? share(step.finished_at) : 100;
      const bar = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      for (const [name, value] of Object.entries({
        x: `${from}%`,
        width: `${Math.max(to - from, 1)}%`,
        height: "100%",
        rx: 3,
      }))
        rect.setAttribute(name, value);
      bar.setAttribute("aria-hidden", "true");
      bar.append(rect);
      const kind =
        step.op === "compensation"
          ? "returned"
          : step.outcome === "REFUSED"
            ? "refused"
            : step.outcome === "DONE"
              ? "done"
              : "";
      return h(
        "li",
        { class: kind },
        h("span", {}, stepWord(step)),
        bar,
        h("span", { class: "quiet" }, `${say(step.outcome)} · ${tookOf(step) || "…"}`),
      );
    }),
  );
}

export async function sagaPage(signal, id) {
  const content = h("div");
  async function load() {
    const saga = await get(`/admin/sagas/${id}`);
    replace(
      content,
      h("h1", {}, `${say(`saga_${saga.kind}`)} ${saga.id}`),
      h(
        "p",
        { class: "row spread" },
        h("span", {}, stateWord(saga)),
        h("a", { href: `#/orders/${saga.order_id}` }, say("orderTitle", saga.order_id)),
        retryButton(saga, load),
      ),
      h("h2", {}, say("path")),
      saga.steps.length ? timeline(saga) : h("p", { class: "quiet" }, say("notYet")),
      saga.steps.length
        ? table(
            [
              [say("step"), (step) => say(step.name)],
              [say("kind"), (step) => say(step.op)],
              [say("outcome"), (step) => say(step.outcome)],
              [say("attempts"), (step) => String(step.attempts), "number"],
              [say("when"), (step) => time(step.started_at)],
              [
                say("took"),
                (step) =>
                  step.finished_at
                    ? `${new Date(step.finished_at) - new Date(step.started_at)} ms`
                    : "",
                "number",
              ],
            ],
            saga.steps,
            say("path"),
          )
        : "",
    );
  }
  await load();
  return content;
}

export async function deadLetters() {
  const list = h("div");
  async function load() {
    const { items } = await get("/admin/dead-letters?page_size=20");
    replace(
      list,
      items.length
        ? table(
            [
              [say("when"), (letter) => time(letter.created_at)],
              [say("sink"), (letter) => letter.sink],
              [say("orderNumber"), (letter) => `${letter.kind} ${letter.order_id}`],
              [say("error"), (letter) => letter.error],
              [say("attempts"), (letter) => String(letter.attempts), "number"],
              [
                "",
                (letter) =>
                  letter.state !== "DEAD"
                    ? say(letter.state)
                    : h(
                        "button",
                        {
                          type: "button",
                          onclick: busy(async () => {
                            await post(`/admin/dead-letters/${letter.id}/replay`, {});
                            notice(say("done"));
                            await load();
                          }),
                        },
                        say("replay"),
                      ),
              ],
            ],
            items,
            say("deadLetters"),
          )
        : h("p", { class: "quiet" }, say("nothing")),
    );
  }
  await load();
  return list;
}
