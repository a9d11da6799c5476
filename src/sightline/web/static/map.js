// The map page: points on a canvas, pictures on hover, lasso, list, CSV.

import { askJson, byId, colorOf, keys, make, notice, save } from "./shell.js";

const COLORS = ["#3478d4", "#d1702a", "#2f9158", "#9463c9", "#d14a5a", "#21929a", "#cf5c9f", "#8f8526", "#a0694b", "#75808f"];
const SHAPES = ["circle", "triangle", "square", "diamond", "down", "cross"]; // sixty classes before they repeat
const RIGHT = "#2f9158", WRONG = "#d14a5a", NONE = "#9aa1aa";
const NEAR = 14; // screen pixels within which a point is pointed at
const AT_ONCE = 60; // samples put into the list at a time
const TAP = 6, MARGIN = 34, LARGEST = 60;

let data = null, number = 0, stage = 0, by = "class", tool = "lasso";
let chosen = new Set(), only = null, hover = -1, space = false, listed = AT_ONCE;
let base = { scale: 1, x: 0, y: 0 }, view = { zoom: 1, x: 0, y: 0 };
let drag = null, waiting = 0, width = 0, height = 0, density = 1;
const pointers = new Map();
const canvas = byId("canvas");

// -- what a point is
const className = (index) => (index < 0 ? "" : data.classes[index]);
const isWrong = (i) => data.predictions[i] >= 0 && data.labels[i] >= 0 && data.predictions[i] !== data.labels[i];
function group(i) {
  if (by === "class") return data.labels[i];
  if (by === "prediction") return data.predictions[i];
  return data.predictions[i] < 0 || data.labels[i] < 0 ? -1 : isWrong(i) ? 1 : 0;
}
function look(index) {
  if (index < 0) return { color: NONE, shape: "circle" };
  if (by === "error") return index ? { color: WRONG, shape: "cross" } : { color: RIGHT, shape: "circle" };
  return { color: COLORS[index % COLORS.length], shape: SHAPES[Math.floor(index / COLORS.length) % SHAPES.length] };
}
const groupName = (index) => (index < 0 ? (by === "class" ? "no label" : "no prediction") : by === "error" ? ["right", "wrong"][index] : className(index));

// -- view
function fit() {
  view = { zoom: 1, x: 0, y: 0 };
  measure();
  draw();
}
function measure() {
  if (!data || !width) return;
  const { x, y } = data.stages[stage];
  const [x0, x1, y0, y1] = [low(x), high(x), low(y), high(y)];
  const room = 64; // for the tools below
  const scale = Math.min((width - 2 * MARGIN) / Math.max(x1 - x0, 1e-9), (height - MARGIN - room) / Math.max(y1 - y0, 1e-9));
  base = { scale, x: width / 2 - ((x0 + x1) / 2) * scale, y: (height - room + MARGIN) / 2 - 8 + ((y0 + y1) / 2) * scale };
}
const low = (values) => values.reduce((a, b) => Math.min(a, b), Infinity);
const high = (values) => values.reduce((a, b) => Math.max(a, b), -Infinity);
let place = function (i) {
  const { x, y } = data.stages[stage];
  return [(base.x + x[i] * base.scale) * view.zoom + view.x, (base.y - y[i] * base.scale) * view.zoom + view.y];
};
function zoom(factor, x = width / 2, y = height / 2) {
  const now = Math.min(LARGEST, Math.max(0.5, view.zoom * factor)), real = now / view.zoom;
  view = { zoom: now, x: x - (x - view.x) * real, y: y - (y - view.y) * real };
  draw();
}
function pan(dx, dy) { view = { ...view, x: view.x + dx, y: view.y + dy }; draw(); }

// -- drawing
function draw() { waiting ||= requestAnimationFrame(() => { waiting = 0; paint(); }); }

