// The frame: pages by address, theme, what is picked.
import { along, changed, ids, read, to } from "./address.js";
import * as browse from "./browse.js";
import { catalogue } from "./data.js";
import { announce, fill, h, many, name, replace } from "./dom.js";

const PAGES = { browse: "Browse", compose: "Compose", compare: "Compare", statistics: "Statistics" };
const LATER = {
  dataset: () => import("./dataset.js"),
  compare: () => import("./compare.js"),
  statistics: () => import("./statistics.js"),
  compose: () => import("./composer.js"),
  view: () => import("./view.js"),
};
const main = document.getElementById("main");
let known = null;
let open = { page: null, about: null, part: null };

/** Put other parameters into the address and show what they mean. */
function go(params, { page, about, push = false } = {}) {
  const here = read();
  const address = to(page ?? here.page, about ?? here.about, params);
  if (address === location.hash) return;
  history[push ? "pushState" : "replaceState"](null, "", address);
  show();
}

/** Put a dataset into the selection or take it out. */
function pick(id) {
  const { params } = read();
  const picked = ids(params, "pick");
  const next = picked.includes(id) ? picked.filter((each) => each !== id) : [...picked, id];
  announce(`${picked.includes(id) ? "Removed from" : "Added to"} the composition: ${many(next.length, "dataset")}.`);
  go(changed(params, { pick: next.join(",") }));
}

async function show() {
  const { page, about, params } = read();
  const context = { catalogue: known, page, about, params, go, pick, picked: ids(params, "pick") };
  pages(context);
  tray(context);
  if (open.page === page && open.about === about && open.part?.update) {
    open.part.update(context);
    return;
  }
  const first = open.page === null;
  open.part?.leave?.();
  open = { page, about, part: null };
  const mine = open;
  try {
    const module = page === "browse" ? browse : await (LATER[page] ?? missing)();
    if (open !== mine) return;
    main.replaceChildren();
    main.className = `page-${LATER[page] || page === "browse" ? page : "missing"}`;
    mine.part = (await module.mount(main, { ...context, params: read().params })) ?? {};
  } catch (error) {
    replace(main, h("h1", { tabindex: "-1" }, "This page could not be shown"), h("p", null, name(error.message)), h("p", null, "Reload the page; if that does not help, build the portal anew."));
    console.error(error);
  }
  if (open !== mine) return;
  const heading = main.querySelector("h1");
  document.title = `${heading?.dataset.title ?? heading?.textContent ?? "medimg"} · medimg`;
  if (!first) {
    scrollTo(0, 0);
    heading?.focus({ preventScroll: true });
  }
}

const missing = () => ({
  mount(element) {
    fill(element, [h("h1", { tabindex: "-1" }, "There is no such page"), h("p", null, h("a", { href: "#/" }, "All datasets"))]);
  },
});

function pages({ page, params, picked }) {
  const kept = along(params);
  const links = Object.entries(PAGES).map(([key, title]) => {
    const query = new URLSearchParams(key === page ? params : kept);
    if (key === "compare" && page !== "compare" && picked.length) query.set("d", picked.slice(0, 4).join(","));
    if (key === "compose" && page !== "compose" && picked.length) query.set("d", picked.join(","));
    const here = key === page || (key === "browse" && page === "dataset");
    return h("a", { href: to(key, "", query), "aria-current": here ? "page" : null }, title);
  });
  replace(document.getElementById("pages"), links);
}

/** What is picked, and what can be done with it. */
function tray({ params, picked, page, catalogue }) {
  let bar = document.getElementById("tray");
  document.body.classList.toggle("has-tray", picked.length > 0 && page !== "compose");
  if (!picked.length || page === "compose") {
    bar?.remove();
    return;
  }
  if (!bar) {
    bar = h("section", { id: "tray", "aria-label": "Composition" });
    document.getElementById("foot").before(bar);
  }
  const focused = document.activeElement?.id;
  const query = (key, most) => to(key, "", changed(along(params), { d: picked.slice(0, most).join(",") }));
  replace(
    bar,
    h("strong", null, many(picked.length, "dataset")),
    h("ul", null, picked.map((id) => h("li", null, name(catalogue.get(id)?.name ?? id), h("button.quiet", { type: "button", id: `unpick-${id}`, "aria-label": `Remove ${id}`, onclick: () => pick(id) }, "×")))),
    h("a.button", { href: query("compose", Infinity) }, "Compose"),
    picked.length > 1 && h("a.button.plain", { href: query("compare", 4) }, picked.length > 4 ? "Compare the first 4" : "Compare"),
    h("button.quiet", { type: "button", id: "unpick", onclick: () => go(changed(params, { pick: null })) }, "Clear"),
  );
  if (focused?.startsWith("unpick")) (document.getElementById(focused) ?? bar.querySelector("a")).focus();
}

// Theme: the system's, unless it was chosen.
const THEMES = ["system", "light", "dark"];
const themeButton = document.getElementById("theme");
function stored(value) {
  try {
    if (value === undefined) return localStorage.getItem("theme");
    localStorage.setItem("theme", value);
  } catch {
    /* storage may be shut in a frame: the choice then lasts as long as the page */
  }
  return value ?? null;
}
function theme(value) {
  const now = THEMES.includes(value) ? value : "system";
  if (now === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = now;
  themeButton.dataset.now = now;
  replace(themeButton, h("span.dot", { "aria-hidden": "true" }), `Theme: ${now}`);
}
theme(stored());
themeButton.addEventListener("click", () => {
  const next = THEMES[(THEMES.indexOf(themeButton.dataset.now) + 1) % THEMES.length];
  stored(next);
  theme(next);
});

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  const field = document.getElementById("q");
  if (field) field.focus();
  else location.hash = to("browse", "", along(read().params));
});

function foot({ about, entries }) {
  const from = about.looked ? ["What is published was read from ", name(about.hub), "."] : ["Built from the declarations; no Hub was asked what is published."];
  replace(
    document.getElementById("foot"),
    h("p", null, `medimg ${about.medimg}: ${many(entries.length, "dataset")}. `, from, " The datasets have licenses of their own: what a license lets be done is the source's to say."),
    h("p", null, "No cookies, no tracking, no request to anybody else. ", h("a", { href: "#/view" }, "View a file of your own"), ": it stays on your computer."),
  );
}

try {
  known = await catalogue();
  foot(known);
  window.addEventListener("hashchange", show);
  window.addEventListener("popstate", show);
  await show();
} catch (error) {
  replace(main, h("h1", null, "The catalogue could not be read"), h("p", null, name(error.message)));
  console.error(error);
}
document.documentElement.dataset.ready = "yes";
