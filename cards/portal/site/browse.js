// The first page: matrix, facets, results.
import { along, changed, to } from "./address.js";
import { announce, count, h, many, name, replace, visible } from "./dom.js";
import { chosen, FACETS, filtered, indexed, shownValues } from "./facets.js";
import { matrix } from "./matrix.js";
import { amount, bytes, HOW, licenseName, subjects, verdict } from "./words.js";
import { prepare, ready } from "./words_index.js";

const PAGE = 50;
const FEW = 7;
const SORTS = {
  relevance: "Best match",
  name: "Name",
  count: "Most images",
  subjects: "Most subjects",
  bytes: "Largest download",
  year: "Newest",
};
const prepared = new WeakMap();

function indexes(catalogue) {
  if (!prepared.has(catalogue)) {
    prepared.set(catalogue, indexed(catalogue.entries, catalogue.wider));
  }
  return prepared.get(catalogue);
}

/** What an address asks for: places in order, counts of all facets, near matches with their reasons. */
export function found(catalogue, params) {
  const facets = indexes(catalogue);
  const text = (params.get("q") ?? "").trim();
  const hits = text ? ready(catalogue)(text) : null;
  const rank = hits && new Map(hits.places.map((place, at) => [place, at]));
  const choice = chosen(facets, params);
  const result = filtered(facets, choice, catalogue.entries, rank ? (place) => rank.has(place) : undefined);
  const near = hits?.near.length ? nearOnes(facets, choice, catalogue.entries, hits.near) : [];
  return { ...result, choice, places: sorted(result.places, params, catalogue.entries, rank), near, closest: hits?.closest ?? [] };
}

/** Near matches that satisfy the filters. */
function nearOnes(facets, choice, entries, near) {
  const places = new Set(near.map((each) => each.place));
  const kept = new Set(filtered(facets, choice, entries, (place) => places.has(place)).places);
  return near.filter((each) => kept.has(each.place));
}

function sorted(places, params, entries, rank) {
  const by = SORTS[params.get("sort")] ? params.get("sort") : "relevance";
  if (by === "relevance") return rank ? places.sort((one, other) => rank.get(one) - rank.get(other)) : places;
  const names = (one, other) => entries[one].name.localeCompare(entries[other].name, "en", { numeric: true });
  if (by === "name") return places.sort(names);
  const value = (place) => entries[place][by] ?? -1;
  return places.sort((one, other) => value(other) - value(one) || names(one, other));
}

export function mount(main, context) {
  const field = h("input", { id: "q", type: "search", autocomplete: "off", spellcheck: "false", placeholder: "liver tumor, LiTS, breast ultrasound …", "aria-describedby": "said" });
  const said = h("p.said", { id: "said" });
  const over = h("section.matrix", { "aria-labelledby": "matrix-title" });
  const rail = h("details.facets", { open: innerWidth > 860 });
  const tools = h("div.tools");
  const results = h("ol.results", { id: "results" });
  const after = h("div.after");
  main.append(
    h("h1.unseen", { tabindex: "-1", "data-title": "Medical imaging datasets" }, "Medical imaging datasets"),
    h("div.search", { role: "search" }, h("label", { for: "q" }, "Search datasets"), field, h("kbd", { "aria-hidden": "true" }, "/")),
    over,
    h("div.columns", null, rail, h("section.found", { "aria-labelledby": "found-title" }, h("h2.unseen", { id: "found-title" }, "Results"), tools, said, results, after)),
  );
  let now = context;
  let waiting = 0;
  field.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      now.go(changed(now.params, { q: field.value.trim() && field.value, page: null }));
    }, 90);
  });
  const widened = new Set();
  const update = (next) => {
    now = next;
    if ((next.params.get("q") ?? "").trim() && !ready(next.catalogue)) {
      return prepare(next.catalogue).then(() => update(now));
    }
    const asked = next.params.get("q") ?? "";
    if (field.value.trim() !== asked.trim()) field.value = asked;
    const answer = found(next.catalogue, next.params);
    const focused = document.activeElement?.id;
    matrix(over, next, answer);
    facets(rail, next, answer, widened, () => update(now));
    toolbar(tools, next);
    list(results, after, said, next, answer);
    if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus({ preventScroll: true });
  };
  field.addEventListener("focus", () => prepare(context.catalogue), { once: true });
  const drawn = update(context);
  return drawn ? drawn.then(() => ({ update })) : { update };
}

