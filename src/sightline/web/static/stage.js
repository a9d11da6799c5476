// The picture: drawing, zoom and pan, and what mouse, fingers and keys ask for.

import { colorOf } from "./shell.js";

const LARGEST = 40; // screen pixels a pixel
const PIXELS_SHOW = 4; // above this the picture's pixels are shown as squares, as its masks are
const TAP = 7; // screen pixels that a click may move
const GAP = 26; // screen pixels around a fitted picture
const INSIDE = "#2f7de1", OUTSIDE = "#d1384f";

export class Stage {
  /**
   * handlers: point(x, y, inside), box(x0, y0, x1, y1), stroke(points, radius, add), corner(x, y, near), cornerTo(index, x, y),
   * cornerAway(index), moved(text), zoomed(scale).
   */
  constructor(canvas, handlers) {
    Object.assign(this, { canvas, handlers, tool: "add", space: false, pointers: new Map(), image: null });
    this.view = { scale: 1, x: 0, y: 0 };
    this.scene = { prompts: { points: [], box: null }, mask: null, color: "#3478d4", objects: [], chosen: 0, polygon: null };
    this.cross = null; // the keyboard's crosshair, in pixels of the picture
    this.corner = null; // the first corner of the keyboard's box
    this.fitted = true;
    this.radius = 6; // of the brush, in pixels of the picture
    this.hover = null; // where the mouse is, for the brush
    new ResizeObserver(() => this.resize()).observe(canvas);
    window.addEventListener("themechange", () => this.draw());
    this.listen();
  }

  show(image) {
    if (this.image !== image) this.image?.close(); // 160 MB of a large picture, which else wait for the collector
    this.image = image;
    this.cross = this.corner = this.drag = null;
    this.pointers.clear();
    this.fit();
  }

  set(scene) { this.scene = { ...this.scene, ...scene }; this.draw(); }

  // -- view
  resize() {
    const box = this.canvas.getBoundingClientRect();
    this.density = window.devicePixelRatio || 1;
    this.width = box.width;
    this.height = box.height;
    this.canvas.width = Math.max(1, Math.round(box.width * this.density));
    this.canvas.height = Math.max(1, Math.round(box.height * this.density));
    if (this.fitted) this.fit();
    else this.draw();
  }

  fit() {
    if (!this.image || !this.width) { this.draw(); return; }
    const tools = this.canvas.parentElement.querySelector(".tools");
    const room = this.height - tools.offsetTop + 8; // for the tools below
    const scale = Math.min((this.width - 2 * GAP) / this.image.width, (this.height - GAP - room) / this.image.height);
    this.view = { scale, x: (this.width - this.image.width * scale) / 2, y: GAP / 2 + (this.height - room - this.image.height * scale) / 2 };
    this.fitted = true;
    this.changed();
  }

  zoom(factor, x = this.width / 2, y = this.height / 2) {
    if (!this.image) return;
    const least = 0.2 * Math.min(this.width / this.image.width, this.height / this.image.height);
    const scale = Math.min(LARGEST, Math.max(least, this.view.scale * factor));
    const real = scale / this.view.scale;
    this.view = { scale, x: x - (x - this.view.x) * real, y: y - (y - this.view.y) * real };
    this.fitted = false;
    this.changed();
  }

  pan(dx, dy) {
    if (!this.image) return;
    const keep = 40; // screen pixels of the picture that stay in sight
    const { scale } = this.view;
    const x = Math.min(this.width - keep, Math.max(keep - this.image.width * scale, this.view.x + dx));
    const y = Math.min(this.height - keep, Math.max(keep - this.image.height * scale, this.view.y + dy));
    this.view = { scale, x, y };
    this.fitted = false;
    this.changed();
  }

