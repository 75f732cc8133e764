// Elements. All text goes in as text: nothing here reads markup.

const PROPERTIES = new Set(["checked", "value", "disabled", "open", "indeterminate", "selected", "tabIndex"]);

/**
 * An element.
 * @param {string} tag its name, with classes after dots: "p.note"
 * @param {object|null} given attributes; on… are listeners, `vars` are custom properties of its style
 * @param {...any} children elements, text, lists of them; null and false are nothing
 */
export function h(tag, given, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(given ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "vars") for (const [each, set] of Object.entries(value)) element.style.setProperty(each, set);
    else if (PROPERTIES.has(key)) element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  fill(element, children);
  return element;
}

/** Text without characters that are not seen, or that turn the direction of what follows. */
export const visible = (text) => text.replace(/[^\P{C}\n\t]/gu, "");

/** Append children. */
export function fill(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : visible(String(child)));
  }
  return element;
}

/** Put these in the place of all that an element holds. */
export function replace(element, ...children) {
  element.replaceChildren();
  return fill(element, children);
}

/** A name from outside, kept from turning the direction of what stands around it. */
export const name = (text) => h("bdi", null, text);

/** A link to somewhere else, where the address is one of the web. */
export function outside(address, text) {
  const safe = /^https?:\/\/[^\s]+$/i.test(address);
  return safe ? h("a", { href: address, rel: "noreferrer noopener", target: "_blank" }, name(text ?? address)) : h("code", null, address);
}

const number = new Intl.NumberFormat("en-US");
const short = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
export const count = (value) => number.format(value);
export const brief = (value) => (value < 10000 ? number.format(value) : short.format(value));

/** Bytes in decimal units. */
export function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let power = 0;
  while (bytes >= 999.5 && power < 5) {
    bytes /= 1000;
    power += 1;
  }
  return `${power ? Number(bytes.toPrecision(3)) : bytes} ${units[power]}`;
}

/** "1 dataset", "2 datasets". */
export const many = (value, one, more = `${one}s`) => `${count(value)} ${value === 1 ? one : more}`;

let spoken = 0;
/** Say it to those who hear the page. */
export function announce(text) {
  const live = document.getElementById("live");
  clearTimeout(spoken);
  spoken = setTimeout(() => (live.textContent = text), 150);
}

/** A button that copies a text. */
export function copier(text, what) {
  const button = h("button.quiet.copy", { type: "button", "aria-label": `Copy ${what}` }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Press Ctrl-C";
      getSelection().selectAllChildren(button.parentElement.querySelector("pre"));
    }
    announce(button.textContent);
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  return button;
}

/** A labeled field for a number, which is told when it is changed. */
export function numeric(title, given, event, told) {
  const input = h("input", given);
  input.addEventListener(event, () => Number.isFinite(input.valueAsNumber) && told(input.valueAsNumber));
  return h("label", { for: given.id }, title, input);
}

/** Code with a button that copies it. */
export const snippet = (code, what) => h("div.snippet", null, h("pre", { tabindex: "0", "aria-label": what }, h("code", null, code)), copier(code, what));
