// The JSON rule recipe of Project Imaging-X's dataset browser: read, written, and run over the catalogue.
//
// Fields and their meaning are those of its page (github.com/tchenglv520/medical-dataset-browser, commit ed759d7).

import { PlanError, casefold } from "./python.js";

/** Its case study: the recipe that its page starts with. */
export const CASE_STUDY = {
  dimension: "2D",
  modalities: ["CT", "MR", "Fundus"],
  task_types: ["classification", "segmentation", "detection", "regression"],
  license_allowlist: null,
  include_unlabeled: true,
  prefer_labeled: true,
  min_valid_image_n_per_dataset: 100,
  anatomy_whitelist: [],
  release_date_min: null,
  allow_3d_as_2d_sources: false,
  selection: { enable: false, min_datasets_per_modality: 2, min_orgs_per_modality: 2, storage_budget_gb: null },
};
/** What its paper (section 6.2, table 5) reports for it: modality -> [datasets, images]. */
export const REPORTED = { CT: [10, 1173965], MRI: [5, 681025], "fundus photography": [42, 280311] };
const DIMENSIONS = { "2d": "2D", "3d": "3D", video: "video" };
const WORDS = { MRI: "MR", "fundus photography": "Fundus" };
const FIELDS = Object.keys(CASE_STUDY);

/** Whether JSON is such a recipe (and no blueprint or plan). */
export function isRecipe(value) {
  return isMapping(value) && ["modalities", "task_types", "selection", "min_valid_image_n_per_dataset", "anatomy_whitelist", "license_allowlist"].some((name) => name in value);
}

const isMapping = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const nothing = (value) => value === null || value === undefined || value === "" || (Array.isArray(value) && !value.length);
const shown = (value) => JSON.stringify(value);
const plain = (text) => casefold(text).replace(/[^a-z0-9]+/g, "");
const year = (value) => Number(/\d{4}/.exec(String(value))?.[0]) || null;

/**
 * A recipe as arguments of `medimg.fuse`.
 * @returns {{asked: object, rule: object, lines: {field, value, becomes, taken}[]}} `rule` is what `chosen` needs;
 *   `lines` says of each field what became of it, `taken` whether it is part of the request
 */
export function imported(recipe, planner) {
  const asked = {};
  const rule = { modality: [], task: [], organ: [], licenses: null, dimension: null, minimum: 0, since: null };
  const lines = [];
  const tell = (field, value, becomes, taken) => lines.push({ field, value: shown(value), becomes, taken });
  const resolved = (field, values, vocabulary) => {
    const found = new Set();
    for (const value of values) {
      try {
        const id = vocabulary.resolve(String(value));
        found.add(id);
        tell(field, value, `${vocabulary.name} ${id}`, true);
      } catch (error) {
        if (!(error instanceof PlanError)) throw error;
        tell(field, value, `not taken over: ${error.text}`, false);
      }
    }
    return [...found];
  };
  const listed = (field) => {
    if (nothing(recipe[field])) return [];
    if (Array.isArray(recipe[field])) return recipe[field];
    tell(field, recipe[field], "not taken over: it is no list", false);
    return [];
  };
  readDimension(recipe, asked, rule, tell);
  for (const [field, kind] of [["modalities", "modality"], ["task_types", "task"], ["anatomy_whitelist", "organ"]]) {
    const values = listed(field);
    const found = resolved(field, values, planner.vocabularies[kind]);
    if (found.length) asked[kind] = rule[kind] = found;
    if (nothing(recipe[field]) && field in recipe) tell(field, recipe[field], "asks for nothing", true);
    else if (values.length && !found.length) tell(field, recipe[field], `nothing of it is known, so no ${kind} is asked for`, false);
  }
  readLicenses(recipe, asked, rule, planner, tell, listed);
  if ("min_valid_image_n_per_dataset" in recipe) {
    const least = recipe.min_valid_image_n_per_dataset;
    const whole = Number.isInteger(Number(least)) && Number(least) >= 0;
    if (nothing(least)) tell("min_valid_image_n_per_dataset", least, "asks for nothing", true);
    else if (whole) {
      asked.minimum = rule.minimum = Number(least);
      tell("min_valid_image_n_per_dataset", least, `minimum ${least}: images that a member declares`, true);
    } else tell("min_valid_image_n_per_dataset", least, "not taken over: it is no whole number", false);
  }
  if ("include_unlabeled" in recipe) {
    if (recipe.include_unlabeled === false) {
      tell("include_unlabeled", false, "rows that say nothing on the targets are left out, as they are anyway", true);
    } else {
      asked.unlabeled = true;
      tell("include_unlabeled", recipe.include_unlabeled, "unlabeled: rows without a label on the targets are kept, too", true);
    }
  }
  if ("prefer_labeled" in recipe) {
    tell("prefer_labeled", recipe.prefer_labeled, "not asked for: of equal images the one whose member has more of the targets stays anyway", false);
  }
  if (!nothing(recipe.release_date_min)) {
    rule.since = year(recipe.release_date_min);
    tell("release_date_min", recipe.release_date_min, rule.since === null
      ? "not taken over: it names no year"
      : `not part of a fusion, which goes by what data is; the datasets below are of ${rule.since} or later: take them by name`, false);
  } else if ("release_date_min" in recipe) tell("release_date_min", null, "asks for nothing", true);
  readSelection(recipe, rule, tell);
  for (const field of Object.keys(recipe).filter((each) => !FIELDS.includes(each))) {
    tell(field, recipe[field], "not taken over: no field of a recipe that is known here", false);
  }
  return { asked, rule, lines };
}

