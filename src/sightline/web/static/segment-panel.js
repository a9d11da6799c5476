// The panel beside the picture: proposed masks, classes, objects.

import { askJson, byId, icon, make, notice } from "./shell.js";
import { BACKGROUND, UNLABELLED } from "./work.js";

// The report's colors: mid tones that read on light and dark.
const COLORS = ["#3478d4", "#d1702a", "#2f9158", "#9463c9", "#d14a5a", "#21929a", "#cf5c9f", "#8f8526", "#a0694b", "#75808f"];
// Beside the classes: label, name, color.
const SPECIAL = [[BACKGROUND, "Background", "#20262e"], [UNLABELLED, "Unlabelled", "#75808f"]];
const SIDE = 160; // pixels of a proposal's picture

const seconds = (value) => (value < 0.9995 ? `${Math.round(value * 1000)} ms` : `${value.toFixed(1)} s`);

export class Panel {
  /** host: render(), work(), keep(), choose(index), reopen(object), shape() → the picture. */
  constructor(host) {
    this.host = host;
    this.classes = [{ name: "object", color: COLORS[0] }];
    this.label = 0; // the class that the next object gets
    this.chosen = 0; // id of the object that is marked
    this.project = false; // whether classes are kept by the server
    this.adding = null; // a promise, while a class is being added to the project
    byId("class-add").addEventListener("click", () => this.addClass());
  }

  begin(classes, project = false) {
    this.project = project;
    if (classes.length) this.classes = classes.map((c) => ({ ...c }));
    this.drawClasses();
  }

  color(label) { return this.classes[label]?.color ?? SPECIAL.find(([l]) => l === label)?.[2] ?? COLORS[0]; }
  name(label) { return this.classes[label]?.name ?? SPECIAL.find(([l]) => l === label)?.[1] ?? "object"; }

  /** Between the places of classes in the list and their values in the project's masks. */
  value(label) { return label === BACKGROUND ? 0 : label === UNLABELLED ? 255 : (this.classes[label]?.value ?? label + 1); }
  labelOf(value) {
    if (value === 0 || value === 255) return value ? UNLABELLED : BACKGROUND;
    const at = this.classes.findIndex((c) => c.value === value);
    if (at >= 0) return at;
    // Of a class that another tab has just made.
    askJson("/api/project").then((said) => { this.take(said.classes); this.drawClasses(); this.host.render(); }).catch(() => {});
    return this.classes.push({ value, name: `class ${value}`, color: COLORS[value % COLORS.length] }) - 1;
  }

  pick(label) {
    if (label >= this.classes.length && label !== UNLABELLED) return;
    this.label = label;
    this.drawClasses();
    this.host.render();
  }

  async addClass() {
    const used = new Set(this.classes.map((c) => c.color));
    const color = COLORS.find((c) => !used.has(c)) ?? COLORS[this.classes.length % COLORS.length];
    let number = this.classes.length + 1;
    while (this.classes.some((c) => c.name === `class ${number}`)) number += 1;
    const made = { name: `class ${number}`, color };
    this.classes.push(made);
    this.pick(this.classes.length - 1);
    // At once: what is typed before the server answers is the name, and no shortcut.
    this.nameField().select();
    if (!this.project) return;
    this.adding = this.saveNew(made).finally(() => { this.adding = null; });
    await this.adding;
  }

  nameField() {
    const field = byId("classes").children[this.label].querySelector('input[type="text"]');
    field.focus();
    return field;
  }

  /** Let the project give a value to a class that is being named. */
  async saveNew(made) {
    try {
      const said = await askJson("/api/project/classes", { method: "POST", json: { value: null, name: made.name, color: made.color } });
      made.value = said.value;
      if (said.classes.length === this.classes.length) return;
      // Another tab has added some: places are as the project has them, the name is as it is typed by now.
      const typed = document.activeElement?.closest?.("#classes");
      this.take(said.classes);
      this.label = this.classes.findIndex((c) => c.value === made.value);
      this.classes[this.label] = made;
      this.drawClasses();
      if (typed) this.nameField();
    } catch (error) {
      notice(error.message);
      this.classes = this.classes.filter((c) => c !== made);
      this.label = 0;
      this.drawClasses();
    }
    this.host.render();
  }

