// A plan in words and tables: members, label space, license, rows, what is left out.
import { count, h, many, name, size } from "./dom.js";
import { VERDICTS, licenseName, verdict } from "./words.js";

const KIND = {
  direct: ["●", "assessed directly"],
  narrower: ["◐", "kinds or parts of it alone: elsewhere unknown"],
  wider: ["○", "something wider alone: inside that unknown"],
  none: ["–", "not looked for"],
};
const SHORT = { direct: "directly", narrower: "in part", wider: "wider alone", none: "not looked for" };
const PASSED = { open: "yes", gated: "to readers who accept the terms", recipe: "no" };
const MANY = 12;

/**
 * The sections of a plan.
 * @param plan of plan.js
 * @param source where it is read from, as it was asked for
 */
export function shown(plan, source) {
  const keys = Object.keys(plan.index.members);
  return [summary(plan, keys, source), warnings(plan), terms(plan), labelSpace(plan, keys), members(plan, keys),
    sizes(plan, keys, source), shared(plan), leftOut(plan)];
}

function summary(plan, keys, source) {
  const { rows, bytes } = plan.index;
  const uncounted = Object.values(plan.index.members).some((each) => each.splits.some((split) => split.rows === null));
  return h("dl.summary", null,
    h("div", null, h("dt", null, "Members"), h("dd", null, count(keys.length))),
    h("div", null, h("dt", null, "Rows"), h("dd", null, uncounted ? `at least ${count(rows)}` : count(rows))),
    h("div", null, h("dt", null, "Size"), h("dd", null, bytes === null ? (source ? "known where your copies are" : "not known") : size(bytes))),
    h("div", null, h("dt", null, "Passed on"), h("dd", null, PASSED[plan.index.license.publish])),
    h("div", null, h("dt", null, "Commercial use"), h("dd", null, answer(plan.index.license.commercial))));
}

function terms(plan) {
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

function labelSpace(plan, keys) {
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

function members(plan, keys) {
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

function sizes(plan, keys, source) {
  const lines = keys.flatMap((key) => plan.index.members[key].splits.map((split, at) => [key, split, at, plan.index.members[key]]));
  return h("section", { "aria-labelledby": "rows-title" }, h("h3", { id: "rows-title" }, "Rows and size"),
    source && !["official", "miniature"].includes(source) && h("p.note", null, "Your copies cannot be seen from here: that they are there is assumed, rows are the declared ones, and Python adds the bytes."),
    scroll("Rows and size", h("table.list", null,
      h("thead", null, h("tr", null, h("th", { scope: "col" }, "Member"), h("th", { scope: "col" }, "Split"), h("th", { scope: "col" }, "In the set"), h("th.n", { scope: "col" }, "Rows"), h("th", { scope: "col" }, "Counted"), h("th.n", { scope: "col" }, "Bytes of the member"))),
      h("tbody", null, lines.map(([key, split, at, { splits, bytes }]) => h("tr", null,
        at === 0 && h("th", { scope: "rowgroup", rowspan: String(splits.length) }, link(key, plan)),
        h("td", null, split.split), h("td", null, split.split_fused),
        h("td.n", null, split.rows === null ? "not counted" : count(split.rows)),
        h("td", null, split.counted === "published" ? "as published" : "as declared"),
        at === 0 && h("td.n", { rowspan: String(splits.length) }, bytes === null ? "not known" : size(bytes))))))));
}

function shared(plan) {
  const { overlaps } = plan.index;
  return h("section", { "aria-labelledby": "shared-title" }, h("h3", { id: "shared-title" }, "Images in common"),
    overlaps.length
      ? h("ul.reasons", null, overlaps.map((each) => h("li", null, h("b", null, each.first, " and ", each.second), ": ", each.relation, ". ", h("span.note", null, each.action, ". Evidence: ", each.evidence))))
      : h("p", null, "No two members declare images in common. Equal images are looked for all the same, as asked."));
}

function warnings(plan) {
  if (!plan.warnings.length) return null;
  return h("section.note-box", { "aria-labelledby": "warnings-title" }, h("h3", { id: "warnings-title" }, many(plan.warnings.length, "warning")), list(plan.warnings, "ul.reasons"));
}

function leftOut(plan) {
  const { left_out: out } = plan.metadata_harmonization;
  return h("section", { "aria-labelledby": "left-title" }, h("h3", { id: "left-title" }, "Left out"),
    out.length
      ? table(null, ["Dataset", "Reason"], out.map((each) => [each.member, each.reason]), "Left out")
      : h("p", null, "Nothing that fits by subject was left out."));
}

const answer = (value) => (value === null ? "not known" : value ? "yes" : "no");
export const ended = (text) => (/[.!?:…\n]$/.test(text) ? text : `${text}.`);
export const list = (texts, tag) => (texts.length > MANY
  ? [h(tag, null, texts.slice(0, MANY).map((each) => h("li", null, each))),
    h("details.fold", null, h("summary", null, `${count(texts.length - MANY)} more`), h(tag, null, texts.slice(MANY).map((each) => h("li", null, each))))]
  : h(tag, null, texts.map((each) => h("li", null, each))));

/** What may be wider than the page, to be scrolled with the keyboard, too. */
export const scroll = (label, inner) => h("div.scroll", { role: "region", "aria-label": `${label}, table`, tabindex: "0" }, inner);

const table = (caption, heads, rows, label) => scroll(label, h("table.list.narrow", null,
  caption && h("caption", null, caption),
  h("thead", null, h("tr", null, heads.map((each) => h("th", { scope: "col" }, each)))),
  h("tbody", null, rows.map(([first, ...rest]) => h("tr", null, h("th", { scope: "row" }, name(first)), rest.map((each) => h("td", null, name(each))))))));

const link = (key, plan) => h("a", { href: `#/dataset/${encodeURIComponent(plan.index.members[key].name)}` }, key);