function readDimension(recipe, asked, rule, tell) {
  const flat = recipe.allow_3d_as_2d_sources === true;
  if ("dimension" in recipe) {
    const found = nothing(recipe.dimension) ? null : String(recipe.dimension).toLowerCase();
    if (found === null) tell("dimension", recipe.dimension, "asks for nothing", true);
    else if (!(found in DIMENSIONS)) tell("dimension", recipe.dimension, "not taken over: use 2D, 3D or video", false);
    else {
      rule.dimension = found;
      if (!(flat && found === "2d")) asked.dimension = found;
      tell("dimension", recipe.dimension, flat && found === "2d" ? "pictures, and volumes cut into pictures" : `dimension ${found}`, true);
    }
  }
  if (!("allow_3d_as_2d_sources" in recipe)) return;
  if (flat && rule.dimension === "2d") {
    rule.cut = true;
    asked.grid = { slices: "axial" };
    tell("allow_3d_as_2d_sources", true, "grid slices=axial: volumes become axial pictures (leave videos out by name)", true);
  } else tell("allow_3d_as_2d_sources", recipe.allow_3d_as_2d_sources, "changes nothing here", true);
}

function readLicenses(recipe, asked, rule, planner, tell, listed) {
  const values = listed("license_allowlist");
  if ("license_allowlist" in recipe && nothing(recipe.license_allowlist)) {
    tell("license_allowlist", recipe.license_allowlist, "asks for nothing", true);
  }
  if (!values.length) return;
  const known = new Map();
  for (const [id, license] of planner.licenses.table) known.set(plain(license.name), id).set(plain(id), id);
  const found = [];
  for (const value of values) {
    const id = known.get(plain(String(value)));
    if (id) found.push(id);
    tell("license_allowlist", value, id ? `license ${id}` : "not taken over: no license of that name is known here, and a guess could allow too much", Boolean(id));
  }
  rule.licenses = found;
  if (found.length) asked.license_terms = found;
  else tell("license_allowlist", recipe.license_allowlist, "nothing of it is known: no dataset is chosen below, and the request asks for no license", false);
}

function readSelection(recipe, rule, tell) {
  if (!("selection" in recipe)) return;
  const selection = isMapping(recipe.selection) ? recipe.selection : {};
  const on = selection.enable === true;
  tell("selection.enable", selection.enable ?? null, on ? "applied to the datasets below; not part of a fusion" : "off", on ? false : true);
  const least = Number(selection.min_datasets_per_modality);
  if ("min_datasets_per_modality" in selection) {
    if (on && Number.isFinite(least)) rule.perModality = least;
    tell("selection.min_datasets_per_modality", selection.min_datasets_per_modality, on ? "applied to the datasets below" : "off with selection.enable", !on);
  }
  for (const [field, why] of [
    ["min_orgs_per_modality", "not taken over: who made a dataset is stated for too few"],
    ["storage_budget_gb", "not taken over: the size stands in the plan; Imaging-X's page does not read it either"],
  ]) {
    if (field in selection) tell(`selection.${field}`, selection[field], on && !nothing(selection[field]) ? why : "asks for nothing", !on || nothing(selection[field]));
  }
  for (const field of Object.keys(selection).filter((each) => !["enable", "min_datasets_per_modality", "min_orgs_per_modality", "storage_budget_gb"].includes(each))) {
    tell(`selection.${field}`, selection[field], "not taken over: no field of a recipe that is known here", false);
  }
}

