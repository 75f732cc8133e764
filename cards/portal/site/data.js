// The catalogue as the build wrote it: columns, each word once.

const LISTS = ["aliases", "modality", "organ", "task", "structures", "dimension"];
const WORDS = ["unit", "license", "verdict", "license_by", "access", "loadable", "organization", "where"];
const PLAIN = ["id", "name", "count", "subjects", "bytes", "year", "commercial"];

const asked = new Map();

/** A JSON file of the site; asked for once. */
export function fetched(path) {
  if (!asked.has(path)) {
    const answer = fetch(path).then((got) => {
      if (!got.ok) throw new Error(`${path}: ${got.status} ${got.statusText}`);
      return got.json();
    });
    answer.catch(() => asked.delete(path));
    asked.set(path, answer);
  }
  return asked.get(path);
}

/** The catalogue: about, entries, licenses, and what each term is a kind or part of. */
export async function catalogue() {
  return decoded(await fetched("data/catalogue.json"));
}

/** Columns to entries. */
export function decoded(raw) {
  const { columns, published, pictures } = raw;
  const entries = columns.id.map((_, place) => {
    const entry = { place };
    for (const key of PLAIN) entry[key] = columns[key][place];
    for (const key of WORDS) entry[key] = columns[key].of[place].map((each) => columns[key].words[each])[0] ?? null;
    for (const key of LISTS) entry[key] = columns[key].of[place].map((each) => columns[key].words[each]);
    entry.overlaps = columns.overlaps.of[place].map((each) => {
      const [dataset, relation] = columns.overlaps.words[each].split("\t");
      return { dataset, relation };
    });
    const [rows, bytes, origin] = published[entry.id] ?? [];
    entry.published = rows === undefined ? null : { rows, bytes, origin };
    entry.picture = pictures[entry.id] ?? null;
    return entry;
  });
  const known = new Map(entries.map((each) => [each.id, each]));
  // A portal that lies on its own Hub names it by the root of the address.
  const about = { ...raw.about, hub: raw.about.hub || location.origin };
  return { about, entries, licenses: raw.licenses, wider: raw.narrower, get: (id) => known.get(id) };
}

/** What the page of one dataset says beyond that. */
export async function details(catalogue, entry) {
  const chunk = await fetched(`data/details/${Math.floor(entry.place / catalogue.about.chunk)}.json`);
  return chunk[entry.id];
}
