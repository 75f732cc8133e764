// What the planner needs of Python, so that its words are the same here: repr, difflib, casefold, the order of texts.

/** Compare two texts by code points, as Python does. */
export function compare(one, other) {
  const a = Array.from(one), b = Array.from(other);
  for (let at = 0; at < a.length && at < b.length; at += 1) {
    if (a[at] !== b[at]) return a[at].codePointAt(0) - b[at].codePointAt(0);
  }
  return a.length - b.length;
}

/** `sorted` of texts. */
export const sorted = (texts) => [...texts].sort(compare);

export const unique = (values) => [...new Set(values)];

/** The value of a key; made where it is not there. */
export function grown(map, key, make) {
  if (!map.has(key)) map.set(key, make());
  return map.get(key);
}

export function casefold(text) {
  return text.toLowerCase().replace(/[ßẞ]/g, "ss").replace(/ς/g, "σ").replace(/ſ/g, "s");
}

const ESCAPES = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\" };

function escaped(character, quote) {
  if (character in ESCAPES) return ESCAPES[character];
  if (character === quote) return `\\${quote}`;
  if (character === " " || !/[\p{C}\p{Z}]/u.test(character)) return character;
  const code = character.codePointAt(0);
  const [mark, width] = code < 0x100 ? ["x", 2] : code < 0x10000 ? ["u", 4] : ["U", 8];
  return `\\${mark}${code.toString(16).padStart(width, "0")}`;
}

/** `repr` of what JSON can hold. */
export function repr(value) {
  if (typeof value === "string") {
    const quote = value.includes("'") && !value.includes('"') ? '"' : "'";
    return quote + Array.from(value, (character) => escaped(character, quote)).join("") + quote;
  }
  if (value === null || value === undefined) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return `[${value.map(repr).join(", ")}]`;
  if (typeof value === "object") {
    return `{${Object.entries(value).map(([key, each]) => `${repr(key)}: ${repr(each)}`).join(", ")}}`;
  }
  return String(value);
}

/** `(1, 2)`, `(1,)` and `()`. */
export function reprTuple(values) {
  return `(${values.map(repr).join(", ")}${values.length === 1 ? "," : ""})`;
}

/** `difflib.SequenceMatcher` of one text with many others, of which only `ratio` is needed. */
export class Matcher {
  /** @param {string} text the second sequence, of which what is counted is kept. */
  constructor(text) {
    this.b = Array.from(text);
    this.places = new Map();
    this.b.forEach((character, at) => grown(this.places, character, () => []).push(at));
    if (this.b.length >= 200) {
      const most = Math.floor(this.b.length / 100) + 1;
      for (const [character, places] of this.places) if (places.length > most) this.places.delete(character);
    }
  }

  #longest(a, alo, ahi, blo, bhi) {
    const b = this.b;
    let [besti, bestj, size] = [alo, blo, 0];
    let lengths = new Map();
    for (let i = alo; i < ahi; i += 1) {
      const next = new Map();
      for (const j of this.places.get(a[i]) ?? []) {
        if (j < blo) continue;
        if (j >= bhi) break;
        const length = (lengths.get(j - 1) ?? 0) + 1;
        next.set(j, length);
        if (length > size) [besti, bestj, size] = [i - length + 1, j - length + 1, length];
      }
      lengths = next;
    }
    while (besti > alo && bestj > blo && a[besti - 1] === b[bestj - 1]) {
      [besti, bestj, size] = [besti - 1, bestj - 1, size + 1];
    }
    while (besti + size < ahi && bestj + size < bhi && a[besti + size] === b[bestj + size]) size += 1;
    return [besti, bestj, size];
  }

  ratio(text) {
    const a = Array.from(text);
    const total = a.length + this.b.length;
    if (!total) return 1;
    let matches = 0;
    const queue = [[0, a.length, 0, this.b.length]];
    while (queue.length) {
      const [alo, ahi, blo, bhi] = queue.pop();
      const [i, j, size] = this.#longest(a, alo, ahi, blo, bhi);
      if (!size) continue;
      matches += size;
      if (alo < i && blo < j) queue.push([alo, i, blo, j]);
      if (i + size < ahi && j + size < bhi) queue.push([i + size, ahi, j + size, bhi]);
    }
    return (2 * matches) / total;
  }
}

/** `difflib.get_close_matches`. */
export function closeMatches(word, possibilities, n = 3, cutoff = 0.6) {
  const matcher = new Matcher(word);
  return [...possibilities]
    .map((each) => [matcher.ratio(each), each])
    .filter(([score]) => score >= cutoff)
    .sort((one, other) => other[0] - one[0] || compare(other[1], one[1]))
    .slice(0, n)
    .map(([, each]) => each);
}

/** The text before the first separator, and what is behind it ("" where there is none). */
export function partition(text, separator) {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + separator.length)];
}

/** One of medimg's named errors: `problem` is a sentence, `nextStep` what the reader can do about it. */
export class PlanError extends Error {
  constructor(kind, problem, { dataset = null, nextStep = null } = {}) {
    super(problem);
    Object.assign(this, { kind, problem, dataset, nextStep });
  }

  /** Fill in the dataset where the raiser did not know it. */
  within(dataset) {
    this.dataset ??= dataset;
    return this;
  }

  /** As Python prints it. */
  get text() {
    let text = this.dataset ? `${this.dataset}: ${this.problem}` : this.problem;
    if (text && !/[.!?:…\n]$/.test(text)) text += ".";
    return this.nextStep ? `${text} Next: ${this.nextStep}` : text;
  }
}

export const requestError = (problem, nextStep = null) => new PlanError("RequestError", problem, { nextStep });
export const fusionError = (problem, nextStep = null) => new PlanError("FusionError", problem, { nextStep });