/** Entries of the catalogue that a recipe's rule takes, loadable or not, by modality. */
export function chosen(catalogue, rule, planner) {
  const { modality, task } = planner.vocabularies;
  const kind = (terms, asked, vocabulary) =>
    !asked.length || terms.some((term) => vocabulary.has(term) && planner.kindOf(term, asked, vocabulary));
  const places = new Set(rule.organ.flatMap((organ) => [...planner.semantics.below(organ)]));
  const fits = (entry) =>
    (!rule.dimension || entry.dimension.includes(rule.dimension) || (rule.cut && entry.dimension.includes("3d"))) &&
    kind(entry.modality, rule.modality, modality) &&
    kind(entry.task, rule.task, task) &&
    (!rule.organ.length || [...entry.organ, ...entry.structures].some((term) => places.has(term))) &&
    (rule.licenses === null || rule.licenses.includes(entry.license)) &&
    (!rule.minimum || (entry.count ?? 0) >= rule.minimum) &&
    (rule.since === null || (entry.year ?? 0) >= rule.since);
  const under = (each, term) => each.modality.some((one) => modality.has(one) && planner.kindOf(one, [term], modality));
  const asked = rule.modality.length ? rule.modality : [...new Set(catalogue.entries.flatMap((each) => each.modality))].sort();
  const found = catalogue.entries.filter(fits);
  const groups = asked
    .map((term) => ({ modality: term, entries: found.filter((each) => under(each, term)) }))
    .filter((group) => group.entries.length >= (rule.perModality ?? 0));
  const kept = rule.perModality ? found.filter((each) => groups.some((group) => group.entries.includes(each))) : found;
  return { entries: kept, groups: groups.filter((group) => group.entries.length) };
}

/**
 * Why an entry cannot be fused today as a recipe asks; "" where it can.
 * @param asked of `imported`
 */
export function refusal(entry, asked, planner) {
  if (entry.loadable === "not yet") return "nobody has written a builder yet";
  if (!planner.datasets.has(entry.id)) return "a collection of the Imaging Data Commons: medimg.fuse takes it, this page does not plan with it";
  try {
    planner.plan({ ...asked, names: [entry.id], namespace: planner.data.namespace });
    return "";
  } catch (error) {
    if (error instanceof PlanError) return error.problem;
    throw error;
  }
}

/**
 * A request as a recipe, with what a recipe cannot say.
 * @param request of a plan (`plan.blueprint`)
 */
export function exported(request, planner) {
  const terms = request.license_terms;
  const uses = terms.filter((term) => planner.data.terms.includes(term));
  const allowed = [...planner.licenses.table.keys()].filter((id) => planner.licenses.allowed(id, terms));
  const sliced = Boolean(request.grid?.slices !== undefined);
  const dimension = request.dimension ?? (sliced ? "2d" : null);
  const recipe = {
    ...CASE_STUDY,
    dimension: dimension && DIMENSIONS[dimension],
    modalities: request.modality.map((id) => WORDS[id] ?? id),
    task_types: request.task,
    license_allowlist: terms.length ? allowed : null,
    include_unlabeled: Boolean(request.unlabeled),
    prefer_labeled: false,
    min_valid_image_n_per_dataset: request.minimum || null,
    anatomy_whitelist: request.organ,
    allow_3d_as_2d_sources: sliced,
    selection: { ...CASE_STUDY.selection, min_datasets_per_modality: null, min_orgs_per_modality: null },
  };
  const lost = [
    [request.names.length, "datasets by name: a recipe is a rule, and takes all that fit"],
    [request.targets.length, "the targets: a recipe has no label space"],
    [request.split.length, "the splits"],
    [request.source, "where the data is read from"],
    [uses.length, `the license use (${uses.join(", ")}): it became the list of the licenses that meet it`],
    [true, "how duplicates are found, how masks are encoded, how members are mixed"],
  ].filter(([there]) => there).map(([, what]) => what);
  return { recipe, lost };
}
