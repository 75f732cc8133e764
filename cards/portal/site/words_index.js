// Free text in the page: the index is made when words are looked for, and not before.
import { fetched } from "./data.js";
import { makeIndex, search } from "./search.js";

const made = new WeakMap();

/** The search of a catalogue once its vocabulary is here; null until then. */
export const ready = (catalogue) => made.get(catalogue) ?? null;

/** Make the search: text -> {places, near: [{place, reason}], closest}, best first. */
export async function prepare(catalogue) {
  if (made.has(catalogue)) return;
  const index = makeIndex(catalogue.entries, await fetched("data/vocabulary.json"));
  let last = [null, null];
  made.set(catalogue, (text) => {
    if (last[0] !== text) last = [text, asked(index, text)];
    return last[1];
  });
}

function asked(index, text) {
  const { hits, strict, closest } = search(index, text);
  return {
    places: hits.slice(0, strict).map(({ entry }) => entry.place),
    near: hits.slice(strict).map(({ entry, why }) => ({ place: entry.place, reason: why })),
    closest,
  };
}
