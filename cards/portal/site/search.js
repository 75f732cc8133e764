// The search of the page: a translation of medimg/catalogue/search/, which says how it works, without its filters: the
// page has facets. Same order of results, same reasons; tests/test_search_page.py holds the two equal.
//
//   const index = makeIndex(entries, vocabulary);          // vocabulary: data/vocabulary.json
//   search(index, "liver tumor") -> { hits: [{ entry, score, why }], strict, closest }     why is empty for a strict match
import { grown } from "./python.js";
import { CORRECTIONS, EVERYWHERE, Index, compare, listed } from "./search_index.js";
import { inPairs, isCjk, numbered, singular } from "./search_words.js";

const NAME = 16;
const BEGINS = 8;
const TERM = { modality: 12, organ: 12, task: 12, structures: 10, dimension: 6, use: 6 };
const UNFOCUSED = 3;
const [BELOW, BY_WORD, BY_BEGINNING, OTHER, WIDER] = [10, 6, 4, 4, 3];
const [WHOLE_QUERY, PART_OF_QUERY] = [100, 40];
const [LONGEST_TERM, LONGEST_QUERY, LONGEST_JOIN] = [8, 40, 3];
const RARE = 2;
const LOADABLE = ["builder", "collection", "own copy only", "not yet"];

const id = (term) => term.slice(term.indexOf(":") + 1);

/** The words and terms of entries, as the catalogue has them. */
export const makeIndex = (entries, vocabulary) => new Index(entries, vocabulary);

/** Strict matches, best first, then near ones with the reason. */
export function search(index, text) {
  const words = index.words(text).slice(0, LONGEST_QUERY);
  const runs = runsOf(index, words);
  const { strict, near } = found(index, words, runs, new Set());
  if (strict.length <= RARE) {
    const rare = rareOf(index, words, runs);
    if (rare.size) {
      const seen = new Set([...strict, ...near].map((hit) => hit.entry));
      near.push(...found(index, words, runs, rare).near.filter((hit) => !seen.has(hit.entry)));
    }
  }
  const hits = [...strict.sort(byOrder), ...near.sort(byOrder)];
  const silent = hits.length ? [] : words.filter((word) => !index.ignored.has(word));
  const closest = [...new Set(silent.flatMap((word) => index.closest(word)))];
  return { hits, strict: strict.length, closest };
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

function found(index, words, runs, rare) {
  const units = unitsOf(index, words, runs, rare);
  for (const unit of units) match(index, unit);
  const silent = units.map((unit) => `nothing of it says ${said(words, unit)}`);
  const strict = [];
  const near = [];
  for (const number of units.length ? related(units, runs) : index.entries.keys()) {
    const entry = index.entries[number];
    const own = runs.get(number) ?? [];
    let score = Math.max(0, ...own.map((run) => run.points));
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
        misses.push(unit.wider.get(number));
      } else {
        misses.push(silent[place]);
      }
    }
    if (fixed.length) misses.push(`misspelled: ${[...new Set(fixed)].join(", ")}`);
    if (!misses.length) strict.push({ entry, score, why: "" });
    if (misses.length === 1) near.push({ entry, score, why: misses[0] });
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
