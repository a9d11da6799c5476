// The segment page: pictures, questions to the engine, objects, what is kept of them, export.

import { ask, askJson, byId, keys, make, notice, save, typing } from "./shell.js";
import { cornerPlace, dropIslands, fillHoles, maskOf, pixelsOf, polygonPixels, stroke } from "./drawing.js";
import { Mask } from "./mask.js";
import { PictureList } from "./picture-list.js";
import { Saver } from "./saving.js";
import { Stage } from "./stage.js";
import { NOTHING, Work, asksNothing } from "./work.js";
import { Panel } from "./segment-panel.js";

const works = new Map(); // picture id → what was done to it
let current = null, shown = null, engine = null, project = null;
let asking = null; // AbortController of the newest question
let answers = 0; // counts answers, to know whether the engine still holds the one we would refine

const fine = (value) => Math.floor(value * 32) / 32;
const stage = new Stage(byId("canvas"), {
  // To a thirty-second of a pixel: more is noise.
  point: (x, y, inside) => question((work) => work.addPoint(fine(x), fine(y), inside), "points"),
  box: (...box) => question((work) => work.setBox(box.map(fine)), "box"),
  stroke: (points, radius, add) => drawn((pixels, size) => stroke(pixels, size, points, radius, add ? 1 : 0)),
  corner: (x, y, near) => corners((points) => points.toSpliced(cornerPlace(points, [x, y], near), 0, [fine(x), fine(y)])),
  cornerTo: (index, x, y) => corners((points) => points.with(index, [fine(x), fine(y)])),
  cornerAway: (index) => corners((points) => points.toSpliced(index, 1)),
  moved: (text) => { byId("notice").textContent = text; },
  zoomed: (scale) => { byId("zoom-value").textContent = `${Math.round(scale * 100)}%`; },
});
const panel = new Panel({ render, marked: paint, work: () => works.get(current?.id), keep, choose, reopen, shape: () => stage.image });
const list = new PictureList((picture) => open(picture));
const saver = new Saver({
  said: (text, good) => { byId("saved").textContent = text; byId("saved").classList.toggle("bad", !good); },
  merged: (id, what) => { works.get(id)?.merge(what); saver.want(id, works.get(id).now.objects); render(); },
  state: (id, state, count) => { list.note(id, state, count); drawState(); },
  value: (label) => panel.value(label),
  ready: () => panel.adding,
});

// -- asking
function question(change, kind) {
  const work = works.get(current?.id);
  if (!work || !engine || shown !== current) return; // what is clicked must be what is seen
  if (!engine.accepts.includes(kind)) { notice(`${engine.name} takes no ${kind}; it takes ${engine.accepts.join(", ")}.`); return; }
  const before = work.now;
  change(work);
  render();
  look(work, before);
}

async function look(work, before) {
  asking?.abort();
  const { prompts } = work.now;
  busy(false);
  if (asksNothing(prompts)) return;
  const mine = (asking = new AbortController());
  const id = current.id, began = performance.now();
  const refine = before?.answer?.number === answers && answers ? before.chosen : null;
  busy(true, "Looking…");
  try {
    const json = { ...prompts, refine };
    const said = await askJson(`/api/pictures/${id}/predict`, { method: "POST", json, signal: mine.signal });
    if (work.now.prompts !== prompts) return; // undone meanwhile
    work.fill({ answer: { ...read(said), prompts, number: ++answers }, chosen: 0 });
    panel.timing(said, performance.now() - began);
    if (!said.masks.length) notice("Nothing found there; try another place.");
    render();
  } catch (error) {
    if (error.name !== "AbortError" && error.status !== 409) notice(error.message);
  } finally {
    if (asking === mine) { asking = null; busy(false); }
  }
}

const read = (said) => ({ masks: said.masks.map((mask) => new Mask(mask, said.size)) });

async function everything() {
  const work = works.get(current?.id);
  if (!work || !engine?.accepts.includes("everything")) return;
  asking?.abort();
  const mine = (asking = new AbortController());
  busy(true, "Looking everywhere…");
  const began = performance.now();
  try {
    const said = await askJson(`/api/pictures/${current.id}/everything`, { method: "POST", signal: mine.signal });
    const { masks } = read(said);
    panel.timing(said, performance.now() - began);
    if (masks.length) work.keep(panel.label, masks);
    notice(masks.length ? `${masks.length} objects found and kept; undo takes them all back.` : "Nothing found.");
    render();
  } catch (error) {
    if (error.name !== "AbortError" && error.status !== 409) notice(error.message);
  } finally {
    if (asking === mine) { asking = null; busy(false); }
  }
}

