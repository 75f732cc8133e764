// Filters that say how many each further choice would leave.
import { ACCESS, DIMENSIONS, LOADABLE, USES, use } from "./words.js";

const UNSAID = "not stated";
const COUNTS = [[100, "under 100"], [1000, "100 to 1,000"], [10000, "1,000 to 10,000"], [100000, "10,000 to 100,000"], [Infinity, "over 100,000"]];
const BYTES = [[1e9, "under 1 GB"], [1e10, "1 to 10 GB"], [1e11, "10 to 100 GB"], [1e12, "100 GB to 1 TB"], [Infinity, "over 1 TB"]];

const bucket = (steps, value) => (value === null ? UNSAID : steps.find(([bound]) => value < bound || bound === Infinity)[1]);
const listed = (kind) => (entry, wider) => {
  if (!entry[kind].length) return [UNSAID];
  const up = wider[kind] ?? {};
  return new Set(entry[kind].flatMap((term) => [term, ...(up[term] ?? [])]));
};

/** key in the address, title, values of an entry, names of values, fixed order. */
export const FACETS = [
  { key: "modality", title: "Modality", of: listed("modality") },
  { key: "organ", title: "Organ", of: listed("organ") },
  { key: "task", title: "Task", of: listed("task") },
  { key: "dimension", title: "Dimension", of: listed("dimension"), names: DIMENSIONS },
  { key: "use", title: "License use", of: (entry) => [use(entry)], names: USES, order: Object.keys(USES) },
  { key: "load", title: "How to load", of: (entry) => [entry.loadable], names: LOADABLE, order: Object.keys(LOADABLE) },
  { key: "access", title: "Access", of: (entry) => [entry.access ?? UNSAID], names: ACCESS, order: [...Object.keys(ACCESS), UNSAID] },
  { key: "count", title: "Images", of: (entry) => [bucket(COUNTS, entry.count)], order: [...COUNTS.map((each) => each[1]), UNSAID] },
  { key: "bytes", title: "Size", of: (entry) => [bucket(BYTES, entry.bytes)], order: [...BYTES.map((each) => each[1]), UNSAID] },
];

/** Numbers of each entry's values, once for a catalogue. */
export function indexed(entries, wider) {
  return FACETS.map((facet) => {
    const numbers = new Map();
    const values = [];
    const of = entries.map((entry) => {
      const found = [];
      for (const value of facet.of(entry, wider)) {
        if (!numbers.has(value)) numbers.set(value, values.push(value) - 1);
        found.push(numbers.get(value));
      }
      return found;
    });
    const stated = new Set(["modality", "organ", "task"].includes(facet.key) ? entries.flatMap((entry) => entry[facet.key]) : values);
    return { ...facet, values, numbers, of, stated };
  });
}

/** Chosen values and the span of years of an address. */
export function chosen(index, params) {
  const wanted = index.map((facet) => params.getAll(facet.key));
  const year = (key) => (/^\d{4}$/.test(params.get(key) ?? "") ? Number(params.get(key)) : null);
  return { wanted, from: year("from"), until: year("until") };
}

/**
 * Entries that satisfy all, and for each facet how many entries each value would give beside the other facets' choices.
 * @param {Array} index of `indexed`
 * @param {object} choice of `chosen`
 * @param {Array} entries all of them, in the order of the index
 * @param {(place: number) => boolean} text whether the words match
 */
export function filtered(index, choice, entries, text = () => true) {
  const sets = index.map((facet, at) => {
    if (!choice.wanted[at].length) return null;
    const set = new Uint8Array(facet.values.length);
    for (const value of choice.wanted[at]) if (facet.numbers.has(value)) set[facet.numbers.get(value)] = 1;
    return set;
  });
  const counts = index.map((facet) => new Uint32Array(facet.values.length));
  const spanned = choice.from !== null || choice.until !== null;
  const places = [];
  let yearless = 0;
  for (let place = 0; place < entries.length; place += 1) {
    let failed = -1;
    let fails = 0;
    for (let at = 0; at < index.length && fails < 2; at += 1) {
      const set = sets[at];
      if (set === null) continue;
      const values = index[at].of[place];
      let hit = false;
      for (let each = 0; each < values.length; each += 1) hit ||= set[values[each]] === 1;
      if (!hit) {
        failed = at;
        fails += 1;
      }
    }
    if (fails > 1 || !text(place)) continue;
    if (spanned) {
      const year = entries[place].year;
      if (year === null) {
        yearless += fails === 0;
        continue;
      }
      if ((choice.from !== null && year < choice.from) || (choice.until !== null && year > choice.until)) continue;
    }
    if (fails === 0) places.push(place);
    for (let at = fails ? failed : 0; at < (fails ? failed + 1 : index.length); at += 1) {
      const values = index[at].of[place];
      const counted = counts[at];
      for (let each = 0; each < values.length; each += 1) counted[values[each]] += 1;
    }
  }
  return { places, counts, yearless };
}

/** Values of a facet in the order in which they are shown: what entries state before wider terms, frequent ones first. */
export function shownValues(facet, counted, wanted) {
  const known = facet.values.map((value, number) => ({ value, count: counted[number], on: wanted.includes(value) }));
  for (const value of wanted) if (!facet.numbers.has(value)) known.push({ value, count: 0, on: true });
  const rank = (each) => (facet.order ? facet.order.indexOf(each.value) : each.value === UNSAID ? 2 : facet.stated.has(each.value) ? 0 : 1);
  return known
    .filter((each) => each.count || each.on)
    .sort((one, other) => rank(one) - rank(other) || (facet.order ? 0 : other.count - one.count) || one.value.localeCompare(other.value));
}
