"""Whether something can be learned from a data set's masks: classes that occur, and what is to be warned of."""

from __future__ import annotations

from collections.abc import Callable

from sightline.data.masks.load import SegmentImages
from sightline.errors import DataError

# Masks in which a class should occur: of fewer, one part at least has none.
FEWEST_MASKS = 3
MOST_IGNORED = 0.5
WAY_OUT = (
    "Look at the classes with `sightline data check SOURCE --sheet sheet.png`, and name their values or colors in "
    "data.palette"
)


def check_classes(images: SegmentImages, part: str, say: Callable[[str], object]) -> None:
    """Refuse masks from which nothing can be learned, and say what is to be warned of.

    Args:
        images: the data set.
        part: what is learned from, or judged on: train, test or all.
        say: called with a line of text for each warning.

    Raises:
        DataError: every pixel is ignored, or fewer than two classes occur; says the way out.
    """
    counts, name = images.counts if part == "all" else images.counts[images.parts[part]], images.listing.name
    where = "" if part == "all" else f" of the {part} part"
    pixels = counts[:, :-1].sum(axis=0)
    present = [label for label, count in zip(images.palette.classes, pixels, strict=True) if count]
    if not present:
        raise DataError(
            f"{name}: every pixel of the {len(counts)} masks{where} is ignored: {_found(images)}. {WAY_OUT}"
        )
    if len(present) < 2:
        raise DataError(
            f"{name}: the {len(counts)} masks{where} hold one class, {present[0]}, and two are needed: "
            f"{_found(images)}. {WAY_OUT}"
        )
    for line in class_warnings(images):
        say(f"{name}: {line}")


def class_warnings(images: SegmentImages) -> list[str]:
    """Return what is to be warned of: many ignored pixels, classes in few masks, classes that a part lacks."""
    counts, lines = images.counts, list[str]()
    ignored = counts[:, -1].sum() / max(1, counts.sum())
    if ignored > MOST_IGNORED:
        lines.append(f"{ignored:.0%} of the pixels are ignored")
    masks = (counts[:, :-1] > 0).sum(axis=0)
    for label, number in zip(images.palette.classes, masks.tolist(), strict=True):
        if number < FEWEST_MASKS:
            lines.append(f"class {_bare(label)} is in {number} of {len(counts)} masks")
    for part, members in images.parts.items():
        held = counts[members, :-1].sum(axis=0) > 0
        lacking = [_bare(label) for i, label in enumerate(images.palette.classes) if masks[i] and not held[i]]
        if lacking and len(members):
            lines.append(f"the {part} part has no pixel of {', '.join(lacking)}")
    return lines


def _bare(label: str) -> str:
    return label.removeprefix("class ")


def _found(images: SegmentImages) -> str:
    palette = images.palette
    named = ", ".join(f"{label} is {palette.text(i)}" for i, label in enumerate(palette.classes[:8]))
    more = f" and {len(palette.classes) - 8} more" if len(palette.classes) > 8 else ""
    return f"{images.listing.meaning.how}; {named or 'no class'}{more}"