  /** Let the project have a class, new or changed; true if it has it. */
  async saveClass({ value = null, name, color }) {
    if (!this.project) return true;
    try {
      const said = await askJson("/api/project/classes", { method: "POST", json: { value, name: name.trim() || "class", color } });
      this.take(said.classes);
      return true;
    } catch (error) { notice(error.message); return false; }
  }

  /** Take the project's classes; places stay, for classes are only ever added at the end. */
  take(classes) { this.classes = classes.map((c) => ({ ...c })); }

  remove() {
    const work = this.host.work();
    const objects = work?.now.objects ?? [];
    const gone = objects.find((o) => o.id === this.chosen) ?? objects.at(-1);
    if (!gone) return;
    work.drop(gone.id);
    this.chosen = 0;
    this.host.render();
  }

  timing(said, whole) {
    if (!said) { byId("timing").textContent = ""; return; }
    const first = said.encode_seconds ? `, ${seconds(said.encode_seconds)} to read the picture once` : "";
    byId("timing").textContent = `${seconds(said.seconds)} on ${said.device}${first}; ${seconds(whole / 1000)} in all`;
  }

  draw(work) {
    this.drawCandidates(work);
    this.drawObjects(work);
  }

  // -- proposals
  drawCandidates(work) {
    const masks = work?.now.answer?.masks ?? [];
    const box = byId("candidates");
    byId("ask-empty").hidden = Boolean(masks.length || work?.now.prompts.points.length || work?.now.prompts.box);
    byId("ask-empty").hidden ||= Boolean(work?.now.polygon);
    byId("ask-actions").hidden = byId("mend").hidden = !masks.length;
    byId("keep").textContent = work?.now.editing ? "Keep the change" : "Keep as object";
    byId("keep").disabled = !work?.mask?.area;
    box.hidden = masks.length < 2;
    const key = `${work?.now.answer?.number}/${this.color(this.label)}`;
    if (box.dataset.key !== key) {
      box.dataset.key = key;
      box.replaceChildren(...masks.map((mask, i) => this.candidate(mask, i)));
    }
    [...box.children].forEach((button, i) => {
      const yes = i === work?.now.chosen;
      button.setAttribute("aria-checked", String(yes));
      button.tabIndex = yes ? 0 : -1;
    });
  }