  changed() { this.handlers.zoomed(this.view.scale); this.draw(); }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }
  toImage([x, y]) { return [(x - this.view.x) / this.view.scale, (y - this.view.y) / this.view.scale]; }
  toScreen(x, y) { return [x * this.view.scale + this.view.x, y * this.view.scale + this.view.y]; }
  inImage([x, y]) { return this.image && x >= 0 && y >= 0 && x < this.image.width && y < this.image.height; }
  clamp([x, y]) { return [Math.min(this.image.width, Math.max(0, x)), Math.min(this.image.height, Math.max(0, y))]; }

  // -- mouse and fingers
  listen() {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.up(event));
    canvas.addEventListener("pointercancel", (event) => { this.pointers.delete(event.pointerId); this.drag = null; this.draw(); });
    canvas.addEventListener("pointerleave", () => { this.hover = null; this.draw(); });
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const step = event.deltaMode === 1 ? 16 : 1;
      this.zoom(Math.exp(-Math.max(-120, Math.min(120, event.deltaY * step)) * (event.ctrlKey ? 0.01 : 0.0025)), ...this.place(event));
    }, { passive: false });
    canvas.addEventListener("focus", () => this.draw());
    canvas.addEventListener("blur", () => { this.space = false; this.cursor(); this.draw(); });
  }

  down(event) {
    if (!this.image) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.canvas.focus({ preventScroll: true });
    this.cross = null;
    const at = this.place(event);
    this.pointers.set(event.pointerId, at);
    if (this.pointers.size === 2) { this.drag = { kind: "pinch" }; this.draw(); return; }
    if (this.pointers.size > 2) return;
    const pans = this.space || this.tool === "pan" || event.button === 1;
    const touch = event.pointerType === "touch";
    const outside = event.button === 2 || event.shiftKey || this.tool === "remove";
    const corner = this.tool === "polygon" ? this.cornerAt(at) : -1;
    const hand = { brush: "stroke", erase: "stroke", polygon: "corner" }[this.tool];
    const kind = pans ? "pan" : hand ? hand : this.tool === "box" || !touch ? "box" : "pan";
    this.drag = { kind, from: at, last: at, to: at, moved: false, click: !pans, outside, corner, line: [this.toImage(at)] };
    this.cursor();
  }

  get brushes() { return this.tool === "brush" || this.tool === "erase"; }

  /** The corner of the polygon at a place on the screen, −1 for none. */
  cornerAt([x, y]) {
    return (this.scene.polygon ?? []).findIndex((point) => {
      const [px, py] = this.toScreen(...point);
      return Math.hypot(px - x, py - y) <= 2 * TAP;
    });
  }

  move(event) {
    if (this.brushes) { this.hover = event.pointerType === "touch" ? null : this.place(event); this.draw(); }
    if (!this.pointers.has(event.pointerId)) return;
    const before = [...this.pointers.values()];
    const at = this.place(event);
    this.pointers.set(event.pointerId, at);
    const { drag } = this;
    if (!drag) return;
    if (drag.kind === "pinch") { this.pinch(before, [...this.pointers.values()]); return; }
    drag.moved ||= Math.hypot(at[0] - drag.from[0], at[1] - drag.from[1]) > TAP;
    if (drag.moved && drag.kind === "pan") this.pan(at[0] - drag.last[0], at[1] - drag.last[1]);
    drag.last = drag.to = at;
    if (drag.kind === "stroke") { drag.line.push(this.toImage(at)); this.draw(); }
    if (drag.moved && drag.kind === "corner") this.draw();
    if (drag.moved && drag.kind === "box") this.draw();
  }

  pinch(before, after) {
    if (before.length < 2 || after.length < 2) return;
    const middle = ([a, b]) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
    const apart = ([a, b]) => Math.max(1, Math.hypot(a[0] - b[0], a[1] - b[1]));
    const [old, now] = [middle(before), middle(after)];
    this.pan(now[0] - old[0], now[1] - old[1]);
    this.zoom(apart(after) / apart(before), ...now);
  }

  up(event) {
    if (!this.pointers.delete(event.pointerId)) return;
    const { drag } = this;
    if (drag?.kind === "pinch") { if (!this.pointers.size) this.drag = null; return; }
    this.drag = null;
    this.cursor();
    if (!drag || !this.image) return;
    const now = this.toImage(this.place(event));
    if (drag.kind === "stroke") this.handlers.stroke(drag.line, this.radius, (this.tool === "brush") !== drag.outside);
    else if (drag.kind === "corner") this.finishCorner(drag, now);
    else if (drag.moved && drag.kind === "box") this.finishBox(this.toImage(drag.from), this.toImage(drag.to));
    else if (!drag.moved && drag.click && this.tool !== "box") {
      const point = this.toImage(this.place(event));
      if (this.inImage(point)) this.handlers.point(...point, !drag.outside);
    }
    this.draw();
  }

  finishCorner({ corner, moved, outside }, at) {
    if (corner >= 0 && outside) this.handlers.cornerAway(corner);
    else if (corner >= 0) { if (moved) this.handlers.cornerTo(corner, ...this.clamp(at)); }
    else if (this.inImage(at)) this.handlers.corner(...at, TAP / this.view.scale);
  }

  finishBox(a, b) {
    const [[ax, ay], [bx, by]] = [this.clamp(a), this.clamp(b)];
    const box = [Math.min(ax, bx), Math.min(ay, by), Math.max(ax, bx), Math.max(ay, by)];
    if (box[2] - box[0] >= 1 && box[3] - box[1] >= 1) this.handlers.box(...box);
  }

  cursor() {
    this.canvas.classList.toggle("pan", this.space || this.tool === "pan");
    this.canvas.classList.toggle("panning", this.drag?.kind === "pan");
  }

  // -- keys, while the picture has the focus; true if taken
  key(event) {
    if (!this.image || event.ctrlKey || event.metaKey || event.altKey) return false;
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key in steps) {
      const far = Math.max(1, (event.shiftKey ? 40 : 8) / this.view.scale);
      const [x, y] = this.cross ?? [this.image.width / 2, this.image.height / 2];
      const [dx, dy] = steps[event.key];
      this.cross = [
        Math.min(this.image.width - 0.5, Math.max(0.5, x + dx * far)),
        Math.min(this.image.height - 0.5, Math.max(0.5, y + dy * far)),
      ];
      this.follow();
      this.handlers.moved(`${Math.floor(this.cross[0])}, ${Math.floor(this.cross[1])}`);
    } else if (event.key === "Enter") {
      this.cross ??= [this.image.width / 2, this.image.height / 2];
      if (this.corner) this.endKeyBox();
      else if (this.tool === "polygon") this.handlers.corner(...this.cross, TAP / this.view.scale);
      else if (this.brushes) this.handlers.stroke([this.cross], this.radius, (this.tool === "brush") !== event.shiftKey);
      else this.handlers.point(...this.cross, !(event.shiftKey || this.tool === "remove"));
    } else if (event.key.toLowerCase() === "b") {
      this.cross ??= [this.image.width / 2, this.image.height / 2];
      if (this.corner) this.endKeyBox();
      else { this.corner = this.cross; this.handlers.moved("First corner set; move, then B again"); }
    } else if (event.key === "Escape" && this.corner) {
      this.corner = null;
    } else if (event.key === " ") {
      this.space = true;
      this.cursor();
    } else return false;
    this.draw();
    return true;
  }

  keyUp(event) { if (event.key === " ") { this.space = false; this.cursor(); } }

  endKeyBox() {
    const corner = this.corner;
    this.corner = null;
    this.finishBox(corner, this.cross);
  }

  /** Keep the crosshair in sight. */
  follow() {
    const [x, y] = this.toScreen(...this.cross);
    const near = 24;
    const dx = x < near ? near - x : x > this.width - near ? this.width - near - x : 0;
    const dy = y < near ? near - y : y > this.height - near ? this.height - near - y : 0;
    if (dx || dy) this.pan(dx, dy);
  }

  // -- drawing
  draw() {
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => { this.waiting = 0; this.paint(); });
  }

  paint() {
    const context = this.canvas.getContext("2d");
    context.setTransform(this.density, 0, 0, this.density, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    if (!this.image) return;
    const { scale, x, y } = this.view;
    context.save();
    context.transform(scale, 0, 0, scale, x, y);
    context.imageSmoothingEnabled = scale < PIXELS_SHOW;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.image, 0, 0);
    for (const object of this.scene.objects) {
      const marked = object.id === this.scene.chosen;
      this.paintMask(context, object.mask, object.color, marked ? 0.6 : 0.42, marked ? 2.5 : 1.5);
    }
    if (this.scene.mask) this.paintMask(context, this.scene.mask, this.scene.color, 0.5, 2.5);
    context.restore();
    this.paintPrompts(context);
    this.paintHand(context);
    if (this.cross && document.activeElement === this.canvas) this.paintCross(context);
  }

  paintMask(context, mask, color, opacity, width) {
    if (!mask.area) return;
    context.globalAlpha = opacity;
    context.drawImage(mask.tint(color), ...mask.box);
    context.globalAlpha = 1;
    context.lineCap = "round";
    for (const [ink, thick] of [["rgb(255 255 255 / .85)", width + 2], [color, width]]) {
      context.strokeStyle = ink;
      context.lineWidth = thick / this.view.scale;
      context.stroke(mask.outline);
    }
  }

  paintPrompts(context) {
    const { points, box } = this.scene.prompts;
    if (box) this.paintBox(context, this.toScreen(box[0], box[1]), this.toScreen(box[2], box[3]));
    if (this.drag?.kind === "box" && this.drag.moved) this.paintBox(context, this.drag.from, this.drag.to);
    if (this.corner && this.cross) this.paintBox(context, this.toScreen(...this.corner), this.toScreen(...this.cross));
    for (const [x, y, inside] of points) {
      const [px, py] = this.toScreen(x, y);
      context.beginPath();
      context.arc(px, py, 8, 0, 7);
      context.fillStyle = inside ? INSIDE : OUTSIDE;
      context.strokeStyle = "#fff";
      context.lineWidth = 2;
      context.fill();
      context.stroke();
      context.beginPath();
      context.moveTo(px - 3.5, py);
      context.lineTo(px + 3.5, py);
      if (inside) { context.moveTo(px, py - 3.5); context.lineTo(px, py + 3.5); }
      context.stroke();
    }
  }

  /** What is drawn by hand: the polygon's corners, the stroke under way, the brush. */
  paintHand(context) {
    const { polygon } = this.scene, { drag } = this;
    if (polygon) {
      const moving = drag?.kind === "corner" && drag.moved && drag.corner >= 0;
      const places = polygon.map((point, i) => (moving && i === drag.corner ? drag.to : this.toScreen(...point)));
      const line = new Path2D();
      places.forEach(([x, y], i) => line[i ? "lineTo" : "moveTo"](x, y));
      line.closePath();
      for (const [ink, width] of [["#fff", 3.5], [INSIDE, 1.75]]) {
        context.strokeStyle = ink;
        context.lineWidth = width;
        context.stroke(line);
      }
      context.fillStyle = "#fff";
      for (const [x, y] of places) {
        context.fillRect(x - 4.5, y - 4.5, 9, 9);
        context.strokeRect(x - 4.5, y - 4.5, 9, 9);
      }
    }
    const across = this.radius * this.view.scale;
    if (drag?.kind === "stroke") {
      context.strokeStyle = (this.tool === "brush") !== drag.outside ? this.scene.color : "#20262e";
      context.globalAlpha = 0.55;
      context.lineCap = context.lineJoin = "round";
      context.lineWidth = Math.max(1, 2 * across);
      context.beginPath();
      drag.line.forEach((point, i) => context[i ? "lineTo" : "moveTo"](...this.toScreen(...point)));
      if (drag.line.length === 1) context.lineTo(...this.toScreen(...drag.line[0]));
      context.stroke();
      context.globalAlpha = 1;
    }
    if (this.brushes && this.hover) {
      for (const [ink, width] of [["#fff", 3], ["#20262e", 1.25]]) {
        context.strokeStyle = ink;
        context.lineWidth = width;
        context.beginPath();
        context.arc(...this.hover, Math.max(1.5, across), 0, 7);
        context.stroke();
      }
    }
  }

  paintBox(context, [x0, y0], [x1, y1]) {
    context.setLineDash([]);
    for (const [ink, width, dash] of [["#fff", 3.5, []], [INSIDE, 1.75, [7, 4]]]) {
      context.strokeStyle = ink;
      context.lineWidth = width;
      context.setLineDash(dash);
      context.strokeRect(x0, y0, x1 - x0, y1 - y0);
    }
    context.setLineDash([]);
  }

  paintCross(context) {
    const [x, y] = this.toScreen(...this.cross);
    for (const [ink, width] of [["rgb(255 255 255 / .9)", 4], [colorOf("--accent"), 1.5]]) {
      context.strokeStyle = ink;
      context.lineWidth = width;
      context.beginPath();
      for (const [dx, dy] of [[-1, 0], [1, 0], [0, -1], [0, 1]]) {
        context.moveTo(x + dx * 6, y + dy * 6);
        context.lineTo(x + dx * 22, y + dy * 22);
      }
      context.moveTo(x + 6, y);
      context.arc(x, y, 6, 0, 7);
      context.stroke();
    }
  }
}
