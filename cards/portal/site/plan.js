// Port of select.py, planning.py and locating.py in medimg/fusion: the plan of a fused set, from `data/fusion.json` alone.
//
// `new Planner(data).plan(asked)` gives what `medimg.fuse(..., plan=True).to_dict()` gives with the same manifests, or
// throws a PlanError with the same words. A source of one's own is taken to hold every member that is asked for.

import { Aligner, kindFor } from "./align.js";
import { DeclaredMember } from "./declared.js";
import { Licenses } from "./licenses.js";
import { PlanError, casefold, closeMatches, fusionError, grown, partition, repr, requestError, sorted, unique } from "./python.js";
import { requestOf, splitFused } from "./request.js";
import { Semantics } from "./semantics.js";
import { Vocabulary } from "./vocabulary.js";

export { PlanError };

const MINIATURE = "miniature";
const OFFICIAL = "official";

const keyOf = (text) => casefold(text).replace(/[^\p{L}\p{N}]/gu, "");
const meet = (one, other) => [...one].some((each) => other.has(each));

export class Planner {
  /** @param data what `fusion_data` of medimg.cards.portal.fusion gave */
  constructor(data) {
    this.data = data;
    this.vocabularies = Object.fromEntries(
      Object.entries(data.vocabularies).map(([name, each]) => [name, new Vocabulary(each, data.spellings)]),
    );
    this.semantics = new Semantics(this.vocabularies.label, data.wholes);
    this.licenses = new Licenses(data.licenses, data.terms);
    this.aligner = new Aligner(this);
    this.datasets = new Map(data.datasets.map((each) => [each.name, each]));
    this.called = new Map();
    this.made = new Map();
    for (const dataset of data.datasets) {
      for (const name of dataset.called) {
        if (!this.called.has(keyOf(name))) this.called.set(keyOf(name), dataset);
      }
    }
  }

  /** Whether a term is one of those asked for, or a kind of one. */
  kindOf(term, asked, vocabulary) {
    const above = vocabulary.above(term);
    return asked.some((each) => above.has(each));
  }

  /** The dataset of this slug, alias or title. */
  get(name) {
    const slug = name.startsWith("medimg/") ? name.slice("medimg/".length) : name;
    if (/^idc[/-]/i.test(slug)) {
      const address = `idc/${slug.slice("idc/".length)}`;
      throw new PlanError("UnplannedError", `this page does not plan with ${address}`, {
        nextStep: `run medimg.fuse([${repr(address)}, …], plan=True), which reads the index of the Imaging Data Commons.`,
      });
    }
    const found = this.datasets.get(slug) ?? this.called.get(keyOf(slug));
    if (found) return found;
    const close = closeMatches(keyOf(slug), this.called.keys(), 3, 0.5).map((key) => this.called.get(key).name);
    throw new PlanError("UnknownDatasetError", `there is no dataset ${repr(slug)}`, {
      nextStep: close.length ? `did you mean ${unique(close).join(", ")}?` : "`medimg list` shows every name.",
    });
  }

  /** The sub-collections that a name means. */
  declared(name, modality = []) {
    const [slug, config] = partition(name.replace(/idc[/-]/gi, "idc-"), "/");
    const dataset = this.get(slug);
    const names = dataset.configs.map((each) => each.name);
    if (config && !names.includes(config)) {
      throw new PlanError("UnknownDatasetError", `there is no sub-collection ${repr(config)}`, {
        dataset: dataset.name,
        nextStep: `one of: ${names.join(", ")}`,
      });
    }
    return dataset.configs
      .filter((each) => !config || each.name === config)
      .map((each) => this.#one(dataset, each, modality));
  }

  #one(dataset, config, modality) {
    const key = [dataset.name, config.name, ...modality].join("\n");
    return grown(this.made, key, () => new DeclaredMember(this, dataset, config, modality));
  }

