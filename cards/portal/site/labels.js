// Colors of mask values: those of the thumbnails.
import { h, name } from "./dom.js";

const PALETTE = [[230, 75, 53], [77, 187, 213], [0, 190, 120], [247, 190, 60], [160, 110, 230], [240, 130, 190], [150, 200, 60], [90, 120, 235], [220, 140, 80], [60, 210, 190]];

/** Red, green, blue of a mask value; instances get hues far apart for numbers close together. */
export function color(value, instances = false) {
  if (value <= PALETTE.length && !instances) return PALETTE[value - 1];
  return hsv((value * 0.6180339887498949) % 1, value % 2 ? 0.65 : 0.85, 0.95);
}

function hsv(hue, saturation, value) {
  const part = (at) => {
    const step = (at + hue * 6) % 6;
    return Math.round(255 * (value - value * saturation * Math.max(0, Math.min(step, 4 - step, 1))));
  };
  return [part(5), part(3), part(1)];
}

/** What a mask value means. */
export function meaning(value, legend, instances) {
  if (!value) return "background";
  const names = new Map(legend).get(instances ? 1 : value);
  if (!names) return legend.length ? "not in the legend" : "label";
  return names.length ? names.join(", ") : "not annotated here";
}

/** Colors and names of mask values. */
export function legendList(legend, instances) {
  const shown = instances ? legend.slice(0, 1) : legend;
  return h("ul.legend", { "aria-label": "What the mask values mean" }, shown.map(([value]) => h("li", null, h("i", { "aria-hidden": "true", vars: { "--color": `rgb(${(instances ? [127, 127, 127] : color(value)).join(" ")})` } }), instances ? "each value one: " : `${value}: `, name(meaning(value, legend, false)))));
}
