// The composer: datasets or a rule -> the plan of `medimg.fuse`, and what is taken away of it.
import { copier, count, fill, h, many, name, replace, size } from "./dom.js";
import { blueprintJson, blueprintToml, command, composition, compositionJson, csv, python } from "./outputs.js";
import { Planner, PlanError } from "./plan.js";
import { CASE_STUDY, REPORTED, chosen, exported, imported, isRecipe, refusal } from "./recipe.js";
import { askedOf, paramsOf } from "./state.js";
import { VERDICTS, licenseName, verdict } from "./words.js";

const TERMS = {
  commercial: "Commercial use", adapt: "Adapted copies may be passed on", redistribute: "Copies may be passed on",
  open: "Published for everyone", "no share-alike": "No share-alike", known: "A license is known",
};
const KIND = {
  direct: ["●", "assessed directly"],
  narrower: ["◐", "kinds or parts of it alone: elsewhere unknown"],
  wider: ["○", "something wider alone: inside that unknown"],
  none: ["–", "not looked for"],
};
const SHORT = { direct: "directly", narrower: "in part", wider: "wider alone", none: "not looked for" };
const OUTPUTS = {
  python: "Python", command: "Command line", blueprint: "Blueprint", table: "Composition table", recipe: "Imaging-X recipe",
};
const PASSED = { open: "yes", gated: "to readers who accept the terms", recipe: "no" };
const MANY = 12;

/** Loads what is planned with, and shows the composer in an element; `update` when the address changes. */
export async function mount(element, context) {
  const link = document.createElement("link");
  Object.assign(link, { rel: "stylesheet", href: "composer.css" });
  const styled = new Promise((done) => Object.assign(link, { onload: done, onerror: done }));
  element.append(link, h("p.wait", null, "Reading what the datasets declare …"));
  const [data] = await Promise.all([context.fetched("data/fusion.json"), styled]);
  const composer = new Composer(element, new Planner(data), context);
  composer.update(context);
  return composer;
}

class Composer {
  constructor(element, planner, context) {
    Object.assign(this, { element, planner, context });
    const labels = new Set();
    for (const dataset of planner.registered) {
      for (const [, names] of dataset.legends.flat()) names.forEach((each) => labels.add(each));
      for (const names of Object.values(dataset.labels)) names.forEach((each) => labels.add(each));
    }
    const used = (kind) => [...new Set(planner.registered.flatMap((each) => each.configs.flatMap((config) => config[kind])))].sort();
    this.plannable = planner.data.datasets.flatMap((each) => [
      each.name, ...(each.apart ? each.configs.map((config) => `${each.name}/${config.name}`) : []),
    ]);
    const options = (id, values) => h("datalist", { id }, values.map((value) => h("option", { value })));
    this.form = h("form.form", { "aria-label": "What is composed", onsubmit: (event) => event.preventDefault() });
    this.aside = h("div.told", { "aria-live": "polite" });
    this.recipe = h("section.recipe", { "aria-labelledby": "recipe-title", hidden: true });
    this.plan = h("section.plan", { "aria-labelledby": "plan-title" });
    this.take = h("section.take", { "aria-labelledby": "take-title", hidden: true });
    this.fields = [
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
      h("button.to-plan", { type: "button", onclick: () => this.plan.scrollIntoView() }, "To the plan"),
      options("all-names", this.plannable),
      ...["modality", "organ", "task"].map((kind) => options(`all-${kind}`, used(kind))),
      options("all-targets", [...labels].sort()),
      options("all-licenses", [...planner.licenses.table.keys()]),
    ];
    fill(this.form, this.fields);
    this.refreshers ??= [];
    replace(element, element.querySelector("link"), this.#start(),
      h("div.composing", null, this.form, h("div.made", null, this.aside, this.recipe, this.plan, this.take)));
  }

  // ---------------------------------------------------------------- the address

