// Masks drawn by hand: strokes of a brush, polygons, holes and islands. Pixels are bytes, column by column, as run lengths go.

import { Mask } from "./mask.js";

const { abs, ceil, floor, hypot, max, min } = Math;

/** All pixels of a mask; of none, an empty picture of that size. */
export function pixelsOf(mask, [height, width]) {
  const pixels = new Uint8Array(height * width);
  let position = 0;
  mask?.counts.forEach((count, index) => {
    if (index % 2) pixels.fill(1, position, position + count);
    position += count;
  });
  return pixels;
}

/** The mask of pixels. */
export function maskOf(pixels, [height, width], score = null) {
  const counts = [];
  let value = 0, begin = 0, area = 0, left = width, right = -1, top = height, bottom = -1;
  for (let at = 0; at <= pixels.length; at++) {
    if (at < pixels.length && pixels[at] === value) continue;
    counts.push(at - begin);
    if (value) {
      const last = at - 1;
      area += at - begin;
      left = min(left, floor(begin / height));
      right = max(right, floor(last / height));
      const whole = floor(begin / height) !== floor(last / height);
      top = min(top, whole ? 0 : begin % height);
      bottom = max(bottom, whole ? height - 1 : last % height);
    }
    begin = at;
    value = 1 - value;
  }
  const box = area ? [left, top, right - left + 1, bottom - top + 1] : [0, 0, 0, 0];
  return new Mask({ counts, score, area, box }, [height, width]);
}

/** Set the pixels within a radius of a line through points. */
export function stroke(pixels, [height, width], points, radius, value) {
  const reach = max(radius, 0.5);
  points.forEach(([x1, y1], i) => {
    const [x0, y0] = points[max(0, i - 1)];
    const dx = x1 - x0, dy = y1 - y0, length = dx * dx + dy * dy;
    const first = max(0, floor(min(x0, x1) - reach)), last = min(width - 1, ceil(max(x0, x1) + reach));
    const low = max(0, floor(min(y0, y1) - reach)), high = min(height - 1, ceil(max(y0, y1) + reach));
    for (let x = first; x <= last; x++) {
      for (let y = low; y <= high; y++) {
        const px = x + 0.5 - x0, py = y + 0.5 - y0;
        const along = length ? max(0, min(1, (px * dx + py * dy) / length)) : 0;
        if (hypot(px - along * dx, py - along * dy) <= reach) pixels[x * height + y] = value;
      }
    }
  });
  // However small the brush, the pixel that was clicked is meant.
  const [x, y] = points[0];
  if (x >= 0 && y >= 0 && x < width && y < height) pixels[floor(x) * height + floor(y)] = value;
  return pixels;
}

/** The pixels whose centers are in a polygon, by the even-odd rule. */
export function polygonPixels(points, [height, width]) {
  const pixels = new Uint8Array(height * width);
  for (let x = 0; x < width; x++) {
    const center = x + 0.5, crossings = [];
    points.forEach(([x1, y1], i) => {
      const [x0, y0] = points[(i + points.length - 1) % points.length];
      if (x0 > center !== x1 > center) crossings.push(y0 + ((center - x0) / (x1 - x0)) * (y1 - y0));
    });
    crossings.sort((a, b) => a - b);
    for (let i = 0; i + 1 < crossings.length; i += 2) {
      const top = max(0, ceil(crossings[i] - 0.5)), bottom = min(height, ceil(crossings[i + 1] - 0.5));
      if (bottom > top) pixels.fill(1, x * height + top, x * height + bottom);
    }
  }
  return pixels;
}

/** Fill what is enclosed. */
export function fillHoles(pixels, size) {
  const { labels, touches } = parts(pixels, size, 0);
  for (let at = 0; at < pixels.length; at++) if (!pixels[at] && !touches[labels[at]]) pixels[at] = 1;
  return pixels;
}

/** Keep the largest part only. */
export function dropIslands(pixels, size) {
  const { labels, areas } = parts(pixels, size, 1);
  const largest = areas.reduce((best, area, label) => (area > areas[best] ? label : best), 0);
  for (let at = 0; at < pixels.length; at++) if (pixels[at] && labels[at] !== largest) pixels[at] = 0;
  return pixels;
}

/** Parts of pixels of a value that hang together by their sides: a label each, and by label its area and whether it touches the border. */
function parts(pixels, [height, width], value) {
  const labels = new Int32Array(pixels.length), areas = [0], touches = [false];
  const waiting = [];
  for (let start = 0; start < pixels.length; start++) {
    if (pixels[start] !== value || labels[start]) continue;
    const label = areas.push(0) - 1;
    touches.push(false);
    labels[start] = label;
    waiting.push(start);
    while (waiting.length) {
      const at = waiting.pop(), x = floor(at / height), y = at - x * height;
      areas[label] += 1;
      if (!x || !y || x === width - 1 || y === height - 1) touches[label] = true;
      const visit = (next) => { if (pixels[next] === value && !labels[next]) { labels[next] = label; waiting.push(next); } };
      if (x) visit(at - height);
      if (x < width - 1) visit(at + height);
      if (y) visit(at - 1);
      if (y < height - 1) visit(at + 1);
    }
  }
  return { labels, areas, touches };
}

/** Where a new corner belongs: on the side that is nearest, if it is near; else at the end. */
export function cornerPlace(points, [x, y], near) {
  let place = points.length, best = near;
  points.forEach(([x1, y1], i) => {
    const [x0, y0] = points[(i + points.length - 1) % points.length];
    const dx = x1 - x0, dy = y1 - y0, length = dx * dx + dy * dy;
    const along = length ? max(0, min(1, ((x - x0) * dx + (y - y0) * dy) / length)) : 0;
    const far = hypot(x - x0 - along * dx, y - y0 - along * dy);
    if (points.length > 2 && far < best && abs(along - 0.5) < 0.5) { best = far; place = i; }
  });
  return place;
}
