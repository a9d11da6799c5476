"""Planted copies, flipped labels and speed of `data check`: the tables of docs/benchmarks/copies.md.

`uv run python benchmarks/copies.py PACS/photo [--features RUN] [--images 100000] [--out docs/benchmarks/copies.md]`
replaces what stands there between the marks. The folder holds CLASS/IMAGE.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from sightline.config import DataConfig
from sightline.data import check_images
from sightline.data.labelled.check import ImageCheck
from sightline.tasks.doubts import check_labels
from sightline.tasks.likeness import confirm_copies

EACH = 200  # copies of each change
FLIPPED, TOP = 0.05, 0.1  # share of labels that are changed; share of the ranking that is looked through
BEGIN, END = "<!-- tables: benchmarks/copies.py -->", "<!-- end of tables -->"
Change = Callable[[np.random.Generator, np.ndarray, Path], None]


def save(pixels: np.ndarray, path: Path, quality: int = 92) -> None:
    Image.fromarray(np.ascontiguousarray(pixels)).save(path.with_suffix(".jpg"), quality=quality)


def crop(rng: np.random.Generator, pixels: np.ndarray, share: float = 0.9) -> np.ndarray:
    height, width = (round(share * side) for side in pixels.shape[:2])
    top, left = (
        int(rng.integers(0, whole - part + 1)) for whole, part in zip(pixels.shape, (height, width), strict=False)
    )
    return pixels[top : top + height, left : left + width]


def resize(pixels: np.ndarray, factor: float) -> np.ndarray:
    return cv2.resize(
        pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    )


CHANGES: dict[str, Change] = {
    "the same pixels as PNG": lambda rng, pixels, path: Image.fromarray(pixels).save(path.with_suffix(".png")),
    "90 % of each side, anywhere": lambda rng, pixels, path: save(crop(rng, pixels), path),
    "JPEG of quality 30": lambda rng, pixels, path: save(pixels, path, 30),
    "half the size": lambda rng, pixels, path: save(resize(pixels, 0.5), path),
    "1.5 times the size": lambda rng, pixels, path: save(resize(pixels, 1.5), path),
    "mirrored": lambda rng, pixels, path: save(pixels[:, ::-1], path),
    "mirrored, 90 %, JPEG of quality 30": lambda rng, pixels, path: save(crop(rng, pixels[:, ::-1]), path, 30),
}


def planted(source: Path, folder: Path) -> dict[str, str]:
    """Write originals and copies of them, in folder/kept and folder/copies, and return copy → original, by name."""
    rng = np.random.default_rng(0)
    paths = sorted(source.rglob("*.jpg"))
    for i, path in enumerate(paths):
        (folder / "kept").mkdir(parents=True, exist_ok=True)
        os.link(path, folder / "kept" / f"{i:05d}.jpg") if os.stat(path).st_dev == os.stat(folder).st_dev else (
            folder / "kept" / f"{i:05d}.jpg"
        ).write_bytes(path.read_bytes())
    (folder / "copies").mkdir()
    truth = {}
    for number, change in enumerate(CHANGES.values()):
        for i in rng.choice(len(paths), EACH, replace=False):
            pixels = np.asarray(Image.open(paths[i]).convert("RGB"))
            path = folder / "copies" / f"{number}-{i:05d}"
            change(rng, pixels, path)
            truth[f"copies/{path.name}"] = f"kept/{i:05d}.jpg"
    for i in rng.choice(len(paths), EACH, replace=False):
        (folder / "copies" / f"9-{i:05d}.jpg").write_bytes(paths[i].read_bytes())
        truth[f"copies/9-{i:05d}"] = f"kept/{i:05d}.jpg"
    return truth


def copies_tables(source: Path, features: list[str]) -> Iterator[str]:
    """Yield the lines of the tables of planted copies: by the pixels, and confirmed by each network."""
    with tempfile.TemporaryDirectory() as folder:
        truth = planted(source, Path(folder))
        found = check_images(DataConfig(source=folder, layout="folder"))
        seconds = time.perf_counter()
        confirmed = {name: confirm_copies(found, name) for name in features}
        print(f"confirming: {time.perf_counter() - seconds:.0f} s", flush=True)
    yield from copies_table(source, found, truth)
    for name, of in confirmed.items():
        yield ""
        yield f"Confirmed by features of {Path(name).name}, from a likeness of {of.asked:.3f} on:"
        yield ""
        yield from copies_table(source, of.check, truth)


def copies_table(source: Path, found: ImageCheck, truth: dict[str, str]) -> Iterator[str]:
    """Yield the lines of one table of planted copies."""
    ids, copies = found.ids, found.copies
    at = {name: i for i, name in enumerate(ids)}
    exact = {tuple(pair) for pair in copies.exact.tolist()}
    names = {str(number): name for number, name in enumerate(CHANGES)} | {"9": "the same file"}
    met: dict[str, list[tuple[bool, bool]]] = {name: [] for name in names.values()}
    for copy, original in truth.items():
        number = copy.removeprefix("copies/")[0]
        index = at.get(f"{copy}.jpg", at.get(copy if copy in at else f"{copy}.png"))
        a, b = sorted((index, at[original]))
        first = [i for i in (a, b) if any(i in pair for pair in exact)]
        met[names[number]].append((copies.groups[a] == copies.groups[b], len(first) == 2))
    yield f"{EACH} copies of each kind among {len(ids) - len(truth):,} pictures of {source.name}, 128 px."
    yield ""
    yield "| copy | found | called identical |"
    yield "|---|--:|--:|"
    for name, of in met.items():
        near, same = np.array(of).mean(axis=0)
        yield f"| {name} | {100 * near:.1f} % | {100 * same:.1f} % |"
    # Pictures of one group that stem from different originals.
    origin = np.array([at[truth.get(name.rsplit(".", 1)[0], name)] for name in ids])
    pairs = np.concatenate([copies.exact, copies.near])
    other = {tuple(sorted(pair)) for pair in origin[pairs].tolist() if pair[0] != pair[1]}
    touched = {i for pair in other for i in pair}
    kept = len(ids) - len(truth)
    yield ""
    share = 100 * len(touched) / kept
    yield f"Originals said to be copies of other originals: {len(touched)} of {kept:,} ({share:.2f} %)."
    for a, b in sorted(other)[:40]:
        print(f"other: {ids[a]} = {ids[b]}", flush=True)


def labels_table(source: Path, features: list[str]) -> Iterator[str]:
    """Yield the lines of the table of flipped labels."""
    found = check_images(DataConfig(source=str(source), layout="classes"))
    listing = found.images.listing
    rng = np.random.default_rng(0)
    labels, classes = listing.labels, len(listing.classes)
    flipped = rng.choice(len(labels), round(FLIPPED * len(labels)), replace=False)
    wrong = labels.copy()
    wrong[flipped] = (labels[flipped] + rng.integers(1, classes, len(flipped))) % classes
    yield (
        f"{len(flipped)} of {len(labels):,} labels of {source.name} changed to another of {classes} classes. Accuracy: "
        "of the cross-validated regression, of the labels as they then are."
    )
    yield ""
    heads = f"changed labels among the least believable {100 * TOP:.0f} %", "called wrong", "of these changed"
    yield f"| by | accuracy | {' | '.join(heads)} |"
    yield "|---|--:|--:|--:|--:|"
    for name in ["", *features]:
        checked = check_labels(with_labels(found, wrong), name)
        assert checked is not None, "few images are always judged"
        doubts = checked.doubts
        top = np.isin(flipped, doubts.order[: round(TOP * len(labels))]).mean()
        called = doubts.wrong
        true = np.isin(called, flipped).mean() if len(called) else float("nan")
        shown = Path(name).name if name else "plain descriptors"
        yield (
            f"| {shown} | {100 * doubts.accuracy:.1f} % | {100 * top:.1f} % | {100 * len(called) / len(labels):.1f} % "
            f"| {100 * true:.1f} % |"
        )


def with_labels(found: ImageCheck, labels: np.ndarray) -> ImageCheck:
    """Return a check of the same images under other labels."""
    from copy import copy
    from dataclasses import replace

    images = copy(found.images)
    samples = tuple(
        replace(sample, label=int(label)) for sample, label in zip(images.listing.samples, labels, strict=True)
    )
    images.listing = replace(images.listing, samples=samples)
    return replace(found, images=images)


def speed_table(count: int) -> Iterator[str]:
    """Yield a line on the speed of the check of generated JPEGs of 128 px."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        for i in range(count):
            coarse = rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)
            pixels = cv2.resize(coarse, (128, 128), interpolation=cv2.INTER_CUBIC)
            if not i % 1000:
                (Path(folder) / f"{i // 1000:03d}").mkdir()
            cv2.imwrite(f"{folder}/{i // 1000:03d}/{i:06d}.jpg", pixels)
        begin, computed = time.perf_counter(), time.process_time()
        found = check_images(DataConfig(source=folder, layout="folder"))
        rows = found.rows()
        seconds, computed = time.perf_counter() - begin, time.process_time() - computed
    pairs = {row["what"]: row["value"] for row in rows}
    yield (
        f"{count:,} generated JPEGs of 128 px: {seconds:.0f} s, {count / seconds:,.0f} images/s on "
        f"{len(os.sched_getaffinity(0))} cores at a load of {os.getloadavg()[0]:.0f}, {computed:.0f} s of computing: "
        f"decoding, headers, hashes of {len(found.ids):,} compared in all pairs "
        f"({pairs['pairs of near copies']} called near copies; none is)."
    )


def main() -> None:
    """Print the tables, or put them into a page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("source", type=Path)
    parser.add_argument("--features", nargs="*", default=[])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    lines = list(copies_tables(arguments.source, arguments.features))
    lines += ["", *labels_table(arguments.source, arguments.features), ""]
    if arguments.images:
        lines += speed_table(arguments.images)
    text = "\n".join(lines)
    print(text)
    if arguments.out is not None:
        page = arguments.out.read_text(encoding="utf-8")
        head, tail = page.split(BEGIN)[0], page.split(END)[1]
        arguments.out.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
