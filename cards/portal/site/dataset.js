// One dataset: what is known of it, who says so, how to load it.
import { along, changed, to } from "./address.js";
import { details } from "./data.js";
import { count, fill, h, many, name, outside, size, snippet } from "./dom.js";
import { ACCESS, amount, bytes, DIMENSIONS, HOW, KINDS, licenseName, STANDS, subjects, USES, use, verdict, VERDICTS } from "./words.js";
import { samples } from "./view.js";

const COUNTED = {
  modality: ["Modality", "rows"],
  organ: ["Organ", "rows"],
  task: ["Task", "rows"],
  license: ["License of rows", "rows"],
  classes: ["Classes", "rows"],
  uncertain: ["Marked uncertain", "rows"],
  structures: ["Structures in masks", "rows"],
  boxes: ["Boxes", "boxes"],
  points: ["Points", "points"],
  measures: ["Measures", "values"],
  texts: ["Texts", "texts"],
};
const LONG = 14;

export async function mount(main, context) {
  const entry = context.catalogue.get(context.about);
  if (!entry) {
    const back = changed(along(context.params), { q: context.about });
    fill(main, [h("h1", { tabindex: "-1" }, "There is no such dataset"), h("p", null, "The catalogue has no ", h("code", null, context.about), ". ", h("a", { href: to("browse", "", back) }, "Search for it"))]);
    return {};
  }
  const more = await details(context.catalogue, entry);
  const button = h("button.pick", { type: "button", id: "pick" });
  const update = ({ picked, pick }) => {
    const on = picked.includes(entry.id);
    button.setAttribute("aria-pressed", String(on));
    button.textContent = on ? "In the composition" : "Add to composition";
    button.onclick = () => pick(entry.id);
  };
  update(context);
  const shown = more.samples?.length ? samples(more.samples, context.catalogue.about) : null;
  const said = more.declared?.description ?? [];
  fill(main, [
    h("div.head", null,
      entry.picture ? h("img.thumb", { src: entry.picture.thumb, alt: entry.picture.alt, width: 128, height: 128 }) : null,
      h("div", null,
        h("p.crumb", null, h("a", { href: to("browse", "", along(context.params)) }, "All datasets")),
        h("h1", { tabindex: "-1" }, name(entry.name)),
        h("p.under", null, h("code", null, entry.id), verdict(entry), entry.published?.origin === "miniature" && h("span.phantom", null, "Phantoms, not data: built from a miniature")),
        said.slice(0, 1).map((text) => h("p.lead", null, name(text)))),
      button),
    h("div.columns", null,
      h("div.body", null,
        license(entry, context.catalogue),
        shown && section("Look at it", shown.element),
        load(entry, more, context.catalogue.about),
        said.length > 1 && section("About", said.slice(1).map((text) => h("p", null, name(text)))),
        labels(more),
        published(more),
        overlaps(entry, more, context),
        sources(more)),
      h("aside", { "aria-label": "Facts" }, facts(entry, more, context))),
  ]);
  return { update, leave: () => shown?.leave() };
}

const section = (title, ...children) => h("section", null, h("h2", null, title), children);

/** A table that is folded where it is long. */
export function table(headers, rows, caption) {
  const whole = h("div.scroll", { tabindex: "0", role: "region", "aria-label": caption }, h("table.list", null, h("thead", null, h("tr", null, headers.map((each) => h("th", { scope: "col", class: typeof each === "object" ? "n" : null }, each.n ?? each)))), h("tbody", null, rows.map((row) => h("tr", null, row.map((cell, at) => (at ? h("td", { class: typeof headers[at] === "object" ? "n" : null }, cell) : h("th", { scope: "row" }, cell))))))));
  return rows.length > LONG ? h("details.fold", null, h("summary", null, `${caption}: ${many(rows.length, "line")}`), whole) : whole;
}