  /**
   * What a fusion would do.
   * @param asked arguments of `medimg.fuse` by name
   * @returns the object that Python's `Plan.to_dict()` gives
   * @throws PlanError
   */
  plan(asked) {
    const request = requestOf(this, asked);
    const outputs = this.aligner.outputsOf(request.task);
    const [targets, measures] = this.aligner.wanted(request.targets, outputs);
    const { chosen, leftOut } = this.#select(request);
    let declared = this.#useful(chosen, targets, outputs, request.names, leftOut);
    if (!declared.length) throw this.#nobody(request, leftOut);
    let aligned = new Map(declared.map((each) => [each.key, this.aligner.align(each, targets)]));
    const growing = request.blueprint !== null;
    const warnings = this.aligner.check(aligned, targets, outputs, growing);
    const { places, gone } = this.#places(request, declared);
    leftOut.push(...gone);
    declared = declared.filter((each) => places.has(each.key));
    if (!declared.length) throw this.#nobody(request, leftOut);
    if (gone.length && targets.length) {
      aligned = new Map(declared.map((each) => [each.key, aligned.get(each.key)]));
      this.aligner.check(aligned, targets, outputs, growing);
    }
    checkWeights(request.weights, declared.map((each) => each.key));
    this.#checkPrefer(request.prefer, declared);
    checkDimension(declared, Boolean(request.grid && "slices" in request.grid));
    const members = declared.map((each) => this.#member(each, request, aligned.get(each.key), places, targets, warnings));
    warnings.push(...this.aligner.useless(declared, targets, request.encoding, outputs));
    const license = this.licenses.combine(
      Object.fromEntries(declared.map((each) => [each.key, each.config.license])),
    );
    if (license.publish === "recipe") {
      warnings.push("the set may be made and used, but not passed on as one adapted work: see its license");
    }
    return phases({
      request, targets, measures, members, leftOut, license,
      overlaps: overlaps(declared, request),
      warnings: unique(warnings),
    });
  }

  #select(request) {
    const chosen = new Map();
    const leftOut = [];
    const named = request.names.length > 0;
    for (const name of named ? request.names : this.data.datasets.map((each) => each.name)) {
      const [fits, missed] = [[], []];
      for (const member of this.declared(name, request.modality)) {
        const subject = this.#ofAnotherSubject(member, request);
        const other = this.#refused(member, request);
        if (subject && !named) continue;
        if (subject ?? other) missed.push({ member: member.key, reason: subject ?? other });
        else fits.push(member);
      }
      if (named && !fits.length) throw unfit(name, missed);
      for (const each of fits) chosen.set(each.key, each);
      leftOut.push(...missed);
    }
    return { chosen: [...chosen.values()], leftOut };
  }

