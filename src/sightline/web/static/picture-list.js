// The list of pictures: thumbnails, names, how far each is, and ways to the next.

import { byId, make } from "./shell.js";

const AT_ONCE = 80; // tiles put into the list at a time
const WORDS = { untouched: "", begun: "begun", done: "done", skipped: "skipped" };

export class PictureList {
  /** open(picture): called when one is chosen. */
  constructor(open) {
    Object.assign(this, { open, pictures: [], listed: 0, current: null });
    byId("filter").addEventListener("change", () => this.refill());
    document.querySelector(".strip").addEventListener("scroll", (event) => {
      const box = event.currentTarget;
      if (box.scrollTop + box.clientHeight > box.scrollHeight - 400 || box.scrollLeft + box.clientWidth > box.scrollWidth - 400) this.fill();
    });
  }

  /** pictures: {id, name, uploaded, state, objects}. */
  begin(pictures, kept) {
    this.pictures = pictures;
    byId("filter-field").hidden = !kept || pictures.length < 2;
    this.refill();
  }

  get shown() {
    const wanted = byId("filter").value;
    return wanted === "all" ? this.pictures : this.pictures.filter((p) => p === this.current || (wanted === "unfinished" ? unfinished(p) : p.state === wanted));
  }

  refill() {
    this.listed = 0;
    byId("pictures").replaceChildren();
    this.fill();
    if (this.current) this.mark(this.current);
  }

  fill() {
    const { shown } = this;
    for (const picture of shown.slice(this.listed, this.listed + AT_ONCE)) byId("pictures").append(this.tile(picture));
    this.listed = Math.min(shown.length, this.listed + AT_ONCE);
  }

  tile(picture) {
    const image = make("img", { src: `/api/pictures/${picture.id}/thumbnail`, alt: "", loading: "lazy", draggable: "false" });
    const name = make("span", { class: "name" }, picture.name.split("/").at(-1));
    const button = make("button", { type: "button", class: "tile", "data-id": picture.id, title: picture.name, onclick: () => this.open(picture) }, image, name);
    this.label(button, picture);
    return make("li", {}, button);
  }

  label(button, picture) {
    const state = picture.state ?? "untouched", count = picture.objects ?? 0;
    button.dataset.state = state;
    button.setAttribute("aria-label", [picture.name, WORDS[state], count ? `${count} objects` : ""].filter(Boolean).join(", "));
    button.querySelector(".done")?.remove();
    button.querySelector(".state")?.remove();
    if (count) button.append(make("span", { class: "done", title: `${count} objects` }, String(count)));
    if (WORDS[state]) button.append(make("span", { class: "state", "aria-hidden": "true" }, WORDS[state]));
  }

  /** Note what is known of a picture now. */
  note(id, state, objects) {
    const picture = this.pictures.find((p) => p.id === id);
    if (!picture) return;
    Object.assign(picture, { state, objects });
    const button = byId("pictures").querySelector(`[data-id="${id}"]`);
    if (button) this.label(button, picture);
  }

  /** Put an upload before the others. */
  prepend(picture) {
    this.pictures.unshift(picture);
    byId("pictures").prepend(this.tile(picture));
    this.listed += 1;
  }

  /** Show which picture is open. */
  mark(picture) {
    this.current = picture;
    const at = this.shown.indexOf(picture);
    while (at >= 0 && this.listed < this.shown.length && this.listed <= at) this.fill();
    for (const tile of document.querySelectorAll(".tile")) {
      if (tile.dataset.id === picture.id) {
        tile.setAttribute("aria-current", "true");
        tile.scrollIntoView({ block: "nearest", inline: "nearest" });
      } else tile.removeAttribute("aria-current");
    }
  }

  get place() { return `${this.pictures.indexOf(this.current) + 1} of ${this.pictures.length}`; }

  /** The picture so many steps on, among those that are listed; null where there is none. */
  step(by) {
    const { shown } = this;
    return shown.length ? shown[(shown.indexOf(this.current) + by + shown.length) % shown.length] : null;
  }

  /** The next picture that is neither done nor skipped; null where all are. */
  get unfinished() {
    const at = this.pictures.indexOf(this.current);
    const after = [...this.pictures.slice(at + 1), ...this.pictures.slice(0, at)];
    return after.find(unfinished) ?? null;
  }
}

const unfinished = (picture) => !["done", "skipped"].includes(picture.state);