  /** Show what an address asks for. */
  update(context) {
    this.context = context;
    this.asked = askedOf(context.params);
    for (const refresh of this.refreshers) refresh();
    const { catalogue } = context;
    const known = (each) => {
      try {
        this.planner.candidates(each);
        return true;
      } catch (error) {
        if (!(error instanceof PlanError)) throw error;
        const entry = catalogue.get(each);
        return !(entry && ["not yet", "collection"].includes(entry.loadable));
      }
    };
    const names = this.asked.names ?? [];
    this.out = names.filter((each) => !known(each));
    this.wanted = { ...this.asked, names: names.filter((each) => !this.out.includes(each)) };
    if (!this.wanted.names.length) delete this.wanted.names;
    const { namespace } = this.planner.data;
    if (namespace !== "medimg") this.wanted.namespace = namespace;
    this.#showAside();
    this.#showRecipe();
    this.#showPlan();
  }

  /** Ask for something else: arguments in the place of what is asked for now. */
  #set(changes, extra = {}) {
    const params = paramsOf(this.context.params, { ...this.asked, ...changes });
    const recipe = "recipe" in extra ? extra.recipe : this.context.params.get("recipe");
    if (recipe) params.set("recipe", recipe);
    this.context.go(params, { push: Boolean(extra.push) });
  }

  // ---------------------------------------------------------------- the form

  /** A list of values: chips, and a field that adds one. */
  #chips(key, label, list, empty = null, mine = () => true) {
    const id = `f-${key}-${list}`;
    const chips = h("ul.chips", { "aria-label": label });
    const field = h("input", { id, list, type: "text", autocomplete: "off", spellcheck: "false" });
    const all = () => this.asked[key] ?? [];
    const values = () => all().filter(mine);
    const put = (next) => this.#set({ [key]: [...all().filter((each) => !mine(each)), ...next] });
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
    (this.refreshers ??= []).push(() => {
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
  #choice(key, label, values, { read = () => this.asked[key], write = (value) => this.#set({ [key]: value }) } = {}) {
    const id = `f-${key}`;
    const select = h("select", { id, onchange: () => write({ "": null, yes: true, no: false }[select.value] ?? (select.value || null)) });
    (this.refreshers ??= []).push(() => {
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
    field.addEventListener("change", () => this.#set({ [key]: field.value === "" ? null : Number(field.value) }));
    (this.refreshers ??= []).push(() => {
      if (document.activeElement !== field) field.value = this.asked[key] ?? "";
    });
    return h("div.field", null, h("label", { for: id }, label), field);
  }

  #boxes(key, label, words) {
    const boxes = Object.entries(words).map(([value, word]) => {
      const box = h("input", { type: "checkbox", value });
      box.addEventListener("change", () => {
        const others = (this.asked[key] ?? []).filter((each) => each !== value);
        this.#set({ [key]: box.checked ? [...others, value] : others });
      });
      return [box, h("label.value", null, box, h("span.word", null, word))];
    });
    (this.refreshers ??= []).push(() => {
      for (const [box] of boxes) box.checked = (this.asked[key] ?? []).includes(box.value);
    });
    return h("fieldset.field", null, h("legend", null, label), boxes.map(([, line]) => line));
  }

  #text(id, label, placeholder, read, write, hint) {
    const field = h("input", { id, type: "text", placeholder, autocomplete: "off", spellcheck: "false", "aria-describedby": hint ? `${id}-hint` : null });
    field.addEventListener("change", () => write(field.value.trim()));
    (this.refreshers ??= []).push(() => {
      if (document.activeElement !== field) field.value = read();
    });
    return h("div.field", null, h("label", { for: id }, label), field, hint && h("small", { id: `${id}-hint` }, hint));
  }

  #grid() {
    const set = (key, value) => this.#set({ grid: { ...this.asked.grid, [key]: value } });
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
    return this.#text("f-source", "Read from", "the Hub", () => this.asked.source ?? "", (text) => this.#set({ source: text || null }),
      "the root folder of your own copies, official (the declared addresses) or miniature (phantoms); empty: what is published");
  }

  // ---------------------------------------------------------------- where to start

  #start() {
    const blueprints = Object.entries(this.planner.data.blueprints);
    const select = h("select", { id: "start-blueprint" }, h("option", { value: "" }, "Choose …"),
      blueprints.map(([key, { title }]) => h("option", { value: key }, title)));
    select.addEventListener("change", () => {
      if (!select.value) return;
      const { blueprint, title, notes, ...fields } = this.planner.data.blueprints[select.value];
      const kept = new URLSearchParams([...this.context.params].filter(([key]) => key === "pick"));
      const asked = Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, value]));
      select.value = "";
      this.context.go(paramsOf(kept, asked), { push: true });
    });
    const file = h("input", { id: "start-file", type: "file", accept: ".json,application/json" });
    file.addEventListener("change", async () => {
      const [chosenFile] = file.files;
      if (chosenFile) this.#import(await chosenFile.text());
      file.value = "";
    });
    const text = h("textarea", { id: "start-text", rows: "8", spellcheck: "false" });
    this.problem = h("p.problem", { role: "alert", hidden: true });
    const dialog = h("details.import", null,
      h("summary", null, "Import"),
      h("p.note", null, "An Imaging-X recipe, a blueprint or a plan of medimg, as JSON. Nothing leaves this page."),
      h("div.field", null, h("label", { for: "start-file" }, "A file"), file),
      h("div.field", null, h("label", { for: "start-text" }, "Or its text"), text),
      h("button", { type: "button", onclick: () => this.#import(text.value) }, "Import"),
      this.problem);
    return h("div.start", null,
      h("p.lead", null, "Choose datasets or a rule. The plan is the one that ", h("code", null, "medimg.fuse(…, plan=True)"), " makes."),
      h("div.starts", null,
        h("span", null, h("label", { for: "start-blueprint" }, "Start from a blueprint "), select),
        h("button.plain.button", { type: "button", onclick: () => this.#takeRecipe(CASE_STUDY) }, "The case study of Imaging-X"),
        h("button.quiet", { type: "button", onclick: () => this.context.go(new URLSearchParams([...this.context.params].filter(([key]) => key === "pick")), { push: true }) }, "Start anew")),
      dialog);
  }

  #import(text) {
    const refuse = (problem) => {
      this.problem.textContent = problem;
      this.problem.hidden = false;
    };
    this.problem.hidden = true;
    let value;
    try {
      value = JSON.parse(text);
    } catch (error) {
      refuse(`This is no JSON: ${error.message}. Next: paste the whole file, or choose it.`);
      return;
    }
    if (value === null || typeof value !== "object" || Array.isArray(value)) {
      refuse("This holds no fields. Next: import a recipe, a blueprint or a plan, each a JSON object.");
      return;
    }
    if (isRecipe(value)) {
      this.#takeRecipe(value);
      return;
    }
    const fields = value.blueprint !== null && typeof value.blueprint === "object" ? value.blueprint : value;
    const known = [...this.planner.data.blueprint_fields, "splits"];
    const strange = Object.keys(fields).filter((key) => !known.includes(key));
    if (strange.length) {
      refuse(`A blueprint has no field ${strange.map((each) => JSON.stringify(each)).join(", ")}. Next: leave it out, or import a recipe of Imaging-X (with modalities, task_types …).`);
      return;
    }
    const { splits, split, title, notes, namespace, blueprint, ...asked } = fields;
    const defaults = this.planner.data.defaults;
    const own = Object.entries({ ...asked, split: split ?? splits }).filter(([key, each]) =>
      each !== null && each !== undefined && each !== "" && each !== defaults[key] && !(Array.isArray(each) && !each.length));
    const lists = ["names", "modality", "organ", "task", "targets", "license_terms", "split", "prefer"];
    const kept = new URLSearchParams([...this.context.params].filter(([key]) => key === "pick"));
    this.context.go(paramsOf(kept, Object.fromEntries(own.map(([key, each]) => [key, lists.includes(key) ? [each].flat() : each]))), { push: true });
    const elsewhere = namespace && namespace !== this.planner.data.namespace;
    if (elsewhere) refuse(`Its namespace ${namespace} was left out: this page knows what ${this.planner.data.namespace} has published.`);
    this.context.announce("Imported.");
  }

  #takeRecipe(recipe) {
    const { asked } = imported(recipe, this.planner);
    const kept = new URLSearchParams([...this.context.params].filter(([key]) => key === "pick"));
    const params = paramsOf(kept, asked);
    params.set("recipe", JSON.stringify(recipe));
    this.context.go(params, { push: true });
    this.context.announce("The recipe was imported.");
  }

  // ---------------------------------------------------------------- what is told

  #showAside() {
    const { catalogue } = this.context;
    replace(this.aside, this.out.length > 0 && h("div.note-box", null,
      h("h2", null, `${many(this.out.length, "dataset")} not in the plan`),
      h("ul", null, this.out.map((id) => {
        const entry = catalogue.get(id);
        const why = entry.loadable === "collection"
          ? ["this page plans without the index of the Imaging Data Commons; in Python add ", h("code", null, JSON.stringify(id)), " to the names."]
          : ["nobody has written a builder yet."];
        return h("li", null, name(entry.name), ": ", why, " ", h("button.quiet", {
          type: "button", "aria-label": `Remove ${id}`, onclick: () => this.#set({ names: this.asked.names.filter((each) => each !== id) }),
        }, "Remove"));
      }))));
  }

  #showRecipe() {
    const text = this.context.params.get("recipe");
    this.recipe.hidden = !text;
    if (this.shownRecipe === text) return;
    this.shownRecipe = text;
    if (!text) return;
    let recipe;
    try {
      recipe = JSON.parse(text);
    } catch {
      replace(this.recipe, h("h2", { id: "recipe-title" }, "Recipe"), h("p", null, "The recipe in the address is no JSON. Next: import it again."));
      return;
    }
    if (!isRecipe(recipe)) {
      replace(this.recipe, h("h2", { id: "recipe-title" }, "Recipe"), h("p", null, "What stands in the address is no recipe of Imaging-X. Next: import one."));
      return;
    }
    const { asked, rule, lines } = imported(recipe, this.planner);
    const { entries, groups } = chosen(this.context.catalogue, rule, this.planner);
    const study = JSON.stringify(recipe) === JSON.stringify(CASE_STUDY);
    const reasons = new Map(entries.map((each) => [each, refusal(each, asked, this.planner)]));
    const fusible = (entry) => !reasons.get(entry);
    const images = (list) => list.reduce((sum, each) => sum + (each.count ?? 0), 0);
    const today = entries.filter(fusible);
    const row = (label, list, reported) => h("tr", null, h("th", { scope: "row" }, label),
      h("td.n", null, count(list.length)), h("td.n", null, count(images(list))),
      h("td.n", null, count(list.filter(fusible).length)), h("td.n", null, count(images(list.filter(fusible)))),
      study && [h("td.n", null, reported ? count(reported[0]) : "–"), h("td.n", null, reported ? count(reported[1]) : "–")]);
    const sum = Object.values(REPORTED).reduce((all, each) => [all[0] + each[0], all[1] + each[1]]);
    replace(this.recipe,
      h("h2", { id: "recipe-title" }, study ? "The case study of Imaging-X" : "The recipe"),
      h("p", null, `${many(entries.length, "dataset")} of the catalogue fit it, ${count(today.length)} of them can be fused today. `,
        h("button", { type: "button", disabled: !today.length, onclick: () => this.#set({ names: today.map((each) => each.id) }, { push: true }) }, "Take these by name"), " ",
        h("button.quiet", { type: "button", onclick: () => this.#set({}, { recipe: null }) }, "Close")),
      scroll("The composition of the recipe", h("table.list", null,
        h("thead", null, h("tr", null, ["Modality", "Datasets", "Images", "Can be fused", "Images of these", ...(study ? ["Paper: datasets", "Paper: images"] : [])].map((each) => h("th", { scope: "col" }, each)))),
        h("tbody", null, groups.map((group) => row(group.modality, group.entries, REPORTED[group.modality])), row("All, each once", entries, sum)))),
      h("p.note", null, "Images are counted in the unit that each source states (a volume counts once). A dataset of two modalities stands in both lines.",
        study && " The paper counts 57 datasets and 2,135,301 images, of its own table at its time; here are all datasets of the catalogue, whether Imaging-X lists them or not, and other terms: narrower tasks and modalities fit, too."),
      h("details.fold", null, h("summary", null, "Which can be fused, and which not"),
        h("ul.plain-list", null, entries.slice(0, 400).map((each) => h("li", null, h("a", { href: `#/dataset/${encodeURIComponent(each.id).replaceAll("%2F", "/")}` }, name(each.name)), ": ",
          reasons.get(each) || "can be fused"))),
        entries.length > 400 && h("p", null, `and ${count(entries.length - 400)} more`)),
      h("details.fold", { open: lines.some((each) => !each.taken) }, h("summary", null, "What each line of the recipe became"),
        scroll("Lines of the recipe", h("table.list", null,
          h("thead", null, h("tr", null, ["Field", "Value", "Here"].map((each) => h("th", { scope: "col" }, each)))),
          h("tbody", null, lines.map((each) => h(each.taken ? "tr" : "tr.lost", null, h("th", { scope: "row" }, h("code", null, each.field)), h("td", null, h("code", null, each.value)), h("td", null, each.becomes))))))));
  }

  // ---------------------------------------------------------------- the plan

  #showPlan() {
    const title = h("h2", { id: "plan-title" }, "Plan");
    this.take.hidden = true;
    const rule = Object.keys(this.wanted).some((key) => !["namespace", "source", "encoding"].includes(key));
    if (!rule) {
      replace(this.plan, title, h("p", null, this.out.length
        ? "None of the chosen datasets can be planned here. Add one that loads with medimg, or a rule."
        : "Add a dataset, or say what it must be: a modality, an organ, a task, targets, a license use."));
      this.result = null;
      return;
    }
    try {
      this.result = this.planner.plan(this.wanted);
    } catch (error) {
      if (!(error instanceof PlanError)) throw error;
      this.result = null;
      replace(this.plan, title, h("div.problem-box", { role: "alert" },
        h("p", null, h("strong", null, error.dataset ? [name(error.dataset), ": "] : null, name(ended(error.problem)))),
        error.nextStep && h("p", null, "Next: ", name(error.nextStep))));
      return;
    }
    const plan = this.result;
    const keys = Object.keys(plan.index.members);
    replace(this.plan, title, this.#summary(plan, keys), this.#warnings(plan), this.#terms(plan), this.#labelSpace(plan, keys),
      this.#members(plan, keys), this.#sizes(plan, keys), this.#shared(plan), this.#leftOut(plan));
    this.take.hidden = false;
    this.#showTake();
    this.context.announce(`Planned: ${many(keys.length, "member")}, ${many(plan.index.rows, "row")}.`);
  }

  #summary(plan, keys) {
    const { rows, bytes } = plan.index;
    const uncounted = Object.values(plan.index.members).some((each) => each.splits.some((split) => split.rows === null));
    return h("dl.summary", null,
      h("div", null, h("dt", null, "Members"), h("dd", null, count(keys.length))),
      h("div", null, h("dt", null, "Rows"), h("dd", null, uncounted ? `at least ${count(rows)}` : count(rows))),
      h("div", null, h("dt", null, "Size"), h("dd", null, bytes === null ? (this.asked.source ? "known where your copies are" : "not known") : size(bytes))),
      h("div", null, h("dt", null, "Passed on"), h("dd", null, PASSED[plan.index.license.publish])),
      h("div", null, h("dt", null, "Commercial use"), h("dd", null, answer(plan.index.license.commercial))));
  }

  #terms(plan) {
    const { license } = plan.index;
    const [, , says] = VERDICTS[license.publish];
    const sentence = license.publish === "recipe"
      ? "You may make and use the set; it may not be passed on as one adapted work."
      : `The set may be passed on: ${says}.`;
    return h("section", { "aria-labelledby": "terms-title" }, h("h3", { id: "terms-title" }, "License of the set"), h("p", null, sentence),
      h("ul.terms-list", null,
        h("li", null, "Commercial use: ", h("b", null, answer(license.commercial))),
        h("li", null, "Adapted further: ", h("b", null, answer(license.adapt))),
        h("li", null, "Share-alike: ", h("b", null, license.share_alike ? licenseName(license.share_alike) : "no")),
        h("li", null, "Attribution: ", h("b", null, license.attribution ? "required" : "not required")),
        h("li", null, "Strictest: ", h("b", null, licenseName(license.strictest)))),
      list(license.reasons, "ul.reasons"));
  }

  #labelSpace(plan, keys) {
    const targets = Object.values(plan.semantic_alignment.targets);
    const { members, measures } = plan.semantic_alignment;
    const heading = h("h3", { id: "space-title" }, "Label space");
    if (!targets.length) {
      return h("section", { "aria-labelledby": "space-title" }, heading,
        h("p", null, measures.length ? `Measures: ${measures.join(", ")}.` : "No target was asked for: the labels stay as the sources give them."));
    }
    const mark = (kind, what) => h("span", { class: `kind is-${kind}`, title: KIND[kind][1] }, h("span", { "aria-hidden": "true" }, KIND[kind][0]), ` ${what}: ${SHORT[kind]}`);
    const cell = ({ mask, label, via }) => {
      const parts = [["masks", mask], ["classes", label]].filter(([, kind]) => kind !== "none");
      return h("td", null, parts.length ? parts.map(([what, kind]) => mark(kind, what)) : h("span", { class: "kind is-none" }, h("span", { "aria-hidden": "true" }, KIND.none[0]), " not looked for"),
        via.length > 0 && parts.some(([, kind]) => kind !== "direct") && h("small", null, "by ", via.slice(0, 4).join(", "), via.length > 4 && ` and ${via.length - 4} more`));
    };
    return h("section", { "aria-labelledby": "space-title" }, heading,
      h("p.note", null, "What the annotators of each member looked for. ", Object.values(KIND).map(([sign, word], at) => [at > 0 && "; ", sign, " ", word]), ". What was not looked for is never background."),
      scroll("Label space", h("table.list.space", null,
        h("thead", null, h("tr", null, h("th", { scope: "col" }, "Member"), targets.map((target, at) => h("th", { scope: "col" }, `${at + 1} `, target)))),
        h("tbody", null, keys.map((key) => h("tr", null, h("th", { scope: "row" }, link(key, plan)), members[key].alignment.map(cell)))))),
      measures.length > 0 && h("p", null, `Measures: ${measures.join(", ")}.`));
  }

  #members(plan, keys) {
    const { members } = plan.semantic_alignment;
    const maps = (map) => Object.entries(map);
    return h("section", { "aria-labelledby": "members-title" }, h("h3", { id: "members-title" }, "Members"), keys.map((key) => {
      const { assessed, label_map: labels, class_map: classes } = members[key];
      const about = plan.metadata_harmonization.members[key];
      return h("details.member", { open: keys.length === 1 },
        h("summary", null, name(about.title), " ", h("code.id", null, key)),
        h("p", null, verdict({ verdict: about.publish }), " ", licenseName(about.license), ". ", [...about.modality, ...about.organ, ...about.task].join(", "), "."),
        h("p", null, h("b", null, "Assessed for: "), assessed.length ? assessed.join(", ") : "each row says its own."),
        maps(labels).length > 0 && table("What each mask value becomes", ["Mask value", "Becomes"], maps(labels), `${key}: what each mask value becomes`),
        maps(classes).length > 0 && table("What each class becomes", ["Source label", "Target"], maps(classes), `${key}: what each class becomes`));
    }));
  }

  #sizes(plan, keys) {
    const lines = keys.flatMap((key) => plan.index.members[key].splits.map((split, at) => [key, split, at, plan.index.members[key]]));
    return h("section", { "aria-labelledby": "rows-title" }, h("h3", { id: "rows-title" }, "Rows and size"),
      this.asked.source && !["official", "miniature"].includes(this.asked.source) && h("p.note", null, "Your copies cannot be seen from here: that they are there is assumed, rows are the declared ones, and Python adds the bytes."),
      scroll("Rows and size", h("table.list", null,
        h("thead", null, h("tr", null, h("th", { scope: "col" }, "Member"), h("th", { scope: "col" }, "Split"), h("th", { scope: "col" }, "In the set"), h("th.n", { scope: "col" }, "Rows"), h("th", { scope: "col" }, "Counted"), h("th.n", { scope: "col" }, "Bytes of the member"))),
        h("tbody", null, lines.map(([key, split, at, { splits, bytes }]) => h("tr", null,
          at === 0 && h("th", { scope: "rowgroup", rowspan: String(splits.length) }, link(key, plan)),
          h("td", null, split.split), h("td", null, split.split_fused),
          h("td.n", null, split.rows === null ? "not counted" : count(split.rows)),
          h("td", null, split.counted === "published" ? "as published" : "as declared"),
          at === 0 && h("td.n", { rowspan: String(splits.length) }, bytes === null ? "not known" : size(bytes))))))));
  }

  #shared(plan) {
    const { overlaps } = plan.index;
    return h("section", { "aria-labelledby": "shared-title" }, h("h3", { id: "shared-title" }, "Images in common"),
      overlaps.length
        ? h("ul.reasons", null, overlaps.map((each) => h("li", null, h("b", null, each.first, " and ", each.second), ": ", each.relation, ". ", h("span.note", null, each.action, ". Evidence: ", each.evidence))))
        : h("p", null, "No two members declare images in common. Equal images are looked for all the same, as asked."));
  }

  #warnings(plan) {
    if (!plan.warnings.length) return null;
    return h("section.note-box", { "aria-labelledby": "warnings-title" }, h("h3", { id: "warnings-title" }, many(plan.warnings.length, "warning")), list(plan.warnings, "ul.reasons"));
  }

  #leftOut(plan) {
    const { left_out: out } = plan.metadata_harmonization;
    return h("section", { "aria-labelledby": "left-title" }, h("h3", { id: "left-title" }, "Left out"),
      out.length
        ? table(null, ["Dataset", "Reason"], out.map((each) => [each.member, each.reason]), "Left out")
        : h("p", null, "Nothing that fits by subject was left out."));
  }

  // ---------------------------------------------------------------- what is taken away

  #showTake() {
    const { about } = this.context.catalogue;
    const now = OUTPUTS[this.context.params.get("show")] ? this.context.params.get("show") : "python";
    const tabs = Object.entries(OUTPUTS).map(([key, word]) => h("button.tab", {
      type: "button", role: "tab", id: `tab-${key}`, "aria-selected": String(key === now), "aria-controls": "tab-panel", tabindex: key === now ? "0" : "-1",
      onclick: () => this.#open(key),
    }, word));
    const bar = h("div.tabs", { role: "tablist", "aria-label": "Take it away as" }, tabs);
    bar.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const keys = Object.keys(OUTPUTS);
      const next = event.key === "Home" ? 0 : event.key === "End" ? keys.length - 1 : step && (keys.indexOf(now) + step + keys.length) % keys.length;
      if (next === undefined) return;
      event.preventDefault();
      this.#open(keys[next]);
    });
    const focused = this.take.contains(document.activeElement) && document.activeElement.getAttribute("role") === "tab";
    const panel = h("div", { role: "tabpanel", id: "tab-panel", "aria-labelledby": `tab-${now}`, tabindex: "0" });
    fill(panel, this.#output(now, about));
    replace(this.take, h("h2", { id: "take-title" }, "Take it away"), bar, panel);
    if (focused) this.take.querySelector('[aria-selected="true"]').focus();
  }

  #open(key) {
    const params = new URLSearchParams(this.context.params);
    params.set("show", key);
    this.context.go(params);
  }

  #output(key, about) {
    const plan = this.result;
    const elsewhere = about.public ? null : about.hub;
    const code = (text, file, what, type = "text/plain") => file_(text, file, what, type);
    switch (key) {
      case "command":
        return [code(command(this.wanted, about.hub), "fuse.sh", "the command", "text/x-shellscript"),
          h("p.note", null, "Prints the plan. Leave ", h("code", null, "--plan"), " out and add ", h("code", null, "--limit 5"), " for rows, or ", h("code", null, "--push NAME"), " to publish the set.")];
      case "blueprint":
        return [h("p", null, "A file for ", h("code", null, 'medimg.fuse(blueprint="blueprint.json")'), ": it gives this very plan again."),
          code(blueprintJson(plan), "blueprint.json", "the blueprint", "application/json"),
          h("p", null, "To be kept under a name, as TOML: its label space stays while members come and go."),
          code(blueprintToml(plan), "blueprint.toml", "the blueprint as TOML", "application/toml"),
          h("p", null, download(`${JSON.stringify(plan, null, 1)}\n`, "plan.json", "application/json"))];
      case "table": {
        const rows = composition(plan, this.planner, (id) => this.context.catalogue.get(id));
        return [h("p", null, "One line for each member."),
          code(csv(rows), "composition.csv", "the composition table", "text/csv"),
          code(compositionJson(rows, plan), "composition.json", "the composition as JSON", "application/json")];
      }
      case "recipe": {
        const { recipe, lost } = exported(plan.blueprint, this.planner);
        return [h("p", null, "For the dataset browser of Project Imaging-X. It cannot say:"), list(lost, "ul.reasons"),
          code(`${JSON.stringify(recipe, null, 2)}\n`, "recipe.json", "the recipe", "application/json")];
      }
      default:
        return [code(python(this.wanted, elsewhere), "fuse.py", "the Python code", "text/x-python")];
    }
  }
}

