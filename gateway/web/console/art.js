// A picture for each product, drawn from its name: the same name always looks the same. The page's
// policy lets no picture in from elsewhere.

import { svg } from "./dom.js";

function hashOf(text) {
  let hash = 2166136261;
  for (const letter of text) hash = Math.imul(hash ^ letter.codePointAt(0), 16777619) >>> 0;
  return hash;
}

// The letter to remember a product by: that of its last word that is no number ("바로 티셔츠": 티).
const letterOf = (name) => {
  const words = name.split(/[\s·,/]+/).filter((word) => /^\p{L}/u.test(word));
  return [...(words.at(-1) ?? name)][0]?.toUpperCase() ?? "";
};

// As wide and as high as its place.
export function art({ name }) {
  const hash = hashOf(name);
  const hue = hash % 360;
  const colour = (turn, saturation, light) => `hsl(${(hue + turn) % 360} ${saturation}% ${light}%)`;
  const circle = (cx, cy, r, fill) => svg("circle", { cx, cy, r, fill, opacity: ".55" });
  const place = (bits) => 10 + ((hash >>> bits) % 80);
  return svg(
    "svg.art",
    { viewBox: "0 0 100 75", preserveAspectRatio: "xMidYMid slice" },
    svg("rect", { width: "100", height: "75", fill: colour(0, 55, 82) }),
    circle(place(3), place(7), 34, colour(25, 70, 74)),
    circle(place(11), place(15), 24, colour(330, 65, 88)),
    svg(
      "text",
      { x: "50", y: "51.5", "text-anchor": "middle", fill: colour(0, 60, 26) },
      letterOf(name),
    ),
  );
}