/** Who says a fact. */
function source(fact, entry, more) {
  const by = more.stated.filter((each) => each.fields.includes(fact));
  if (!by.length) return null;
  return h("small.by", null, by.map((each) => (each.by === "declaration" ? "declaration" : `${each.by}${each.rows.length ? `, line ${each.rows.slice(0, 4).join(", ")}${each.rows.length > 4 ? " …" : ""}` : ""}`)).join("; "));
}

function facts(entry, more, context) {
  const search = (kind, term) => {
    const params = changed(along(context.params), { [kind]: term });
    return h("a", { href: to("browse", "", params) }, name(kind === "dimension" ? (DIMENSIONS[term] ?? term) : term));
  };
  const words = (kind) => (entry[kind].length ? entry[kind].map((term, at) => [at ? ", " : "", search(kind, term)]) : null);
  const structures = entry.structures.length > 12 ? h("details.fold", null, h("summary", null, many(entry.structures.length, "name")), h("p", null, name(entry.structures.join(", ")))) : entry.structures.length ? name(entry.structures.join(", ")) : null;
  const lines = [
    ...Object.keys(KINDS).map((kind) => [KINDS[kind], words(kind), kind]),
    ["Structures", structures, "structures"],
    ["Amount", amount(entry), "count"],
    ["Subjects", subjects(entry), "subjects"],
    ["Download", bytes(entry), "bytes"],
    ["Year", entry.year, "year"],
    ["Access", ACCESS[entry.access] ?? entry.access, "access"],
    ["Held by", entry.where && name(entry.where), "where"],
    ["Made by", entry.organization && name(entry.organization), "organization"],
    ["How to load", HOW[entry.loadable], "loadable"],
    ["Also called", entry.aliases.length ? name(entry.aliases.join(", ")) : null, "aliases"],
  ];
  return [
    h("h2", null, "Facts"),
    h("dl", null, lines.map(([title, value, fact]) => [h("dt", null, title), h("dd", null, value ?? h("span.unsaid", null, "not stated"), value !== null && value !== undefined && source(fact, entry, more))])),
    more.links.length > 0 && [h("h2", null, "Links"), h("ul.links", null, more.links.slice(0, 12).map((each) => h("li", null, outside(each)))), more.links.length > 12 && h("p.note", null, `${more.links.length - 12} more in the sources below`)],
  ];
}

function license(entry, catalogue) {
  const terms = catalogue.licenses[entry.license];
  const unverified = entry.license && entry.license_by !== "source";
  const yes = (value) => (value === null ? "not known" : value ? "yes" : "no");
  const lines = terms && !unverified && [["Pass on", terms.redistribute], ["Pass on changed", terms.adapt], ["Commercial use", terms.commercial], ["Name the source", terms.attribution], ["Same license for what is made of it", terms.share_alike], ["Accept terms first", terms.gate]];
  const sentence = unverified
    ? `Not verified: ${STANDS[entry.license_by] ?? "somebody else"} states ${licenseName(entry.license)}; the source itself was not read. Do not rely on it.`
    : entry.license
      ? `${USES[use(entry)]}; ${VERDICTS[entry.verdict][2]}.`
      : "No license is stated. Without one, nothing is allowed by default.";
  return h(`section.license-box${unverified || !entry.license ? ".doubt" : ""}`, { "aria-label": "License" }, h("h2", null, "License: ", entry.license ? (terms?.url ? outside(terms.url, terms.name) : name(terms?.name ?? licenseName(entry.license))) : "none stated", unverified && " (not verified)"), h("p", null, sentence), lines && h("ul.terms-list", null, lines.map(([title, value]) => h("li", { class: value ? "yes" : "no" }, `${title}: `, h("b", null, yes(value))))));
}

