// A mask as the server sends it (COCO run lengths, column by column), as it is drawn.

const LONGEST = 2048; // pixels of a mask's longer side as drawn; a larger picture's mask is sampled

export class Mask {
  /** counts: run lengths, the first of zeros; size: [height, width]; box: [x, y, width, height]. */
  constructor({ counts, score, area, box }, [height, width]) {
    Object.assign(this, { counts, score, area, box, height, width });
    this.tints = new Map();
  }

  /** Bits of the box, one byte a pixel, row by row, sampled every 1/scale pixels. */
  get bits() {
    if (this.drawn) return this.drawn;
    const scale = Math.min(1, LONGEST / Math.max(this.width, this.height));
    const [x, y, width, height] = this.box;
    const columns = Math.max(1, Math.round(width * scale)), rows = Math.max(1, Math.round(height * scale));
    const bits = new Uint8Array(columns * rows);
    if (this.area) {
      const drawn = new Int32Array(width).fill(-1); // source column → drawn column
      for (let i = 0; i < columns; i++) drawn[Math.min(width - 1, Math.floor((i + 0.5) * width / columns))] = i;
      const source = Array.from({ length: rows }, (_, j) => Math.min(height - 1, Math.floor((j + 0.5) * height / rows)));
      let position = 0;
      this.counts.forEach((count, index) => {
        if (index % 2) fill(position, position + count, this.height);
        position += count;
      });
      function fill(begin, end, tall) {
        for (let column = Math.floor(begin / tall); column * tall < end; column++) {
          const i = drawn[column - x] ?? -1;
          if (i < 0) continue;
          const top = Math.max(begin - column * tall, 0) - y, bottom = Math.min(end - column * tall, tall) - y;
          let j = lower(source, top);
          for (; j < rows && source[j] < bottom; j++) bits[j * columns + i] = 1;
        }
      }
    }
    this.drawn = { bits, columns, rows };
    return this.drawn;
  }

  /** Let go of what drawing made: up to 20 MB; it is made again when needed. */
  release() {
    this.drawn = this.path = null;
    this.tints.clear();
  }

  /** Whether a pixel of the picture is set. */
  has(x, y) {
    const at = Math.floor(x) * this.height + Math.floor(y);
    let position = 0;
    for (let index = 0; index < this.counts.length; index++) {
      position += this.counts[index];
      if (at < position) return index % 2 === 1;
    }
    return false;
  }

  /** A canvas of the box, filled with a color. */
  tint(color) {
    if (!this.tints.has(color)) {
      const { bits, columns, rows } = this.bits;
      const canvas = new OffscreenCanvas(columns, rows);
      const context = canvas.getContext("2d");
      const image = context.createImageData(columns, rows);
      const [red, green, blue] = [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16));
      const packed = new Uint32Array(image.data.buffer);
      const value = (255 << 24) | (blue << 16) | (green << 8) | red;
      for (let i = 0; i < bits.length; i++) if (bits[i]) packed[i] = value;
      context.putImageData(image, 0, 0);
      this.tints.clear();
      this.tints.set(color, canvas);
    }
    return this.tints.get(color);
  }

  /** Its outline along pixel edges, in pixels of the picture. */
  get outline() {
    if (this.path) return this.path;
    const { bits, columns, rows } = this.bits;
    const [x, y, width, height] = this.box;
    const across = width / columns, down = height / rows;
    const path = new Path2D();
    const at = (i, j) => i >= 0 && j >= 0 && i < columns && j < rows && bits[j * columns + i];
    const trace = (outer, inner, differs, line) => {
      for (let a = 0; a <= outer; a++) {
        let begin = -1;
        for (let b = 0; b <= inner; b++) {
          const edge = b < inner && differs(a, b);
          if (edge && begin < 0) begin = b;
          if (!edge && begin >= 0) { line(a, begin, b); begin = -1; }
        }
      }
    };
    const segment = (i0, j0, i1, j1) => {
      path.moveTo(x + i0 * across, y + j0 * down);
      path.lineTo(x + i1 * across, y + j1 * down);
    };
    trace(rows, columns, (j, i) => at(i, j - 1) != at(i, j), (j, i0, i1) => segment(i0, j, i1, j));
    trace(columns, rows, (i, j) => at(i - 1, j) != at(i, j), (i, j0, j1) => segment(i, j0, i, j1));
    this.path = path;
    return path;
  }
}

function lower(sorted, value) {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