  /** Which criterion of what it is about the member does not meet; null where it meets all. */
  #ofAnotherSubject(member, request) {
    const { config } = member;
    if (request.dimension && config.dimension !== request.dimension) {
      return `its dimension is ${config.dimension}, not ${request.dimension}`;
    }
    const told = (kind) =>
      `its ${kind} is ${config[kind].join(" and ") || "unknown"}, not ${request[kind].join(" or ")}`;
    for (const kind of ["modality", "task"]) {
      const asked = request[kind];
      if (asked.length && !config[kind].some((each) => this.kindOf(each, asked, this.vocabularies[kind]))) {
        return told(kind);
      }
    }
    if (!request.organ.length) return null;
    const places = new Set(request.organ.flatMap((organ) => [...this.semantics.below(organ)]));
    return meet([...config.organ, ...member.outlined, ...member.named], places) ? null : told("organ");
  }

  #refused(member, request) {
    if (request.minimum && member.rows < request.minimum) {
      return `declares ${member.rows} images, at least ${request.minimum} were asked for`;
    }
    if (request.split.length && !member.splits(request.split).length) {
      const has = member.splits([]).join(", ");
      return `has no split ${request.split.join(" or ")} (only ${has})`;
    }
    const license = this.licenses.get(member.config.license);
    const asked = request.license_terms;
    return asked.length && !license.per_row && !this.licenses.allowed(license.id, asked)
      ? `its license ${license.id} does not meet: ${asked.join(", ")}`
      : null;
  }

  /** Members that can say anything about a target, or whose rows alone know. */
  #useful(declared, targets, outputs, names, leftOut) {
    if (!targets.length) return declared;
    const [kept, missed] = [[], []];
    const wanted = names.length ? ["direct", "narrower", "wider"] : ["direct", "narrower"];
    for (const each of declared) {
      const says = this.aligner.align(each, targets).some((one) => wanted.includes(kindFor(one, outputs)));
      if ((each.undeclared && names.length) || says) kept.push(each);
      else missed.push({ member: each.key, reason: `it declares none of: ${targets.join(", ")}` });
    }
    for (const name of names) {
      const own = this.get(partition(name.replace(/idc[/-]/gi, "idc-"), "/")[0]).name;
      const mine = missed.filter((each) => partition(each.member, "/")[0] === own);
      if (mine.length && !kept.some((each) => each.dataset.name === own)) throw unfit(name, mine);
    }
    leftOut.push(...missed);
    return kept;
  }

  #nobody(request, leftOut) {
    const parts = [
      ["name", request.names], ["modality", request.modality], ["organ", request.organ], ["task", request.task],
      ["target", request.targets], ["license", request.license_terms],
    ].filter(([, values]) => values.length).map(([kind, values]) => `${kind} ${values.join(" or ")}`);
    if (request.dimension) parts.push(`dimension ${request.dimension}`);
    const near = leftOut.slice(0, 5).map((each) => `${each.member}: ${each.reason}`).join("; ");
    const what = request.blueprint ? `blueprint ${repr(request.blueprint)} has no member yet` : "no member fits";
    return fusionError(
      `${what}: nothing has ${parts.join(", ") || "anything"}${near && ` (near misses: ${near})`}`,
      "ask for less, or add a builder: `medimg list` shows what there is.",
    );
  }

  /** Where each member is read from; those that cannot be had are an error where they were named. */
  #places(request, declared) {
    const places = new Map();
    const gone = [];
    for (const each of declared) {
      try {
        const place = this.#place(request.source, each.dataset);
        if (request.source === null) this.#published(each, request);
        places.set(each.key, place);
      } catch (error) {
        if (!(error instanceof PlanError) || request.names.length || error.kind === "UnplannedError") throw error;
        gone.push({ member: each.key, reason: error.problem });
      }
    }
    return { places, gone };
  }

  #place(source, dataset) {
    const needed = () =>
      new PlanError("SourceRequiredError", dataset.needs.problem, {
        dataset: dataset.name,
        nextStep: dataset.needs.next_step,
      });
    if (source === MINIATURE) return null;
    if (source === null) {
      if (dataset.publish === "recipe") throw needed();
      return null;
    }
    if (source === OFFICIAL) {
      if (!dataset.files) throw needed();
      return OFFICIAL;
    }
    return `${source.replace(/\/+$/, "")}/${dataset.name}`;
  }

  #manifest(name) {
    return this.data.manifests?.[name] ?? null;
  }

  #published(member, { namespace, split }) {
    if (namespace !== this.data.namespace) {
      throw new PlanError("UnplannedError", `this page knows what ${this.data.namespace} has published, not ${namespace}`, {
        nextStep: `run medimg.fuse(..., namespace=${repr(namespace)}, plan=True), which asks the Hub.`,
      });
    }
    const { name, homepage } = member.dataset;
    const repo = `${namespace}/${name}`;
    const manifest = this.#manifest(name);
    const refuse = (problem, nextStep) => new PlanError("HubError", problem, { dataset: name, nextStep });
    if (manifest === null && this.data.manifests !== null) {
      throw refuse(
        `${repo} is not on the Hub, or cannot be read`,
        "check the namespace and your token, or pass source=<root with the originals>.",
      );
    }
    if (manifest === null) return;
    if (manifest.retired) {
      throw refuse(
        `${repo} is retired: it holds no data any more`,
        `its card says why (${homepage} is its source); leave it out.`,
      );
    }
    const shown = manifest.configs[member.config.name];
    if (shown && member.splits(split).some((each) => each in shown)) return;
    throw refuse(
      `${repo} holds no rows of ${member.key}${split.length && shown ? ` in ${split.join(" or ")}` : ""}`,
      "leave it out, or pass source=<root with the originals>.",
    );
  }

  /** Refuse a preferred name that is no member's. */
  #checkPrefer(prefer, declared) {
    for (const asked of prefer) {
      const [given, config] = partition(asked, "/");
      const { name } = this.get(given);
      const held = declared.some((each) => each.key === `${name}/${config}` || (!config && each.dataset.name === name));
      if (!held) {
        throw requestError(
          `prefer names ${repr(asked)}, which is no member`,
          `the members are ${declared.map((each) => each.key).join(", ")}.`,
        );
      }
    }
  }

  #member(member, request, alignment, places, targets, warnings) {
    const { dataset, config, key } = member;
    const manifest = request.source === null ? this.#manifest(dataset.name) : null;
    if (request.source === null && manifest === null) {
      warnings.push(`${key}: ${request.namespace}/${dataset.name} cannot be read from the Hub; counts are declared`);
    }
    const shown = manifest?.configs[config.name] ?? null;
    const declared = new Map(config.splits);
    const splits = member.splits(request.split)
      .filter((split) => !shown || split in shown)
      .map((split) => ({
        split,
        split_fused: splitFused(split),
        rows: shown ? shown[split][0] : declared.get(split) || null,
        counted: shown ? "published" : "declared",
      }));
    const place = places.get(key);
    this.#warn(member, alignment, warnings);
    return {
      key,
      name: dataset.name,
      config: config.name,
      title: config.title,
      dimension: config.dimension,
      modality: config.modality,
      organ: config.organ,
      task: config.task,
      license: config.license,
      publish: this.licenses.get(config.license).publish,
      place,
      splits,
      bytes: shown
        ? splits.reduce((sum, each) => sum + shown[each.split][1], 0)
        : place === OFFICIAL ? dataset.bytes : null,
      assessed: sorted(new Set([...member.outlined, ...member.named, ...member.hinted])),
      alignment,
      label_map: this.aligner.labelMap(member, targets, request.encoding),
      class_map: this.aligner.classMap(member, targets),
      unverified: dataset.unverified,
    };
  }

  #warn(member, alignment, warnings) {
    const { dataset, key } = member;
    if (member.undeclared && alignment.length) {
      const standIn = member.hinted.size ? "; its organs stand in for them here" : "";
      warnings.push(`${key} declares no labels, its rows have legends of their own${standIn}`);
    }
    warnings.push(...this.aligner.partly(member, alignment.map((one) => one.target)));
    if (dataset.no_subject) {
      warnings.push(`${key} states no subject (${dataset.no_subject}): splits are told apart by image only`);
    }
    if (dataset.shared_subjects) warnings.push(`${key} has subjects in two splits: ${dataset.shared_subjects}`);
    const doubtful = dataset.unverified.filter((part) => part === "labels" || part === "license");
    if (doubtful.length) warnings.push(`${key}: nobody has verified its ${doubtful.join(" and its ")}`);
  }
}

