// The composer: datasets or a rule -> the plan of `medimg.fuse`, and what is taken away of it.
import { along, changed } from "./address.js";
import { Form } from "./composer_form.js";
import { ended, list, scroll, shown } from "./composer_plan.js";
import { fetched } from "./data.js";
import { announce, count, fill, h, many, name, replace, snippet } from "./dom.js";
import { blueprintJson, blueprintToml, command, composition, compositionJson, csv, python } from "./outputs.js";
import { Planner, PlanError } from "./plan.js";
import { CASE_STUDY, REPORTED, chosen, exported, imported, isRecipe, refusal } from "./recipe.js";
import { askedOf, paramsOf } from "./state.js";

const OUTPUTS = {
  python: "Python", command: "Command line", blueprint: "Blueprint", table: "Composition table", recipe: "Imaging-X recipe",
};

/** Loads what is planned with, and shows the composer. */
export async function mount(main, context) {
  const link = document.createElement("link");
  Object.assign(link, { rel: "stylesheet", href: "composer.css" });
  const styled = new Promise((done) => Object.assign(link, { onload: done, onerror: done }));
  const element = h("div.composer", null, link, h("p.wait", null, "Reading what the datasets declare …"));
  fill(main, [h("h1", { tabindex: "-1" }, "Compose"), element]);
  const [data] = await Promise.all([fetched("data/fusion.json"), styled]);
  const composer = new Composer(element, new Planner(data), context);
  composer.update(context);
  return composer;
}

class Composer {
  constructor(element, planner, context) {
    Object.assign(this, { element, planner, context });
    this.aside = h("div.told", { "aria-live": "polite" });
    this.recipe = h("section.recipe", { "aria-labelledby": "recipe-title", hidden: true });
    this.plan = h("section.plan", { "aria-labelledby": "plan-title" });
    this.take = h("section.take", { "aria-labelledby": "take-title", hidden: true });
    this.form = new Form(planner, (changes) => this.#set(changes), () => this.plan.scrollIntoView());
    replace(element, element.querySelector("link"), this.#start(),
      h("div.composing", null, this.form.element, h("div.made", null, this.aside, this.recipe, this.plan, this.take)));
  }

  // ---------------------------------------------------------------- the address

  /** Show what an address asks for. */
  update(context) {
    this.context = context;
    this.asked = askedOf(context.params);
    this.form.refresh(this.asked);
    const { catalogue } = context;
    const known = (each) => {
      try {
        this.planner.declared(each);
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
    this.context.go(changed(params, { recipe }), { push: Boolean(extra.push) });
  }

  // ---------------------------------------------------------------- where to start

  #start() {
    const blueprints = Object.entries(this.planner.data.blueprints);
    const select = h("select", { id: "start-blueprint" }, h("option", { value: "" }, "Choose …"),
      blueprints.map(([key, { title }]) => h("option", { value: key }, title)));
    select.addEventListener("change", () => {
      if (!select.value) return;
      const { blueprint, title, notes, ...fields } = this.planner.data.blueprints[select.value];
      select.value = "";
      this.context.go(paramsOf(along(this.context.params), fields), { push: true });
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
        h("button.quiet", { type: "button", onclick: () => this.context.go(along(this.context.params), { push: true }) }, "Start anew")),
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
    this.context.go(paramsOf(along(this.context.params), Object.fromEntries(own)), { push: true });
    const elsewhere = namespace && namespace !== this.planner.data.namespace;
    if (elsewhere) refuse(`Its namespace ${namespace} was left out: this page knows what ${this.planner.data.namespace} has published.`);
    announce("Imported.");
  }

  #takeRecipe(recipe) {
    const { asked } = imported(recipe, this.planner);
    const params = paramsOf(along(this.context.params), asked);
    this.context.go(changed(params, { recipe: JSON.stringify(recipe) }), { push: true });
    announce("The recipe was imported.");
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
    const members = Object.keys(plan.index.members).length;
    replace(this.plan, title, shown(plan, this.asked.source));
    this.take.hidden = false;
    this.#showTake();
    announce(`Planned: ${many(members, "member")}, ${many(plan.index.rows, "row")}.`);
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
    this.context.go(changed(this.context.params, { show: key }));
  }

  #output(key, about) {
    const plan = this.result;
    const elsewhere = about.public ? null : about.hub;
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

const code = (text, file, what, type) => h("div.file", null, snippet(text, what), download(text, file, type));
