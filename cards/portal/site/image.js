// A picture with its mask on a canvas: zoom, overlay, the values under the cursor.
import { fill, h, name, numeric, replace } from "./dom.js";
import { color, legendList, meaning } from "./labels.js";
import { at, decodePicture, levels, shown } from "./pixels.js";

const MOST = 32;

/** Open a picture; arguments as of `openVolume`. */
export async function openImage(element, { image, mask, legend = [], instances = false }) {
  const picture = await decodePicture(image.bytes, image.kind);
  const marks = mask && (await decodePicture(mask.bytes, mask.kind));
  const { width, height } = picture;
  const own = marks && (marks.width !== width || marks.height !== height);
  const canvas = h("canvas", { tabindex: "0", "aria-label": `Picture of ${width} by ${height} pixels. Arrow keys move the cursor, plus and minus zoom.` });
  const stage = h("div.stage.flat", null, canvas);
  const readout = h("output.readout", { "aria-live": "polite" });
  const tools = h("div.viewer-tools");
  replace(element, stage, readout, tools);
  let [low, high] = levels(picture);
  let opacity = 0.5;
  let cursor = [Math.floor(width / 2), Math.floor(height / 2)];
  let view = { zoom: 1, x: width / 2, y: height / 2 };
  const below = document.createElement("canvas");
  const above = document.createElement("canvas");
  for (const each of [below, above]) Object.assign(each, { width, height });
  const paint = () => below.getContext("2d").putImageData(shown(picture, low, high), 0, 0);
  paint();
  if (marks && !own) above.getContext("2d").putImageData(painted(marks, instances), 0, 0);

  const fit = () => Math.min(stage.clientWidth / width, stage.clientHeight / height);
  const draw = () => {
    const ratio = devicePixelRatio || 1;
    canvas.width = Math.round(stage.clientWidth * ratio);
    canvas.height = Math.round(stage.clientHeight * ratio);
    const context = canvas.getContext("2d");
    const scale = fit() * view.zoom * ratio;
    context.imageSmoothingEnabled = false;
    context.setTransform(scale, 0, 0, scale, canvas.width / 2 - view.x * scale, canvas.height / 2 - view.y * scale);
    context.drawImage(below, 0, 0);
    context.globalAlpha = opacity;
    if (marks && !own) context.drawImage(above, 0, 0);
    context.globalAlpha = 1;
    context.strokeStyle = "#63cdc8";
    context.lineWidth = 1.5 / (scale / ratio);
    context.strokeRect(cursor[0], cursor[1], 1, 1);
  };
  const inputs = ["x", "y"].map((axis, place) => {
    const input = h("input", { type: "number", min: "0", max: String([width, height][place] - 1), id: `pixel-${axis}` });
    input.addEventListener("change", () => go(place ? cursor[0] : Number(input.value), place ? Number(input.value) : cursor[1]));
    return input;
  });
  const tell = () => {
    inputs.forEach((input, place) => (input.value = String(cursor[place])));
    const values = at(picture, ...cursor);
    const label = marks && !own ? at(marks, ...cursor)[0] : null;
    replace(
      readout,
      h("span", null, "pixel ", h("b", { "data-read": "voxel" }, cursor.join(", "))),
      h("span", null, "value ", h("b", { "data-read": "value" }, (picture.exact ? values : values.slice(0, 3)).join(", ")), picture.exact ? null : " (8 bits, as the browser decodes it)"),
      label !== null && h("span", null, "mask ", h("b", { "data-read": "mask" }, String(label)), ": ", name(meaning(label, legend, instances))),
      own && h("span", null, "the mask has another size and is not shown"),
    );
  };
  const go = (x, y) => {
    cursor = [Math.min(width - 1, Math.max(0, Math.round(x) || 0)), Math.min(height - 1, Math.max(0, Math.round(y) || 0))];
    draw();
    tell();
  };
  const zoom = (by, around = cursor) => {
    const next = Math.min(MOST, Math.max(1, view.zoom * by));
    const share = 1 - view.zoom / next;
    view = next === 1 ? { zoom: 1, x: width / 2, y: height / 2 } : { zoom: next, x: view.x + (around[0] + 0.5 - view.x) * share, y: view.y + (around[1] + 0.5 - view.y) * share };
    draw();
  };
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    const scale = fit() * view.zoom;
    return [Math.floor((event.clientX - box.left - box.width / 2) / scale + view.x), Math.floor((event.clientY - box.top - box.height / 2) / scale + view.y)];
  };
  let dragged = null;
  canvas.addEventListener("pointerdown", (event) => {
    dragged = { x: event.clientX, y: event.clientY, from: view };
    canvas.setPointerCapture(event.pointerId);
    go(...place(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (dragged && view.zoom > 1) {
      const scale = fit() * view.zoom;
      view = { ...view, x: dragged.from.x - (event.clientX - dragged.x) / scale, y: dragged.from.y - (event.clientY - dragged.y) / scale };
      draw();
    } else go(...place(event));
  });
  canvas.addEventListener("pointerup", () => (dragged = null));
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && document.activeElement !== canvas) return; // the page scrolls until the picture is entered
    event.preventDefault();
    zoom(event.deltaY < 0 ? 1.25 : 0.8, place(event));
  }, { passive: false });
  const keys = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  canvas.addEventListener("keydown", (event) => {
    if (keys[event.key]) go(cursor[0] + keys[event.key][0], cursor[1] + keys[event.key][1]);
    else if (event.key === "+" || event.key === "=") zoom(1.5);
    else if (event.key === "-") zoom(1 / 1.5);
    else return;
    event.preventDefault();
  });
  const bound = (id, title, value, set) =>
    numeric(title, { type: "number", id, step: "any", value: String(value) }, "change", (given) => {
      set(given);
      paint();
      draw();
    });
  fill(tools, [
    h("button.button.plain", { type: "button", onclick: () => zoom(1.5), "aria-label": "Zoom in" }, "+"),
    h("button.button.plain", { type: "button", onclick: () => zoom(1 / 1.5), "aria-label": "Zoom out" }, "−"),
    h("button.button.plain", { type: "button", onclick: () => zoom(0) }, "Fit"),
    inputs.map((input, each) => h("label", { for: input.id }, "xy"[each], input)),
    !picture.palette && bound("level-low", "Black at", low, (value) => (low = value)),
    !picture.palette && bound("level-high", "White at", high, (value) => (high = value)),
    marks && !own && numeric("Mask", { type: "range", id: "mask-opacity", min: "0", max: "1", step: "0.05", value: String(opacity) }, "input", (value) => {
      opacity = value;
      draw();
    }),
  ]);
  if (legend.length) tools.after(legendList(legend, instances));
  const watch = new ResizeObserver(draw);
  watch.observe(stage);
  go(...cursor);
  return { leave: () => watch.disconnect() };
}

/** A mask in the colors of its values. */
function painted(marks, instances) {
  const out = new ImageData(marks.width, marks.height);
  for (let place = 0; place < marks.width * marks.height; place += 1) {
    const value = marks.data[place * marks.channels];
    if (!value) continue;
    out.data.set([...color(value, instances), 255], place * 4);
  }
  return out;
}
