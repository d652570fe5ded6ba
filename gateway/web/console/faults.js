// The fault panel: breaks something on purpose. It is there only where the gateway has it.

import { change, get } from "./api.js";
import { busy, field, h, notice, replace } from "./dom.js";
import { say, time } from "./words.js";

const wantsService = (kind) => kind === "KILL" || kind === "DELAY";

// The panel, or nothing where it is switched off. What was caused is listed with its time,
// to be read beside the charts.
export async function faultPanel() {
  const faults = await get("/admin/faults");
  if (!faults.kinds.length) return null;
  const caused = h("ol", { class: "caused", "aria-live": "polite" });
  const service = h(
    "select",
    { name: "service" },
    faults.services.map((name) => h("option", { value: name }, name)),
  );
  const seconds = field(say("seconds"), {
    name: "seconds",
    type: "number",
    min: 1,
    max: 60,
    value: "10",
  });
  const delay = field(say("delayMs"), {
    name: "delay",
    type: "number",
    min: 1,
    max: 5000,
    value: "500",
  });
  const input = (label) => Number(label.querySelector("input").value);

  const cause = (kind) =>
    busy(async () => {
      const fault = {
        kind,
        ...(wantsService(kind) ? { service: service.value } : {}),
        ...(kind === "KILL" || kind === "EMPTY_REDIS" ? {} : { seconds: input(seconds) }),
        ...(kind === "DELAY" ? { delay_ms: input(delay) } : {}),
      };
      await change("POST", "/admin/faults", fault);
      notice(say("faultCaused", say(kind)));
      caused.prepend(h("li", {}, `${time(new Date())} · ${say(kind)} ${fault.service ?? ""}`));
      while (caused.children.length > 8) caused.lastChild.remove();
    });
  const panel = h("section", { class: "card faults", "aria-label": say("faults") });
  replace(
    panel,
    h("h2", {}, say("faults")),
    h("p", { class: "quiet" }, say("faultsWhat")),
    h("div", { class: "row" }, h("label", {}, say("service"), service), seconds, delay),
    h(
      "div",
      { class: "row" },
      faults.kinds.map((kind) =>
        h("button", { type: "button", class: "danger", onclick: cause(kind) }, say(kind)),
      ),
    ),
    caused,
  );
  return panel;
}
