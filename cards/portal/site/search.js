// The search of the page: a translation of medimg/catalogue/search/, which says how it works. Same order of results,
// same reasons; tests/test_search_page.py holds the two equal.
//
//   const index = makeIndex(entries, vocabulary);          // vocabulary: data/vocabulary.json
//   search(index, "liver tumor", { modality: ["CT"], use: ["commercial"], min_images: 100 }, 20);
//   -> { hits: [{ entry, score, why }], strict, near, closest }     why is empty for a strict match

const NAME = 16;
const BEGINS = 8;
const TERM = { modality: 12, organ: 12, task: 12, structures: 10, dimension: 6, use: 6 };
const FOCUS = 5;
const UNFOCUSED = 3;
const [BELOW, BY_WORD, BY_BEGINNING, OTHER, WIDER] = [10, 6, 4, 4, 3];
const [WHOLE_QUERY, PART_OF_QUERY] = [100, 40];
const [LONGEST_TERM, LONGEST_QUERY, LONGEST_JOIN, LONGEST_WORD] = [8, 40, 3, 60];
const CORRECTIONS = 3;
const RARE = 2;
const EVERYWHERE = ["label:multiple organs", "label:whole body"];
const IMAGES = ["images", "volumes", "videos", "series", "files"];
const LABELS = ["organ", "structure", "finding"];
const SPACES = { modality: "modality:", organ: "label:", task: "task:", structures: "label:", dimension: "dimension:" };
const KINDS = { modality: ["modality"], organ: ["organ"], task: ["task"], structures: LABELS };
export const LOADABLE = ["builder", "collection", "own copy only", "not yet"];
export const ACCESS = ["open", "registration", "application", "unavailable"];
export const DIMENSIONS = ["2d", "3d", "video"];

const CJK = "\\u3040-\\u30ff\\u3400-\\u4dbf\\u4e00-\\u9fff\\uf900-\\ufaff\\u{20000}-\\u{2fa1f}";
const IS_CJK = new RegExp(`^[${CJK}]`, "u");
const WORD = new RegExp(`[${CJK}]|(?:(?![${CJK}])[\\p{L}\\p{N}])+`, "gu");
const MARKS = /\p{Mn}/gu;
const PARTS = /[,:;()（），：；]/;
const NUMBERED = /^([a-z]{2,})([0-9]{2,})$/;

// words

/** The words of a text, in American spelling and without accents; of Chinese, its characters. */
export function wordsOf(text, spellings) {
  let plain = text.normalize("NFKD").replace(MARKS, "").toLowerCase();
  for (const [british, american] of spellings) plain = plain.replaceAll(british, american);
  return (plain.match(WORD) ?? []).map((word) => word.slice(0, LONGEST_WORD));
}

const isCjk = (word) => word !== undefined && IS_CJK.test(word);

function inPairs(words) {
  const found = [];
  words.forEach((word, place) => {
    if (!isCjk(word)) {
      found.push(word);
      return;
    }
    const after = isCjk(words[place + 1]) ? words[place + 1] : "";
    if (after || !isCjk(words[place - 1])) found.push(word + after);
  });
  return found;
}

function singular(word) {
  if (word.length < 4 || !word.endsWith("s") || /(ss|us|is)$/.test(word)) return word;
  return word.endsWith("ies") ? `${word.slice(0, -3)}y` : word.slice(0, -1);
}

const numbered = (word) => NUMBERED.exec(word)?.slice(1) ?? [];

/** Letters to insert, drop, replace or swap with the next; `most + 1` where it is more than `most`. */
export function distance(one, other, most) {
  if (Math.abs(one.length - other.length) > most) return most + 1;
  let before = [];
  let last = Array.from({ length: other.length + 1 }, (_, place) => place);
  for (let i = 0; i < one.length; i += 1) {
    const row = [i + 1];
    for (let j = 0; j < other.length; j += 1) {
      let cost = Math.min(last[j] + (one[i] === other[j] ? 0 : 1), last[j + 1] + 1, row[j] + 1);
      if (i && j && one[i] === other[j - 1] && one[i - 1] === other[j]) cost = Math.min(cost, before[j - 1] + 1);
      row.push(cost);
    }
    if (Math.min(...row) > most) return most + 1;
    before = last;
    last = row;
  }
  return Math.min(last[last.length - 1], most + 1);
}