function load(entry, more, about) {
  const parts = [];
  const repository = `${about.namespace}/${entry.id}`;
  const python = (text) => JSON.stringify(text);
  const split = more.published?.splits[0]?.split ?? Object.keys(more.declared?.splits ?? {})[0] ?? "train";
  if (entry.published) {
    const first = more.published.splits[0];
    const config = first && first.config !== "default" ? `${python(first.config)}, ` : "";
    parts.push(h("h3", null, "Plain datasets"), !about.public && h("p.note", null, "Set ", h("code", null, `HF_ENDPOINT=${about.hub}`), " before Python starts."), snippet(`from datasets import load_dataset\n\nrows = load_dataset(${python(repository)}, ${config}split=${python(split)}, streaming=True)\nrow = next(iter(rows))`, "Python with plain datasets"), h("p", null, outside(`${about.hub}/datasets/${repository}`, "Its card on the Hub")));
  } else if (entry.loadable === "builder") {
    parts.push(h("p.note", null, about.looked ? `Not published on ${about.hub} as ${repository}.` : `Where a maintainer has published it, load_dataset(${python(repository)}) streams it; no Hub was asked for this page.`));
  }
  if (entry.loadable === "builder" || entry.loadable === "own copy only") {
    parts.push(h("h3", null, "Your own copy"), more.declared?.how && h("p", null, name(more.declared.how)), snippet(`import medimg\n\nrows = medimg.load(${python(entry.id)}, source="path/to/your/copy", split=${python(split)}, streaming=True)\nrow = next(iter(rows))`, "Python with your own copy"), h("p.note", null, "A folder or an archive in the original layout. ", h("code", null, 'source="miniature"'), " gives phantoms in that layout, to try it out."));
  } else if (entry.loadable === "collection") {
    parts.push(snippet(`import medimg\n\nrows = medimg.load(${python(entry.id)}, source="official", split="train", streaming=True)\nrow = next(iter(rows))`, "Python from the Imaging Data Commons"), h("p.note", null, "Streams from the public buckets of the Imaging Data Commons; needs ", h("code", null, 'pip install "medimg[idc]"'), "."));
  } else {
    parts.push(h("p", null, "Nobody has written a builder for it yet, so medimg cannot load it. ", h("code", null, `medimg new ${/^[a-z0-9-]+$/.test(entry.id) ? entry.id : "<name>"}`), " begins one."));
  }
  return section("How to load", parts);
}

function labels({ declared }) {
  if (!declared) return null;
  const legend = Object.entries(declared.legend).map(([value, names]) => [value, name(names.join(", ") || "not annotated here")]);
  const parts = declared.parts.flatMap((part) => Object.entries(part.legend).map(([value, names]) => [value, name(names.join(", ") || "not annotated here")]));
  const words = Object.entries(declared.labels).map(([word, names]) => [name(word), name(names.join(", ") || "left out")]);
  if (!legend.length && !words.length && !parts.length) return null;
  return section("Labels", legend.length > 0 && table([{ n: "Mask value" }, "Meaning"], legend, "Mask values"), parts.length > 0 && table([{ n: "Mask value" }, "Meaning"], parts, "Mask values of its parts"), words.length > 0 && table(["In the source", "Canonical name"], words, "Labels of the source"));
}

function published(more) {
  const { published: found, declared } = more;
  if (!found) {
    const splits = [...Object.entries(declared?.splits ?? {}).map(([split, rows]) => [split, rows]), ...(declared?.configs ?? []).flatMap((config) => Object.entries(config.splits).map(([split, rows]) => [`${config.name}: ${split}`, rows]))];
    return splits.length ? section("Splits", table(["Split", { n: "Images in the source" }], splits.map(([split, rows]) => [name(split), rows ? count(rows) : "not stated"]), "Splits")) : null;
  }
  const several = new Set(found.splits.map((each) => each.config)).size > 1;
  const told = [
    ...Object.entries(found.withheld).map(([id, rows]) => `${many(rows, "row")} withheld: ${id} does not let them be published`),
    ...Object.entries(found.skipped).map(([reason, files]) => `${many(files, "file")} left out: ${reason}`),
    ...Object.entries(found.incomplete).map(([reason, files]) => `${many(files, "row")} incomplete: ${reason}`),
  ];
  return section(
    "Published",
    h("p", null, `${many(found.rows, "row")}, ${size(found.bytes)}, version ${found.tag ?? "not read back yet"}.`),
    table([...(several ? ["Sub-collection"] : []), "Split", { n: "Rows" }, { n: "Subjects" }, { n: "Bytes" }], found.splits.map((each) => [...(several ? [name(each.config)] : []), name(each.split), count(each.rows), count(each.subjects), size(each.bytes)]), "Published splits"),
    found.counts.filter(([kind]) => COUNTED[kind]).map(([kind, counted]) => [h("h3", null, COUNTED[kind][0]), bars(counted, COUNTED[kind])]),
    told.length > 0 && [h("h3", null, "Left out"), h("ul", null, told.map((each) => h("li", null, name(each))))],
    found.findings.length > 0 && [h("h3", null, "Findings of the checks"), h("ul", null, found.findings.map(([level, , message, times]) => h("li", null, `${level}: `, name(message), times > 1 ? ` (${count(times)} times)` : "")))],
  );
}

