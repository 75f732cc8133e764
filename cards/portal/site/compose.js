// The composer's page: everything it does is in composer.js.
import { fetched } from "./data.js";
import { announce, fill, h } from "./dom.js";

/**
 * `composer.js` exports `mount(element, context)`, which may return `{ update(context) }`, called when the address changes.
 * The context holds catalogue (about, entries, licenses, wider, get), params (of the address), picked (ids),
 * go(params, {page, about, push}), pick(id), fetched(path) for JSON of the site, h, announce.
 */
export async function mount(main, context) {
  fill(main, [h("h1", { tabindex: "-1" }, "Compose")]);
  const element = h("div.composer");
  main.append(element);
  if (!context.catalogue.about.composer) {
    fill(element, [h("p", null, "The composer is not part of this portal. ", h("code", null, "medimg fuse --help"), " says how to fuse datasets.")]);
    return { update() {} };
  }
  const composer = await import("./composer.js");
  const whole = (each) => ({ ...each, fetched, h, announce });
  const part = await composer.mount(element, whole(context));
  return { update: (next) => part?.update?.(whole(next)) };
}