let shownBusy = 0;
function busy(yes, text = "") {
  clearTimeout(shownBusy);
  byId("busy-text").textContent = text;
  byId("canvas").setAttribute("aria-busy", String(yes));
  if (yes) shownBusy = setTimeout(() => { byId("busy").hidden = false; }, 250); // quick answers need no notice
  else byId("busy").hidden = true;
}

// -- doing
function keep() {
  const work = works.get(current?.id);
  if (!work?.mask?.area) return;
  work.keep(panel.label);
  render();
}

/** Change the pixels of the current mask, or of an empty one. */
function drawn(act) {
  const work = works.get(current?.id);
  if (!work || shown !== current) return;
  asking?.abort();
  const size = [stage.image.height, stage.image.width];
  work.draw(maskOf(act(pixelsOf(work.mask, size), size), size));
  render();
}

function corners(change) {
  const work = works.get(current?.id);
  if (!work || shown !== current) return;
  asking?.abort();
  const points = change(work.now.polygon ?? []), size = [stage.image.height, stage.image.width];
  work.setPolygon(points, points.length > 2 ? maskOf(polygonPixels(points, size), size) : null);
  render();
}

function reopen(object) {
  const work = works.get(current?.id);
  if (!work) return;
  asking?.abort();
  work.reopen(object);
  panel.pick(object.label);
  tool(object.polygon ? "polygon" : "add");
  render();
}

function choose(index) {
  const work = works.get(current?.id);
  const count = work?.now.answer?.masks.length ?? 0;
  if (!count) return;
  work.fill({ chosen: (index + count) % count });
  render();
}

function clear() {
  const work = works.get(current?.id);
  if (!work) return;
  asking?.abort();
  if (!asksNothing(work.now.prompts) || work.now.answer || work.now.polygon) work.clear();
  panel.chosen = 0;
  render();
}

function back(step) {
  const work = works.get(current?.id);
  if (!work?.[step]()) return;
  const { answer, prompts } = work.now;
  asking?.abort();
  if (!asksNothing(prompts) && answer?.prompts !== prompts) look(work, null);
  render();
}

function tool(name) {
  if (document.querySelector(`[data-tool="${name}"]`).disabled) return;
  stage.tool = name;
  byId("brush").hidden = !["brush", "erase"].includes(name);
  stage.cursor();
  for (const button of byId("tools").children) {
    button.setAttribute("aria-checked", String(button.dataset.tool === name));
    button.tabIndex = button.dataset.tool === name ? 0 : -1;
  }
}

/** Make the brush larger or smaller. */
function brush(step) {
  const field = byId("brush-size");
  field.value = String(Number(field.value) + step * Math.max(1, Math.round(Number(field.value) / 5)));
  stage.radius = Number(field.value) / 2;
  byId("brush-value").textContent = `${field.value} px`;
  stage.draw();
}

async function exportAs(format) {
  const work = works.get(current?.id);
  if (!work) return;
  let objects = work.now.objects;
  if (!objects.length && work.mask?.area) objects = [{ label: panel.label, mask: work.mask }];
  if (!objects.length) return;
  const json = {
    format,
    classes: panel.classes.map(({ name, color }, i) => ({ name: name.trim() || `class ${i + 1}`, color })),
    objects: objects.map(({ label, mask }) => ({ label, counts: mask.counts })),
  };
  try {
    const response = await ask(`/api/pictures/${current.id}/export`, { method: "POST", json });
    const name = decodeURIComponent(response.headers.get("Content-Disposition").split("''")[1]);
    save(await response.blob(), name);
    work.exported = work.now.objects;
    notice(`Exported ${name}`);
  } catch (error) { notice(error.message); }
}

async function exportAll() {
  busy(true, "Writing the whole project…");
  try {
    const format = byId("export-format").value;
    const response = await ask(`/api/project/export/${format}`);
    const name = decodeURIComponent(response.headers.get("Content-Disposition").split("''")[1]);
    save(await response.blob(), name);
    notice(`Exported ${name}`);
  } catch (error) { notice(error.message, 8); } finally { busy(false); }
}

// -- drawing
function render() {
  const work = works.get(current?.id);
  byId("undo").disabled = !work?.before.length;
  byId("redo").disabled = !work?.after.length;
  panel.draw(work);
  drawState();
  for (const button of document.querySelectorAll("[data-export]")) {
    button.disabled = !(work?.now.objects.length || work?.mask?.area);
  }
  if (!work) return;
  paint();
  if (saver.has(current.id)) saver.want(current.id, work.now.objects);
  else list.note(current.id, current.state, work.now.objects.length);
}

