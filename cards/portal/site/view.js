// The viewer: published previews, and files from one's own computer.
import { fill, h, many, name, replace } from "./dom.js";

const VOLUME = /\.(nii|nii\.gz|mha|mgz|mgh|nrrd)$/i;
const PICTURE = /\.(png|jpe?g|webp|gif|bmp|avif)$/i;
const NOT_BUILT = ["The volume viewer was not built into this portal: it comes from npm. Where Node is, ", h("code", null, "npm ci --prefix cards/portal && npm run vendor --prefix cards/portal"), " in a clone of medimg, and building the portal again, adds it. Everything else works without it."];
const notBuilt = () => h("p.note", { "data-viewer": "missing" }, NOT_BUILT.map((each) => (each instanceof Node ? each.cloneNode(true) : each)));

/** The viewer of what `read` gives, in an element; null where it cannot be shown. */
async function opened(element, kind, read, about) {
  if (kind === "volume" && !about.viewer) {
    replace(element, notBuilt());
    return null;
  }
  replace(element, h("p.note", null, "Opening …"));
  try {
    const given = await read();
    const part = kind === "volume" ? await (await import("./volume.js")).openVolume(element, given) : await (await import("./image.js")).openImage(element, given);
    element.dataset.viewer = "open";
    return part;
  } catch (error) {
    replace(element, h("p.note", { role: "alert" }, "It could not be read: ", name(error?.message ?? String(error))));
    return null;
  }
}

async function bytes(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${answer.statusText}`);
  return { bytes: await answer.arrayBuffer(), name: path.split("/").at(-1), kind: answer.headers.get("content-type") ?? "" };
}

/** The part of a dataset's page that shows its published rows. */
export function samples(list, about) {
  const area = h("div.viewer");
  let part = null;
  const show = async (sample, button) => {
    part?.leave();
    for (const each of buttons) each.setAttribute("aria-pressed", String(each === button));
    const read = async () => {
      const [image, mask] = await Promise.all([bytes(sample.image), sample.mask && bytes(sample.mask)]);
      return { image, mask, legend: sample.legend, instances: sample.instances };
    };
    part = await opened(area, sample.kind, read, about);
    if (part) area.append(h("p.note", null, name(sample.caption)));
  };
  const buttons = list.map((sample) => h("button.button.plain", { type: "button", "aria-pressed": "false", onclick: (event) => show(sample, event.currentTarget) }, `Open ${sample.kind === "volume" ? "volume" : "image"} `, name(sample.id.split("/").slice(1).join("/") || sample.id)));
  return { element: h("div.samples", null, h("p", null, buttons), area), leave: () => part?.leave() };
}

/** The page for files of one's own. */
export function mount(main, { catalogue }) {
  const area = h("div.viewer");
  const said = h("p.note", { role: "status" });
  const input = h("input", { type: "file", id: "files", multiple: true, accept: ".nii,.gz,.mha,.mgz,.mgh,.nrrd,.png,.jpg,.jpeg,.webp,.gif,.bmp,.avif" });
  let part = null;
  const take = async (files) => {
    const readable = [...files].filter((file) => VOLUME.test(file.name) || PICTURE.test(file.name)).slice(0, 2);
    const left = [...files].filter((file) => !readable.includes(file));
    part?.leave();
    part = null;
    replace(said, left.length > 0 && [`${many(left.length, "file")} not shown: `, name(left.map((file) => file.name).slice(0, 5).join(", ")), ". This page reads NIfTI, MHA, MGZ, NRRD, PNG, JPEG, WebP, GIF, BMP and AVIF; medimg reads DICOM and TIFF."]);
    if (!readable.length) return;
    const kind = VOLUME.test(readable[0].name) ? "volume" : "image";
    const [image, mask] = await Promise.all(readable.filter((file) => VOLUME.test(file.name) === (kind === "volume")).map(async (file) => ({ bytes: await file.arrayBuffer(), name: file.name, kind: file.type })));
    part = await opened(area, kind, () => ({ image, mask: mask ?? null }), catalogue.about);
    if (part) area.append(h("p.note", null, name(image.name), mask && [", with ", name(mask.name), " as its mask"]));
  };
  input.addEventListener("change", () => take(input.files));
  const drop = h("div.drop", null, h("label", { for: "files" }, "Choose a file, or drop it here"), input, h("p.note", null, "Nothing leaves this computer: the file is read by this page, and this page sends nothing. Two files are an image and its mask."));
  drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    take(event.dataTransfer.files);
  });
  fill(main, [h("h1", { tabindex: "-1" }, "View a file"), drop, said, !catalogue.about.viewer && notBuilt(), area]);
  return { update() {}, leave: () => part?.leave() };
}
