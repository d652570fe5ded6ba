// The fault panel: breaks something on purpose. It is there only where the gateway has it.

import { change, get } from "./api.js";
import { busy, choice, field, h, notice } from "./dom.js";
import { say, time } from "./words.js";

const SHOWN = 8;

// What each kind of fault is told: where, for how long, how slow.
const PARTS = {
  KILL: ["service"],
  DELAY: ["service", "seconds", "delay_ms"],
  DROP_BUS: ["seconds"],
  EMPTY_REDIS: [],
};

const numberField = (label, max, value) =>
  field(say(label), { type: "number", min: 1, max, value });

// The panel, or nothing where it is switched off. What was caused is listed with its time, to be read
// beside the charts.
export async function faultPanel() {
  const faults = await get("/admin/faults");
  if (!faults.kinds.length) return null;
  const caused = h("ol.caused", { "aria-live": "polite" });
  const service = choice(
    say("service"),
    {},
    faults.services.map((name) => [name, name]),
  );
  const seconds = numberField("seconds", 60, "10");
  const delay = numberField("delayMs", 5000, "500");
  const number = (label) => Number(label.querySelector("input").value);
  const values = {
    service: () => service.querySelector("select").value,
    seconds: () => number(seconds),
    delay_ms: () => number(delay),
  };

  async function cause(kind) {
    const told = PARTS[kind].map((part) => [part, values[part]()]);
    const fault = { kind, ...Object.fromEntries(told) };
    await change("POST", "/admin/faults", fault);
    notice(say("faultCaused", say(kind)));
    caused.prepend(h("li", `${time(new Date())} · ${say(kind)} ${fault.service ?? ""}`));
    while (caused.children.length > SHOWN) caused.lastChild.remove();
  }

  const buttons = faults.kinds.map((kind) =>
    h("button.danger", { type: "button", onclick: busy(() => cause(kind)) }, say(kind)),
  );
  return h(
    "section.card.faults",
    { "aria-label": say("faults") },
    h("h2", say("faults")),
    h("p.quiet", say("faultsWhat")),
    h("div.row", service, seconds, delay),
    h("div.row", buttons),
    caused,
  );
}
