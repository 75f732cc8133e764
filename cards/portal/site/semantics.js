// Port of medimg/fusion/semantics.py and of what a plan needs of labels.py: what follows from what was annotated.

import { fusionError, grown, repr, sorted } from "./python.js";

export const [ABSENT, PRESENT, UNKNOWN] = [0, 1, -1];
export const IGNORE = 255;
const CONTRADICTION = Symbol("contradiction");
const key = (names) => sorted(names).join("\n");

export class Semantics {
  /**
   * @param label the vocabulary of all that a legend value, class, box or point may be named
   * @param wholes whole -> its partitions
   */
  constructor(label, wholes) {
    this.label = label;
    this.wholes = wholes;
    this.inferred = new Map();
    this.tables = new Map();
  }

  above(term, relations = "both") {
    return this.label.above(term, relations);
  }

  below(term) {
    return this.label.below(term);
  }

  /** Everything above any of the terms. */
  aboveAll(terms, relations = "both") {
    const found = new Set();
    for (const term of terms) for (const each of this.above(term, relations)) found.add(each);
    return found;
  }

  /** PRESENT, ABSENT or UNKNOWN for each wanted term at a place that shows some terms and not others. */
  infer(present, absent, wanted, relations = "both") {
    const asked = [relations, key(present), key(absent), wanted.join("\n")].join("\0");
    return grown(this.inferred, asked, () => this.#infer(present, absent, wanted, relations));
  }

  #infer(present, absent, wanted, relations) {
    let sums = true;
    const terms = this.aboveAll([...present, ...absent, ...wanted], relations);
    for (let grown = true; grown;) {
      grown = false;
      for (const whole of [...terms]) {
        for (const part of (this.wholes[whole] ?? []).flat()) {
          if (terms.has(part)) continue;
          grown = true;
          for (const each of this.above(part, relations)) terms.add(each);
        }
      }
    }
    const facts = new Map();
    for (const term of absent) facts.set(term, false);
    for (const term of this.aboveAll(present, relations)) facts.set(term, true);
    let settled = this.#propagate(facts, terms, relations, sums);
    if (settled === null) {
      sums = false;
      settled = this.#propagate(facts, terms, relations, sums) ?? facts;
    }
    return wanted.map((term) => {
      let truth = settled.get(term);
      if (truth === undefined && sums &&
          this.#propagate(new Map([...settled, [term, false]]), terms, relations, sums) === null) {
        truth = true;
      }
      return truth === undefined ? UNKNOWN : Number(truth);
    });
  }

  /** All that follows step by step from the facts; null where they contradict each other. */
  #propagate(facts, terms, relations, sums) {
    const truth = new Map(facts);
    const news = [...truth];
    const seen = new Set();
    const mark = (term, value) => `${value ? "+" : "-"}${term}`;
    const learn = (term, value) => {
      if (!truth.has(term)) truth.set(term, value);
      else if (truth.get(term) !== value) throw CONTRADICTION;
      if (!seen.has(mark(term, value))) news.push([term, value]);
    };
    const ways = sums
      ? [...terms].flatMap((whole) => (this.wholes[whole] ?? []).map((way) => [whole, way]))
      : [];
    try {
      while (news.length) {
        const [term, value] = news.pop();
        if (seen.has(mark(term, value))) continue;
        seen.add(mark(term, value));
        if (value) for (const wider of this.above(term, relations)) learn(wider, true);
        else for (const narrower of terms) if (this.above(narrower, relations).has(term)) learn(narrower, false);
        for (const [whole, way] of ways) {
          const left = way.filter((part) => truth.get(part) !== false);
          if (!left.length) learn(whole, false);
          else if (left.length === 1 && truth.get(whole)) learn(left[0], true);
        }
      }
    } catch (error) {
      if (error === CONTRADICTION) return null;
      throw error;
    }
    return truth;
  }

  /** Whether a place of `inner` lies in `outer` as the narrower term of the two. */
  inside(inner, outer) {
    return inner !== outer && this.#within(inner, outer) && !this.#within(outer, inner);
  }

  #within(inner, outer) {
    if (this.above(inner).has(outer)) return true;
    const kinds = this.above(inner, "is_a");
    const containers = this.aboveAll(kinds, "part_of");
    return [...this.above(outer, "is_a")].some((each) => containers.has(each) && !kinds.has(each));
  }

  /** Whether `term` could be found where `other` is. */
  mayMeet(term, other) {
    return this.inside(term, other) || [...this.below(term)].some((each) => this.below(other).has(each));
  }

  /** The one term that lies inside all the others; null where there is none. */
  innermost(terms) {
    return terms.find((term) => terms.every((other) => term === other || this.inside(term, other))) ?? null;
  }

  /** Whether the annotators looked for the target itself, or for all the parts that make it up. */
  lookedFor(target, outlined, nowhere = new Set()) {
    if (outlined.has(target) || [...this.above(target)].some((each) => nowhere.has(each))) return true;
    return (this.wholes[target] ?? []).some((way) => way.every((part) => this.lookedFor(part, outlined, nowhere)));
  }

  /**
   * What each mask value becomes: [[value, codes]], by value.
   * @param part rows that show nothing beside their masks: {legend: [[value, names]], outlined, named}
   * @param encoding "index" (one number) or "channels" (one for each target)
   */
  table(part, targets, encoding) {
    const asked = [encoding, JSON.stringify(part.legend), key(part.named), targets.join("\n")].join("\0");
    return grown(this.tables, asked, () => this.#table(part, targets, encoding));
  }

  #table(part, targets, encoding) {
    const nowhere = new Set([...part.outlined, ...part.named].filter((name) => !part.outlined.has(name)));
    const looked = targets.map((target) => this.lookedFor(target, part.outlined, nowhere));
    const every = new Set([...part.outlined, ...nowhere]);
    const codes = (names) => {
      let known = targets.map(() => UNKNOWN);
      if (names !== null) {
        const shown = this.aboveAll(names);
        known = this.infer(names, [...every].filter((each) => !shown.has(each)), targets);
      }
      return encoding === "index"
        ? [this.#index(known, targets)]
        : known.map((state, at) => (state === PRESENT ? 1 : state === ABSENT && looked[at] ? 0 : IGNORE));
    };
    const found = new Map([[0, codes([])]]);
    for (const [value, names] of part.legend) found.set(value, codes(names.length ? names : null));
    return [...found].sort((one, other) => one[0] - other[0]);
  }

  #index(known, targets) {
    const shown = targets.filter((_, at) => known[at] === PRESENT);
    const unknown = targets.filter((_, at) => known[at] === UNKNOWN);
    if (!shown.length) return unknown.length ? IGNORE : 0;
    const chosen = this.innermost(shown);
    if (chosen === null) {
      throw fusionError(
        `one mask value means ${shown.map(repr).join(" and ")}, and neither lies inside the other`,
        'one map cannot hold both: pass encoding="channels", or ask for one of them.',
      );
    }
    return unknown.some((each) => this.mayMeet(each, chosen)) ? IGNORE : targets.indexOf(chosen) + 1;
  }

  /** PRESENT, ABSENT or UNKNOWN for each target in an image whose mask shows nothing, though all was looked for. */
  classifyEmpty(part, targets) {
    let absent = new Set([...part.outlined, ...part.named]);
    if (part.legend.some(([, names]) => !names.length)) {
      absent = new Set([...absent].filter((name) => !part.outlined.has(name)));
    }
    return this.infer([], absent, targets, "is_a");
  }
}