/** Say which picture this is, and how far it is. */
function drawState() {
  if (!project || !current) return;
  byId("picture-place").textContent = list.place;
  byId("picture-name").textContent = current.name;
  byId("picture-name").title = current.name;
  for (const [id, state] of [["done", "done"], ["skip", "skipped"]]) {
    byId(id).disabled = !saver.has(current.id);
    byId(id).setAttribute("aria-pressed", String(current.state === state));
  }
  byId("next-unfinished").disabled = !list.unfinished;
}

/** Mark the picture as done or skipped, or take that back. */
function markAs(state) {
  if (!saver.has(current?.id)) return false;
  const { objects } = works.get(current.id).now;
  const now = current.state === state ? (objects.length ? "begun" : "untouched") : state;
  current.state = now;
  saver.want(current.id, objects, now);
  list.note(current.id, now, objects.length);
  drawState();
  return now === state;
}

function finish(state) {
  if (markAs(state)) nextUnfinished();
}

function nextUnfinished() {
  if (list.unfinished) open(list.unfinished);
  else if (project) notice("All pictures are done or skipped.");
}

function paint() {
  const work = works.get(current?.id);
  if (!work) return;
  stage.set({
    prompts: work.now.prompts,
    mask: work.mask,
    color: panel.color(panel.label),
    polygon: work.now.polygon,
    objects: work.now.objects.filter((o) => o.shown && o.id !== work.now.editing).map((o) => ({ ...o, color: panel.color(o.label) })),
    chosen: panel.chosen,
  });
}

// -- pictures
/** An object as the project keeps it. */
function kept({ id, value, mask, points, box, text, polygon }, size) {
  const prompts = points.length || box || text ? { points, box, text } : NOTHING;
  return { id, label: panel.labelOf(value), mask: new Mask(mask, size), prompts, polygon: polygon.length ? polygon : undefined, shown: true };
}

async function open(picture) {
  asking?.abort();
  const before = current;
  current = picture;
  list.mark(picture);
  busy(true, "Opening…");
  try {
    const blob = await (await ask(`/api/pictures/${picture.id}/image`)).blob();
    const image = await createImageBitmap(blob);
    if (current !== picture) { image.close(); return; }
    if (shown !== picture) works.get(shown?.id)?.release();
    const size = [image.height, image.width];
    if (project && !picture.uploaded && !works.has(picture.id)) {
      const objects = await saver.load(picture.id, (object) => kept(object, size));
      if (current !== picture) { image.close(); return; }
      if (!works.has(picture.id)) works.set(picture.id, new Work(objects));
    } else {
      saver.refresh(picture.id);
    }
    if (!works.has(picture.id)) works.set(picture.id, new Work());
    byId("welcome").hidden = true;
    byId("canvas").setAttribute("aria-label", `${picture.name}, ${image.width} by ${image.height} pixels`);
    panel.chosen = 0;
    panel.timing(null);
    stage.show(image);
    shown = picture;
    render();
  } catch (error) {
    notice(error.message);
    if (current === picture) current = before;
  } finally { busy(false); }
}

function go(step) {
  const next = list.step(step);
  if (next) open(next);
}

