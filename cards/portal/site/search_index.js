// What a search looks words and terms up in: a translation of index.py and terms.py in medimg/catalogue/search/.
import { grown } from "./python.js";
import { bits, distance, inPairs, isCjk, letterPairs, mask, numbered, singular, wordsOf } from "./search_words.js";

const FOCUS = 5;
export const CORRECTIONS = 3;
export const EVERYWHERE = ["label:multiple organs", "label:whole body"];
const LABELS = ["organ", "structure", "finding"];
const SPACES = { modality: "modality:", organ: "label:", task: "task:", structures: "label:", dimension: "dimension:" };
const PARTS = /[,:;()（），：；]/;

/** Order of lists of texts and numbers, as Python has it. */
export function compare(one, other) {
  for (let place = 0; place < one.length; place += 1) {
    if (one[place] < other[place]) return -1;
    if (one[place] > other[place]) return 1;
  }
  return 0;
}

export const listed = () => [];
const mapped = () => new Map();
const numbers = () => new Set();

class Terms {
  constructor(terms) {
    this.named = new Map();
    this.singular = new Map();
    this.byWord = new Map();
    this.up = new Map();
    this.kinds = new Map();
    this.down = new Map();
    this.reached = new Map();
    for (const each of terms) {
      const space = LABELS.includes(each.kind) ? "label" : each.kind;
      const term = `${space}:${each.id}`;
      this.kinds.set(term, each.kind);
      this.up.set(term, each.up.map((one) => `${space}:${one}`));
      for (const wider of this.up.get(term)) grown(this.down, wider, listed).push(term);
      for (const key of each.keys) grown(this.named, key, listed).push(term);
      for (const key of [...each.keys, ...each.singular]) grown(this.singular, key, listed).push(term);
      for (const word of each.words) grown(this.byWord, word, listed).push(term);
    }
  }

  above(term) {
    return grown(this.reached, `up ${term}`, () => reach(term, this.up));
  }

  below(term) {
    return grown(this.reached, `down ${term}`, () => reach(term, this.down));
  }

  of(words) {
    return this.named.get(words.join("")) ?? this.singular.get(words.map(singular).join("")) ?? [];
  }

  isWider(held, asked) {
    const above = this.above(asked);
    if (above.includes(held)) return true;
    const own = this.above(held);
    const everywhere = EVERYWHERE.includes(held) || own.some((each) => EVERYWHERE.includes(each));
    if (this.kinds.get(asked) !== "organ" || !everywhere) return false;
    const places = own.filter((each) => !EVERYWHERE.includes(each));
    return !places.length || places.some((each) => above.includes(each));
  }
}

function reach(start, edges) {
  const found = [];
  const seen = new Set([start]);
  const todo = [start];
  while (todo.length) {
    for (const each of edges.get(todo.shift()) ?? []) {
      if (seen.has(each)) continue;
      seen.add(each);
      found.push(each);
      todo.push(each);
    }
  }
  return found;
}

export class Index {
  constructor(entries, vocabulary) {
    this.entries = entries;
    this.data = vocabulary;
    this.ignored = new Set(vocabulary.ignored);
    this.terms = new Terms(vocabulary.terms);
    this.keys = new Map();
    this.named = new Map();
    this.joined = new Map();
    this.other = new Map();
    this.holding = new Map();
    this.unfocused = new Map();
    this.again = new Map();
    entries.forEach((entry, number) => {
      this.name(number, entry);
      this.tell(number, entry);
    });
    this.keys.delete("");
    this.sorted = [...new Set([...this.named.keys(), ...this.terms.byWord.keys()])].sort();
    this.lengths = null;
  }

  words(text) {
    return wordsOf(text, this.data.spellings);
  }