/** The error of a member that was named and cannot be taken. */
function unfit(name, missed) {
  const reasons = new Map();
  for (const { member, reason } of missed) reasons.set(reason, [...(reasons.get(reason) ?? []), member]);
  const told = [...reasons].slice(0, 3).map(([reason, members]) =>
    reasons.size === 1
      ? reason
      : `${members.slice(0, 3).join(", ")}${members.length > 3 ? " …" : ""}: ${reason}`);
  return new PlanError("FusionError", `${name} was named, but ${told.join("; ")}`, {
    dataset: name,
    nextStep: "leave it out of the names, or ask for what it has.",
  });
}

/** Refuse weights that do not fit the members. */
function checkWeights(weights, names) {
  if (typeof weights === "string") return;
  for (const [name, weight] of Object.entries(weights)) {
    if (typeof weight !== "number") {
      throw requestError(`the weight of ${repr(name)} is a positive number, not ${repr(weight)}`);
    }
  }
  const asked = Object.keys(weights);
  if (asked.length === 1 && asked[0] === "temperature" && !names.includes("temperature")) {
    if (weights.temperature > 0) return;
    throw requestError(`a temperature is positive, not ${weights.temperature}`);
  }
  const strange = sorted(asked.filter((name) => !names.includes(name)));
  const missing = sorted(names.filter((name) => !asked.includes(name)));
  if (strange.length || missing.length) {
    const parts = [
      ...(strange.length ? [`${strange.join(", ")}: no such member`] : []),
      ...(missing.length ? [`${missing.join(", ")}: no weight`] : []),
    ];
    throw requestError(
      `weights must name every member and nothing else (${parts.join("; ")})`,
      `give one weight for each of ${names.join(", ")}.`,
    );
  }
  if (!Object.values(weights).every((weight) => weight > 0 && weight < Infinity)) {
    throw requestError(`weights must be positive and finite: ${repr(weights)}`, "leave a member out instead of 0.");
  }
}