function paint() {
  const context = canvas.getContext("2d");
  context.setTransform(density, 0, 0, density, 0, 0);
  context.clearRect(0, 0, width, height);
  if (!data) return;
  const size = Math.min(9, Math.max(2.6, 62 / Math.sqrt(data.ids.length))) * Math.min(1.8, Math.sqrt(view.zoom));
  const some = chosen.size > 0 || only !== null;
  const later = [];
  for (let i = 0; i < data.ids.length; i++) {
    const marked = only !== null ? group(i) === only : chosen.has(i);
    if (some && marked) { later.push(i); continue; }
    context.globalAlpha = some ? 0.26 : 0.82;
    point(context, i, size);
  }
  context.globalAlpha = 1;
  for (const i of later) {
    point(context, i, size);
    if (chosen.has(i)) { context.strokeStyle = colorOf("--ink"); context.lineWidth = 1; context.stroke(); }
  }
  if (hover >= 0) {
    const [x, y] = place(hover);
    point(context, hover, size * 1.35);
    context.beginPath();
    context.arc(x, y, size * 1.35 + 4, 0, 7);
    context.strokeStyle = colorOf("--ink");
    context.lineWidth = 1.75;
    context.stroke();
  }
  if (drag?.line?.length > 1) paintLasso(context, drag.line);
}

function point(context, i, size) {
  const [x, y] = place(i);
  const { color, shape } = look(group(i));
  context.fillStyle = color;
  context.beginPath();
  trace(context, shape, x, y, size);
  context.fill();
}

function trace(context, shape, x, y, r) {
  if (shape === "circle") { context.arc(x, y, r, 0, 7); return; }
  const outlines = {
    triangle: [[0, -1.2], [1.1, 0.8], [-1.1, 0.8]], down: [[0, 1.2], [1.1, -0.8], [-1.1, -0.8]],
    square: [[-0.9, -0.9], [0.9, -0.9], [0.9, 0.9], [-0.9, 0.9]], diamond: [[0, -1.25], [1.25, 0], [0, 1.25], [-1.25, 0]],
    cross: [[-0.4, -1.15], [0.4, -1.15], [0.4, -0.4], [1.15, -0.4], [1.15, 0.4], [0.4, 0.4], [0.4, 1.15], [-0.4, 1.15], [-0.4, 0.4], [-1.15, 0.4], [-1.15, -0.4], [-0.4, -0.4]],
  };
  outlines[shape].forEach(([dx, dy], k) => context[k ? "lineTo" : "moveTo"](x + dx * r, y + dy * r));
  context.closePath();
}

function paintLasso(context, line) {
  context.beginPath();
  line.forEach(([x, y], k) => context[k ? "lineTo" : "moveTo"](x, y));
  context.closePath();
  context.fillStyle = colorOf("--accent");
  context.globalAlpha = 0.1;
  context.fill();
  context.globalAlpha = 1;
  context.strokeStyle = colorOf("--accent");
  context.lineWidth = 1.75;
  context.setLineDash([6, 4]);
  context.stroke();
  context.setLineDash([]);
}

// -- pointing
function at(event) {
  const box = canvas.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}
function nearest([x, y], within = NEAR) {
  let found = -1, best = within * within;
  for (let i = 0; i < (data?.ids.length ?? 0); i++) {
    const [px, py] = place(i);
    const far = (px - x) ** 2 + (py - y) ** 2;
    if (far <= best) { best = far; found = i; }
  }
  return found;
}
function inside(line, [x, y]) {
  let odd = false;
  for (let i = 0, j = line.length - 1; i < line.length; j = i++) {
    const [xi, yi] = line[i], [xj, yj] = line[j];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) odd = !odd;
  }
  return odd;
}

canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  canvas.focus({ preventScroll: true });
  pointers.set(event.pointerId, at(event));
  if (pointers.size === 2) { drag = { kind: "pinch" }; draw(); return; }
  const moves = space || tool === "pan" || event.button === 1;
  drag = { kind: moves ? "pan" : "lasso", from: at(event), last: at(event), line: moves ? null : [at(event)], more: event.shiftKey, moved: false };
});
canvas.addEventListener("pointermove", (event) => {
  const now = at(event);
  if (!pointers.has(event.pointerId)) { show(nearest(now), now); return; }
  const before = [...pointers.values()];
  pointers.set(event.pointerId, now);
  if (drag?.kind === "pinch") { pinch(before, [...pointers.values()]); return; }
  if (!drag) return;
  drag.moved ||= Math.hypot(now[0] - drag.from[0], now[1] - drag.from[1]) > TAP;
  if (drag.kind === "pan") pan(now[0] - drag.last[0], now[1] - drag.last[1]);
  else drag.line.push(now);
  drag.last = now;
  show(-1);
  draw();
});
function pinch(before, after) {
  if (before.length < 2 || after.length < 2) return;
  const middle = ([a, b]) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  const apart = ([a, b]) => Math.max(1, Math.hypot(a[0] - b[0], a[1] - b[1]));
  pan(middle(after)[0] - middle(before)[0], middle(after)[1] - middle(before)[1]);
  zoom(apart(after) / apart(before), ...middle(after));
}
canvas.addEventListener("pointerup", (event) => {
  pointers.delete(event.pointerId);
  const done = drag;
  if (done?.kind === "pinch") { if (!pointers.size) drag = null; return; }
  drag = null;
  if (!done || !data) return;
  if (!done.moved) {
    const i = nearest(at(event), NEAR + 4);
    show(i, at(event));
    if (i >= 0) toggle(i);
    return draw();
  }
  if (done.kind === "lasso") {
    const found = data.ids.map((_, i) => i).filter((i) => (only === null || group(i) === only) && inside(done.line, place(i)));
    choose(done.more ? [...chosen, ...found] : found);
  }
  draw();
});
canvas.addEventListener("pointercancel", () => { pointers.clear(); drag = null; draw(); });
canvas.addEventListener("pointerleave", () => { if (!pointers.size) show(-1); });
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  const step = event.deltaMode === 1 ? 16 : 1;
  zoom(Math.exp(-Math.max(-120, Math.min(120, event.deltaY * step)) * (event.ctrlKey ? 0.01 : 0.0025)), ...at(event));
}, { passive: false });

function words(i) {
  const truth = className(data.labels[i]) || "no label";
  const parts = [make("b", {}, truth)];
  if (data.predictions[i] >= 0) {
    parts.push(make("span", { class: isWrong(i) ? "wrong" : "" }, isWrong(i) ? `taken for ${className(data.predictions[i])}` : "recognised"));
  }
  return parts;
}

function show(i, [x, y] = i >= 0 ? place(i) : [0, 0]) {
  canvas.classList.toggle("over", i >= 0);
  const card = byId("card");
  card.hidden = i < 0;
  if (i >= 0) {
    if (i !== hover) {
      const image = byId("card-image");
      image.hidden = !data.thumbnails;
      if (data.thumbnails) image.src = thumbnail(i);
      byId("card-text").replaceChildren(...words(i), make("span", { class: "id" }, ` ${data.ids[i]}`));
    }
    const tall = data.thumbnails ? 220 : 80;
    card.style.left = `${x + 20 + 150 > width ? x - 168 : x + 20}px`;
    card.style.top = `${Math.max(8, Math.min(height - tall - 8, y - tall / 2))}px`;
  }
  if (i !== hover) { hover = i; draw(); }
}
const thumbnail = (i) => `/api/maps/${number}/thumbnail/${i}`;

// -- the list
function choose(indices) {
  chosen = new Set(indices);
  listed = AT_ONCE;
  list();
  draw();
}
function toggle(i) {
  const next = new Set(chosen);
  if (!next.delete(i)) next.add(i);
  choose(next);
}
function list() {
  const all = [...chosen];
  byId("list-count").textContent = all.length ? all.length.toLocaleString() : "";
  byId("list-empty").hidden = all.length > 0;
  byId("list-clear").hidden = !all.length;
  byId("list-export").disabled = !all.length;
  byId("list-more").hidden = all.length <= listed;
  byId("list").replaceChildren(...all.slice(0, listed).map(sample));
}
function sample(i) {
  let picture;
  if (data.thumbnails) picture = make("img", { src: thumbnail(i), alt: "", loading: "lazy" });
  else {
    const dot = make("i");
    dot.style.background = look(group(i)).color;
    picture = make("span", { class: "none" }, dot);
  }
  const said = isWrong(i) ? `taken for ${className(data.predictions[i])}` : "";
  const button = make("button", { type: "button", title: data.ids[i], "aria-label": `${className(data.labels[i]) || "no label"}${said ? `, ${said}` : ""}, ${data.ids[i]}`,
    onclick: () => { show(i); canvas.focus(); }, onpointerenter: () => show(i), onpointerleave: () => show(-1) },
    picture, make("span", {}, className(data.labels[i]) || data.ids[i]), make("span", { class: "wrong" }, said));
  return make("li", {}, button);
}
function exportCsv() {
  if (!chosen.size) return;
  const quote = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const { x, y } = data.stages[stage];
  const rows = [...chosen].map((i) => [data.ids[i], className(data.labels[i]), className(data.predictions[i]), x[i], y[i]]);
  const text = [["id", "label", "prediction", "x", "y"], ...rows].map((row) => row.map((v) => quote(String(v))).join(",")).join("\r\n");
  save(new Blob([`${text}\r\n`], { type: "text/csv" }), "points.csv");
  notice(`Exported ${chosen.size} points`);
}

