// What is composed, as fields of a form: each shows what the address asks for, and asks for something else.
import { fill, h, name, replace } from "./dom.js";
import { licenseName } from "./words.js";

const TERMS = {
  commercial: "Commercial use", adapt: "Adapted copies may be passed on", redistribute: "Copies may be passed on",
  open: "Published for everyone", "no share-alike": "No share-alike", known: "A license is known",
};

export class Form {
  /**
   * @param planner of plan.js: what may be chosen
   * @param set called with arguments of `fuse` in the place of what is asked for now
   * @param toPlan called where the plan is to be looked at
   */
  constructor(planner, set, toPlan) {
    this.set = set;
    this.refreshers = [];
    const labels = new Set();
    for (const dataset of planner.data.datasets) {
      for (const [, names] of dataset.legends.flat()) names.forEach((each) => labels.add(each));
      for (const names of Object.values(dataset.labels)) names.forEach((each) => labels.add(each));
    }
    const used = (kind) => [...new Set(planner.data.datasets.flatMap((each) => each.configs.flatMap((config) => config[kind])))].sort();
    const plannable = planner.data.datasets.flatMap((each) => [
      each.name, ...(each.apart ? each.configs.map((config) => `${each.name}/${config.name}`) : []),
    ]);
    const options = (id, values) => h("datalist", { id }, values.map((value) => h("option", { value })));
    this.element = h("form.form", { "aria-label": "What is composed", onsubmit: (event) => event.preventDefault() });
    fill(this.element, [
      h("h2", null, "Datasets"),
      this.#chips("names", "Add a dataset", "all-names", "no dataset is named: the rule takes all that fit"),
      h("h2", null, "Rule"),
      this.#chips("modality", "Modality", "all-modality"),
      this.#chips("organ", "Organ", "all-organ"),
      this.#chips("task", "Task", "all-task"),
      this.#choice("dimension", "Dimension", [["", "any"], ["2d", "2-D images"], ["3d", "3-D volumes"], ["video", "video"]]),
      this.#number("minimum", "Images at least", "0"),
      this.#boxes("license_terms", "License use", TERMS),
      this.#chips("license_terms", "Or one of these licenses", "all-licenses", null, (each) => !(each in TERMS)),
      h("h2", null, "Label space"),
      this.#chips("targets", "Targets, in order", "all-targets", "without targets the labels stay as they are"),
      this.#choice("encoding", "Masks", [["", "one map (index)"], ["channels", "one map for each target (channels)"]]),
      h("details.more-fields", null,
        h("summary", null, "Splits, duplicates, grid, order, source"),
        this.#boxes("split", "Splits", { train: "train", validation: "validation", test: "test" }),
        this.#choice("on_duplicate", "Equal images", [["", "kept once (drop)"], ["keep", "kept within a split"], ["error", "an error"], ["ignore", "not compared"]]),
        this.#choice("near", "Near duplicates", [["", "where the originals are at hand"], ["yes", "compare all pixels"], ["no", "equal pixels only"]]),
        this.#chips("prefer", "Keep the copies of, first to last", "all-names"),
        this.#choice("unlabeled", "Rows without a label on the targets", [["", "left out"], ["yes", "kept"]]),
        this.#choice("weights", "Order of the members", [["", "one after the other (concatenate)"], ["interleave", "in turns (interleave)"], ["uniform", "drawn, alike (uniform)"], ["proportional", "drawn by their rows (proportional)"]]),
        this.#grid(),
        this.#source(),
      ),
      h("button.to-plan", { type: "button", onclick: toPlan }, "To the plan"),
      options("all-names", plannable),
      ...["modality", "organ", "task"].map((kind) => options(`all-${kind}`, used(kind))),
      options("all-targets", [...labels].sort()),
      options("all-licenses", [...planner.licenses.table.keys()]),
    ]);
  }

  /** Show what is asked for. */
  refresh(asked) {
    this.asked = asked;
    for (const each of this.refreshers) each();
  }

