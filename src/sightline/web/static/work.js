// What a person has done to one picture, with undo and redo. Every state is immutable.

let objects = 0;
export const NOTHING = { points: [], box: null, text: "" };
export const asksNothing = (prompts) => !prompts.points.length && !prompts.box && !prompts.text;

export class Work {
  constructor() {
    this.now = { prompts: NOTHING, answer: null, chosen: 0, objects: [] };
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
    this.change({ prompts: { ...prompts, points: [...prompts.points, [x, y, inside ? 1 : 0]] } });
  }
  setBox(box) { this.change({ prompts: { ...this.now.prompts, box } }); }
  setText(text) { this.change({ prompts: { ...NOTHING, text } }); }
  clear() { this.change({ prompts: NOTHING, answer: null, chosen: 0 }); }
  keep(label, masks = [this.mask]) {
    const kept = masks.map((mask) => ({ id: ++objects, label, mask, shown: true }));
    this.change({ objects: [...this.now.objects, ...kept], prompts: NOTHING, answer: null, chosen: 0 });
  }
  edit(id, part) {
    this.change({ objects: this.now.objects.map((o) => (o.id === id ? { ...o, ...part } : o)) });
  }
  drop(id) { this.change({ objects: this.now.objects.filter((o) => o.id !== id) }); }
}
