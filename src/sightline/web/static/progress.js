// The progress page: one picture's mask after each stage of training.

import { askJson, byId, colorOf, icon, keys, make, notice } from "./shell.js";

const PLAY = 700; // milliseconds a stage
let runs = [], run = 0, image = null, stage = 0, playing = 0;
const pictures = new Map(); // address → ImageBitmap
const views = Object.fromEntries(["image", "truth", "mask", "overlay"].map((name) => [name, byId(`fig-${name}`)]));

const address = (kind) => `/api/progress/${run}/${image.number}/${kind}`;

async function fetched(path) {
  if (!pictures.has(path)) {
    const loading = fetch(path).then(async (response) => {
      if (!response.ok) throw new Error((await response.json().catch(() => ({}))).error ?? "The picture is not there.");
      return createImageBitmap(await response.blob(), { colorSpaceConversion: "none" });
    });
    loading.catch(() => pictures.delete(path));
    pictures.set(path, loading);
  }
  return pictures.get(path);
}

function paint(name, ...layers) {
  const canvas = views[name].querySelector("canvas");
  const { width, height } = layers[0][0];
  canvas.width = width;
  canvas.height = height;
  canvas.style.aspectRatio = `${width} / ${height}`;
  canvas.classList.toggle("pixels", canvas.clientWidth * devicePixelRatio > 3 * width);
  const context = canvas.getContext("2d", { willReadFrequently: name !== "overlay" });
  for (const [bitmap, opacity, blend] of layers) {
    context.globalAlpha = opacity;
    context.globalCompositeOperation = blend ?? "source-over";
    context.imageSmoothingEnabled = false;
    context.drawImage(bitmap, 0, 0, width, height);
  }
}

/** Share of the pixels in which mask and truth have the same color, of those whose truth is known. */
function agreement() {
  const [mask, truth] = ["mask", "truth"].map((name) => views[name].querySelector("canvas"));
  if (mask.width !== truth.width || mask.height !== truth.height) return null;
  const read = (canvas) => new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer);
  const [a, b] = [read(mask), read(truth)];
  const packed = (color) => (0xff000000 | (parseInt(color.slice(5), 16) << 16) | (parseInt(color.slice(3, 5), 16) << 8) | parseInt(color.slice(1, 3), 16)) >>> 0;
  const classes = new Set(runs[run].classes.map(({ color }) => packed(color)));
  let same = 0, known = 0;
  for (let i = 0; i < a.length; i++) {
    if (!classes.has(b[i])) continue;
    known += 1;
    same += a[i] === b[i];
  }
  return known ? same / known : null;
}

async function draw() {
  const [shown, number] = [image, stage];
  if (!shown) return;
  byId("stage").value = String(stage);
  const epoch = shown.epochs[stage];
  byId("stage").setAttribute("aria-valuetext", `epoch ${epoch}`);
  byId("epoch").textContent = `Epoch ${epoch}`;
  const measured = runs[run].curve.find((point) => point.epoch === epoch);
  byId("value").textContent = measured ? `mean IoU ${measured.value.toFixed(3)}` : "";
  curve();
  try {
    const [mask, picture, truth] = await Promise.all([
      fetched(address(stage)), fetched(address("image")), shown.has_truth ? fetched(address("truth")) : null,
    ]);
    if (image !== shown || stage !== number) return;
    paint("mask", [mask, 1]);
    paint("image", [picture, 1]);
    paint("overlay", [picture, 1], [mask, byId("opacity").value / 100]);
    if (truth) paint("truth", [truth, 1]);
    const share = truth ? agreement() : null;
    byId("agreement").textContent = share === null ? "" : `${(100 * share).toFixed(1)}% of pixels as in the truth`;
    for (const next of [stage + 1, stage - 1]) if (shown.epochs[next] !== undefined) fetched(address(next)).catch(() => {});
  } catch (error) { pause(); notice(error.message); }
}