/** The same address with one value of a facet put in or taken out. */
function toggled(params, key, value) {
  const next = new URLSearchParams(params);
  const kept = next.getAll(key);
  next.delete(key);
  for (const each of kept.includes(value) ? kept.filter((other) => other !== value) : [...kept, value]) next.append(key, each);
  next.delete("page");
  return next;
}

function facets(rail, context, answer, widened, again) {
  const { params, go, catalogue } = context;
  const index = indexes(catalogue);
  const active = FACETS.some((facet) => params.has(facet.key)) || params.has("from") || params.has("until");
  const clear = changed(along(params), { q: params.get("q"), sort: params.get("sort") });
  const groups = index.map((facet, at) => {
    const values = shownValues(facet, answer.counts[at], answer.choice.wanted[at]);
    if (!values.length) return null;
    const all = widened.has(facet.key) || values.length <= FEW + 1;
    const shown = all ? values : values.filter((each, place) => place < FEW || each.on);
    return h(
      "fieldset",
      null,
      h("legend", null, facet.title),
      shown.map(({ value, count: hits, on }) => {
        const id = `f-${facet.key}-${value}`;
        return h(
          "label.value",
          { for: id },
          h("input", { type: "checkbox", id, checked: on, onchange: () => go(toggled(params, facet.key, value)) }),
          h("span.word", null, name(facet.names?.[value] ?? value)),
          h("span.hits", null, count(hits)),
        );
      }),
      values.length > shown.length || widened.has(facet.key)
        ? h("button.quiet.more", { type: "button", id: `more-${facet.key}`, "aria-expanded": String(all), onclick: () => { if (!widened.delete(facet.key)) widened.add(facet.key); again(); } }, all ? "Show fewer" : `Show all ${values.length}`)
        : null,
    );
  });
  const year = (key, label) => {
    const input = h("input", { id: `f-${key}`, type: "number", inputmode: "numeric", min: "1980", max: "2100", placeholder: "any", value: params.get(key) ?? "" });
    input.addEventListener("change", () => {
      go(changed(params, { [key]: /^\d{4}$/.test(input.value) ? input.value : null, page: null }));
    });
    return h("label.year", { for: `f-${key}` }, label, input);
  };
  const top = rail.scrollTop;
  replace(
    rail,
    h("summary", null, "Filters", active && h("span.on", null, "on")),
    h("div.groups", null, active && h("p", null, h("a.clear", { href: to("browse", "", clear), id: "clear" }, "Clear all filters")), groups.slice(0, 7), h("fieldset.years", null, h("legend", null, "Year"), year("from", "from"), year("until", "until"), answer.yearless ? h("p.note", null, `${many(answer.yearless, "dataset")} without a year left out`) : null), groups.slice(7)),
  );
  rail.scrollTop = top;
}

function toolbar(tools, { params, go }) {
  const now = SORTS[params.get("sort")] ? params.get("sort") : "relevance";
  const select = h("select", { id: "sort" }, Object.entries(SORTS).map(([key, title]) => h("option", { value: key, selected: key === now }, key === "relevance" && !params.get("q") ? "Loadable first" : title)));
  select.addEventListener("change", () => {
    go(changed(params, { sort: select.value === "relevance" ? null : select.value, page: null }));
  });
  replace(tools, h("label", { for: "sort" }, "Sort by"), select);
}

