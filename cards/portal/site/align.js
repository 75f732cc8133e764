// Port of medimg/fusion/align.py: what each member can say about each target, from its declaration alone.

import { ABSENT, IGNORE } from "./semantics.js";
import { PlanError, fusionError, grown, repr, sorted, unique } from "./python.js";

const OUTPUTS = ["mask", "classes", "boxes", "measures"];
const KINDS = ["direct", "narrower", "wider", "none"];
const TASKS = [
  ["mask", ["segmentation"]],
  ["boxes", ["detection", "localization"]],
  ["measures", ["regression"]],
  ["classes", ["classification"]],
];
const HAVING = ["direct", "narrower"];

const best = (kinds) => KINDS[Math.min(...kinds.map((kind) => KINDS.indexOf(kind)), KINDS.length - 1)];
const meet = (one, other) => [...one].some((each) => other.has(each));

export function listed(names, most = 4) {
  const shown = names.slice(0, most).join(", ");
  return names.length > most ? `${shown} and ${names.length - most} more` : shown;
}

/** The best that there is for these outputs; classes also follow from masks. */
export function kindFor(alignment, outputs) {
  if (outputs.length === 1 && outputs[0] === "mask") return alignment.mask;
  if (!outputs.includes("mask") && alignment.mask === "wider") return alignment.label;
  return best([alignment.mask, alignment.label]);
}

export class Aligner {
  /** @param facts of plan.js: vocabularies and semantics */
  constructor(facts) {
    this.facts = facts;
    this.semantics = facts.semantics;
  }

  /** What a row must have for these tasks; all where no task is given, or one that no output belongs to. */
  outputsOf(tasks) {
    const found = tasks.map(
      (task) => TASKS.find(([, kinds]) => this.facts.kindOf(task, kinds, this.facts.vocabularies.task))?.[0],
    );
    return found.includes(undefined) || !found.length ? OUTPUTS : unique(found);
  }

  /** [structures and findings by their canonical names, names of measures]. */
  wanted(targets, outputs) {
    const [names, measures] = [new Set(), new Set()];
    for (const target of targets) {
      try {
        names.add(this.facts.vocabularies.label.resolve(target));
      } catch (error) {
        if (!(error instanceof PlanError) || !outputs.includes("measures") || outputs.length === OUTPUTS.length) {
          throw error;
        }
        measures.add(target);
      }
    }
    return [[...names], [...measures]];
  }

  /** What the member can say about each target, in the kind of its rows that says most. */
  align(member, targets) {
    const { named, outlined, hinted } = member;
    const every = new Set([...outlined, ...hinted, ...named]);
    const outlines = hinted.size ? [hinted] : member.parts.map((part) => part.outlined);
    return targets.map((target) => {
      const below = this.semantics.below(target);
      const above = this.semantics.above(target);
      const narrower = sorted([...every].filter((name) => below.has(name)));
      const via = narrower.length ? narrower : sorted([...every].filter((name) => above.has(name)));
      return {
        target,
        mask: best(outlines.map((each) => this.#outlines(target, each))),
        label: this.#kind(target, named, named.has(target), "is_a"),
        via,
      };
    });
  }

  #outlines(target, outlined) {
    return this.#kind(target, outlined, this.semantics.lookedFor(target, outlined));
  }

  #kind(target, names, direct, edges = "both") {
    if (direct) return "direct";
    if ([...names].some((name) => this.semantics.above(name, edges).has(target))) return "narrower";
    return meet(this.semantics.above(target, edges), names) ? "wider" : "none";
  }