  /** A list of values: chips, and a field that adds one. */
  #chips(key, label, list, empty = null, mine = () => true) {
    const id = `f-${key}-${list}`;
    const chips = h("ul.chips", { "aria-label": label });
    const field = h("input", { id, list, type: "text", autocomplete: "off", spellcheck: "false" });
    const all = () => this.asked[key] ?? [];
    const values = () => all().filter(mine);
    const put = (next) => this.set({ [key]: [...all().filter((each) => !mine(each)), ...next] });
    const add = () => {
      const text = field.value.trim();
      if (!text) return;
      field.value = "";
      if (!values().includes(text)) put([...values(), text]);
      field.focus();
    };
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") add();
    });
    field.addEventListener("change", () => {
      if ([...(field.list?.options ?? [])].some((option) => option.value === field.value)) add();
    });
    this.refreshers.push(() => {
      const now = values();
      replace(chips, now.map((value, at) => h("li", null,
        name(key === "names" ? value : licenseName(value)),
        key === "targets" && at > 0 && h("button.quiet", {
          type: "button", "aria-label": `Move ${value} to the front`,
          onclick: () => {
            put([value, ...now.filter((each) => each !== value)]);
            field.focus();
          },
        }, "↑"),
        h("button.quiet", {
          type: "button", "aria-label": `Remove ${value}`,
          onclick: () => {
            put(now.filter((each) => each !== value));
            field.focus();
          },
        }, "×"))), !now.length && empty && h("li.none", null, empty));
      chips.hidden = !now.length && !empty;
    });
    return h("div.field", null, h("label", { for: id }, label), chips,
      h("span.adding", null, field, h("button.plain.button", { type: "button", onclick: add, "aria-label": `Add to ${label}` }, "Add")));
  }

  /** One of several values; what the address says beside them is shown as it is. */
  #choice(key, label, values, { read = () => this.asked[key], write = (value) => this.set({ [key]: value }) } = {}) {
    const id = `f-${key}`;
    const select = h("select", { id, onchange: () => write({ "": null, yes: true, no: false }[select.value] ?? (select.value || null)) });
    this.refreshers.push(() => {
      const now = read();
      const text = now === true ? "yes" : now === false ? "no" : now === undefined || now === null ? "" : typeof now === "object" ? Object.entries(now).map((pair) => pair.join("=")).join(",") : String(now);
      const known = values.some(([value]) => value === text);
      replace(select, values.map(([value, word]) => h("option", { value }, word)), !known && h("option", { value: text }, text));
      select.value = text;
    });
    return h("div.field", null, h("label", { for: id }, label), select);
  }

  #number(key, label, placeholder) {
    const id = `f-${key}`;
    const field = h("input", { id, type: "number", min: "0", step: "1", placeholder });
    field.addEventListener("change", () => this.set({ [key]: field.value === "" ? null : Number(field.value) }));
    this.refreshers.push(() => {
      if (document.activeElement !== field) field.value = this.asked[key] ?? "";
    });
    return h("div.field", null, h("label", { for: id }, label), field);
  }

  #boxes(key, label, words) {
    const boxes = Object.entries(words).map(([value, word]) => {
      const box = h("input", { type: "checkbox", value });
      box.addEventListener("change", () => {
        const others = (this.asked[key] ?? []).filter((each) => each !== value);
        this.set({ [key]: box.checked ? [...others, value] : others });
      });
      return [box, h("label.value", null, box, h("span.word", null, word))];
    });
    this.refreshers.push(() => {
      for (const [box] of boxes) box.checked = (this.asked[key] ?? []).includes(box.value);
    });
    return h("fieldset.field", null, h("legend", null, label), boxes.map(([, line]) => line));
  }

  #text(id, label, placeholder, read, write, hint) {
    const field = h("input", { id, type: "text", placeholder, autocomplete: "off", spellcheck: "false", "aria-describedby": hint ? `${id}-hint` : null });
    field.addEventListener("change", () => write(field.value.trim()));
    this.refreshers.push(() => {
      if (document.activeElement !== field) field.value = read();
    });
    return h("div.field", null, h("label", { for: id }, label), field, hint && h("small", { id: `${id}-hint` }, hint));
  }

  #grid() {
    const set = (key, value) => this.set({ grid: { ...this.asked.grid, [key]: value } });
    const numbers = (text) => {
      const parts = text.split(/[\s,x]+/).filter(Boolean).map((each) => (Number.isNaN(Number(each)) ? each : Number(each)));
      return parts.length ? (parts.length === 1 ? parts[0] : parts) : null;
    };
    const read = (key) => [this.asked.grid?.[key] ?? ""].flat().join(", ");
    return [
      this.#choice("grid-slices", "Cut volumes into pictures", [["", "no"], ["axial", "axial"], ["coronal", "coronal"], ["sagittal", "sagittal"]], {
        read: () => this.asked.grid?.slices, write: (value) => set("slices", value),
      }),
      this.#text("f-grid-spacing", "Voxel size in mm", "as it is", () => read("spacing"), (text) => set("spacing", numbers(text)), "one number, or one for each axis: 1, 1, 2.5"),
      this.#text("f-grid-orientation", "Orientation", "as it is", () => read("orientation"), (text) => set("orientation", text.toUpperCase() || null), "e.g. RAS or LPS"),
      this.#text("f-grid-window", "CT window", "none", () => read("window"), (text) => set("window", numbers(text)), "center and width in HU: 40, 400"),
    ];
  }

  #source() {
    return this.#text("f-source", "Read from", "the Hub", () => this.asked.source ?? "", (text) => this.set({ source: text || null }),
      "the root folder of your own copies, official (the declared addresses) or miniature (phantoms); empty: what is published");
  }
}
