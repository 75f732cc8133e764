// The address holds all state: `#/dataset/lits?pick=lits,kits19`.

/** What stands behind the #: page, what it is about, parameters. */
export function read(hash = location.hash) {
  const text = hash.replace(/^#\/?/, "");
  const [path, query] = split(text, "?");
  const [page, about] = split(path, "/");
  return { page: page || "browse", about: decode(about), params: new URLSearchParams(query) };
}

function split(text, at) {
  const place = text.indexOf(at);
  return place < 0 ? [text, ""] : [text.slice(0, place), text.slice(place + 1)];
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Ids in one parameter. */
export const ids = (params, key) => (params.get(key) ?? "").split(",").filter(Boolean);

const readable = (text) => encodeURIComponent(text).replace(/%2F/g, "/").replace(/%3A/g, ":").replace(/%2C/g, ",").replace(/%20/g, "+");

/** Address of a page. */
export function to(page, about = "", params = new URLSearchParams()) {
  const query = [...params].filter(([, value]) => value !== "").map(([key, value]) => `${readable(key)}=${readable(value)}`).join("&");
  const path = page === "browse" ? "" : page + (about ? `/${encodeURIComponent(about).replace(/%2F/g, "/")}` : "");
  return `#/${path}${query ? `?${query}` : ""}`;
}

/** Parameters with others in their place; null and "" take one out. */
export function changed(params, values) {
  const next = new URLSearchParams(params);
  for (const [key, value] of Object.entries(values)) {
    if (value === null || value === "") next.delete(key);
    else next.set(key, value);
  }
  return next;
}

/** What is picked goes along to every page. */
export function along(params) {
  const kept = new URLSearchParams();
  if (params.get("pick")) kept.set("pick", params.get("pick"));
  return kept;
}