  name(number, entry) {
    const last = entry.id.slice(entry.id.lastIndexOf("/") + 1);
    for (const name of new Set([entry.id, entry.name, ...entry.aliases, last])) {
      const whole = this.words(name);
      grown(this.keys, whole.join(""), numbers).add(number);
      if (PARTS.test(name)) for (const part of name.split(PARTS)) grown(this.keys, this.words(part).join(""), numbers).add(number);
      let before = "";
      for (const word of inPairs(whole)) {
        grown(this.named, word, numbers).add(number);
        for (const part of numbered(word)) grown(this.named, part, numbers).add(number);
        if (before && !isCjk(word) && !isCjk(before)) grown(this.joined, before + word, numbers).add(number);
        before = word;
      }
    }
  }

  tell(number, entry) {
    for (const text of [entry.organization, entry.where, entry.license, entry.year && String(entry.year)]) {
      if (!text) continue;
      const words = grown(this.again, text, () => inPairs(this.words(text)));
      for (const word of words) grown(this.other, word, numbers).add(number);
    }
    const hold = (term, field) => {
      const held = grown(this.holding, term, mapped);
      if (!held.has(number)) held.set(number, field);
    };
    for (const [field, space] of Object.entries(SPACES)) {
      if (entry[field].length > FOCUS) grown(this.unfocused, field, numbers).add(number);
      for (const each of entry[field]) hold(space + each, field);
    }
    for (const use of usable(entry, this.data)) hold(`use:${use}`, "use");
  }

  knows(word) {
    return this.named.has(word) || this.terms.byWord.has(word) || this.joined.has(word) || this.other.has(word);
  }

  beginning(word) {
    if (word.length < 3 && !isCjk(word)) return [];
    let [low, high] = [0, this.sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.sorted[middle] < word) low = middle + 1;
      else high = middle;
    }
    const found = [];
    for (; low < this.sorted.length && this.sorted[low].startsWith(word); low += 1) {
      if (this.sorted[low] !== word) found.push(this.sorted[low]);
    }
    return found;
  }

  byLength() {
    if (this.lengths) return this.lengths;
    this.lengths = new Map();
    for (const word of this.sorted) {
      if (word.length > 2 && !isCjk(word)) grown(this.lengths, word.length, listed).push([mask(word), word]);
    }
    return this.lengths;
  }

  corrections(word) {
    if (word.length < 4 || isCjk(word) || /^\p{Nd}+$/u.test(word)) return [];
    const own = mask(word);
    for (const most of word.length >= 8 && !/[0-9]/.test(word) ? [1, 2] : [1]) {
      const found = [];
      for (let length = word.length - most; length <= word.length + most; length += 1) {
        for (const [its, other] of this.byLength().get(length) ?? []) {
          if (bits(own ^ its) <= 2 * most && other !== word && distance(word, other, most) <= most) found.push(other);
        }
      }
      if (found.length) return this.likeliest(word, found).slice(0, CORRECTIONS);
    }
    return [];
  }

  likely(word, other) {
    return [this.terms.byWord.has(other) ? 0 : 1, other[0] === word[0] ? 0 : 1, -this.spread(other), other];
  }

  likeliest(word, found) {
    return found.map((other) => this.likely(word, other)).sort(compare).map((each) => each[3]);
  }

  spread(word) {
    let held = this.named.get(word)?.size ?? 0;
    for (const term of this.terms.byWord.get(word) ?? []) held += this.holding.get(term)?.size ?? 0;
    return held;
  }

  closest(word) {
    const own = letterPairs(word);
    const near = [];
    for (const words of this.byLength().values()) {
      for (const [, other] of words) {
        const its = letterPairs(other);
        let both = 0;
        for (const pair of its) if (own.has(pair)) both += 1;
        if (both) near.push([Math.floor((-2000 * both) / (own.size + its.size)), other]);
      }
    }
    return near.sort(compare).slice(0, 3).map((each) => each[1]);
  }
}

/** What an entry's license is known to allow: nothing where only a list states it. */
function usable(entry, vocabulary) {
  if (entry.license_by !== "source" || !entry.license) return [];
  const met = vocabulary.licenses[entry.license] ?? [];
  const found = met.filter((term) => term !== "commercial" && term !== "open");
  if (entry.commercial) found.push("commercial");
  if (entry.verdict === "open" && met.includes("open")) found.push("open");
  return found;
}