const id = (term) => term.slice(term.indexOf(":") + 1);
const and = (listed) => listed.join(" and ");
const or = (listed) => listed.join(" or ");

function compare(one, other) {
  for (let place = 0; place < one.length; place += 1) {
    if (one[place] < other[place]) return -1;
    if (one[place] > other[place]) return 1;
  }
  return 0;
}

function grown(map, key, make) {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}

const listed = () => [];
const mapped = () => new Map();
const numbers = () => new Set();

// the index

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

class Index {
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

  held(terms) {
    const held = new Set();
    for (const term of terms) {
      for (const each of [term, ...this.terms.below(term)]) for (const number of (this.holding.get(each) ?? new Map()).keys()) held.add(number);
    }
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

function letterPairs(word) {
  const pairs = new Set();
  for (let place = 0; place + 1 < word.length; place += 1) pairs.add(word.slice(place, place + 2));
  return pairs;
}

function mask(word) {
  let found = 0;
  for (let place = 0; place < word.length; place += 1) found |= 1 << (word.charCodeAt(place) % 31);
  return found;
}

function bits(value) {
  let count = 0;
  for (let left = value >>> 0; left; left &= left - 1) count += 1;
  return count;
}

/** What an entry's license is known to allow: nothing where only a list states it. */
export function usable(entry, vocabulary) {
  if (entry.license_by !== "source" || !entry.license) return [];
  const met = vocabulary.licenses[entry.license] ?? [];
  const found = met.filter((term) => term !== "commercial" && term !== "open");
  if (entry.commercial) found.push("commercial");
  if (entry.verdict === "open" && met.includes("open")) found.push("open");
  return found;
}

/** The words and terms of entries, as the catalogue has them. */
export function makeIndex(entries, vocabulary) {
  return new Index(entries, vocabulary);
}

// filters

const miss = (why, close = false) => ({ why, close });
const listOf = (given) => (given === undefined || given === null ? [] : Array.isArray(given) ? given : [given]);

function unknown(problem) {
  const error = new Error(problem);
  error.name = "UnknownTermError";
  return error;
}

function oneOf(given, known, name) {
  const words = listOf(given).map((each) => String(each).toLowerCase());
  for (const each of words) if (!known.includes(each)) throw unknown(`'${each}' is no ${name}`);
  return words;
}

/** One test for each thing that is asked for: entry -> null, or what it misses. */
function testsOf(index, given) {
  const { terms, data } = index;
  const resolve = (text, kinds) => {
    const found = terms.of(index.words(text)).find((term) => kinds.includes(terms.kinds.get(term)));
    if (found === undefined) throw unknown(`'${text}' is not in the ${kinds.length > 1 ? "label" : kinds[0]} vocabulary`);
    return found;
  };
  const tests = [];
  const test = (lacks, fitting = null) => tests.push({ lacks, fitting });
  for (const name of ["modality", "organ", "task"]) {
    const asked = listOf(given[name]).map((each) => resolve(each, KINDS[name]));
    if (asked.length) test((entry) => otherTerm(index, name, asked, entry), index.held(asked));
  }
  for (const each of listOf(given.structures)) {
    const term = resolve(each, KINDS.structures);
    test((entry) => notLabeled(index, term, entry), index.held([term]));
  }
  let { loadable } = given;
  if (loadable === true) loadable = LOADABLE.slice(0, 3);
  else if (loadable === false) loadable = LOADABLE.slice(3);
  for (const [name, words] of [
    ["dimension", oneOf(given.dimension, DIMENSIONS, "dimension")],
    ["access", oneOf(given.access, ACCESS, "access")],
    ["loadable", oneOf(loadable, LOADABLE, "loadable")],
  ]) {
    if (words.length) test((entry) => lacksWord(name, words, entry));
  }
  const uses = listOf(given.use);
  for (const use of uses.filter((each) => data.uses.includes(each))) {
    test((entry) => lacksUse(use, entry), new Set((index.holding.get(`use:${use}`) ?? new Map()).keys()));
  }
  const licenses = uses.filter((each) => !data.uses.includes(each));
  for (const each of licenses) if (!(each in data.licenses)) throw unknown(`'${each}' is no license term`);
  if (licenses.length) test((entry) => lacksLicense(licenses, entry));
  const has = (name) => given[name] !== undefined && given[name] !== null;
  if (has("min_images")) test((entry) => tooFew(given.min_images, entry));
  if (has("max_images")) test((entry) => tooMany(given.max_images, entry));
  if (has("min_subjects")) test((entry) => fewSubjects(given.min_subjects, entry));
  if (has("max_bytes")) test((entry) => tooLarge(given.max_bytes, entry));
  if (has("year")) test((entry) => anotherYear(Array.isArray(given.year) ? given.year : [given.year, given.year], entry));
  return tests;
}

function otherTerm({ terms }, name, asked, entry) {
  const space = SPACES[name];
  const own = entry[name];
  if (!own.length) return miss(`nobody says its ${name}`, true);
  for (const term of asked) {
    for (const each of own) {
      if (terms.isWider(space + each, term)) return miss(`${name} is ${each}, wider than ${id(term)}`, true);
    }
  }
  return miss(`${name} is ${and(own)}, not ${or(asked.map(id))}`);
}

function notLabeled({ terms }, term, entry) {
  if (!entry.structures.length) return miss(`nobody says what it labels, ${id(term)} or not`, true);
  for (const each of entry.structures) {
    if (terms.isWider(`label:${each}`, term)) return miss(`it labels ${each}, wider than ${id(term)}`, true);
  }
  return miss(`it does not label ${id(term)}`);
}

function lacksWord(name, asked, entry) {
  const own = Array.isArray(entry[name]) ? entry[name] : entry[name] ? [entry[name]] : [];
  if (own.some((each) => asked.includes(each))) return null;
  if (!own.length) return miss(`nobody says its ${name}`, true);
  return miss(`${name} is ${and(own)}, not ${or(asked)}`);
}

const notTheSources = (entry) => miss(`its license (${entry.license}) is only stated by a ${entry.license_by}`, true);

function lacksLicense(licenses, entry) {
  if (licenses.includes(entry.license)) return entry.license_by === "source" ? null : notTheSources(entry);
  if (!entry.license) return miss("no license is stated", true);
  return miss(`its license is ${entry.license}, not ${or(licenses)}`);
}

function lacksUse(use, entry) {
  if (!entry.license) return miss("no license is stated", true);
  if (entry.license_by !== "source") return notTheSources(entry);
  if (entry.license === "LicenseRef-unknown") return miss("its license is not known", true);
  if (entry.license === "LicenseRef-per-row") return miss("each of its rows has a license of its own", true);
  if (use === "commercial" && entry.commercial === null) {
    return miss(`its license (${entry.license}) does not say whether commercial use is allowed`);
  }
  const what = { commercial: "commercial use", open: "publishing it for all" }[use] ?? use;
  return miss(`its license (${entry.license}) does not meet: ${what}`);
}

function tooFew(asked, entry) {
  if (entry.count === null) return miss("nobody says how many images it has", true);
  if (entry.count >= asked) return null;
  if (!IMAGES.includes(entry.unit)) return miss(`it counts ${entry.count} ${entry.unit}, and nobody says how many images`, true);
  return miss(`${asked - entry.count} ${entry.unit} fewer than asked`, 4 * entry.count >= 3 * asked);
}

function tooMany(asked, entry) {
  if (entry.count === null) return miss("nobody says how many images it has", true);
  if (entry.count > asked) return miss(`${entry.count - asked} ${entry.unit} more than asked`, 4 * entry.count <= 5 * asked);
  if (!IMAGES.includes(entry.unit)) return miss(`it counts ${entry.count} ${entry.unit}, and nobody says how many images`, true);
  return null;
}

function fewSubjects(asked, entry) {
  const subjects = entry.subjects === null && entry.unit === "subjects" ? entry.count : entry.subjects;
  if (subjects === null) return miss("nobody says how many subjects it has", true);
  if (subjects >= asked) return null;
  return miss(`${asked - subjects} subjects fewer than asked`, 4 * subjects >= 3 * asked);
}

function tooLarge(asked, entry) {
  if (entry.bytes === null) return miss("nobody says how large it is", true);
  if (entry.bytes <= asked) return null;
  return miss(`${entry.bytes - asked} bytes larger than asked`, 4 * entry.bytes <= 5 * asked);
}

function anotherYear([first, last], entry) {
  const given = (value) => value !== null && value !== undefined;
  if (entry.year === null) return miss("nobody says its year", true);
  if (given(first) && entry.year < first) return miss(`it is of ${entry.year}, before ${first}`, entry.year === first - 1);
  if (given(last) && entry.year > last) return miss(`it is of ${entry.year}, after ${last}`, entry.year === last + 1);
  return null;
}

// the search

/** Strict matches, best first, then near ones with the reason; at most `limit`, all where it is null. */
export function search(index, text, filters = {}, limit = 20) {
  const words = index.words(text).slice(0, LONGEST_QUERY);
  const tests = testsOf(index, filters);
  const runs = runsOf(index, words);
  const { strict, near } = found(index, words, runs, tests, new Set());
  if (strict.length <= RARE) {
    const rare = rareOf(index, words, runs);
    if (rare.size) {
      const seen = new Set([...strict, ...near].map((hit) => hit.entry));
      near.push(...found(index, words, runs, tests, rare).near.filter((hit) => !seen.has(hit.entry)));
    }
  }
  const hits = [...strict.sort(byOrder), ...near.sort(byOrder)];
  const silent = hits.length ? [] : words.filter((word) => !index.ignored.has(word));
  const closest = [...new Set(silent.flatMap((word) => index.closest(word)))];
  return { hits: limit === null ? hits : hits.slice(0, limit), strict: strict.length, near: near.length, closest };
}

const order = ({ entry, score }) => [-score, LOADABLE.indexOf(entry.loadable), -(entry.count ?? 0), entry.id];
const byOrder = (one, other) => compare(order(one), order(other));

function runsOf(index, words) {
  const runs = new Map();
  for (let start = 0; start < words.length; start += 1) {
    let joined = "";
    for (let end = start + 1; end <= words.length; end += 1) {
      joined += words[end - 1];
      const points = end - start === words.length ? WHOLE_QUERY : PART_OF_QUERY;
      for (const number of index.keys.get(joined) ?? []) grown(runs, number, listed).push({ start, end, points });
      if (end - start > 1 && end - start <= LONGEST_JOIN && !isCjk(joined)) {
        for (const number of index.named.get(joined) ?? []) grown(runs, number, listed).push({ start, end, points: NAME * (end - start) });
      }
    }
  }
  return runs;
}

function rareOf(index, words, runs) {
  const named = placesOf(runs);
  const rare = new Set();
  words.forEach((word, place) => {
    if (named.has(place) || /\p{Nd}/u.test(word) || index.terms.byWord.has(word) || index.ignored.has(word)) return;
    if (index.spread(word) <= RARE) rare.add(place);
  });
  return rare;
}

function placesOf(runs) {
  const places = new Set();
  for (const own of runs.values()) for (const { start, end } of own) for (let place = start; place < end; place += 1) places.add(place);
  return places;
}

function found(index, words, runs, tests, rare) {
  const units = unitsOf(index, words, runs, rare);
  for (const unit of units) match(index, unit);
  const silent = units.map((unit) => miss(`nothing of it says ${said(words, unit)}`));
  const strict = [];
  const near = [];
  const candidates = units.length ? related(units, runs) : index.entries.keys();
  for (const number of candidates) {
    const entry = index.entries[number];
    const own = runs.get(number) ?? [];
    let score = Math.max(0, ...own.map((run) => run.points));
    let has = units.length > 0;
    const misses = [];
    const fixed = [];
    for (let place = 0; place < units.length && misses.length < 2; place += 1) {
      const unit = units[place];
      const points = unit.points.get(number);
      if (points !== undefined) {
        score += points.points;
        fixed.push(...points.fixed);
      } else if (own.some((run) => run.start <= unit.start && unit.end <= run.end)) {
        continue;
      } else if (unit.wider.has(number)) {
        score += WIDER;
        misses.push(miss(unit.wider.get(number), true));
      } else {
        misses.push(silent[place]);
      }
    }
    for (let place = 0; place < tests.length && misses.length < 2; place += 1) {
      const { lacks, fitting } = tests[place];
      const lack = fitting === null ? lacks(entry) : fitting.has(number) ? null : lacks;
      if (lack === null) has = true;
      else misses.push(lack);
    }
    if (fixed.length) misses.push(miss(`misspelled: ${[...new Set(fixed)].join(", ")}`));
    if (!misses.length) strict.push({ entry, score, why: "" });
    if (misses.length !== 1) continue;
    const only = typeof misses[0] === "function" ? misses[0](entry) : misses[0];
    if (has || only.close) near.push({ entry, score, why: only.why });
  }
  return { strict, near };
}

function related(units, runs) {
  const numbersOf = new Set(runs.keys());
  for (const unit of units) {
    for (const number of unit.points.keys()) numbersOf.add(number);
    for (const number of unit.wider.keys()) numbersOf.add(number);
  }
  return [...numbersOf].sort((one, other) => one - other);
}

function said(words, unit) {
  const own = words.slice(unit.start, unit.end);
  return own.join(isCjk(own[0]) ? "" : " ");
}

const unitOf = (start, end, options) => ({ start, end, options, points: new Map(), wider: new Map() });
const option = (words, terms = [], fixed = []) => ({ words, terms, fixed });

function unitsOf(index, words, runs, rare) {
  const named = placesOf(runs);
  const readings = words.map((word, place) => (named.has(place) ? [[word, []]] : readingsOf(index, word, rare.has(place))));
  const units = [];
  let place = 0;
  while (place < words.length) {
    let unit = termAt(index, words, readings, place);
    if (unit === null && index.ignored.has(words[place])) {
      place += 1;
      continue;
    }
    if (unit === null && isCjk(words[place])) {
      let end = place + 1;
      while (end < words.length && isCjk(words[end]) && termAt(index, words, readings, end) === null) end += 1;
      unit = unitOf(place, end, [option(inPairs(words.slice(place, end)))]);
    } else if (unit === null) {
      unit = unitOf(place, place + 1, readings[place].map(([each, fix]) => option([each], [], fix)));
    }
    units.push(unit);
    place = unit.end;
  }
  if (!units.length) return words.map((word, at) => unitOf(at, at + 1, [option([word])]));
  return units;
}

function readingsOf(index, word, rare) {
  if (!rare) {
    if (isCjk(word) || index.ignored.has(word) || index.knows(word)) return [[word, []]];
    if (index.knows(singular(word))) return [[singular(word), []]];
    if (index.beginning(word).length) return [[word, []]];
    if (numberedNames(index, word).length) return [[word, []]];
  }
  const corrected = index.corrections(word).map((each) => [each, [each]]);
  return corrected.length ? corrected : [[word, []]];
}

function product(lists) {
  return lists.reduce((before, list) => before.flatMap((some) => list.map((each) => [...some, each])), [[]]);
}

function termAt(index, words, readings, start) {
  for (let end = Math.min(start + LONGEST_TERM, words.length); end > start; end -= 1) {
    if (end === start + 1 && withinChinese(words, start)) return null;
    const likeliest = end - start <= LONGEST_JOIN ? CORRECTIONS : 1;
    let options = [];
    for (const reading of product(readings.slice(start, end).map((each) => each.slice(0, likeliest)))) {
      const own = reading.map(([word]) => word);
      const terms = index.terms.of(own);
      if (terms.length) options.push(option(own, terms, reading.flatMap(([, fix]) => fix)));
    }
    if (end === start + 1 && options.length) options = readings[start].map(([word, fix]) => option([word], index.terms.of([word]), fix));
    if (options.length) return unitOf(start, end, options.slice(0, CORRECTIONS));
  }
  return null;
}

function withinChinese(words, at) {
  return isCjk(words[at]) && (isCjk(words[at - 1]) || isCjk(words[at + 1]));
}

function match(index, unit) {
  unit.options.forEach((each, place) => {
    const times = each.words.filter((word) => !isCjk(word)).length + (each.words.some(isCjk) ? 1 : 0);
    for (const [number, points] of pointsOf(index, each)) {
      const own = Math.floor((points * times) / (place + 1));
      const before = unit.points.get(number);
      if (before === undefined || own > before.points) unit.points.set(number, { points: own, fixed: each.fixed });
    }
  });
  matchWider(index, unit);
}

function pointsOf(index, each) {
  const points = new Map();
  for (const part of [byName(index, each.words), byTerm(index, each), byOther(index, each.words)]) {
    for (const [number, more] of part) points.set(number, (points.get(number) ?? 0) + more);
  }
  return points;
}

function byName(index, words) {
  let all = null;
  for (const word of words) {
    const own = new Map();
    if (!index.named.has(word) || word.length > 3) {
      for (const longer of index.beginning(word)) for (const number of index.named.get(longer) ?? []) own.set(number, BEGINS);
    }
    for (const number of numberedNames(index, word)) own.set(number, NAME);
    for (const number of index.joined.get(word) ?? []) own.set(number, NAME);
    for (const number of index.named.get(word) ?? []) own.set(number, NAME);
    if (all === null) {
      all = own;
    } else {
      const both = new Map();
      for (const [number, points] of all) if (own.has(number)) both.set(number, Math.min(points, own.get(number)));
      all = both;
    }
  }
  return all ?? new Map();
}

function numberedNames(index, word) {
  const [letters, digits] = numbered(word);
  return letters ? [...(index.named.get(letters) ?? [])].filter((number) => index.named.get(digits)?.has(number)) : [];
}

function byTerm(index, each) {
  const points = new Map();
  const hold = (terms, worth) => {
    for (const term of terms) {
      for (const [number, field] of index.holding.get(term) ?? []) {
        const less = index.unfocused.get(field)?.has(number) ? UNFOCUSED : 0;
        points.set(number, Math.max(points.get(number) ?? 0, (worth ?? TERM[field]) - less));
      }
    }
  };
  for (const term of each.terms) {
    hold([term], null);
    hold(index.terms.below(term), BELOW);
  }
  if (each.terms.length || each.words.length !== 1) return points;
  const [word] = each.words;
  const terms = index.terms.byWord.get(word) ?? [];
  for (const term of terms) hold([term, ...index.terms.below(term)], BY_WORD);
  if (!terms.length) {
    for (const longer of index.beginning(word)) {
      for (const term of index.terms.byWord.get(longer) ?? []) hold([term, ...index.terms.below(term)], BY_BEGINNING);
    }
  }
  return points;
}

function byOther(index, words) {
  const points = new Map();
  for (const number of index.other.get(words[0]) ?? []) {
    if (words.slice(1).every((word) => index.other.get(word)?.has(number))) points.set(number, OTHER);
  }
  return points;
}

function matchWider(index, unit) {
  const [first] = unit.options;
  const told = (number, why) => {
    if (!unit.wider.has(number)) unit.wider.set(number, why);
  };
  for (const term of first.terms) {
    const around = [...index.terms.above(term), ...EVERYWHERE, ...EVERYWHERE.flatMap((each) => index.terms.below(each))];
    for (const held of around) {
      if (!index.terms.isWider(held, term)) continue;
      for (const [number, field] of index.holding.get(held) ?? []) told(number, `${field} is ${id(held)}, wider than ${id(term)}`);
    }
  }
  if (first.words.length < 2 || !first.terms.length || first.words.some(isCjk)) return;
  for (const word of first.words) {
    for (const number of pointsOf(index, option([word], index.terms.of([word]))).keys()) told(number, `it says ${word}, not ${first.words.join(" ")}`);
  }
}