/** Refuse members of different dimensions. */
function checkDimension(declared, sliced) {
  const found = new Map();
  for (const { key, config } of declared) {
    const dimension = sliced && config.dimension === "3d" ? "2d" : config.dimension;
    found.set(dimension, [...(found.get(dimension) ?? []), key]);
  }
  if (found.size < 2) return;
  const shown = [...found].map(([dimension, keys]) => `${dimension}: ${keys.join(", ")}`).join("; ");
  throw fusionError(
    `the members have different dimensions (${shown})`,
    'pass dimension=, or cut volumes into pictures: grid={"slices": "axial"}.',
  );
}

/** How much of a member is looked at for duplicates before its rows are given. */
function look(source, onDuplicate, near) {
  if (onDuplicate === "ignore") return "nothing";
  if (near) return "pixels";
  if (source === null) return "content";
  if (source === OFFICIAL || source.includes("://")) return "nothing";
  if (near === null) return "pixels";
  return onDuplicate === "keep" ? "subjects" : "content";
}

function action({ source, on_duplicate: asked, near }) {
  const how = look(source, asked, near);
  if (how === "nothing" || how === "subjects") {
    return "declared, not compared: " + (asked === "ignore"
      ? 'kept twice, as on_duplicate="ignore" asks'
      : "no pixels are read before the first row (near=True does)");
  }
  const equal = how === "content" ? "equal" : "equal or near-equal";
  const told = {
    drop: `rows with ${equal} images are matched and kept once, with the labels of both where equal`,
    keep: "kept twice, as asked for",
    error: `an error where two rows have ${equal} images`,
  }[asked];
  return how === "content" ? `${told}; copies with another encoding, dtype or grid are declared, not compared` : told;
}

/** Declared images in common of each two members, said from the first one's side. */
function overlaps(declared, request) {
  const datasets = [...new Map(declared.map((each) => [each.dataset.name, each.dataset])).values()];
  const found = [];
  datasets.forEach((first, at) => {
    for (const second of datasets.slice(at + 1)) {
      const sides = [[first, second], [second, first]].map(([one, other]) =>
        one.overlaps
          .filter((each) => each.dataset === other.name)
          .map(({ relation, evidence }) => ({
            first: one.name, second: other.name, relation, evidence, action: action(request),
          })));
      found.push(...(sides[0].length ? sides[0] : sides[1]));
    }
  });
  return found;
}

/** The plan by phases, as `Plan.to_dict` has it. */
function phases({ request, targets, measures, members, leftOut, license, overlaps: shared, warnings }) {
  const columns = (...names) =>
    Object.fromEntries(members.map((member) => [
      member.key, Object.fromEntries(names.map((name) => [name, member[name]])),
    ]));
  const counts = members.flatMap((member) => member.splits.map((split) => split.rows ?? 0));
  const sizes = members.map((member) => member.bytes);
  const sum = (numbers) => numbers.reduce((total, each) => total + each, 0);
  return {
    metadata_harmonization: {
      members: columns("title", "dimension", "modality", "organ", "task", "license", "publish", "unverified"),
      left_out: leftOut,
    },
    semantic_alignment: {
      targets: Object.fromEntries(targets.map((target, at) => [String(at + 1), target])),
      measures,
      members: columns("assessed", "alignment", "label_map", "class_map"),
    },
    blueprint: request,
    index: {
      rows: sum(counts),
      bytes: sizes.includes(null) ? null : sum(sizes),
      members: columns("name", "config", "place", "splits", "bytes"),
      overlaps: shared,
      license,
    },
    warnings,
  };
}