async function upload(files) {
  let first = null;
  for (const file of files) {
    if (engine && file.size > engine.max_upload_mb * 1024 * 1024) {
      notice(`${file.name} is over this page's limit of ${engine.max_upload_mb} MB.`);
      continue;
    }
    busy(true, `Opening ${file.name}…`);
    try {
      const made = await askJson(`/api/pictures?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file });
      list.prepend(made);
      if (project) notice(`${made.name} is shown, but is not part of the project; export what you keep of it.`, 8);
      first ??= made;
    } catch (error) { notice(error.message, 8); } finally { busy(false); }
  }
  if (first) await open(first);
}

// -- listening
byId("file").addEventListener("change", (event) => { upload([...event.target.files]); event.target.value = ""; });
byId("undo").addEventListener("click", () => back("undo"));
byId("redo").addEventListener("click", () => back("redo"));
byId("keep").addEventListener("click", keep);
byId("clear").addEventListener("click", clear);
byId("everything").addEventListener("click", everything);
byId("zoom-in").addEventListener("click", () => stage.zoom(1.4));
byId("zoom-out").addEventListener("click", () => stage.zoom(1 / 1.4));
byId("zoom-fit").addEventListener("click", () => stage.fit());
byId("words").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = byId("text").value.trim();
  if (text) question((work) => work.setText(text), "text");
});
for (const button of byId("tools").children) button.addEventListener("click", () => tool(button.dataset.tool));
byId("tools").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!step) return;
  const all = [...byId("tools").children];
  const next = all[(all.indexOf(event.target) + step + all.length) % all.length];
  event.preventDefault();
  tool(next.dataset.tool);
  next.focus();
});
for (const button of document.querySelectorAll("[data-export]")) button.addEventListener("click", () => exportAs(button.dataset.export));
byId("canvas").addEventListener("keydown", (event) => { if (stage.key(event)) event.preventDefault(); });
document.addEventListener("keyup", (event) => stage.keyUp(event));
document.addEventListener("keydown", (event) => {
  if (event.key === " " && (event.target === document.body)) { event.preventDefault(); stage.space = true; stage.cursor(); }
});
byId("fill-holes").addEventListener("click", () => drawn(fillHoles));
byId("drop-islands").addEventListener("click", () => drawn(dropIslands));
byId("brush-size").addEventListener("input", () => brush(0));
byId("export-all").addEventListener("submit", (event) => { event.preventDefault(); exportAll(); });
byId("done").addEventListener("click", () => markAs("done"));
byId("skip").addEventListener("click", () => finish("skipped"));
byId("next-unfinished").addEventListener("click", nextUnfinished);
document.addEventListener("visibilitychange", () => { if (!document.hidden && current) saver.refresh(current.id); });
const area = byId("stage");
for (const kind of ["dragenter", "dragover"]) area.addEventListener(kind, (event) => { event.preventDefault(); area.classList.add("drop"); });
for (const kind of ["dragleave", "drop"]) area.addEventListener(kind, (event) => { event.preventDefault(); area.classList.remove("drop"); });
area.addEventListener("drop", (event) => upload([...event.dataTransfer.files]));
document.addEventListener("paste", (event) => {
  if (!typing(event) && event.clipboardData.files.length) upload([...event.clipboardData.files]);
});
window.addEventListener("beforeunload", (event) => {
  const lost = [...works].some(([id, work]) => work.unsaved && !saver.has(id));
  if (lost || saver.pending) event.preventDefault();
});

const digits = Object.fromEntries([...Array(9).keys()].map((i) => [String(i + 1), () => panel.pick(i)]));
keys({
  ...digits,
  a: () => tool("add"), r: () => tool("remove"), h: () => tool("pan"), x: () => tool(stage.tool === "remove" ? "add" : "remove"),
  b: () => tool("box"), q: () => tool("brush"), w: () => tool("erase"), v: () => tool("polygon"), "[": () => brush(-1), "]": () => brush(1), c: () => choose((works.get(current?.id)?.now.chosen ?? 0) + 1), k: keep, Escape: clear,
  "ctrl+z": () => back("undo"), "ctrl+shift+z": () => back("redo"), "ctrl+y": () => back("redo"),
  Delete: () => panel.remove(), Backspace: () => panel.remove(),
  t: () => { if (!byId("words").hidden) byId("text").focus(); }, e: everything,
  "+": () => stage.zoom(1.4), "=": () => stage.zoom(1.4), "-": () => stage.zoom(1 / 1.4), 0: () => stage.fit(),
  f: () => finish("done"), u: nextUnfinished,
  n: () => go(1), p: () => go(-1), o: () => byId("file").click(), s: () => exportAs("palette"),
});

// -- beginning
async function begin() {
  tool("add");
  brush(0);
  try {
    const said = await askJson("/api/project");
    project = said.name ? said : null;
    if (project) {
      byId("work").hidden = byId("export-all").hidden = false;
      byId("saved").title = `Kept in the project ${project.name}`;
      panel.begin(project.classes, true);
    }
    const states = project?.states ?? {};
    const pictures = (await askJson("/api/pictures")).pictures.map((p) => ({ ...p, state: "untouched", objects: 0, ...states[p.id] }));
    list.begin(pictures, Boolean(project));
    if (pictures.length) open(pictures.find((p) => project && !["done", "skipped"].includes(p.state)) ?? pictures[0]);
    else byId("welcome").hidden = false;
    engine = await askJson("/api/engine");
    const named = [engine.model, engine.device].filter(Boolean).join(" · ");
    byId("engine").replaceChildren(make("b", {}, engine.name), ...(named ? [` · ${named}`] : []));
    const takes = { add: "points", remove: "points", box: "box" };
    for (const button of byId("tools").children) button.disabled = takes[button.dataset.tool] && !engine.accepts.includes(takes[button.dataset.tool]);
    if (!engine.accepts.includes("points")) tool(engine.accepts.includes("box") ? "box" : "pan");
    byId("words").hidden = !engine.accepts.includes("text");
    byId("everything").hidden = !engine.accepts.includes("everything");
    if (!project) panel.begin(engine.classes);
    render();
  } catch (error) {
    byId("engine").textContent = "no engine";
    notice(error.message, 12);
  }
}
begin();