let lastSaid = "";
function list(results, after, said, context, answer) {
  const { params, catalogue } = context;
  const { entries } = catalogue;
  const total = answer.places.length;
  const pages = Math.max(1, Math.ceil(total / PAGE));
  const page = Math.min(pages, Math.max(1, Number.parseInt(params.get("page") ?? "1", 10) || 1));
  const shown = answer.places.slice((page - 1) * PAGE, page * PAGE);
  const by = params.get("sort");
  const silent = by && by !== "name" && SORTS[by] ? answer.places.filter((place) => entries[place][by] === null).length : 0;
  const loadable = answer.places.filter((place) => entries[place].loadable !== "not yet").length;
  const sentence = `${many(total, "dataset")}${total === entries.length ? "" : ` of ${count(entries.length)}`}, ${count(loadable)} loadable${silent ? `; ${count(silent)} that say nothing of it stand last` : ""}`;
  replace(said, sentence, pages > 1 && `; page ${page} of ${pages}`);
  if (lastSaid && lastSaid !== sentence) announce(sentence);
  lastSaid = sentence;
  results.start = (page - 1) * PAGE + 1;
  replace(results, shown.map((place) => line(entries[place], context)));
  const at = (number, label, on) => {
    const next = changed(params, { page: number > 1 ? String(number) : null });
    return h("a", { href: to("browse", "", next), "aria-current": on ? "page" : null, "aria-label": label === String(number) ? `Page ${number}` : null }, label);
  };
  const numbers = [...new Set([1, page - 1, page, page + 1, pages])].filter((each) => each >= 1 && each <= pages);
  replace(
    after,
    !total && h("p.none", null, "Nothing is known here that satisfies all of this.", answer.closest.length > 0 && [" Did you mean ", answer.closest.slice(0, 5).map((each, at) => [at ? ", " : "", h("a", { href: to("browse", "", changed(params, { q: each })) }, name(each))]), "?"]),
    pages > 1 && h("nav.paging", { "aria-label": "Pages of results" }, page > 1 && at(page - 1, "← Previous"), numbers.map((each, place) => [place && each - numbers[place - 1] > 1 ? h("span", null, "…") : null, at(each, String(each), each === page)]), page < pages && at(page + 1, "Next →")),
    answer.near.length > 0 && page === pages && h("section.near", { "aria-labelledby": "near-title" }, h("h2", { id: "near-title" }, "Near matches"), h("ol.results", null, answer.near.slice(0, 20).map(({ place, reason }) => line(entries[place], context, reason)))),
  );
}

/** One dataset in the list. */
function line(entry, context, reason) {
  const { params, picked, pick } = context;
  const href = to("dataset", entry.id, along(params));
  const on = picked.includes(entry.id);
  const facts = [entry.modality, entry.organ, entry.task].map((terms) => terms.slice(0, 3).join(", ") + (terms.length > 3 ? ` +${terms.length - 3}` : "")).filter(Boolean);
  const numbers = [amount(entry), subjects(entry), bytes(entry), entry.year].filter((each) => each !== null);
  return h(
    "li.line",
    { "data-id": entry.id },
    entry.picture ? h("img", { src: entry.picture.thumb, alt: "", width: 56, height: 56, loading: "lazy" }) : h("span.no-picture", { "aria-hidden": "true" }, short(entry)),
    h("div.what", null, h("a.title", { href }, name(entry.name)), h("code.id", null, entry.id), h("p.facts", null, facts.join(" · "), entry.dimension.length ? ` · ${entry.dimension.join(", ")}` : ""), reason && h("p.reason", null, reason)),
    h("div.numbers", null, numbers.map((each) => h("span", null, each))),
    h("div.terms", null, verdict(entry), h("span.license", null, entry.license ? [name(licenseName(entry.license)), entry.license_by === "source" ? null : " (not verified)"] : "no license stated"), h("span.how", null, HOW[entry.loadable])),
    h("button.pick", { type: "button", id: `pick-${entry.id}`, "aria-pressed": String(on), onclick: () => pick(entry.id), "aria-label": `${on ? "Added" : "Add"} ${visible(entry.name)} to the composition` }, on ? "Added" : "Add"),
  );
}

const short = (entry) => (entry.modality[0] ?? "?").split(/[\s-]/)[0].slice(0, 5);