  /** What only some of the member's modalities are outlined for, in words. */
  partly(member, targets) {
    const by = new Map();
    for (const part of member.parts) {
      for (const modality of part.modality) {
        const having = grown(by, modality, () => new Set());
        for (const target of targets) {
          if (this.#outlines(target, part.outlined) !== "none") having.add(target);
        }
      }
    }
    const told = new Map();
    for (const target of targets) {
      const where = [...by].filter(([, having]) => having.has(target)).map(([modality]) => modality);
      if (!where.length || where.length === by.size) continue;
      grown(told, where.join("\n"), () => ({ where, names: [] })).names.push(target);
    }
    return [...told.values()].map(
      ({ where, names }) => `${member.key} outlines ${listed(names)} in ${listed(where)} alone`,
    );
  }

  /** Mask value of the declared legends -> what it becomes, in words. */
  labelMap(member, targets, encoding) {
    if (!targets.length) return {};
    const parts = member.parts.filter((part) => part.legend.length);
    const several = new Set(parts.map((part) => part.modality.join("\n"))).size > 1;
    const found = {};
    for (const part of parts) {
      const made = this.#table(member, part, targets, encoding);
      const where = part.modality.join(", ");
      const same = parts.filter((other) => other.modality.join(", ") === where);
      for (const [value, codes] of made) {
        const names = part.legend.find(([each]) => each === value)?.[1] ?? [];
        const key = same.length > 1 ? `${value} (${names.join(", ") || "background"})` : String(value);
        found[several ? `${where}: ${key}` : key] = words(codes, targets, encoding);
      }
    }
    return found;
  }

  #table(member, part, targets, encoding) {
    try {
      return this.semantics.table(part, targets, encoding);
    } catch (error) {
      throw error instanceof PlanError ? error.within(member.key) : error;
    }
  }

  /** Source label -> target that it stands for, for labels of classes, boxes and points. */
  classMap(member, targets) {
    const found = {};
    for (const [label, names] of member.labels) {
      const kinds = this.semantics.aboveAll(names.filter((name) => member.named.has(name)), "is_a");
      const target = this.semantics.innermost(targets.filter((each) => kinds.has(each)));
      if (target !== null) found[label] = target;
    }
    return found;
  }

  /**
   * Refuse targets that cannot be fused; returns warnings about those that can be in part.
   * @param aligned Map of member -> its alignments
   * @param growing a target that no member has yet is a warning
   */
  check(aligned, targets, outputs, growing) {
    const warnings = [];
    const unknown = new Map();
    targets.forEach((target, number) => {
      const kinds = new Map([...aligned].map(([member, each]) => [member, kindFor(each[number], outputs)]));
      const via = (member) => aligned.get(member)[number].via;
      const members = [...kinds.keys()];
      const having = members.filter((member) => HAVING.includes(kinds.get(member)));
      const wider = members.filter((member) => kinds.get(member) === "wider");
      if (!having.length) {
        const told = wider.map((member) => `${member} has ${listed(via(member))}`);
        const problem = `no member has ${repr(target)}` + (told.length ? `, only something wider: ${told.join("; ")}` : "");
        if (growing) {
          warnings.push(problem);
          return;
        }
        throw fusionError(problem, `ask for something that a member declares: ${offers(aligned)}`);
      }
      const narrower = having.filter((member) => kinds.get(member) === "narrower");
      if (narrower.length === having.length) this.#onlyInPart(target, narrower, via);
      for (const member of narrower) {
        warnings.push(
          `${member} has only ${listed(via(member))} of ${repr(target)}: there it is known to be ` +
            "present, elsewhere it is unknown",
        );
      }
      for (const member of wider) {
        const key = [member, ...via(member)].join("\n");
        grown(unknown, key, () => ({ member, via: via(member), names: [] })).names.push(target);
      }
    });
    for (const { member, via, names } of unknown.values()) {
      warnings.push(`${member} has only ${listed(via)}: inside that, ${listed(names)} is unknown`);
    }
    return warnings;
  }

