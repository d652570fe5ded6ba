// Building pages: elements from words and data, never from markup, so that no text of a customer can
// become a script.

const SVG = "http://www.w3.org/2000/svg";
const shown = (child) => child !== null && child !== undefined && child !== false;
const isAttributes = (value) => value?.constructor === Object;

function make(element, names, rest) {
  const attributes = isAttributes(rest[0]) ? rest.shift() : {};
  if (names.length) element.setAttribute("class", names.join(" "));
  for (const [name, value] of Object.entries(attributes)) {
    if (!shown(value)) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && !(element instanceof SVGElement) && typeof value !== "string")
      element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...rest.flat(Infinity).filter(shown));
  return element;
}

// h("p.quiet", { id: "x" }, "text", child, [more], ...): the tag with its classes, then attributes, if
// any (`on...` are listeners), then what is inside; null and false are left out.
export function h(what, ...rest) {
  const [tag, ...names] = what.split(".");
  return make(document.createElement(tag), names, rest);
}

// The same for what is drawn. Pictures here only repeat what words say.
export function svg(what, ...rest) {
  const [tag, ...names] = what.split(".");
  const element = make(document.createElementNS(SVG, tag), names, rest);
  if (tag === "svg") element.setAttribute("aria-hidden", "true");
  return element;
}

export const replace = (parent, ...children) =>
  parent.replaceChildren(...children.flat(Infinity).filter(shown));

// A form whose submit runs `action` with its values, once at a time.
export function form(action, ...children) {
  const element = h("form.row", children);
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = element.querySelector("button:not([type=button])");
    button.disabled = true;
    try {
      await action(Object.fromEntries(new FormData(element)));
    } finally {
      button.disabled = false;
    }
  });
  return element;
}

const enable = (button) => {
  button.disabled = false;
};

// A listener of a button that runs `action` once at a time; `then` says what the button is afterwards.
export const busy =
  (action, then = enable) =>
  async ({ currentTarget: button }) => {
    button.disabled = true;
    try {
      await action();
    } finally {
      then(button);
    }
  };

export const button = (what, text, onclick) =>
  h(`button${what}`, { type: "button", onclick }, text);

export const field = (label, attributes) =>
  h("label", label, h("input", { required: true, ...attributes }));

// Choices are [value, text].
export const choice = (label, attributes, choices) =>
  h(
    "label",
    label,
    h(
      "select",
      attributes,
      choices.map(([value, text]) => h("option", { value }, text)),
    ),
  );

// rows of cells; a column is [heading, cell(row), "number"?].
export function table(columns, rows, caption) {
  const cell = (tag, [, , kind], attributes, text) =>
    h(kind ? `${tag}.${kind}` : tag, attributes, text);
  const head = columns.map((column) => cell("th", column, { scope: "col" }, column[0]));
  const body = rows.map((row) =>
    h(
      "tr",
      columns.map((column) => cell("td", column, {}, column[1](row))),
    ),
  );
  return h(
    "div.scroll",
    { tabindex: "0", role: "region", "aria-label": caption },
    h("table", h("thead", h("tr", head)), h("tbody", body)),
  );
}

// What stands where nothing is yet, with the way on, if there is one: [address, words].
export const empty = (text, way) =>
  h("div.empty", h("p", text), way && h("a.button", { href: `#${way[0]}` }, way[1]));

const STAYS_MS = 5000;
export function notice(text, kind = "") {
  const line = h("p", { class: kind }, text);
  document.getElementById("notices").append(line);
  setTimeout(() => line.remove(), STAYS_MS);
}