function curve() {
  const canvas = byId("curve"), points = runs[run].curve;
  canvas.hidden = points.length < 2;
  if (canvas.hidden) return;
  const box = canvas.getBoundingClientRect(), density = devicePixelRatio || 1;
  canvas.width = Math.max(1, box.width * density);
  canvas.height = Math.max(1, box.height * density);
  const context = canvas.getContext("2d");
  context.scale(density, density);
  const epochs = image.epochs, thumb = 8; // the slider's thumb is 16 wide, so its ends lie 8 inside
  // Stages stand at even distances, as on the slider below; epochs between two stages lie between them.
  const across = (epoch) => {
    let k = epochs.findIndex((e) => e >= epoch);
    if (k < 0) return null;
    if (k > 0) k = k - 1 + (epoch - epochs[k - 1]) / (epochs[k] - epochs[k - 1]);
    else if (epoch < epochs[0]) return null;
    return thumb + ((box.width - 2 * thumb) * k) / Math.max(1, epochs.length - 1);
  };
  const values = points.map((p) => p.value), [least, most] = [Math.min(...values), Math.max(...values)];
  const down = (value) => 4 + (box.height - 10) * (1 - (value - least) / Math.max(1e-9, most - least));
  const line = points.map((p) => [across(p.epoch), down(p.value)]).filter(([x]) => x !== null);
  context.strokeStyle = colorOf("--accent");
  context.lineWidth = 1.75;
  context.lineJoin = "round";
  context.beginPath();
  line.forEach(([x, y], i) => context[i ? "lineTo" : "moveTo"](x, y));
  context.stroke();
  const now = points.find((p) => p.epoch === epochs[stage]);
  if (now) {
    context.beginPath();
    context.arc(across(now.epoch), down(now.value), 4, 0, 7);
    context.fillStyle = colorOf("--accent");
    context.fill();
  }
}

function go(to) {
  stage = Math.max(0, Math.min(image.epochs.length - 1, to));
  draw();
}
function pause() {
  clearInterval(playing);
  playing = 0;
  byId("play").replaceChildren(icon("play"));
  byId("play").setAttribute("aria-label", "Play");
}
function play() {
  if (playing) { pause(); return; }
  if (stage === image.epochs.length - 1) go(0);
  byId("play").replaceChildren(icon("pause"));
  byId("play").setAttribute("aria-label", "Pause");
  playing = setInterval(() => {
    if (stage >= image.epochs.length - 1) pause();
    else go(stage + 1);
  }, PLAY);
}

function openImage(index) {
  image = runs[run].images[index];
  byId("image").value = String(index);
  pictures.clear();
  stage = Math.min(stage, image.epochs.length - 1);
  byId("stage").max = String(image.epochs.length - 1);
  document.querySelector(".time").hidden = image.epochs.length < 2;
  byId("first").textContent = `epoch ${image.epochs[0]}`;
  byId("last").textContent = `epoch ${image.epochs.at(-1)}`;
  views.truth.hidden = !image.has_truth;
  byId("views").style.setProperty("--count", String(3 + image.has_truth));
  draw();
}

function openRun(index) {
  pause();
  run = index;
  const { title, images, classes, heading } = runs[run];
  byId("title").textContent = heading ?? "Masks over training";
  byId("subtitle").textContent = `${title} · ${images.length} pictures`;
  byId("image").replaceChildren(...images.map((entry, i) => make("option", { value: String(i) }, entry.name)));
  byId("legend").replaceChildren(...classes.map(({ name, color }) => {
    const dot = make("i");
    dot.style.background = color;
    return make("li", {}, dot, name);
  }));
  if (!images.length) { notice("The run has kept no masks yet."); return; }
  stage = images[0].epochs.length - 1;
  openImage(0);
}

const step = (by) => openImage((runs[run].images.indexOf(image) + by + runs[run].images.length) % runs[run].images.length);
byId("stage").addEventListener("input", (event) => { pause(); go(Number(event.target.value)); });
byId("image").addEventListener("change", (event) => openImage(Number(event.target.value)));
byId("run").addEventListener("change", (event) => openRun(Number(event.target.value)));
byId("opacity").addEventListener("input", draw);
byId("play").addEventListener("click", play);
window.addEventListener("themechange", () => { if (image) curve(); });
new ResizeObserver(() => { if (image) curve(); }).observe(byId("curve").parentElement);
const move = (to) => (event) => {
  if (!image || event.target.id === "opacity") return false; // the browser moves that slider
  pause();
  go(to());
  return true;
};
keys({
  ArrowLeft: move(() => stage - 1), ArrowRight: move(() => stage + 1), Home: move(() => 0), End: move(() => Infinity),
  " ": (event) => {
    if (!image || event.target.localName === "button") return false;
    play();
    return true;
  },
  n: () => { if (image) step(1); }, p: () => { if (image) step(-1); },
});
askJson("/api/progress").then((read) => {
  runs = read.runs;
  byId("run-field").hidden = runs.length < 2;
  byId("run").replaceChildren(...runs.map((r, i) => make("option", { value: String(i) }, r.title)));
  openRun(0);
}).catch((error) => notice(error.message, 12));
