"""A look at images with masks before anything is trained on them: classes, pixels of none, and leaks between parts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sightline.config import DataConfig, SegmentDataConfig
from sightline.config.palettes import code_text
from sightline.data.copies import TURNS, Copies, Fingerprints, find_copies, fingerprints
from sightline.data.copies.rows import LEAKING, UNLABELLED, ids_with, pair_rows, part_rows
from sightline.data.images.cache import Images, Say, load_images
from sightline.data.images.headers import header_rows
from sightline.data.images.survey import check_rows
from sightline.data.masks.classes import class_warnings
from sightline.data.masks.leaks import Leaks, find_leaks
from sightline.data.masks.load import SegmentImages, load_masks
from sightline.data.masks.pictures import overlay, save_png, sheet
from sightline.data.masks.scene_split import split_by_scenes, write_split
from sightline.files import Outputs

SHOWN = 10
SHEET = 8  # tiles of a sheet, more where more classes are to be seen


@dataclass(frozen=True)
class MaskCheck:
    """Result of `check_masks`: pixels of each class, and leaks between parts.

    Attributes:
        images: the data set, without what cannot be used.
        leaks: copies, neighbours and scenes among all its tiles.
        counts: pixels by tile, int64 (N, K + 1): of each class, then ignored.
        shared: copies among the tiles and unlabelled images, numbered behind them; None where none were given.
        unlabelled: these; None likewise.
    """

    images: SegmentImages
    leaks: Leaks
    counts: np.ndarray
    shared: Copies | None = None
    unlabelled: Images | None = None

    @property
    def ids(self) -> list[str]:
        """Ids of all tiles, then those of the unlabelled images, which begin with their source."""
        return ids_with(self.images.ids, self.unlabelled)

    def rows(self) -> list[dict[str, Any]]:
        """Return rows of (what, value, share): of pixels for classes, of the part's tiles for leaks."""
        images = self.images
        rows: list[dict[str, Any]] = [
            {"what": "images with masks", "value": len(images.ids)},
            {"what": "unusable", "value": len(images.bad)},
            *({"what": f"unusable: {bad.id}", "value": bad.reason} for bad in images.bad),
        ]
        paths = [pair.image for pair in images.listing.pairs]
        rows += header_rows(paths) + check_rows(paths, images.reading, images.image, images.ids) + self._meaning()
        for name, part in images.parts.items():
            rows += self._classes(name, part)
        rows += self._off_palette()
        rows += pair_rows(self.leaks.copies, images.ids)
        rows += [
            {"what": "pairs of neighbours", "value": len(self.leaks.neighbors)},
            {"what": "neighbours by chance, estimated", "value": self.leaks.by_chance},
            {"what": "scenes", "value": int(self.leaks.scenes.max()) + 1},
            {"what": "tiles of the largest scene", "value": int(np.bincount(self.leaks.scenes).max())},
        ]
        return rows + self._leaking()

    def _meaning(self) -> list[dict[str, Any]]:
        """Return what the masks mean: each class with its value or color, its share, and how many masks have it."""
        images, meaning, total = self.images, self.images.listing.meaning, max(1, int(self.counts.sum()))
        rows: list[dict[str, Any]] = [{"what": "meaning of the masks", "value": meaning.how}]
        codes = [*(images.palette.text(i) for i in range(len(images.palette.classes))), self._ignored_codes()]
        for i, label in enumerate((*images.palette.classes, "ignored")):
            held = self.counts[:, i]
            name = label if label.startswith("class ") or label == "ignored" else f"class {label}"
            rows.append(
                {"what": name, "value": codes[i], "share": int(held.sum()) / total, "masks": int((held > 0).sum())}
            )
        rows += [{"what": "of the masks", "value": remark} for remark in meaning.remarks]
        return rows + [{"what": "warning", "value": line} for line in class_warnings(images)]

    def _ignored_codes(self) -> str:
        return ", ".join(code_text(code) for code in self.images.palette.ignored_codes) or "none"

    def _classes(self, name: str, part: np.ndarray) -> list[dict[str, Any]]:
        held = self.counts[part].sum(axis=0)
        rows = [{"what": f"{name}: tiles", "value": len(part), "share": len(part) / len(self.images.ids)}]
        for index, label in enumerate((*self.images.palette.classes, "ignored")):
            fraction = float(held[index] / max(1, held.sum()))
            rows.append({"what": f"{name}: pixels of {label}", "value": int(held[index]), "share": fraction})
        return rows

    def _off_palette(self) -> list[dict[str, Any]]:
        off = self.images.off_palette
        worst = sorted(off, key=lambda name: (-off[name], name))
        rows: list[dict[str, Any]] = [{"what": "pixels off the palette", "value": sum(off.values())}]
        rows += [{"what": f"off the palette: {name}", "value": off[name]} for name in worst[:SHOWN]]
        if len(off) > SHOWN:
            rest = sum(off[name] for name in worst[SHOWN:])
            rows.append({"what": f"off the palette: {len(off) - SHOWN} more masks", "value": rest})
        return rows

    def _leaking(self) -> list[dict[str, Any]]:
        leaks, parts = self.leaks, self.images.parts
        rows = part_rows(leaks.copies, parts, "tiles")
        if self.shared is not None:
            more = np.arange(len(self.images.ids), len(self.shared.groups))
            rows += part_rows(self.shared, {**parts, UNLABELLED: more}, "tiles")[len(rows) :]
        for first, second in LEAKING:
            counts = {
                "with a neighbour": _linked(leaks.neighbors, parts[first], parts[second]),
                "of a scene that is also": int(np.isin(leaks.scenes[parts[first]], leaks.scenes[parts[second]]).sum()),
            }
            for kind, count in counts.items():
                what = f"{first} tiles {kind} in {second}"
                rows.append({"what": what, "value": count, "share": count / max(1, len(parts[first]))})
        return rows


