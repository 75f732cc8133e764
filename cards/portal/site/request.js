// Port of request.py, blueprint.py and of `Grid` in medimg/fusion: everything that was asked for, checked.

import { PlanError, closeMatches, casefold, repr, reprTuple, requestError, unique } from "./python.js";

const SPLITS = ["train", "validation", "test"];
const OTHER_SPLITS = { val: "validation", valid: "validation", dev: "validation", testing: "test", training: "train" };
const PLANES = ["sagittal", "coronal", "axial"];
const GRID = ["orientation", "spacing", "window", "slices", "empty", "unknown_spacing"];

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const isMapping = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const given = (value) => value !== null && value !== undefined;
const said = (value) => (Array.isArray(value) ? reprTuple(value) : repr(value));

/** The split of the fused set that a source's split belongs to. */
export const splitFused = (split) => OTHER_SPLITS[split] ?? split;

function noChoice(name, value, choices, more = "") {
  const text = typeof value === "string" ? value : repr(value);
  const [closest] = closeMatches(casefold(text), choices, 1);
  return requestError(
    `${name}=${repr(value)} is not known`,
    `${closest ? `did you mean ${repr(closest)}? ` : ""}use one of ${choices.map(repr).join(", ")}${more}.`,
  );
}

/** The grid's fields that are given, defaults filled in; null where no step is asked for. */
function gridOf(asked) {
  if (!given(asked)) return null;
  if (!isMapping(asked)) {
    throw requestError(
      `a grid is a dictionary of its fields, not ${repr(asked)}`,
      `use ${GRID.join(", ")}, e.g. grid={"slices": "axial"}.`,
    );
  }
  for (const name of Object.keys(asked)) {
    if (GRID.includes(name)) continue;
    const [near] = closeMatches(name, GRID, 1, 0.4);
    throw requestError(
      `a grid has no field ${repr(name)}${near ? `, do you mean ${repr(near)}?` : ""}`,
      `use ${GRID.join(", ")}.`,
    );
  }
  const grid = { orientation: null, spacing: null, window: null, slices: null, empty: "keep", unknown_spacing: "error" };
  Object.assign(grid, asked);
  checkGrid(grid);
  if (GRID.slice(0, 4).every((name) => grid[name] === null)) return null;
  return Object.fromEntries(Object.entries(grid).filter(([, value]) => value !== null));
}

function checkGrid(grid) {
  const axes = grid.orientation;
  const spells = (text) =>
    typeof text === "string" && [...text].length === 3 && ["RL", "AP", "SI"].every((pair) =>
      [...pair].filter((letter) => text.includes(letter)).length === 1);
  if (axes !== null && !spells(axes)) throw requestError(`${repr(axes)} is no orientation`, "use e.g. RAS or LPS.");
  const spacing = Array.isArray(grid.spacing) ? grid.spacing : [grid.spacing];
  const positive = (value) => isNumber(value) && value > 0;
  if (grid.spacing !== null && !(spacing.length >= 1 && spacing.length <= 3 && spacing.every(positive))) {
    throw requestError(
      `a spacing is positive, not ${said(grid.spacing)}`,
      "give mm per voxel: one number, or one for each axis.",
    );
  }
  const window = grid.window;
  if (window !== null && !(Array.isArray(window) && window.length === 2 && isNumber(window[0]) && positive(window[1]))) {
    throw requestError(
      `a window is (center, width) with a positive width, not ${said(window)}`,
      "give two numbers in HU, e.g. (40, 400).",
    );
  }
  if (grid.slices !== null && ![...PLANES, 0, 1, 2].includes(grid.slices)) {
    throw requestError(
      `slices are ${PLANES.join(", ")} or a voxel axis 0, 1, 2, not ${said(grid.slices)}`,
      'use e.g. grid={"slices": "axial"}.',
    );
  }
  const fraction = isNumber(grid.empty) && grid.empty >= 0 && grid.empty <= 1;
  if (!["keep", "drop"].includes(grid.empty) && !fraction) {
    throw requestError(`\`empty\` is "keep", "drop" or a fraction from 0 to 1, not ${repr(grid.empty)}`);
  }
  if (!["error", "drop"].includes(grid.unknown_spacing)) {
    throw requestError(`\`unknown_spacing\` is "error" or "drop", not ${repr(grid.unknown_spacing)}`);
  }
}

