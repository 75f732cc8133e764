// A composition as the address of the page holds it, and back: `#/compose?d=lits,chaos&modality=CT&target=liver`.

/** Arguments of `medimg.fuse` -> parameters that may come several times. */
const LISTS = {
  modality: "modality", organ: "organ", task: "task", targets: "target", license_terms: "license", split: "split",
  prefer: "prefer",
};
const WORDS = ["dimension", "encoding", "on_duplicate", "source", "blueprint"];
const NUMBERS = ["minimum", "seed", "shuffle_buffer"];
const FLAGS = ["near", "unlabeled", "repeat"];
const OTHERS = ["d", "recipe", "show"];
export const KEYS = [...OTHERS, ...Object.values(LISTS), ...WORDS, ...NUMBERS, ...FLAGS, "weights", "grid"];

/** A number where the text is one; the text itself is what an error can name. */
const numeric = (text) => (/^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text);

/** "temperature=2" or "lits=2,chaos=1" as a mapping; other texts are an order. */
function weightsOf(text) {
  if (!text.includes("=")) return text;
  return Object.fromEntries(text.split(",").map((part) => {
    const at = part.lastIndexOf("=");
    return [part.slice(0, at).trim(), numeric(part.slice(at + 1).trim())];
  }));
}

/** "spacing=1,1,2.5" as [field, value]. */
function field(text) {
  const [key, ...rest] = text.split("=");
  const parts = rest.join("=").split(",").map((each) => numeric(each.trim()));
  return [key, parts.length === 1 ? parts[0] : parts];
}

/** The arguments of `medimg.fuse` that an address asks for. */
export function askedOf(params) {
  const asked = {};
  const names = (params.get("d") ?? "").split(",").filter(Boolean);
  if (names.length) asked.names = names;
  for (const [name, key] of Object.entries(LISTS)) if (params.has(key)) asked[name] = params.getAll(key);
  for (const name of WORDS) if (params.get(name)) asked[name] = params.get(name);
  for (const name of NUMBERS) if (params.get(name)) asked[name] = numeric(params.get(name));
  for (const name of FLAGS) if (params.get(name)) asked[name] = { yes: true, no: false }[params.get(name)] ?? params.get(name);
  if (params.get("weights")) asked.weights = weightsOf(params.get("weights"));
  if (params.has("grid")) asked.grid = Object.fromEntries(params.getAll("grid").map(field));
  return asked;
}

/**
 * An address's parameters with these arguments in the place of what it asked for.
 * @param {URLSearchParams} params of now; what is no argument stays
 * @param {object} asked arguments of `medimg.fuse`
 */
export function paramsOf(params, asked) {
  const next = new URLSearchParams([...params].filter(([key]) => !KEYS.includes(key) || key === "show"));
  const text = (value) => (value === true ? "yes" : value === false ? "no" : String(value));
  const given = (value) => value !== null && value !== undefined;
  const names = [asked.names ?? []].flat();
  if (names.length) next.set("d", names.join(","));
  for (const [name, key] of Object.entries(LISTS)) for (const each of [asked[name] ?? []].flat()) next.append(key, each);
  for (const name of [...WORDS, ...NUMBERS, ...FLAGS]) if (given(asked[name])) next.set(name, text(asked[name]));
  if (given(asked.weights)) {
    next.set("weights", typeof asked.weights === "string"
      ? asked.weights
      : Object.entries(asked.weights).map((pair) => pair.join("=")).join(","));
  }
  for (const [key, value] of Object.entries(asked.grid ?? {})) if (given(value)) next.append("grid", `${key}=${value}`);
  return next;
}
