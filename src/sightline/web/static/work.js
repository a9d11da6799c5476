// What a person has done to one picture, with undo and redo. Every state is immutable.

/** Labels beside those of classes: what is surely nothing, and what is to be ignored. */
export const BACKGROUND = -1, UNLABELLED = 254;
export const freshId = () => [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
export const NOTHING = { points: [], box: null, text: "" };
// What is under way, when nothing is.
const IDLE = { prompts: NOTHING, answer: null, chosen: 0, polygon: null, editing: null };
export const asksNothing = (prompts) => !prompts.points.length && !prompts.box && !prompts.text;

export class Work {
  /** objects: those that are kept already. */
  constructor(objects = []) {
    this.now = { ...IDLE, objects };
    this.before = [];
    this.after = [];
    this.exported = this.now.objects;
  }

  /** Go on to a new state; the old one can be gone back to. */
  change(part) {
    this.before.push(this.now);
    this.after = [];
    this.now = { ...this.now, ...part };
  }

  /** Fill in what was asked: no step of its own. */
  fill(part) { this.now = { ...this.now, ...part }; }

  undo() { return this.step(this.before, this.after); }
  redo() { return this.step(this.after, this.before); }
  step(from, to) {
    if (!from.length) return false;
    to.push(this.now);
    this.now = from.pop();
    return true;
  }

  get mask() { return this.now.answer?.masks[this.now.chosen] ?? null; }
  get unsaved() { return this.now.objects.length > 0 && this.now.objects !== this.exported; }

  /** Let go of what drawing made of all masks, when another picture is shown. */
  release() {
    for (const state of [this.now, ...this.before, ...this.after]) {
      for (const mask of [...(state.answer?.masks ?? []), ...state.objects.map((o) => o.mask)]) mask.release();
    }
  }

  addPoint(x, y, inside) {
    const { prompts } = this.now;
    this.change({ prompts: { ...prompts, points: [...prompts.points, [x, y, inside ? 1 : 0]] }, polygon: null });
  }
  setBox(box) { this.change({ prompts: { ...this.now.prompts, box }, polygon: null }); }
  setText(text) { this.change({ prompts: { ...NOTHING, text }, polygon: null }); }
  /** Go on with a mask that was drawn, and not asked for. */
  draw(mask) { this.change({ answer: { masks: [mask], prompts: this.now.prompts, number: -1 }, chosen: 0, polygon: null }); }
  /** Go on with a polygon; mask is null while it has too few corners. */
  setPolygon(polygon, mask) {
    this.change({ prompts: NOTHING, answer: mask && { masks: [mask], prompts: NOTHING, number: -1 }, chosen: 0, polygon });
  }
  clear() { this.change(IDLE); }
  /** Keep the current mask, in place of the object that was reopened, if one was; or masks that were all found at once. */
  keep(label, masks = null) {
    const { prompts, polygon, editing, objects } = this.now;
    const made = { label, prompts, polygon: polygon ?? undefined, shown: true };
    const kept = masks ? masks.map((mask) => ({ ...made, id: freshId(), mask })) : [{ ...made, id: editing ?? freshId(), mask: this.mask }];
    const rest = masks ? objects : objects.filter((o) => o.id !== editing);
    this.change({ ...IDLE, objects: [...rest, ...kept] });
  }
  /** Go on with an object as it was when it was kept; it stays as it is until the change is kept. */
  reopen({ id, mask, prompts = NOTHING, polygon = null }) {
    this.change({ prompts, polygon, answer: { masks: [mask], prompts, number: -1 }, chosen: 0, editing: id });
  }
  edit(id, part) {
    this.change({ objects: this.now.objects.map((o) => (o.id === id ? { ...o, ...part } : o)) });
  }
  /** Take in what another tab did, in all states, so that no undo takes it back. */
  merge({ added, changed, removed, known }) {
    const merged = (state) => {
      const objects = state.objects.filter((o) => !removed.has(o.id)).map((o) => changed.get(o.id) ?? o);
      // On top of what both tabs knew, below what is new here.
      return { ...state, objects: [...objects.filter((o) => known.has(o.id)), ...added, ...objects.filter((o) => !known.has(o.id))] };
    };
    this.now = merged(this.now);
    this.before = this.before.map(merged);
    this.after = this.after.map(merged);
  }
  drop(id) {
    const idle = this.now.editing === id ? IDLE : {};
    this.change({ ...idle, objects: this.now.objects.filter((o) => o.id !== id) });
  }
}