// -- the panel
function segmented(box, act) {
  const set = (button) => {
    for (const other of box.children) {
      other.setAttribute("aria-checked", String(other === button));
      other.tabIndex = other === button ? 0 : -1;
    }
    act(button);
  };
  box.onclick = (event) => { const button = event.target.closest("button"); if (button && !button.disabled) set(button); };
  box.onkeydown = (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const all = [...box.children].filter((button) => !button.disabled);
    if (!step || !all.length) return;
    event.preventDefault();
    const next = all[(all.indexOf(document.activeElement) + step + all.length) % all.length];
    set(next);
    next.focus();
  };
  [...box.children].forEach((button) => { button.tabIndex = button.getAttribute("aria-checked") === "true" ? 0 : -1; });
}
segmented(byId("coloring"), (button) => colorBy(button.dataset.by));
segmented(byId("tools"), (button) => { tool = button.dataset.tool; canvas.classList.toggle("pan", tool === "pan"); });

function colorBy(kind) {
  by = kind;
  only = null;
  legend();
  list();
  draw();
}

function legend() {
  const counts = new Map();
  data.ids.forEach((_, i) => counts.set(group(i), (counts.get(group(i)) ?? 0) + 1));
  const groups = [...counts.keys()].sort((a, b) => (a < 0 ? 1 : b < 0 ? -1 : a - b));
  byId("legend").replaceChildren(...groups.map((index) => {
    const { color, shape } = look(index);
    const button = make("button", { type: "button", "aria-pressed": String(only === index), title: `Only ${groupName(index)}`,
      onclick: () => { only = only === index ? null : index; legend(); draw(); } },
      symbol(shape, color), make("span", {}, groupName(index)), make("span", { class: "count" }, counts.get(index).toLocaleString()));
    return make("li", {}, button);
  }));
}
function symbol(shape, color) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "-6 -6 12 12");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  const parts = [];
  const pen = { moveTo: (x, y) => parts.push(`M${x} ${y}`), lineTo: (x, y) => parts.push(`L${x} ${y}`), closePath: () => parts.push("Z"),
    arc: (x, y, r) => parts.push(`M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`) };
  trace(pen, shape, 0, 0, 4.5);
  path.setAttribute("d", parts.join(""));
  path.setAttribute("fill", color);
  svg.append(path);
  return svg;
}

function goStage(index) {
  const from = data.ids.map((_, i) => place(i));
  stage = index;
  view = { zoom: 1, x: 0, y: 0 };
  measure();
  move(from);
}