  candidate(mask, index) {
    const canvas = make("canvas", { width: SIDE, height: SIDE });
    const image = this.host.shape();
    const context = canvas.getContext("2d");
    const scale = Math.min(SIDE / image.width, SIDE / image.height);
    context.setTransform(scale, 0, 0, scale, (SIDE - image.width * scale) / 2, (SIDE - image.height * scale) / 2);
    context.globalAlpha = 0.35;
    context.drawImage(image, 0, 0);
    context.globalAlpha = 0.9;
    if (mask.area) context.drawImage(mask.tint(this.color(this.label)), ...mask.box);
    const percent = `${Math.round(mask.score * 100)}%`;
    const button = make("button", { type: "button", class: "candidate", role: "radio", "aria-label": `Proposal ${index + 1}, score ${percent}`,
      onclick: () => this.host.choose(index) }, canvas, make("span", {}, percent));
    button.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      this.host.choose(index + step);
      byId("candidates").querySelector('[aria-checked="true"]').focus();
    });
    return button;
  }

  // -- classes
  drawClasses() {
    byId("classes").replaceChildren(...this.classes.map((item, i) => {
      const radio = make("input", { type: "radio", name: "class", "aria-label": `Next object is ${item.name}`, onchange: () => this.pick(i) });
      radio.checked = i === this.label;
      const color = make("input", { type: "color", value: item.color, "aria-label": `Color of ${item.name}`,
        oninput: (event) => { item.color = event.target.value; this.host.render(); }, onchange: () => this.rename(i, item) });
      const name = make("input", { type: "text", value: item.name, maxlength: "80", "aria-label": `Name of class ${i + 1}`, spellcheck: "false",
        oninput: (event) => { item.name = event.target.value; this.host.render(); }, onchange: () => this.rename(i, item) });
      const parts = [radio, color, name, ...(i < 9 ? [make("kbd", { "aria-hidden": "true" }, String(i + 1))] : [])];
      return make("li", { class: i === this.label ? "chosen" : "" }, ...parts);
    }), ...SPECIAL.map(([label, title, color]) => {
      const radio = make("input", { type: "radio", name: "class", "aria-label": `Next object is ${title}`, onchange: () => this.pick(label) });
      radio.checked = label === this.label;
      const swatch = make("span", { class: "swatch" });
      swatch.style.background = color;
      const said = label === BACKGROUND ? "Surely none of the classes" : "Neither taught nor judged";
      return make("li", { class: label === this.label ? "special chosen" : "special" }, radio, swatch, make("span", { class: "quiet", title: said }, title));
    }));
  }

  async rename(index, item) {
    await this.adding;
    if (!this.classes[index]) return; // it could not be added
    if (await this.saveClass(item)) return;
    const known = (await askJson("/api/project").catch(() => null))?.classes;
    if (known) this.take(known);
    this.drawClasses();
    this.host.render();
  }

  // -- objects
  drawObjects(work) {
    const objects = work?.now.objects ?? [];
    byId("objects-empty").hidden = objects.length > 0;
    byId("objects-count").textContent = objects.length || "";
    byId("objects").replaceChildren(...objects.map((object, i) => this.objectRow(work, object, i)));
  }

  objectRow(work, object, index) {
    const name = `object ${index + 1}, ${this.name(object.label)}`;
    const choices = [...this.classes.map((c, i) => [i, c.name]), ...SPECIAL];
    const swatch = make("span", { class: "swatch" });
    swatch.style.background = this.color(object.label); // a property set by script, which the policy allows
    const select = make("select", { "aria-label": `Class of object ${index + 1}`, onchange: (event) => {
      work.edit(object.id, { label: Number(event.target.value) });
      this.host.render();
    } }, ...choices.map(([label, title]) => make("option", { value: String(label), selected: label === object.label }, title)));
    const share = (100 * object.mask.area) / (object.mask.width * object.mask.height);
    const button = (shape, label, act) => make("button", { type: "button", class: "button ghost square", "aria-label": `${label} ${name}`, title: label, onclick: act }, icon(shape));
    const row = make("li", { class: object.id === this.chosen ? "chosen" : "", "data-id": object.id }, swatch, select,
      make("span", { class: "size" }, share < 0.1 ? "<0.1%" : `${share.toFixed(1)}%`),
      button("pen", "Change", () => this.host.reopen(object)),
      button(object.shown ? "eye" : "eye-off", object.shown ? "Hide" : "Show", () => { work.edit(object.id, { shown: !object.shown }); this.host.render(); }),
      button("trash", "Remove", () => { work.drop(object.id); this.host.render(); }));
    row.addEventListener("pointerenter", () => this.mark(object.id));
    row.addEventListener("pointerleave", () => this.mark(0));
    row.addEventListener("focusin", () => this.mark(object.id));
    return row;
  }

  mark(id) {
    if (this.chosen === id) return;
    this.chosen = id;
    const objects = this.host.work()?.now.objects ?? [];
    [...byId("objects").children].forEach((row, i) => row.classList.toggle("chosen", objects[i]?.id === id));
    this.host.marked?.();
  }
}
