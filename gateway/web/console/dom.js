// Building pages: elements from words and data, never from markup, so that no text of a customer can
// become a script.

// h("p", { class: "quiet" }, "text", child, ...): attributes; `on...` are listeners; null and false are
// left out.
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && name !== "list" && typeof value !== "string") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(
    ...children
      .flat(Infinity)
      .filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

export const replace = (parent, ...children) =>
  parent.replaceChildren(...children.flat(Infinity).filter(Boolean));

// A form whose submit runs `action` with its values, once at a time.
export function form(action, ...children) {
  const element = h("form", { class: "row" }, ...children);
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

// A listener of a button that runs `action` once at a time; `then` says what the button is afterwards.
export const busy =
  (
    action,
    then = (button) => {
      button.disabled = false;
    },
  ) =>
  async ({ currentTarget: button }) => {
    button.disabled = true;
    try {
      await action();
    } finally {
      then(button);
    }
  };

export const field = (label, attributes) =>
  h("label", {}, label, h("input", { required: true, ...attributes }));

// rows of cells; a column is [heading, cell(row), "number"?].
export function table(columns, rows, caption) {
  const kind = (column) => ({ class: column[2] ?? null });
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          columns.map((column) => h("th", { scope: "col", ...kind(column) }, column[0])),
        ),
      ),
      h(
        "tbody",
        {},
        rows.map((row) =>
          h(
            "tr",
            {},
            columns.map((column) => h("td", kind(column), column[1](row))),
          ),
        ),
      ),
    ),
  );
}

export function notice(text, kind = "") {
  const line = h("p", { class: kind }, text);
  document.getElementById("notices").append(line);
  setTimeout(() => line.remove(), 7000);
}
