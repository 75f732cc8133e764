// What the catalogue holds, as tables whose cells carry bars.
import { along, changed, to } from "./address.js";
import { count, fill, h, many, name } from "./dom.js";
import { licenseName, LOADABLE, USES, use, VERDICTS } from "./words.js";

const MOST = 20;

export function mount(main, { catalogue, params }) {
  const { entries } = catalogue;
  const address = (key, value) => to("browse", "", changed(along(params), { [key]: value }));
  const loadable = entries.filter((each) => each.loadable !== "not yet").length;
  const images = entries.filter((each) => each.count !== null);
  fill(main, [
    h("h1", { tabindex: "-1" }, "Statistics"),
    h("p.lead", null, `${many(entries.length, "dataset")}, ${count(loadable)} loadable. ${count(images.length)} say how many images they hold.`),
    h("p.note", null, "Images are counted as their source counts them: pictures, volumes, videos, series or files, whichever it names; series of one study are several. A dataset with several values stands in each, so columns do not add up to the whole. Images that datasets have in common are counted in each of them."),
    h("div.charts", null,
      ["modality", "organ", "task"].map((kind) => chart(kind[0].toUpperCase() + kind.slice(1), entries, (entry) => spread(entry[kind], catalogue.wider[kind]), { link: (value) => address(kind, value), wide: true })),
      chart("Year of the first release", entries, (entry) => (entry.year === null ? [] : [String(entry.year)]), { sort: (one, other) => Number(other[0]) - Number(one[0]), link: (value) => to("browse", "", changed(along(params), { from: value, until: value })), wide: true, all: true }),
      chart("License use", entries, (entry) => [use(entry)], { names: USES, link: (value) => address("use", value) }),
      chart("What may be published", entries, (entry) => [entry.verdict], { names: Object.fromEntries(Object.entries(VERDICTS).map(([key, each]) => [key, each[1]])) }),
      chart("License", entries, (entry) => (entry.license ? [`${licenseName(entry.license)}${entry.license_by === "source" ? "" : " (not verified)"}`] : []), {}),
      chart("How to load", entries, (entry) => [entry.loadable], { names: LOADABLE, link: (value) => address("load", value) })),
  ]);
  return { update() {} };
}

const spread = (terms, wider) => [...new Set(terms.flatMap((term) => [term, ...(wider?.[term] ?? [])]))];

/** One table: datasets and, where that says something, images per value. */
function chart(title, entries, of, { names, link, wide, sort, all }) {
  const rows = new Map();
  let silent = 0;
  for (const entry of entries) {
    const values = of(entry);
    silent += !values.length;
    for (const value of values) {
      const row = rows.get(value) ?? { datasets: 0, images: 0, told: 0 };
      row.datasets += 1;
      if (entry.count !== null) {
        row.images += entry.count;
        row.told += 1;
      }
      rows.set(value, row);
    }
  }
  const every = [...rows].sort(sort ?? ((one, other) => other[1].datasets - one[1].datasets || one[0].localeCompare(other[0])));
  const most = Math.max(1, ...every.map((each) => each[1].datasets));
  const mostImages = Math.max(1, ...every.map((each) => each[1].images));
  const line = ([value, row]) =>
    h("tr", null,
      h("th", { scope: "row" }, link ? h("a", { href: link(value) }, name(names?.[value] ?? value)) : name(names?.[value] ?? value)),
      h("td.n", null, h("span.bar", { vars: { "--share": `${(100 * row.datasets) / most}%` } }, count(row.datasets))),
      wide && h("td.n", { title: `${row.told} of ${row.datasets} say how many` }, h("span.bar.second", { vars: { "--share": `${(100 * row.images) / mostImages}%` } }, row.told ? count(row.images) : "–"), h("small", null, row.told < row.datasets ? `${count(row.told)} say` : "all say")));
  const part = (lines) => h("table.list", null, h("thead", null, h("tr", null, h("th", { scope: "col" }, title), h("th.n", { scope: "col" }, "Datasets"), wide && h("th.n", { scope: "col" }, "Images"))), h("tbody", null, lines.map(line)));
  const shown = all ? every : every.slice(0, MOST);
  return h("section.chart", null, h("h2", null, title), h("p.note", null, silent ? `${many(silent, "dataset")} of ${count(entries.length)} ${silent === 1 ? "says" : "say"} nothing of it.` : `All ${count(entries.length)} datasets say it.`), part(shown), every.length > shown.length && h("details.fold", null, h("summary", null, `${every.length - shown.length} rarer`), part(every.slice(MOST))));
}