/** Counts with bars in the cells. */
export function bars(counted, [title, unit]) {
  const most = Math.max(1, ...counted.map((each) => each[1]));
  return table([title, { n: unit }], counted.map(([word, hits]) => [name(word), h("span.bar", { vars: { "--share": `${(100 * hits) / most}%` } }, count(hits))]), `${title}, ${unit}`);
}

function overlaps(entry, more, context) {
  const evidence = new Map((more.declared?.overlaps ?? []).map((each) => [`${each.dataset}\t${each.relation}`, each.evidence]));
  const back = context.catalogue.entries.filter((other) => other.overlaps.some((each) => each.dataset === entry.id) && !entry.overlaps.some((each) => each.dataset === other.id));
  const link = (id) => {
    const other = context.catalogue.get(id);
    return other ? h("a", { href: to("dataset", id, along(context.params)) }, name(other.name)) : h("code", null, id);
  };
  const lines = [...entry.overlaps.map(({ dataset, relation }) => [relation, link(dataset), name(evidence.get(`${dataset}\t${relation}`) ?? "")]), ...back.map((other) => ["named there", link(other.id), name(`${other.name} says it: ${other.overlaps.find((each) => each.dataset === entry.id).relation} this one`)])];
  return lines.length ? section("Images in common", h("p.note", null, "Training on one and testing on the other would test on images that were seen."), table(["Relation", "Dataset", "Where it was read"], lines, "Overlaps")) : null;
}

function sources(more) {
  const { declared } = more;
  if (!declared) {
    const lines = more.stated.map((each) => [name(each.by), each.rows.join(", ") || "–", name(each.fields.join(", "))]);
    return lines.length ? section("Where each fact was read", table(["Source", "Lines", "Facts"], lines, "Sources of facts")) : null;
  }
  const { citation } = declared;
  const evidence = Object.entries(declared.evidence).filter(([, text]) => text).map(([fact, text]) => [fact, name(text)]);
  const files = declared.sources.map((each) => [each.url ? outside(each.url) : name(each.path ?? ""), each.size === null ? "not stated" : size(each.size), h("code", null, (each.sha256 ?? each.md5 ?? "none published").slice(0, 16))]);
  const lists = more.stated.filter((each) => each.by !== "declaration").map((each) => [name(each.by), name(`lines ${each.rows.join(", ")}: ${each.fields.join(", ")}`)]);
  return [
    section("Where each fact was read", table(["Fact", "Read in"], [...evidence, ...lists], "Evidence"), declared.unverified.length > 0 && h("p.note", null, `Nobody has looked up: ${declared.unverified.join(", ")}.`)),
    files.length > 0 && section("Source files", table(["Address", { n: "Size" }, "Checksum"], files, "Source files")),
    section("Cite", h("p", null, name([citation.authors, citation.title, citation.venue, citation.year].filter(Boolean).join(". ")), ". ", citation.doi ? outside(`https://doi.org/${citation.doi}`, `doi:${citation.doi}`) : citation.url ? outside(citation.url) : null)),
  ];
}
