// What a composition is taken away as: Python, a command, a blueprint, a composition table.

import { repr } from "./python.js";

const ARGUMENTS = [
  "names", "modality", "organ", "task", "targets", "license_terms", "split", "prefer", "dimension", "minimum",
  "encoding", "weights", "on_duplicate", "near", "unlabeled", "seed", "shuffle_buffer", "repeat", "grid", "source",
  "namespace", "blueprint",
];

/** The arguments that are given, in the order of `medimg.fuse`. */
export function arguments_(asked) {
  return ARGUMENTS.filter((name) => asked[name] !== undefined && asked[name] !== null && asked[name].length !== 0)
    .map((name) => [name, asked[name]]);
}

/** A value as Python source, in the house's double quotes. */
function literal(value) {
  if (typeof value === "string") return JSON.stringify(value).replace(/[\u007f-\uffff]/g, escape);
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (value !== null && typeof value === "object") {
    return `{${Object.entries(value).map(([key, each]) => `${literal(key)}: ${literal(each)}`).join(", ")}}`;
  }
  return repr(value);
}

/** Letters stay; what cannot be seen, or turns the direction of the text, is written by its number. */
function escape(character) {
  if (/[\p{L}\p{N}\p{M}\ud800-\udfff]/u.test(character)) return character;
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/**
 * Python that makes the set.
 * @param {object} asked arguments of `fuse`
 * @param {string|null} endpoint address of a Hub that is not the public one
 */
export function python(asked, endpoint = null) {
  const given = arguments_(asked).map(([name, value]) => `    ${name}=${literal(value)},\n`).join("");
  const hub = endpoint && !asked.source
    ? `import os\n\nos.environ["HF_ENDPOINT"] = ${literal(endpoint)}  # before medimg is imported\n\n`
    : "";
  return `${hub}import medimg\n\nrows = medimg.fuse(\n${given})\nprint(rows.plan)\nfor row in rows:\n    ...\n`;
}

const OPTIONS = { targets: "target", license_terms: "license", on_duplicate: "on-duplicate", shuffle_buffer: "shuffle-buffer" };
const number = (value) => (Array.isArray(value) ? value.join(",") : String(value));

/** Options with their values; null where an option has none. */
function flags(name, value) {
  const option = `--${OPTIONS[name] ?? name}`;
  if (name === "near") return [[value ? option : "--no-near", null]];
  if (value === true) return [[option, null]];
  if (value === false) return [];
  if (name === "grid") return Object.entries(value).map(([key, each]) => [option, `${key}=${number(each)}`]);
  if (name === "weights" && typeof value === "object") {
    return [[option, Object.entries(value).map(([key, each]) => `${key}=${each}`).join(",")]];
  }
  return (Array.isArray(value) ? value : [value]).map((each) => [option, String(each)]);
}

/** A word as a POSIX shell takes it. */
export function quoted(word) {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) && !word.startsWith("~") ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/**
 * The command of the shell that prints the plan.
 * @param {object} asked arguments of `fuse`
 * @param {string|null} hub address of the Hub; null where the command finds it itself
 */
export function command(asked, hub = null) {
  const { names = [], ...rest } = asked;
  const options = arguments_(rest).flatMap(([name, value]) => flags(name, value));
  if (hub && !asked.source) options.push(["--hub", hub]);
  const lines = options.map(([option, value]) =>
    value === null ? option : value.startsWith("-") ? quoted(`${option}=${value}`) : `${option} ${quoted(value)}`);
  // Behind "--" a name is a name, whatever it begins with.
  if (names.length) lines.push([...(names.some((name) => name.startsWith("-")) ? ["--"] : []), ...names.map(quoted)].join(" "));
  return `${["medimg fuse --plan", ...lines].join(" \\\n  ")}\n`;
}

/** The request of a plan as a file that `medimg.fuse(blueprint=…)` reads: JSON gives the very same plan. */
export function blueprintJson(plan) {
  return `${JSON.stringify(plan.blueprint, null, 1)}\n`;
}

/** The same to be kept and named: a blueprint whose label space stays while members come and go. */
export function blueprintToml(plan) {
  const request = plan.blueprint;
  const { blueprint, title, ...rest } = request;
  const fields = { title: title || blueprint || "A composition", ...rest };
  return `${Object.entries(fields)
    .filter(([, value]) => value !== null && !(Array.isArray(value) && !value.length))
    .map(([key, value]) => `${key} = ${toml(value)}`)
    .join("\n")}\n`;
}

function toml(value) {
  if (typeof value === "string") return JSON.stringify(value).replaceAll("\u007f", "\\u007f");
  if (Array.isArray(value)) return `[${value.map(toml).join(", ")}]`;
  if (typeof value === "object") {
    return `{ ${Object.entries(value).map(([key, each]) => `${JSON.stringify(key)} = ${toml(each)}`).join(", ")} }`;
  }
  return String(value);
}

const COLUMNS = [
  "dataset", "title", "dimension", "modality", "organ", "task", "images", "counted", "train", "validation", "test",
  "bytes", "year", "license", "verdict", "commercial_use", "assessed_directly", "assessed_in_part", "link",
];

/**
 * The composition table, one line a member.
 * @param plan of plan.js
 * @param planner the licenses
 * @param entry key of a dataset -> entry of the catalogue, for the year and the link
 */
export function composition(plan, planner, entry) {
  const about = plan.metadata_harmonization.members;
  return Object.entries(plan.index.members).map(([key, { name, splits, bytes }]) => {
    const of = (fused) => total(splits.filter((split) => split.split_fused === fused));
    const aligned = plan.semantic_alignment.members[key].alignment;
    const having = (...kinds) =>
      aligned.filter((one) => kinds.includes(one.mask) || kinds.includes(one.label)).map((one) => one.target);
    const direct = having("direct");
    const { title, dimension, modality, organ, task, license, publish } = about[key];
    const found = entry(name);
    return {
      dataset: key, title, dimension, modality, organ, task,
      images: total(splits),
      counted: [...new Set(splits.map((split) => split.counted))].join(" and "),
      train: of("train"), validation: of("validation"), test: of("test"),
      bytes,
      year: found?.year ?? null,
      license, verdict: publish,
      commercial_use: planner.licenses.get(license).commercial,
      assessed_directly: direct,
      assessed_in_part: having("narrower", "wider").filter((target) => !direct.includes(target)),
      link: planner.datasets.get(name)?.homepage ?? null,
    };
  });
}

/** Sum of counts; null where one is not known. */
function total(splits) {
  const counts = splits.map((split) => split.rows);
  return counts.includes(null) ? null : counts.reduce((sum, each) => sum + each, 0);
}

/** A cell that no spreadsheet takes for a formula. */
function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  let text = Array.isArray(value) ? value.join("; ") : value === true ? "yes" : value === false ? "no" : String(value);
  if (/^[\s]*[=+\-@\t\r\n＝＋－＠]/.test(text)) text = `'${text}`;
  return /[",;\r\n']/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Lines of a table as CSV (RFC 4180). */
export function csv(rows, columns = COLUMNS) {
  return [columns, ...rows.map((row) => columns.map((column) => row[column]))]
    .map((line) => `${line.map(cell).join(",")}\r\n`)
    .join("");
}

/** The composition with what holds for the set as a whole, as JSON. */
export function compositionJson(rows, plan) {
  const { rows: images, bytes, license, overlaps } = plan.index;
  return `${JSON.stringify(
    { images, bytes, license, overlaps, left_out: plan.metadata_harmonization.left_out, members: rows }, null, 1,
  )}\n`;
}
