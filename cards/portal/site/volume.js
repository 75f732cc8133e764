// A volume with its mask, by NiiVue. Loaded when a viewer opens, and not before.
import { fill, h, name, numeric, replace } from "./dom.js";
import { color, legendList, meaning } from "./labels.js";

const VIEWS = { Multiplanar: "MULTIPLANAR", Axial: "AXIAL", Coronal: "CORONAL", Sagittal: "SAGITTAL", "3-D": "RENDER" };
const MANY_LABELS = 4096;

/**
 * Open a volume.
 * @param {HTMLElement} element where it goes
 * @param {object} given image {bytes, name}; mask {bytes, name} or null; legend [[value, names]]; instances
 * @returns {Promise<{leave: () => void}>}
 */
export async function openVolume(element, { image, mask, legend = [], instances = false }) {
  const { Niivue, NVImage, SLICE_TYPE } = await import("./vendor/niivue.js");
  const canvas = h("canvas", { tabindex: "0", "aria-label": "Slices of the volume. Arrow keys move in the plane of i and j, Page Up and Page Down along k." });
  const stage = h("div.stage", null, canvas);
  const readout = h("output.readout", { "aria-live": "polite" }, "Reading the volume …");
  const tools = h("div.viewer-tools");
  replace(element, stage, readout, tools);
  if (!canvas.ownerDocument.createElement("canvas").getContext("webgl2")) {
    replace(element, h("p", null, "This browser has no WebGL 2, which the volume viewer draws with."));
    return { leave() {} };
  }
  const viewer = new Niivue({ dragAndDropEnabled: false, isNearestInterpolation: true, show3Dcrosshair: true, crosshairColor: [0.39, 0.8, 0.78, 0.9], crosshairWidth: 0.5, crosshairWidthUnit: "percent", backColor: [0, 0, 0, 1], loadingText: "", logLevel: "error", multiplanarForceRender: false });
  await viewer.attachToCanvas(canvas);
  const volume = await made(NVImage, image, "gray", 1);
  viewer.addVolume(volume);
  const overlay = mask && (await made(NVImage, mask, "gray", 0.5));
  if (overlay) {
    overlay.setColormapLabel(lut(overlay.img, legend, instances));
    viewer.addVolume(overlay);
  }
  const places = geometry(volume);
  const marks = overlay && geometry(overlay);
  let now = places.shape.map((each) => Math.floor(each / 2));
  let frame = 0;

  const inputs = ["i", "j", "k"].map((axis, at) => {
    const input = h("input", { type: "number", min: "0", max: String(places.shape[at] - 1), id: `voxel-${axis}`, value: String(now[at]) });
    input.addEventListener("change", () => move(at, Number(input.value) - now[at]));
    return input;
  });
  const tell = () => {
    inputs.forEach((input, at) => (input.value = String(now[at])));
    const mm = places.world(now);
    const value = places.value(now, frame);
    const label = marks && marks.value(marks.voxel(mm).map(Math.round), 0);
    replace(
      readout,
      h("span", null, "voxel ", h("b", { "data-read": "voxel" }, now.join(", "))),
      h("span", null, mm.map((each) => each.toFixed(1)).join(", "), " mm"),
      h("span", null, "value ", h("b", { "data-read": "value" }, String(value))),
      marks && h("span", null, "mask ", h("b", { "data-read": "mask" }, String(label ?? "outside")), label === null ? null : [": ", name(meaning(label, legend, instances))]),
    );
  };
  const aim = () => {
    viewer.scene.crosshairPos = viewer.mm2frac(places.world(now));
    viewer.drawScene();
    tell();
  };
  const move = (axis, by) => {
    now = now.map((each, at) => (at === axis ? Math.min(places.shape[at] - 1, Math.max(0, Math.round(each + by) || 0)) : each));
    aim();
  };
  viewer.onLocationChange = (where) => {
    now = places.voxel(Array.from(where.mm).slice(0, 3)).map((each, at) => Math.min(places.shape[at] - 1, Math.max(0, Math.round(each))));
    tell();
  };
  const keys = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowDown: [1, -1], ArrowUp: [1, 1], PageDown: [2, -1], PageUp: [2, 1] };
  canvas.addEventListener("keydown", (event) => {
    if (!keys[event.key]) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    move(...keys[event.key]);
  }, true);

  const view = h("select", { id: "volume-view" }, Object.keys(VIEWS).map((title) => h("option", { value: title }, title)));
  view.addEventListener("change", () => viewer.setSliceType(SLICE_TYPE[VIEWS[view.value]]));
  const range = (id, title, value, max, act) =>
    numeric(title, { type: "range", id, min: "0", max: String(max), step: max > 1 ? "1" : "0.05", value: String(value) }, "input", act);
  const bound = (id, title, get, set) =>
    numeric(title, { type: "number", id, step: "any", value: String(Number(get().toPrecision(4))) }, "change", (given) => {
      set(given);
      viewer.updateGLVolume();
    });
  fill(tools, [
    h("label", { for: "volume-view" }, "View", view),
    inputs.map((input, at) => h("label", { for: input.id }, "ijk"[at], input)),
    bound("level-low", "Black at", () => volume.cal_min, (value) => (volume.cal_min = value)),
    bound("level-high", "White at", () => volume.cal_max, (value) => (volume.cal_max = value)),
    overlay && range("mask-opacity", "Mask", 0.5, 1, (value) => viewer.setOpacity(1, value)),
    places.frames > 1 && range("volume-frame", `Frame (of ${places.frames})`, 0, places.frames - 1, (value) => {
      frame = value;
      viewer.setFrame4D(volume.id, value);
      tell();
    }),
  ]);
  if (legend.length) tools.after(legendList(legend, instances));
  viewer.setSliceType(SLICE_TYPE.MULTIPLANAR);
  aim();
  return {
    leave() {
      viewer.cleanup();
      canvas.getContext("webgl2")?.getExtension("WEBGL_lose_context")?.loseContext();
    },
  };
}

