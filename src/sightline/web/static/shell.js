// What every page has: light and dark, the help panel, notices, requests.

export const byId = (id) => document.getElementById(id);

/** Make an element: make("li", {class: "row", onclick: f}, child, "text"). */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// The icons' file is kept in the page: what is drawn after the server has gone has its icons too. A request that parses
// what it gets, for trusted types allow no other parser; until it is answered, and if it fails, each icon asks by itself.
let held = false;
const asking = new XMLHttpRequest();
asking.responseType = "document";
asking.addEventListener("load", () => {
  if (asking.status !== 200 || asking.responseXML === null) return;
  const sprite = document.adoptNode(asking.responseXML.documentElement);
  for (const symbol of sprite.querySelectorAll("symbol")) symbol.id = `icon-${symbol.id}`;
  sprite.toggleAttribute("hidden", true);
  sprite.setAttribute("aria-hidden", "true");
  document.body.append(sprite);
  held = true;
});
asking.open("GET", "/static/icons.svg");
asking.send();

export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", held ? `#icon-${name}` : `/static/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

let hiding = 0;
export function notice(text, seconds = 5) {
  const box = byId("notice");
  box.textContent = text;
  box.classList.add("shown");
  clearTimeout(hiding);
  hiding = setTimeout(() => box.classList.remove("shown"), seconds * 1000);
}

export class Failed extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

/** Ask the server; a Failed holds its sentence. */
export async function ask(path, { method = "GET", json, body, signal, keepalive = false } = {}) {
  const headers = json === undefined ? {} : { "Content-Type": "application/json" };
  let response;
  try {
    response = await fetch(path, { method, headers, body: json === undefined ? body : JSON.stringify(json), signal, keepalive });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failed(0, "The server does not answer; it may have been stopped.");
  }
  if (!response.ok) {
    const said = await response.json().catch(() => ({}));
    throw new Failed(response.status, said.error ?? `The server answered ${response.status}.`);
  }
  return response;
}

export const askJson = async (path, options) => (await ask(path, options)).json();

export function save(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/** Whether a key press is text being typed, or belongs to a control. */
export function typing(event) {
  const fields = "input:not([type=checkbox], [type=radio], [type=color], [type=range], [type=file]), select, textarea";
  return Boolean(event.target.closest?.(fields));
}

export const colorOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

document.querySelector(".top nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });

const help = byId("help");
export const openHelp = () => { if (!help.open) help.showModal(); };
byId("help-open").addEventListener("click", openHelp);
help.querySelector("[data-close]").addEventListener("click", () => help.close());
help.addEventListener("click", (event) => { if (event.target === help) help.close(); });

const theme = byId("theme");
const nameTheme = () => theme.setAttribute("aria-label", `Colors are ${document.documentElement.dataset.theme}; change`);
theme.addEventListener("click", () => window.toggleTheme());
window.addEventListener("themechange", nameTheme);
nameTheme();

// Whether the keyboard was used last: then the picture shows that it has the focus.
addEventListener("keydown", (event) => {
  if (event.key === "Tab" || event.key.startsWith("Arrow")) document.body.classList.add("keyboard");
}, true);
addEventListener("pointerdown", () => document.body.classList.remove("keyboard"), true);

let singleKeys = localStorage.getItem("sightline-shortcuts") !== "off";
const box = byId("shortcuts");
if (box) {
  box.checked = singleKeys;
  box.addEventListener("change", () => {
    singleKeys = box.checked;
    localStorage.setItem("sightline-shortcuts", singleKeys ? "on" : "off");
  });
}

/** Call the handler of a key pressed anywhere but in a field: {k: f, "ctrl+z": g, "?": h}; false leaves it to the browser. */
export function keys(handlers) {
  const all = { "?": openHelp, d: () => window.toggleTheme(), ...handlers };
  document.addEventListener("keydown", (event) => {
    if (typing(event) || help.open || event.altKey || event.defaultPrevented) return;
    const held = event.ctrlKey || event.metaKey;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (!held && key.length === 1 && key !== "?" && !singleKeys) return;
    const name = held ? `ctrl+${event.shiftKey ? "shift+" : ""}${key}` : key;
    const handler = all[name];
    if (!handler) return;
    if (handler(event) !== false) event.preventDefault();
  });
}