const answer = (value) => (value === null ? "not known" : value ? "yes" : "no");
const ended = (text) => (/[.!?:…\n]$/.test(text) ? text : `${text}.`);
const list = (texts, tag) => (texts.length > MANY
  ? [h(tag, null, texts.slice(0, MANY).map((each) => h("li", null, each))),
    h("details.fold", null, h("summary", null, `${count(texts.length - MANY)} more`), h(tag, null, texts.slice(MANY).map((each) => h("li", null, each))))]
  : h(tag, null, texts.map((each) => h("li", null, each))));

/** What may be wider than the page, to be scrolled with the keyboard, too. */
const scroll = (label, inner) => h("div.scroll", { role: "region", "aria-label": `${label}, table`, tabindex: "0" }, inner);

const table = (caption, heads, rows, label) => scroll(label, h("table.list.narrow", null,
  caption && h("caption", null, caption),
  h("thead", null, h("tr", null, heads.map((each) => h("th", { scope: "col" }, each)))),
  h("tbody", null, rows.map(([first, ...rest]) => h("tr", null, h("th", { scope: "row" }, name(first)), rest.map((each) => h("td", null, name(each))))))));

const link = (key, plan) => h("a", { href: `#/dataset/${encodeURIComponent(plan.index.members[key].name)}` }, key);

/** A button that saves a text as a file. */
function download(text, file, type) {
  return h("button.plain.button", {
    type: "button",
    onclick: () => {
      const address = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
      const anchor = h("a", { href: address, download: file });
      anchor.click();
      setTimeout(() => URL.revokeObjectURL(address), 10000);
    },
  }, `Download ${file}`);
}

const file_ = (text, file, what, type) => h("div.file", null,
  h("div.snippet", null, h("pre", { tabindex: "0", "aria-label": what }, h("code", null, text)), copier(text, what)),
  download(text, file, type));