  /** Refuse a target of which each member has another part. */
  #onlyInPart(target, members, via) {
    const share = (one, other) =>
      one.some((a) => other.some((b) => this.semantics.above(a).has(b) || this.semantics.above(b).has(a)));
    for (const first of members) {
      for (const second of members) {
        if (sorted([first, second])[0] !== first || first === second || share(via(first), via(second))) continue;
        throw fusionError(
          `${repr(target)} means different things: ${listed(via(first))} in ${first}, ` +
            `${listed(via(second))} in ${second}, and no member has all of it`,
          "name those instead, or fuse the two members apart.",
        );
      }
    }
  }

  /** Which targets can be present and absent somewhere in the masks. */
  #inMasks(declared, targets, encoding) {
    const [present, absent] = [new Set(), new Set()];
    for (const part of declared.flatMap((each) => each.parts)) {
      if (!part.legend.length) continue;
      for (const [, codes] of this.semantics.table(part, targets, encoding)) {
        if (encoding === "index") {
          if (codes[0] > 0 && codes[0] < IGNORE) present.add(targets[codes[0] - 1]);
          if (codes[0] === 0) targets.forEach((target) => absent.add(target));
        } else {
          codes.forEach((code, at) => (code === 1 ? present : code === 0 ? absent : new Set()).add(targets[at]));
        }
      }
    }
    return { present, absent, both: (target) => present.has(target) && absent.has(target) };
  }

  /** Which targets can be present and absent somewhere in the classes of images. */
  #inClasses(declared, targets) {
    const [present, absent] = [new Set(), new Set()];
    for (const part of declared.flatMap((each) => each.parts)) {
      for (const each of this.semantics.aboveAll(part.outlined)) present.add(each);
      for (const each of this.semantics.aboveAll(part.named, "is_a")) present.add(each);
      this.semantics.classifyEmpty(part, targets).forEach((state, at) => {
        if (state === ABSENT) absent.add(targets[at]);
      });
    }
    return { present, absent };
  }

  /** Warnings on targets that would never be present, or never absent. */
  useless(declared, targets, encoding, outputs) {
    if (!targets.length || declared.some((each) => each.undeclared)) return [];
    const alignments = declared.map((each) => this.align(each, targets));
    const has = (number, where) => alignments.some((each) => HAVING.includes(each[number][where]));
    const inMask = targets.filter((_, number) => outputs.includes("mask") && has(number, "mask"));
    const classes = outputs.includes("classes") || outputs.includes("boxes");
    const other = targets.filter(
      (target, number) => !inMask.includes(target) && classes && (has(number, "label") || has(number, "mask")),
    );
    const warnings = inMask.length ? this.#uselessMasks(declared, targets, encoding, inMask) : [];
    if (other.length) {
      const made = this.#inClasses(declared, targets);
      const never = other.filter((each) => !made.present.has(each));
      const always = other.filter((each) => !made.absent.has(each));
      if (never.length) warnings.push(`no image is known to have ${listed(never)}`);
      if (always.length) {
        warnings.push(`no image is known to be without ${listed(always)}: there are no negatives`);
      }
    }
    return warnings;
  }

  #uselessMasks(declared, targets, encoding, asked) {
    const made = this.#inMasks(declared, targets, encoding);
    const never = asked.filter((target) => !made.present.has(target));
    const always = asked.filter((target) => !made.absent.has(target));
    if (!never.length && !always.length) return [];
    const channels = this.#inMasks(declared, targets, "channels");
    const mends = unique([...never, ...always].filter((target) => !made.both(target) && channels.both(target)));
    const advice = mends.length ? `encoding="channels" has both for ${listed(mends, 8)}` : "";
    const warnings = [];
    if (never.length) {
      warnings.push(
        `no voxel becomes ${listed(never, 8)}: where a member shows ${never.length === 1 ? "it" : "them"}, another ` +
          `target that lies inside is shown too, or was not looked for${advice && `; ${advice}`}`,
      );
    }
    if (always.length) {
      warnings.push(
        (encoding === "index"
          ? "no voxel becomes background: no member looked for all of the targets"
          : `no voxel is known to be without ${listed(always, 8)}`) + (advice && !never.length ? `; ${advice}` : ""),
      );
    }
    for (const target of asked.filter((each) => !channels.both(each))) {
      const kinds = declared.flatMap((each) =>
        sorted(each.outlined).filter(
          (name) =>
            name !== target &&
            this.semantics.above(name).has(target) &&
            this.#inMasks(declared, [name], "channels").both(name),
        ),
      );
      if (kinds.length) {
        warnings.push(`of ${target} members outline kinds or parts alone: ask for ${listed(unique(kinds))}`);
      }
    }
    return warnings;
  }
}

function offers(aligned) {
  return `the members are ${listed(sorted(aligned.keys()), 8)}; \`medimg show <name>\` shows their labels.`;
}

function words(codes, targets, encoding) {
  if (encoding === "index") {
    const [code] = codes;
    return code === IGNORE ? "ignore (255)" : code === 0 ? "background (0)" : `${targets[code - 1]} (${code})`;
  }
  const said = { 0: "no", 1: "yes", [IGNORE]: "ignore" };
  return codes.map((code, at) => `${targets[at]}: ${said[code]}`).join(", ");
}