const made = (NVImage, { bytes, name: title }, colormap, opacity) => NVImage.new(bytes, title, colormap, opacity, null, NaN, NaN, true, colormap === "gray" && opacity === 1 ? 0.02 : 0);

/** Voxels, their places in mm and their values, in the order in which the file stores them. */
function geometry(volume) {
  const { affine, dims, scl_slope: slope, scl_inter: inter } = volume.hdr;
  const shape = [dims[1], dims[2], dims[3]].map((each) => Math.max(1, each));
  const size = shape[0] * shape[1] * shape[2];
  const back = inverse(affine);
  const apply = (matrix, [x, y, z]) => [0, 1, 2].map((row) => matrix[row][0] * x + matrix[row][1] * y + matrix[row][2] * z + matrix[row][3]);
  const scale = slope && Number.isFinite(slope) ? slope : 1;
  return {
    shape,
    frames: Math.max(1, Math.floor(volume.img.length / size)),
    world: (voxel) => apply(affine, voxel),
    voxel: (mm) => apply(back, mm),
    value([i, j, k], frame) {
      if ([i, j, k].some((each, at) => each < 0 || each >= shape[at])) return null;
      const stored = volume.img[i + shape[0] * (j + shape[1] * (k + shape[2] * frame))];
      return scale === 1 && !inter ? stored : Number((stored * scale + (inter || 0)).toPrecision(7));
    },
  };
}

/** Inverse of a 3x4 affine. */
function inverse([[a, b, c, x], [d, e, f, y], [g, k, l, z]]) {
  const one = [e * l - f * k, c * k - b * l, b * f - c * e];
  const two = [f * g - d * l, a * l - c * g, c * d - a * f];
  const three = [d * k - e * g, b * g - a * k, a * e - b * d];
  const determinant = a * one[0] + b * two[0] + c * three[0];
  return [one, two, three].map((row) => {
    const scaled = row.map((each) => each / determinant);
    return [...scaled, -(scaled[0] * x + scaled[1] * y + scaled[2] * z)];
  });
}

/** NiiVue's table of label colors. */
function lut(values, legend, instances) {
  const found = new Set(legend.map((each) => each[0]));
  for (let at = 0; at < values.length && found.size < MANY_LABELS; at += 1) found.add(values[at]);
  found.delete(0);
  const all = [...found].filter((each) => Number.isInteger(each) && each > 0).sort((one, other) => one - other);
  const colors = all.map((each) => color(each, instances));
  const channel = (at) => [0, ...colors.map((each) => each[at])];
  return { R: channel(0), G: channel(1), B: channel(2), A: [0, ...all.map(() => 255)], I: [0, ...all], labels: ["background", ...all.map((each) => meaning(each, legend, instances))] };
}