/** A blueprint's fields: of a named one, or those that are given (or those of a plan that holds them). */
function blueprintOf(facts, asked) {
  if (!given(asked)) return null;
  const names = Object.keys(facts.data.blueprints);
  if (typeof asked === "string") {
    if (names.includes(asked)) return facts.data.blueprints[asked];
    const close = closeMatches(asked, names, 3, 0.3);
    throw new PlanError("UnknownTermError", `there is no blueprint ${repr(asked)}`, {
      nextStep: `use one of ${(close.length ? close : names).map(repr).join(", ")}, or the path of a .toml or .json file.`,
    });
  }
  const values = isMapping(asked.blueprint) ? asked.blueprint : asked;
  const fields = Object.fromEntries(Object.entries(values).filter(([, value]) => given(value)));
  if ("splits" in fields) {
    fields.split = fields.splits;
    delete fields.splits;
  }
  if (!("blueprint" in values)) fields.blueprint = fields.title || "given";
  const known = facts.data.blueprint_fields;
  const strange = Object.keys(fields).find((name) => !known.includes(name));
  if (strange !== undefined) {
    const close = closeMatches(strange, known, 1);
    throw requestError(
      `the blueprint given has an unknown field ${repr(strange)}`,
      `use ${(close.length ? close : known).map(repr).join(", ")}, or leave it out.`,
    );
  }
  return fields;
}

/**
 * What was given, else what the blueprint says, else the default.
 * @param facts of plan.js
 * @param asked the arguments of `fuse` by name; null or undefined is not given
 */
export function requestOf(facts, asked) {
  const own = blueprintOf(facts, asked.blueprint) ?? {};
  const value = (name) => asked[name] ?? own[name] ?? facts.data.defaults[name] ?? null;
  const list = (name) => {
    const found = asked[name] ?? own[name] ?? [];
    return typeof found === "string" ? [found] : [...found];
  };
  const terms = (name) => unique(list(name).map((each) => facts.vocabularies[name].resolve(each)));
  const request = {
    blueprint: own.blueprint ?? null,
    title: own.title ?? "",
    notes: own.notes ?? [],
    names: list("names"),
    modality: terms("modality"),
    organ: terms("organ"),
    task: terms("task"),
    dimension: choice(facts, "dimension", value("dimension")),
    license_terms: licenseTerms(facts, list("license_terms")),
    minimum: whole("minimum", value("minimum")),
    targets: list("targets"),
    encoding: choice(facts, "encoding", value("encoding")),
    split: unique(list("split").map(oneSplit)),
    source: value("source"),
    namespace: value("namespace") || "medimg",
    weights: weightsOf(facts, value("weights")),
    on_duplicate: choice(facts, "on_duplicate", value("on_duplicate")),
    prefer: list("prefer"),
    seed: whole("seed", value("seed")),
    shuffle_buffer: whole("shuffle_buffer", value("shuffle_buffer")),
    grid: gridOf(value("grid")),
    unlabeled: flag("unlabeled", value("unlabeled")),
    near: flag("near", value("near")),
    repeat: flag("repeat", value("repeat")),
  };
  if (request.repeat && request.weights === "concatenate") {
    throw requestError(
      'weights="concatenate" cannot repeat members: the first would never end',
      'pass weights="interleave", or leave out repeat.',
    );
  }
  return request;
}

function oneSplit(name) {
  const fused = splitFused(name);
  if (!SPLITS.includes(fused)) throw noChoice("split", name, SPLITS);
  return fused;
}

function choice(facts, name, value) {
  const choices = facts.data.choices[name];
  if (value !== null && !choices.includes(value)) throw noChoice(name, value, choices);
  return value;
}

function whole(name, value) {
  if (Number.isInteger(value) && (name === "seed" || value >= 0)) return value;
  throw requestError(
    `${name} is a whole number${name === "seed" ? "" : " of at least 0"}, not ${repr(value)}`,
    `pass e.g. ${name}=1000.`,
  );
}

function flag(name, value) {
  if ([true, false, 0, 1].includes(value) || (name === "near" && value === null)) return value;
  throw requestError(`${name} is True or False, not ${repr(value)}`, "pass one of the two.");
}

function weightsOf(facts, weights) {
  const { orders } = facts.data;
  if (orders.includes(weights) || (isMapping(weights) && Object.keys(weights).length)) return weights;
  throw noChoice("weights", weights, orders, ', {"temperature": 2}, or one weight for each member');
}

function licenseTerms(facts, asked) {
  for (const term of asked) {
    if (facts.data.terms.includes(term) || facts.licenses.has(term)) continue;
    throw new PlanError("UnknownTermError", `${repr(term)} is no license term`, {
      nextStep: `use one of ${facts.data.terms.map(repr).join(", ")}, or a license id such as 'CC-BY-4.0'.`,
    });
  }
  return asked;
}