def _linked(pairs: np.ndarray, first: np.ndarray, second: np.ndarray) -> int:
    """Return how many of `first` are in a pair with one of `second`."""
    both = np.concatenate([pairs, pairs[:, ::-1]])
    return len(np.unique(both[np.isin(both[:, 0], first) & np.isin(both[:, 1], second), 0]))


def check_masks(config: SegmentDataConfig, unlabelled: str = "", progress: Say | None = None) -> MaskCheck:
    """Decode all images and masks, count their pixels, and look for leaks between parts.

    Args:
        config: images and masks.
        unlabelled: source of images without masks whose copies among the others are looked for too; "" for none.
        progress: called with a line of text now and then.

    Raises:
        DataError: no images with masks, missing partners, or so few tiles that a part is empty.
    """
    images = load_masks(config.model_copy(update={"max_bad_fraction": 1.0}), progress=progress)
    leaks = find_leaks(images.picture, len(images.ids))
    if not unlabelled:
        return MaskCheck(images, leaks, images.counts)
    more = load_images(DataConfig(source=unlabelled, max_bad_fraction=1.0), progress, labels=False)
    prints = [fingerprints(images.picture, len(images.ids)), fingerprints(more.__getitem__, len(more))]
    return MaskCheck(images, leaks, images.counts, find_copies(Fingerprints.joined(prints), TURNS), more)


def write_sheet(check: MaskCheck, path: Path) -> None:
    """Write a picture to look at: tiles in which each class is most seen, beside them their masks laid over them.

    Raises:
        DataError: the file is one of the images or masks, or is there and Sightline did not write it.
    """
    images, counts = check.images, check.counts[:, :-1]
    inputs = [file for pair in images.listing.pairs for file in (pair.image, pair.mask)]
    outputs = Outputs([(Path(images.listing.name), path)], inputs, way_out="Give another --sheet")
    most = [int(tile) for tile in counts.argmax(axis=0)] if len(counts) else []
    chosen = list(dict.fromkeys([*most, *range(len(counts))]))[: max(SHEET, min(len(most), 2 * SHEET))]
    colors = images.palette.colors
    rows = [
        [(images.ids[i], images.picture(i)), ("its mask", overlay(images.picture(i), images.mask(i), colors))]
        for i in sorted(chosen)
    ]
    legend = [f"{label}: {images.palette.text(i)}" for i, label in enumerate(images.palette.classes)]
    with outputs.writing():
        save_png(path, sheet(rows, legend, colors))


def write_leak_free_split(
    check: MaskCheck, path: Path, val: float = 0.15, test: float = 0.15, seed: int = 0
) -> list[dict[str, Any]]:
    """Write a split by whole scenes, as `data.split_file` reads it, and return rows of its tiles and scenes by part.

    Raises:
        DataError: as of `split_by_scenes`, or a file is there that Sightline did not write.
    """
    outputs = Outputs([(path, path)], way_out="Give another --write-split")
    parts = split_by_scenes(check.leaks.scenes, check.counts[:, :-1], val, test, seed)
    with outputs.writing():
        write_split(path, check.images.ids, check.leaks.scenes, parts)
    rows: list[dict[str, Any]] = []
    for name, part in parts.items():
        rows.append({"what": f"{path.name}: {name} tiles", "value": len(part), "share": len(part) / len(check.counts)})
        rows.append({"what": f"{path.name}: {name} scenes", "value": len(np.unique(check.leaks.scenes[part]))})
    return rows
