"""One reading for all images of a data set: what its config says, else what an earlier run saw, else what is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sightline.config.data import PixelsConfig
from sightline.data.images.decode import UnreadableImage, open_image, opened
from sightline.data.images.quiet import quiet
from sightline.data.images.reading import COLORS, PERCENTILES, Reading, percentiles
from sightline.files.places import open_place

FILES = 64  # looked at, evenly spread over the names: enough for percentiles, a second of reading
FEW_LEVELS = 16  # of brightness: a photograph has more, and 12 bits taken for 16 have no more
SHOWN = 5
Rows = list[dict[str, Any]]
# Formats of 8 bits only: their files need not be opened.
EIGHT_BITS = frozenset({".jpg", ".jpeg", ".jfif", ".webp", ".gif", ".bmp"})


@dataclass(frozen=True)
class Survey:
    """What some images of a data set are like.

    Attributes:
        images: how many were looked at.
        kinds: how many hold numbers of each kind, such as uint16.
        bands: how many have that number of bands, transparency left out.
        remarks: of the images, each once, with the name of the first.
        reading: how to read the data set.
    """

    images: int
    kinds: Counter[str]
    bands: Counter[int]
    remarks: tuple[str, ...]
    reading: Reading


def survey(paths: Sequence[Path], reading: Reading) -> Survey:
    """Look at some images; where `reading` has no scale, that of those with more than 8 bits is measured.

    Deterministic: the same files give the same.

    Args:
        paths: of all images, in order.
        reading: which bands to look at.
    """
    several = [path for path in paths if path.suffix.lower() not in EIGHT_BITS]
    chosen = [several[i] for i in np.unique(np.linspace(0, len(several) - 1, min(FILES, len(several))).astype(int))]
    chosen.sort(key=str)  # in the order of their places: a shard of another file system is then needed once
    kinds, counts, samples, remarks = Counter[str](), Counter[int](), list[list[np.ndarray]](), dict[str, str]()
    if known := min(FILES, len(paths) - len(several)):
        kinds["uint8"], counts[COLORS] = known, known
    for path in chosen:
        try:
            if _plain(path):
                kinds["uint8"] += 1
                counts[COLORS] += 1
                continue
            with open_image(path, reading) as image:
                kinds[image.kind.name] += 1
                counts[image.count] += 1
                if image.kind != np.uint8:
                    samples.append(image.sample())
                for remark in image.remarks:
                    remarks.setdefault(remark, path.name)
        except UnreadableImage:
            continue  # whoever decodes all of them says so
    if samples and reading.scale is None:
        reading = Reading(reading.bands, percentiles(samples))
    said = tuple(f"{name}: {remark}" for remark, name in remarks.items())
    return Survey(sum(kinds.values()), kinds, counts, said, reading)


def settle(
    name: str,
    paths: Sequence[Path],
    config: PixelsConfig,
    earlier: Reading | None = None,
    say: Callable[[str], object] = lambda _: None,
) -> Reading:
    """Return how the images of a data set are read.

    Args:
        name: of the data set, for what is said.
        paths: of its images, in order.
        config: `bands` and `scale`, which stand above all else where they are given.
        earlier: of the run whose network is to see these images.
        say: called with what a user may want to know: bands that are left out, the scale that was measured.
    """
    earlier = earlier or Reading()
    bands, given = config.bands or earlier.bands, config.scale_pairs
    scale = given or earlier.scale_of(bands)
    here = survey(paths, Reading(bands, scale, given is not None or (given is None and earlier.bytes_too)))
    for line in [*here.remarks, *_lines(here, bands, measured=scale is None)]:
        say(f"{name}: {line}")
    return here.reading


def remarks_on(paths: Sequence[Path], reading: Reading) -> tuple[str, ...]:
    """Return what a user may not expect of new images that a finished network is to see, looked at some of them."""
    here = survey(paths, reading)
    lines = [*here.remarks, *_lines(here, reading.bands, measured=False)]
    if reading.scale is None and set(here.kinds) - {"uint8"}:
        kinds = ", ".join(sorted(set(here.kinds) - {"uint8"}))
        lines.append(
            f"images of {kinds} values, and the run was trained on 8 bits; each is seen from the "
            f"{PERCENTILES[0]:g}th to the {PERCENTILES[1]:g}th of its own percentiles"
        )
    return tuple(lines)


def _plain(path: Path) -> bool:
    """Return whether a header says 8 bits, so that no pixel need be decoded."""
    try:
        with quiet(), opened(path) as image:
            if image.format == "TIFF" or image.mode.startswith(("I", "F")):
                return False
            # A PNG's mode does not tell 16-bit colors; its header does.
            with open_place(path) as file:
                return image.format not in ("PNG", "PPM") or (image.format == "PNG" and file.read(26)[24] != 16)
    except Exception:  # damaged, or a TIFF that Pillow does not know
        return False


def _lines(here: Survey, bands: tuple[int, ...] | None, measured: bool) -> list[str]:
    lines = []
    most = max(here.bands, default=COLORS)
    if bands is None and most not in (1, COLORS):
        seen = "the first three are" if most > COLORS else "the first one is"
        lines.append(f"images of {most} bands; {seen} seen, as data.bands does not choose any")
    if len(here.bands) > 1 and set(here.bands) != {1, COLORS}:
        lines.append(f"images of different numbers of bands: {_counts(here.bands)}, of {here.images} looked at")
    deep = {kind for kind in here.kinds if kind != "uint8"}
    if deep and measured and here.reading.scale is not None:
        low, high = PERCENTILES
        pairs = ", ".join(f"{black:g} to {white:g}" for black, white in dict.fromkeys(here.reading.scale))
        lines.append(
            f"{' and '.join(sorted(deep))} values are seen from the {low:g}th to the {high:g}th percentile of "
            f"{sum(here.kinds[kind] for kind in deep)} images: {pairs} (data.scale sets others)"
        )
    return lines


def _counts(counter: Counter[int]) -> str:
    return ", ".join(f"{count} with {bands}" for bands, count in sorted(counter.items()))


def check_rows(paths: Sequence[Path], reading: Reading, image: Callable[[int], np.ndarray], ids: Sequence[str]) -> Rows:
    """Return rows of (what, value) on bits, bands, scale and levels, for `data check`.

    Args:
        paths: of all images.
        reading: by which they were decoded.
        image: index → decoded image, uint8 (H, W, C).
        ids: of the decoded images.
    """
    here = survey(paths, reading)
    rows: Rows = [
        *(
            {"what": f"images of {kind} values, of {here.images} looked at", "value": n}
            for kind, n in here.kinds.items()
        ),
        *({"what": f"images of {count} bands", "value": n} for count, n in sorted(here.bands.items())),
    ]
    for name, counter in (("kinds of values", here.kinds), ("numbers of bands", here.bands)):
        if len(counter) > 1:
            rows.append({"what": f"warning: different {name}", "value": ", ".join(map(str, sorted(counter)))})
    rows += [{"what": "remark", "value": remark} for remark in here.remarks]
    if reading.bands is not None:
        rows.append({"what": "bands that are seen", "value": ", ".join(map(str, reading.bands))})
    for channel, (low, high) in enumerate(reading.scale or ()):
        rows.append({"what": f"scale of channel {channel + 1}", "value": f"{low:g} to {high:g}"})
    few = [name for i, name in enumerate(ids) if len(np.unique(image(i))) < FEW_LEVELS]
    if few:
        rows.append({"what": f"warning: images of fewer than {FEW_LEVELS} levels", "value": len(few)})
        rows += [{"what": "few levels", "value": name} for name in few[:SHOWN]]
    return rows
