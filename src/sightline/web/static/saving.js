// Keeping objects in the project: each change goes to the server at once, and is said to be saved once it is on its disk.

import { ask, askJson } from "./shell.js";

const AGAIN = [0.3, 1, 2, 4, 8]; // seconds between tries, while the server does not answer
const SMALL = 60_000; // characters of a change that the browser sends even while the tab is being closed
const FINAL = new Set([400, 401, 403, 404, 413, 422]); // trying again would change nothing

export class Saver {
  /**
   * handlers: said(text, good), of what is shown; merged(id, what), of what another tab did, as of `Work.merge`; state(id, state, count);
   * value(label), from a place in the list of classes to a value in masks; ready(), resolved once all classes have values.
   */
  constructor(handlers) {
    this.handlers = handlers;
    this.pictures = new Map(); // id → what the server has of it, and what it should have
  }

  /** Ask for what was done to a picture; returns its objects, as of `make`. */
  async load(id, make) {
    const said = await askJson(`/api/pictures/${id}/work`);
    const objects = said.objects.map(make);
    this.pictures.set(id, { revision: said.revision, saved: byId(objects), wanted: objects, state: null, busy: false, make });
    return objects;
  }

  has(id) { return this.pictures.has(id); }

  get pending() { return [...this.pictures.values()].some((picture) => picture.busy || this.differs(picture)); }

  /** Let the server have these objects, and the state, if one is given. */
  want(id, objects, state = null) {
    const picture = this.pictures.get(id);
    if (!picture) return;
    picture.wanted = objects;
    picture.state = state ?? picture.state;
    this.send(id);
  }

  differs(picture) {
    if (picture.state) return true;
    const { saved, wanted } = picture;
    return wanted.length !== saved.size || wanted.some((object) => !same(saved.get(object.id), object)) || [...saved.keys()].some((id, i) => wanted[i].id !== id);
  }

  async send(id) {
    const picture = this.pictures.get(id);
    if (picture.busy || !this.differs(picture)) return;
    picture.busy = true;
    this.handlers.said("Saving…", true);
    for (let tries = 0; this.differs(picture); tries++) {
      await this.handlers.ready();
      const { wanted, state, saved, revision } = picture;
      const here = byId(wanted);
      const json = {
        since: revision, state,
        put: wanted.filter((object) => !same(saved.get(object.id), object)).map((object) => this.sent(object)),
        drop: [...saved.keys()].filter((key) => !here.has(key)),
        order: wanted.map((object) => object.id),
      };
      try {
        const keepalive = JSON.stringify(json).length < SMALL;
        const said = await (await ask(`/api/pictures/${id}/work`, { method: "POST", json, keepalive })).json();
        if (picture.state === state) picture.state = null;
        Object.assign(picture, { revision: said.revision, saved: here });
        this.handlers.state(id, said.state, said.count);
        if (said.objects) this.merge(id, said.objects);
        tries = -1;
      } catch (error) {
        this.handlers.said(`Not saved: ${error.message}`, false);
        if (FINAL.has(error.status)) { picture.busy = false; return; }
        await new Promise((done) => setTimeout(done, 1000 * AGAIN[Math.min(tries, AGAIN.length - 1)]));
      }
    }
    picture.busy = false;
    if (!this.pending) this.handlers.said("Saved", true);
  }

  /** Look whether another tab has changed a picture. */
  async refresh(id) {
    const picture = this.pictures.get(id);
    if (!picture || picture.busy) return;
    const said = await askJson(`/api/pictures/${id}/work`).catch(() => null);
    if (!said || picture.busy || said.revision === picture.revision) return;
    picture.revision = said.revision;
    this.merge(id, said.objects);
    this.handlers.state(id, said.state, said.objects.length);
  }

  /** Take in what another tab did: `theirs` is all that the server has. */
  merge(id, theirs) {
    const picture = this.pictures.get(id);
    const before = picture.saved;
    const objects = theirs.map((object) => (this.agrees(before.get(object.id), object) ? before.get(object.id) : picture.make(object)));
    const there = byId(objects), mine = byId(picture.wanted);
    const added = objects.filter(({ id }) => !before.has(id) && !mine.has(id));
    const changed = byId(objects.filter((object) => before.has(object.id) && before.get(object.id) !== object));
    const removed = new Set([...before.keys()].filter((key) => !there.has(key)));
    picture.saved = there;
    if (added.length || changed.size || removed.size) this.handlers.merged(id, { added, changed, removed, known: before });
  }

  /** Whether an object is as the server has it. */
  agrees(object, { value, mask }) {
    return object && this.handlers.value(object.label) === value && object.mask.area === mask.area
      && object.mask.counts.length === mask.counts.length && object.mask.counts.every((count, i) => count === mask.counts[i]);
  }

  sent({ id, label, mask, prompts, polygon }) {
    return {
      id, value: this.handlers.value(label), counts: mask.counts, score: mask.score ?? null,
      points: prompts?.points ?? [], box: prompts?.box ?? null, text: prompts?.text ?? "", polygon: polygon ?? [],
    };
  }
}

const byId = (objects) => new Map(objects.map((object) => [object.id, object]));
const same = (a, b) => a && a.label === b.label && a.mask === b.mask && a.prompts === b.prompts && a.polygon === b.polygon;
