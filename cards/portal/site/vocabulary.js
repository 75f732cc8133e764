// Port of medimg/vocab: names to canonical ids, and the edges between these.

import { Matcher, PlanError, casefold, compare, grown, repr } from "./python.js";

const SEPARATORS =
  /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000_\-\u2010-\u2015\u2212'\u2018\u2019]+/g;

export class Vocabulary {
  /**
   * @param data of `fusion.json`: {name, terms: id -> [keys, is_a, part_of], rejected: key -> reason}
   * @param spellings parts of words, British and American
   */
  constructor(data, spellings) {
    this.spellings = spellings;
    this.name = data.name;
    this.rejected = data.rejected;
    this.index = new Map();
    this.edges = new Map();
    this.children = new Map();
    for (const [id, [keys, isA, partOf]] of Object.entries(data.terms)) {
      for (const key of keys) if (!this.index.has(key)) this.index.set(key, id);
      this.edges.set(id, { is_a: isA, part_of: partOf });
    }
    for (const [id, edges] of this.edges) {
      for (const parent of [...edges.is_a, ...edges.part_of]) {
        grown(this.children, parent, () => []).push(id);
      }
    }
    this.reached = { is_a: new Map(), part_of: new Map(), both: new Map(), below: new Map() };
  }

  /** The key under which a name is looked up. */
  #key(text) {
    let key = casefold(text.normalize("NFKC")).replace(SEPARATORS, "");
    for (const [british, american] of this.spellings) key = key.replaceAll(british, american);
    return key;
  }

  has(id) {
    return this.edges.has(id);
  }

  /** The canonical id of an id or a synonym. */
  resolve(text) {
    const found = this.index.get(this.#key(text));
    if (found === undefined) throw this.#unknown(text);
    return found;
  }

  /** The term with all that it is a kind of ("is_a"), lies in ("part_of"), or both. */
  above(id, relations = "both") {
    const names = relations === "both" ? ["is_a", "part_of"] : [relations];
    return this.#reach(id, this.reached[relations], (each) =>
      names.flatMap((name) => this.edges.get(each)?.[name] ?? []));
  }

  /** The term with all its kinds and parts. */
  below(id) {
    return this.#reach(id, this.reached.below, (each) => this.children.get(each) ?? []);
  }

  #reach(id, cache, next) {
    return grown(cache, id, () => {
      const found = new Set([id]);
      for (const each of found) for (const other of next(each)) found.add(other);
      return found;
    });
  }

  #closest(text) {
    const key = this.#key(text);
    const matcher = new Matcher(key);
    const held = Array.from(key).length > 2;
    const scores = new Map();
    for (const [name, id] of this.index) {
      const score = matcher.ratio(name) + (held && name.includes(key) ? 0.5 : 0);
      scores.set(id, Math.max(score, scores.get(id) ?? 0));
    }
    return [...scores].sort((one, other) => other[1] - one[1] || compare(one[0], other[0])).slice(0, 3).map(([id]) => id);
  }

  #unknown(text) {
    const reason = this.rejected[this.#key(text)];
    if (reason) {
      return new PlanError("UnknownTermError", `${repr(text)} is not a term of the ${this.name} vocabulary: ${reason}.`);
    }
    return new PlanError("UnknownTermError", `${repr(text)} is not in the ${this.name} vocabulary.`, {
      nextStep: `use one of the closest ids: ${this.#closest(text).map(repr).join(", ")}.`,
    });
  }
}
