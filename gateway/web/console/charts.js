// Lines over the last minutes, drawn by uPlot in the colours of the page.

import { h, replace } from "./dom.js";
import { language } from "./words.js";

/* global uPlot */
const POINTS = 120;
const HEIGHT = 170;
const WINDOW_S = 240;
const COLOURS = ["--accent", "--good", "--wait", "--bad"];

const number = (value) => {
  if (value === null || value === undefined) return "–";
  const maximumFractionDigits = value < 10 ? 1 : 0;
  return new Intl.NumberFormat(language(), { maximumFractionDigits }).format(value);
};

const clock = (seconds) =>
  new Date(seconds * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });

// How uPlot draws `lines` of `data`.
function look(lines, data, width) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour("--quiet"),
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
    font: "12px system-ui, sans-serif",
  };
  const last = () => data[0].at(-1);
  const minutes = (_, splits) => splits.map((at) => (at % 60 === 0 ? clock(at) : ""));
  return {
    width,
    height: HEIGHT,
    axes: [
      { ...axis, incrs: [60], values: minutes, size: 28 },
      { ...axis, size: 48 },
    ],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { range: () => [last() - WINDOW_S, last()] },
      y: { range: (_, low, high) => [0, Math.max(1, high ?? 1) * 1.1] },
    },
    series: [
      {},
      ...lines.map((label, index) => ({
        label,
        stroke: colour(COLOURS[index]),
        width: 2,
        spanGaps: true,
      })),
    ],
  };
}

// A chart of `lines`, the names of what add(...values) then gets. Beside the picture its last values
// stand as text, for those who do not see it.
export function chart(title, lines) {
  const legend = h("p.legend");
  const holder = h("div.card.chart", h("h2", title), legend);
  const data = [[], ...lines.map(() => [])];
  const label = (line, index) =>
    h(`span.line-${index}`, `${line} `, h("strong", number(data[index + 1].at(-1))));
  let plot = null;

  function draw() {
    const width = Math.max(240, holder.clientWidth - 32);
    plot ??= new uPlot(look(lines, data, width), data, holder);
    if (plot.width !== width) plot.setSize({ width, height: HEIGHT });
    plot.setData(data);
  }

  return {
    holder,
    add(...values) {
      data[0].push(Date.now() / 1000);
      values.forEach((value, index) => data[index + 1].push(value));
      if (data[0].length > POINTS) data.forEach((column) => column.shift());
      draw();
      replace(legend, lines.map(label));
    },
  };
}
