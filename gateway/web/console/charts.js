// Lines over the last minutes, drawn by uPlot in the colours of the page.

import { h, replace } from "./dom.js";

/* global uPlot */
const POINTS = 120;
const HEIGHT = 180;
const WINDOW_S = 240;

const number = (value) =>
  value === null || value === undefined
    ? "–"
    : new Intl.NumberFormat(document.documentElement.lang, {
        maximumFractionDigits: value < 10 ? 1 : 0,
      }).format(value);

// A chart of `lines`, the names of what add(...values) then gets. Beside the picture its last values
// stand as text, for those who do not see it.
export function chart(title, lines) {
  const holder = h("div", { class: "chart" }, h("h2", {}, title));
  const legend = h("p", { class: "legend" });
  const data = [[], ...lines.map(() => [])];
  const colour = getComputedStyle(document.documentElement);
  const strokes = ["--accent", "--wait", "--bad", "--good"].map((name) =>
    colour.getPropertyValue(name).trim(),
  );
  const axis = {
    stroke: colour.getPropertyValue("--quiet").trim(),
    grid: { stroke: colour.getPropertyValue("--line").trim(), width: 1 },
  };
  const label = (line, index) =>
    h(
      "span",
      { class: `line-${index}` },
      `${line} `,
      h("strong", {}, number(data[index + 1].at(-1))),
    );
  let plot = null;
  holder.append(legend);
  return {
    holder,
    add(...values) {
      data[0].push(Date.now() / 1000);
      values.forEach((value, index) => data[index + 1].push(value));
      if (data[0].length > POINTS) data.forEach((column) => column.shift());
      plot ??= new uPlot(
        {
          width: Math.max(240, holder.clientWidth - 20),
          height: HEIGHT,
          axes: [axis, { ...axis, size: 56 }],
          legend: { show: false },
          scales: {
            x: { range: () => [data[0].at(-1) - WINDOW_S, data[0].at(-1)] },
            y: { range: (_, low, high) => [0, Math.max(1, high ?? 1) * 1.1] },
          },
          cursor: { show: false },
          series: [
            {},
            ...lines.map((line, index) => ({
              label: line,
              stroke: strokes[index],
              width: 2,
              spanGaps: true,
            })),
          ],
        },
        data,
        holder,
      );
      plot.setData(data);
      replace(legend, lines.map(label));
    },
  };
}
