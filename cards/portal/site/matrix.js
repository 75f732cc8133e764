// Modality by organ: how many datasets show what, and what they look like.
import { to } from "./address.js";
import { count, h, many, name, replace } from "./dom.js";

const ROWS = 14;
const COLUMNS = 16;

/** The roots of a kind, most frequent first, and who has each. */
function heads(entries, kind, wider, most) {
  const up = wider[kind] ?? {};
  const members = new Map();
  for (const entry of entries) {
    const terms = new Set(entry[kind].flatMap((term) => [term, ...(up[term] ?? [])]));
    for (const term of terms) {
      if (kind === "modality" && up[term]?.length) continue; // a kind of MRI is counted with MRI
      if (!members.has(term)) members.set(term, new Set());
      members.get(term).add(entry.place);
    }
  }
  const stated = new Map();
  for (const entry of entries) for (const term of entry[kind]) stated.set(term, (stated.get(term) ?? 0) + 1);
  const all = [...members].filter(([term]) => kind === "modality" || stated.has(term)).sort((one, other) => other[1].size - one[1].size || one[0].localeCompare(other[0]));
  return { shown: all.slice(0, most), left: all.length - Math.min(all.length, most) };
}

/** Shown where nothing is chosen yet, or where it is asked for. */
export function matrix(element, context, answer) {
  const { params, go, catalogue } = context;
  const filtering = ["q", "modality", "organ", "task", "use", "load", "access", "dimension", "count", "bytes", "from", "until", "page"].some((key) => params.has(key));
  const open = params.has("matrix") ? params.get("matrix") === "1" : !filtering;
  const next = new URLSearchParams(params);
  next.set("matrix", open ? "0" : "1");
  if (open !== filtering) next.delete("matrix");
  if (params.has("matrix")) next.set("matrix", open ? "0" : "1");
  const head = h("div.head", null, h("h2", { id: "matrix-title" }, "Modality by organ"), h("button.quiet", { type: "button", id: "matrix-toggle", "aria-expanded": String(open), onclick: () => go(next) }, open ? "Hide" : "Show"));
  if (!open) {
    replace(element, head);
    return;
  }
  const entries = answer.places.map((place) => catalogue.entries[place]);
  const rows = heads(entries, "modality", catalogue.wider, ROWS);
  const columns = heads(entries, "organ", catalogue.wider, COLUMNS);
  const both = ([, one], [, other]) => [...one].filter((place) => other.has(place));
  const cells = rows.shown.map((row) => columns.shown.map((column) => both(row, column)));
  const most = Math.max(1, ...cells.flat().map((each) => each.length));
  const address = (modality, organ) => {
    const query = new URLSearchParams(params);
    for (const key of ["page", "matrix"]) query.delete(key);
    if (modality) query.set("modality", modality);
    if (organ) query.set("organ", organ);
    return to("browse", "", query);
  };
  const silent = entries.filter((each) => !each.modality.length || !each.organ.length).length;
  replace(
    element,
    head,
    h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Datasets by modality and organ" },
      h("table", null,
        h("thead", null, h("tr", null, h("td", null), columns.shown.map(([organ, places]) => h("th", { scope: "col" }, h("a", { href: address(null, organ) }, h("span", null, name(organ)), h("small", null, count(places.size))))))),
        h("tbody", null, rows.shown.map((row, at) => h("tr", null, h("th", { scope: "row" }, h("a", { href: address(row[0], null) }, name(row[0]), h("small", null, count(row[1].size)))), columns.shown.map((column, over) => cell(cells[at][over], row[0], column[0], most, address, catalogue)))))),
    ),
    h("p.note", null, `Datasets in each pair; one that shows several stands in several cells.${rows.left || columns.left ? ` ${many(rows.left, "rarer modality", "rarer modalities")} and ${many(columns.left, "rarer organ")} are in the filters.` : ""}${silent ? ` ${many(silent, "dataset")} ${silent === 1 ? "does" : "do"} not say one of the two.` : ""}`),
  );
}

function cell(places, modality, organ, most, address, catalogue) {
  if (!places.length) return h("td.nil", null);
  const seen = places.map((place) => catalogue.entries[place]).find((entry) => entry.picture);
  const share = Math.round(10 + 62 * Math.sqrt(places.length / most));
  return h("td", null, h("a.cell", { href: address(modality, organ), "aria-label": `${modality}, ${organ}: ${many(places.length, "dataset")}`, vars: { "--share": `${share}%` } }, seen && h("img", { src: seen.picture.thumb, alt: "", loading: "lazy", width: 34, height: 34 }), h("span", null, count(places.length))));
}
