// Two to four datasets side by side.
import { along, changed, ids, to } from "./address.js";
import { details } from "./data.js";
import { fill, h, name, replace } from "./dom.js";
import { ACCESS, amount, bytes, DIMENSIONS, HOW, KINDS, licenseName, subjects, USES, use, verdict } from "./words.js";

const MOST = 4;

/** Title, and the words or words of an entry that are compared. */
const LINES = [
  ...Object.keys(KINDS).map((kind) => [KINDS[kind], (entry) => (kind === "dimension" ? entry[kind].map((each) => DIMENSIONS[each] ?? each) : entry[kind])]),
  ["Structures", (entry) => entry.structures],
  ["Amount", amount],
  ["Subjects", subjects],
  ["Download", bytes],
  ["Published rows", (entry) => entry.published && entry.published.rows.toLocaleString("en-US")],
  ["Year", (entry) => entry.year && String(entry.year)],
  ["License", (entry) => entry.license && `${licenseName(entry.license)}${entry.license_by === "source" ? "" : " (not verified)"}`],
  ["License use", (entry) => USES[use(entry)]],
  ["Access", (entry) => ACCESS[entry.access] ?? entry.access],
  ["How to load", (entry) => HOW[entry.loadable]],
  ["Splits", (entry, more) => Object.entries(more.declared?.splits ?? {}).map(([split, rows]) => `${split}${rows ? `: ${rows.toLocaleString("en-US")}` : ""}`)],
  ["Held by", (entry) => entry.where],
  ["Made by", (entry) => entry.organization],
  ["Images in common with", (entry) => entry.overlaps.map((each) => each.dataset)],
];

export async function mount(main, context) {
  const chooser = h("div.chooser");
  const area = h("div.area");
  fill(main, [h("h1", { tabindex: "-1" }, "Compare datasets"), chooser, area]);
  let last = 0;
  const update = async (next) => {
    const { params, catalogue, go } = next;
    const wanted = ids(params, "d").slice(0, MOST);
    const set = (list) => go(changed(params, { d: list.join(",") }));
    choose(chooser, catalogue, wanted, set);
    const mine = (last += 1);
    const chosen = wanted.map((id) => catalogue.get(id)).filter(Boolean);
    const unknown = wanted.filter((id) => !catalogue.get(id));
    const more = await Promise.all(chosen.map((entry) => details(catalogue, entry)));
    if (mine !== last) return;
    replace(area, unknown.length > 0 && h("p.note", null, "Not in the catalogue: ", name(unknown.join(", "))), chosen.length < 2 && h("p.note", null, `Choose two to four datasets${chosen.length ? ": one is here" : ""}.`), chosen.length > 0 && grid(chosen, more, params, (id) => set(wanted.filter((each) => each !== id))));
  };
  await update(context);
  return { update };
}

function choose(element, catalogue, wanted, set) {
  if (element.firstChild) {
    element.querySelector("input").disabled = wanted.length >= MOST;
    element.dataset.wanted = wanted.join(",");
    return;
  }
  element.dataset.wanted = wanted.join(",");
  const options = h("datalist", { id: "compare-names" });
  const field = h("input", { id: "q", list: "compare-names", autocomplete: "off", placeholder: "Name of a dataset", disabled: wanted.length >= MOST });
  field.addEventListener("focus", () => {
    if (!options.firstChild) fill(options, [catalogue.entries.map((entry) => h("option", { value: entry.id }, entry.name))]);
  });
  const said = h("span.note", { role: "status" });
  // No form: a page in a sandbox, as a Hub shows it, may not submit one.
  const add = () => {
    const text = field.value.trim().toLowerCase();
    const hit = catalogue.get(field.value.trim()) ?? catalogue.entries.find((entry) => [entry.id, entry.name, ...entry.aliases].some((each) => each.toLowerCase() === text));
    said.textContent = hit ? "" : `The catalogue has no “${field.value.trim()}”.`;
    if (!hit) return;
    field.value = "";
    const now = element.dataset.wanted.split(",").filter(Boolean);
    set([...new Set([...now, hit.id])].slice(0, MOST));
  };
  field.addEventListener("keydown", (event) => event.key === "Enter" && add());
  fill(element, [h("div.adder", null, h("label", { for: "q" }, "Add a dataset"), field, options, h("button", { type: "button", onclick: add }, "Add"), said)]);
}

const list = (value) => (Array.isArray(value) ? value : value === null || value === undefined || value === "" ? [] : [value]);

function grid(entries, more, params, drop) {
  const rows = LINES.map(([title, of]) => {
    const values = entries.map((entry, at) => list(of(entry, more[at])));
    const same = values.every((each) => JSON.stringify([...each].sort()) === JSON.stringify([...values[0]].sort()));
    const shared = new Set(values[0].filter((word) => values.every((each) => each.includes(word))));
    return { title, values, same: same || entries.length < 2, shared };
  }).filter((row) => row.values.some((each) => each.length));
  const different = rows.filter((row) => !row.same).length;
  return [
    entries.length > 1 && h("p.said", null, `They differ in ${different} of ${rows.length} lines; what is alike is set in gray, and words that only some have are marked.`),
    h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Comparison" },
      h("table.compare", { vars: { "--columns": String(entries.length) } },
        h("thead", null, h("tr", null, h("td", null), entries.map((entry) => h("th", { scope: "col" }, entry.picture && h("img", { src: entry.picture.thumb, alt: entry.picture.alt, width: 96, height: 96 }), h("a", { href: to("dataset", entry.id, along(params)) }, name(entry.name)), h("code.id", null, entry.id), verdict(entry), h("button.quiet", { type: "button", onclick: () => drop(entry.id), "aria-label": `Remove ${entry.name}` }, "Remove"))))),
        h("tbody", null, rows.map(({ title, values, same, shared }) => h("tr", { class: same ? "same" : "different" }, h("th", { scope: "row" }, title, !same && h("span.unseen", null, " (differs)")), values.map((words) => h("td", null, words.length ? words.slice(0, 40).map((word, at) => [at ? ", " : "", same || shared.has(word) || words.length === 1 ? name(word) : h("mark", null, name(word))]) : h("span.unsaid", null, "not stated"), words.length > 40 && ` and ${words.length - 40} more`))))))),
  ];
}