/** Let points travel to where they are now, so that the eye can follow them. */
function move(from) {
  const to = data.ids.map((_, i) => place(i));
  if (matchMedia("(prefers-reduced-motion: reduce)").matches || data.ids.length > 20000) { draw(); return; }
  const began = performance.now(), lasts = 700, kept = place;
  const step = (time) => {
    const t = Math.min(1, (time - began) / lasts), s = t * t * (3 - 2 * t);
    place = (i) => [from[i][0] + (to[i][0] - from[i][0]) * s, from[i][1] + (to[i][1] - from[i][1]) * s];
    paint();
    place = kept;
    if (t < 1) requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}

// -- keys
function toward(dx, dy) {
  if (!data) return;
  const [x, y] = hover >= 0 ? place(hover) : [width / 2, height / 2];
  if (hover < 0) { const first = nearest([x, y], 1e6); show(first); return told(first); }
  let found = -1, best = Infinity;
  for (let i = 0; i < data.ids.length; i++) {
    const [px, py] = place(i);
    const along = (px - x) * dx + (py - y) * dy, aside = Math.abs((px - x) * dy - (py - y) * dx);
    if (i === hover || along <= 0.5 || aside > along) continue;
    const far = along + 2 * aside;
    if (far < best) { best = far; found = i; }
  }
  if (found >= 0) { show(found); told(found); }
}
const told = (i) => { byId("notice").textContent = `${className(data.labels[i]) || "no label"}, ${data.ids[i]}`; };
canvas.addEventListener("keydown", (event) => {
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (event.key in steps && !event.ctrlKey && !event.metaKey) toward(...steps[event.key]);
  else if (event.key === "Enter" && hover >= 0) toggle(hover);
  else if (event.key.toLowerCase() === "w" && hover >= 0) choose(data.ids.map((_, i) => i).filter((i) => data.labels[i] === data.labels[hover]));
  else return;
  event.preventDefault();
});
document.addEventListener("keydown", (event) => {
  if (event.key === " " && (event.target === document.body || event.target === canvas)) { event.preventDefault(); space = true; }
});
document.addEventListener("keyup", (event) => { if (event.key === " ") space = false; });
const press = (box, index) => [...byId(box).children][index]?.click();
keys({
  1: () => press("coloring", 0), 2: () => press("coloring", 1), 3: () => press("coloring", 2),
  g: () => { if (data?.stages.length > 1) press("stages", (stage + 1) % data.stages.length); },
  l: () => press("tools", 0), h: () => press("tools", 1), "+": () => zoom(1.4), "=": () => zoom(1.4), "-": () => zoom(1 / 1.4), 0: fit,
  s: exportCsv, Escape: () => { only = null; legend(); choose([]); },
});
byId("zoom-in").addEventListener("click", () => zoom(1.4));
byId("zoom-out").addEventListener("click", () => zoom(1 / 1.4));
byId("zoom-fit").addEventListener("click", fit);
byId("list-clear").addEventListener("click", () => choose([]));
byId("list-export").addEventListener("click", exportCsv);
byId("list-more").addEventListener("click", () => { listed += 4 * AT_ONCE; list(); });
byId("which").addEventListener("change", (event) => load(Number(event.target.value)));
window.addEventListener("themechange", draw);
new ResizeObserver(() => {
  const box = canvas.getBoundingClientRect();
  density = window.devicePixelRatio || 1;
  [width, height] = [box.width, box.height];
  canvas.width = Math.max(1, Math.round(width * density));
  canvas.height = Math.max(1, Math.round(height * density));
  measure();
  draw();
}).observe(canvas);

// -- beginning
async function load(which) {
  byId("busy").hidden = false;
  try {
    const read = await askJson(`/api/maps/${which}`);
    [data, number, stage, only, hover] = [read, which, read.stages.length - 1, null, -1];
    chosen = new Set();
    byId("map-title").textContent = `${data.title} · ${data.ids.length.toLocaleString()} pictures`;
    canvas.setAttribute("aria-label", `Map of ${data.ids.length} pictures in ${data.classes.length} classes`);
    byId("stages-field").hidden = data.stages.length < 2;
    byId("stages").replaceChildren(...data.stages.map((s, i) => make("button", { type: "button", role: "radio", "data-stage": String(i), "aria-checked": String(i === stage) }, s.title)));
    segmented(byId("stages"), (button) => goStage(Number(button.dataset.stage)));
    const predicted = data.predictions.some((p) => p >= 0);
    for (const button of byId("coloring").children) button.disabled = button.dataset.by !== "class" && !predicted;
    byId("predicted-by").textContent = predicted ? `Predictions are by ${data.predicted_by}.` : "";
    byId("notes").textContent = data.notes.join(" ");
    fit();
    if (by !== "class" && !predicted) press("coloring", 0);
    else { legend(); list(); }
  } catch (error) { notice(error.message, 12); } finally { byId("busy").hidden = true; }
}
askJson("/api/maps").then(({ maps }) => {
  byId("which-field").hidden = maps.length < 2;
  byId("which").replaceChildren(...maps.map((m, i) => make("option", { value: String(i) }, m.title)));
  return load(0);
}).catch((error) => notice(error.message, 12));
