"""What the pixels of a data set's masks mean: settled once from a census of all of them, in one function for all verbs.

The rules, in order:
1. What was asked for stands above all: names with values or colors, a file of these, DeepGlobe's or VOC's classes.
2. Masks that state their palette themselves, as those of `predict`, are taken at their word.
3. DeepGlobe's classes, if the files are named as its are and hold three or more of its colors.
4. Palette files that agree on their colors hold indices; those that differ are read by color.
5. Shades that only stand at borders, between the colors of two classes, belong to the nearer class, if they are few.
6. Gray is a value. Two values of which one is 255, or one bit, are background and object; other values are classes by
   value, and 255 above indices is ignored.
7. Other colors are classes by color.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from sightline.config import IGNORE_INDEX
from sightline.config.palettes import Color, code_text, is_ignored, palette_entries
from sightline.data.masks.census import BITS, COLORS, INDICES, VALUES, MaskCount, take_census
from sightline.data.masks.palette import (
    DEEPGLOBE,
    NO_KEY,
    VOC,
    VOC_CLASSES,
    Palette,
    gray_keys,
    is_color,
    keys_of_codes,
    nearest_code,
    packed,
    unpacked,
    values_of_keys,
    voc_color,
)
from sightline.data.masks.palette_files import read_palette
from sightline.errors import DataError

# Most classes where values or colors are scattered; more are taken where most pixels stand in areas of one value.
MOST_CLASSES, MOST_INDICES = 64, 254
# Share of a value's pixels inside areas of it, from which it is no blended shade; of shades there are none.
AREA = 0.1
# Shades that a blend makes at least: one or two values between others are classes of their own.
FEWEST_SHADES = 3
# Share of all pixels that may be blended; more is no border, and what it means is not certain.
MOST_BLENDED = 0.15
# Masks saved with loss: levels around a class within which a pixel is of it, least distance of two classes, least share
# of an area's pixels, and share of pixels that must be that near to some class.
NEAR, APART, SMALLEST, MOSTLY = 24, 48, 0.001, 0.8
# Values up to here are indices, and 255 above them is to be ignored; else where it is so many times their largest step.
INDEX_LIKE, OUTLYING = 40, 10
# DeepGlobe: colors that must be there, levels from pure, share of such pixels, and of pixels of its colors: a few of
# its own masks have some of none.
DEEPGLOBE_COLORS, PURE, MOSTLY_PURE, NEARLY_ALL = 3, 32, 0.95, 0.999
SHOWN = 6


@dataclass(frozen=True)
class Meaning:
    """What masks mean, and what is to be said of it.

    Attributes:
        palette: classes, and how pixels become them.
        how: the rule by which it was settled, in words.
        remarks: sentences for the screen.
        blended: pixels of shades that went to the nearest class.
    """

    palette: Palette
    how: str
    remarks: tuple[str, ...] = ()
    blended: int = 0


@dataclass(frozen=True)
class _Held:
    """Keys of all masks (`palette.packed`), ascending, with their pixels, those inside areas, and of how many masks."""

    keys: np.ndarray
    pixels: np.ndarray
    inner: np.ndarray
    rest: int

    @property
    def total(self) -> int:
        return int(self.pixels.sum()) + self.rest


def find_palette(masks: Sequence[Path]) -> Palette:
    """Return the palette that the masks of a data set have by themselves.

    Raises:
        DataError: as of `settle`.
    """
    return settle(take_census(masks)).palette


def settle(
    census: Sequence[MaskCount],
    asked: str | Mapping[str, Any] = "auto",
    *,
    name: str = "masks",
    deepglobe_names: bool = False,
    known: Palette | None = None,
) -> Meaning:
    """Settle what masks mean.

    Args:
        census: of all of them.
        asked: `data.palette`.
        name: of the data set, for errors.
        deepglobe_names: the files are NAME_sat and NAME_mask.
        known: a palette that is taken if it explains all pixels: of the run that is evaluated on these masks.

    Raises:
        DataError: masks without a certain meaning, or a palette that does not fit them; says the way out.
    """
    census = [count for count in census if not count.problem]
    if asked != "auto":
        return _asked(census, asked, name)
    if not census:
        return Meaning(Palette(("unknown",), ((0, 0, 0),), indexed=True), "no mask can be read")
    described = {count.described for count in census}
    if described != {""}:
        return _stated(described, name)
    if known is not None:
        for palette in (known, replace(known, indexed=False, ignored=(known.void_color,), blended=False)):
            if _explains(palette, census):
                return Meaning(palette, "the run's own classes")
    return _found(census, name, deepglobe_names)


def _stated(described: set[str], name: str) -> Meaning:
    if len(described) > 1:
        raise DataError(
            f"{name}: masks were written with {len(described)} different palettes, or some state none; say what they "
            "hold in data.palette (names with values or colors), or write them anew from one run"
        )
    try:
        palette = Palette.from_dict(json.loads(described.pop()))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DataError(f"{name}: the palette that the masks state is damaged; say it in data.palette") from None
    return Meaning(palette, "the masks state it")


# -- asked for
def _asked(census: Sequence[MaskCount], asked: str | Mapping[str, Any], name: str) -> Meaning:
    if asked == "deepglobe":
        return Meaning(DEEPGLOBE, "DeepGlobe's, as asked for")
    if asked == "voc":
        return Meaning(_voc(census), "Pascal VOC's, as asked for")
    entries = palette_entries(asked) if isinstance(asked, Mapping) else read_palette(Path(asked))
    classes = [name for name in entries if not is_ignored(name)]
    ignored = [code for name, codes in entries.items() if is_ignored(name) for code in codes]
    codes = [entries[name][0] for name in classes]
    indexed = isinstance(codes[0], int)
    if indexed and any(count.kind == COLORS for count in census):
        held = _held([count for count in census if count.kind == COLORS], by_index=True)
        color = next(key for key in held.keys if not _gray(np.array([key]))[0])
        raise DataError(
            f"{name}: data.palette gives values, and masks hold colors, for example "
            f"{code_text(_color(color))}; give the colors of the classes"
        )
    values = tuple(code for code in codes if isinstance(code, int))
    palette = Palette(
        tuple(classes),
        tuple(voc_color(i) for i in range(len(classes))) if indexed else tuple(codes),  # pyright: ignore[reportArgumentType]
        () if indexed else tuple(ignored),  # pyright: ignore[reportArgumentType]
        indexed,
        values,
        _ignored_values(census, values, tuple(code for code in ignored if isinstance(code, int))),
    )
    meaning, held = Meaning(palette, "data.palette"), _held(census, by_index=indexed)
    _, known = palette.classes_of(held.keys)
    if held.rest or any(count.lossy for count in census):
        return _nearest(meaning, held, ~known & is_color(held.keys), lossy=True)
    _, explained = replace(palette, blended=True).classes_of(held.keys)
    shades = explained & ~known
    if held.pixels[shades].sum() > MOST_BLENDED * max(1, held.total):
        return meaning
    return _nearest(meaning, held, shades)


def _voc(census: Sequence[MaskCount]) -> Palette:
    """VOC's classes by index where masks hold values or indices, by color else."""
    if any(count.kind == COLORS for count in census):
        return VOC
    return replace(VOC, ignored=(), indexed=True, values=tuple(range(len(VOC_CLASSES))))


def _ignored_values(census: Sequence[MaskCount], classes: Sequence[int], said: Sequence[int] = ()) -> tuple[int, ...]:
    """Return values that are ignored: those said, no-data of the files, and 255 unless it is a class."""
    none = {count.nodata for count in census if count.nodata is not None}
    return tuple(sorted({*said, *none, IGNORE_INDEX} - set(classes)))


def _explains(palette: Palette, census: Sequence[MaskCount]) -> bool:
    """Return whether a palette has a class for masks and explains all their pixels; nearly all, where it thresholds.

    Thresholded, indices are black and 255 is white: gray alone is no sign of such a palette.
    """
    if palette.thresholded and not any(count.kind in (COLORS, INDICES) for count in census):
        return False
    counted, off, total = 0, 0, 0
    for count in census:
        keys = _keys(count, palette)
        classes, known = palette.classes_of(keys)
        if palette.thresholded:
            colors = unpacked(keys)
            known &= ((colors < PURE) | (colors > 255 - PURE)).all(axis=1)
        counted += int(count.pixels[known & (classes != IGNORE_INDEX)].sum())
        off += int(count.pixels[~known].sum()) + count.rest
        total += int(count.pixels.sum()) + count.rest
    return counted > 0 and off <= (1 - MOSTLY_PURE if palette.thresholded else 0) * total


def _keys(count: MaskCount, palette: Palette) -> np.ndarray:
    if count.kind == COLORS:
        return count.keys
    return palette.keys_of(count.keys, _table(count), bits=count.kind == BITS)


def _table(count: MaskCount) -> np.ndarray | None:
    return np.frombuffer(count.table, np.uint8).reshape(256, 3) if count.table else None


# -- found out
def _found(census: Sequence[MaskCount], name: str, deepglobe_names: bool) -> Meaning:
    tables = [count for count in census if count.kind == INDICES]
    colored = any(count.kind == COLORS for count in census)
    by_index = bool(tables) and not colored and _agree(tables) and not _black_and_white(tables)
    held = _held(census, by_index=by_index)
    if deepglobe_names and _is_deepglobe(held):
        return Meaning(DEEPGLOBE, "DeepGlobe's, by file names and colors")
    if by_index:
        meaning = _by_value(census, _used_values(held.keys, census), name)
        colors = _colors_of(tables)
        rgb = tuple(colors.get(int(code), meaning.palette.rgb[i]) for i, code in enumerate(meaning.palette.codes))  # pyright: ignore[reportArgumentType]
        return replace(meaning, palette=replace(meaning.palette, rgb=rgb), how=f"palette files, {meaning.how}")
    if not is_color(held.keys[held.keys != NO_KEY]).all():
        if colored or tables:
            raise DataError(
                f"{name}: some masks hold values over 255 and others colors; save all of them in one form, or give "
                "data.palette"
            )
        return _by_value(census, _used_values(held.keys, census), name)
    if any(count.lossy for count in census):
        return _lossy(held, census, name)
    classes, shades = _classes_and_shades(held)
    if len(classes) > MOST_CLASSES and (len(classes) > MOST_INDICES or held.rest or held.inner.sum() < held.total / 2):
        return _lossy(held, census, name)
    if held.pixels[shades].sum() > MOST_BLENDED * held.total:
        raise DataError(
            f"{name}: {held.pixels[shades].sum() / held.total:.0%} of the pixels have colors between those of two "
            f"classes ({_named(held, shades)}), over the {MOST_BLENDED:.0%} that borders may have; the masks were "
            "blurred or resized smoothly. Save them with one exact value a class, or name the classes in data.palette"
        )
    return _nearest(_of_classes(classes, census, name), held, shades)


def _of_classes(keys: np.ndarray, census: Sequence[MaskCount], name: str) -> Meaning:
    """Return the meaning of masks whose classes have these keys."""
    keys = keys[keys != NO_KEY]
    if not _gray(keys).all():
        colors = tuple(_color(key) for key in keys.tolist())
        return Meaning(Palette(tuple(code_text(color) for color in colors), colors), "colors, each a class")
    meaning = _by_value(census, _used_values(keys, census), name)
    if not any(count.kind == INDICES for count in census):
        return meaning
    # Palette files are read by their colors, here gray ones.
    rgb, ignored = (tuple((value,) * 3 for value in values) for values in (meaning.palette.values, (255,)))
    palette = replace(meaning.palette, rgb=rgb, ignored=() if ignored[0] in rgb else ignored, indexed=False, values=())
    return replace(meaning, palette=palette)


def _held(census: Sequence[MaskCount], *, by_index: bool) -> _Held:
    """Return what all masks hold together; indices of palette files stand for values or for their colors."""
    form = Palette(("",), ((0, 0, 0),), indexed=by_index, values=(1,) if _bits_are_indices(census) else (0,))
    none = np.empty(0, np.int64)
    keys = np.concatenate([none, *(_keys(count, form) for count in census)])
    unique, at = np.unique(keys, return_inverse=True)
    pixels, inner = (
        np.bincount(at, np.concatenate([none, *(getattr(c, part) for c in census)]), len(unique)).astype(np.int64)
        for part in ("pixels", "inner")
    )
    return _Held(unique, pixels, inner, sum(count.rest for count in census))


def _bits_are_indices(census: Sequence[MaskCount]) -> bool:
    """Whether other masks hold 1, so that the 1 of one-bit masks is that, and not 255."""
    return any(1 in count.keys for count in census if count.kind in (VALUES, INDICES))


def _agree(tables: Sequence[MaskCount]) -> bool:
    """Whether palette files give each index that occurs in two of them one color."""
    colors: dict[int, bytes] = {}
    for count in tables:
        for index in count.keys.tolist():
            if colors.setdefault(index, color := count.table[3 * index : 3 * index + 3]) != color:
                return False
    return True


def _colors_of(tables: Sequence[MaskCount]) -> dict[int, Color]:
    return {
        index: (count.table[3 * index], count.table[3 * index + 1], count.table[3 * index + 2])
        for count in tables
        for index in count.keys.tolist()
    }


def _black_and_white(tables: Sequence[MaskCount]) -> bool:
    """Whether palette files hold black and white, a bit written as indices."""
    return set(_colors_of(tables).values()) == {(0, 0, 0), (255, 255, 255)}


def _is_deepglobe(held: _Held) -> bool:
    colors = unpacked(held.keys[is_color(held.keys)])
    pixels = held.pixels[is_color(held.keys)]
    pure = ((colors < PURE) | (colors > 255 - PURE)).all(axis=1)
    rounded = np.where(colors >= 128, 255, 0)
    known = np.isin(packed(rounded), keys_of_codes((*DEEPGLOBE.rgb, *DEEPGLOBE.ignored)))
    present = np.unique(rounded[pure & known], axis=0)
    return (
        pixels[known].sum() > NEARLY_ALL * held.total
        and pixels[pure].sum() > MOSTLY_PURE * held.total
        and len(present) >= DEEPGLOBE_COLORS
    )


# -- values
def _used_values(keys: np.ndarray, census: Sequence[MaskCount]) -> list[int]:
    """Return the values that occur, without those that the files declare to be none."""
    nodata = {count.nodata for count in census}
    return [value for value in values_of_keys(keys[keys != NO_KEY]).tolist() if value not in nodata]


def _by_value(census: Sequence[MaskCount], values: list[int], name: str) -> Meaning:
    """Return classes of values: object and background, indices, or whatever values occur."""
    if len(values) > MOST_INDICES:
        raise DataError(
            f"{name}: hold {len(values)} values, over {MOST_INDICES} classes; these are gray pictures, or numbers of "
            "single objects. Save the number of the class in each pixel, 255 for what is to be ignored"
        )
    if negative := [value for value in values if value < 0]:
        raise DataError(
            f"{name}: hold the value {negative[0]}; classes are numbers from 0 on. If it stands for no data, say so in "
            "the file (nodata), or write 255 in its place"
        )
    remarks: tuple[str, ...] = ()
    full = 255 if 255 in values else 65535
    if len(values) == 2 and values[1] == full:
        names, rgb = ("background", "object"), ((0, 0, 0), (255, 255, 255))
        palette = Palette(names, rgb, indexed=True, values=tuple(values))
        how = f"two values, {values[1]} is the object and {values[0]} the background"
    else:
        classes = values[:-1] if _is_void(values) else values
        dense = classes == list(range(len(classes)))
        palette = Palette(
            tuple(f"class {value}" for value in classes),
            tuple(voc_color(value & 255) if dense else voc_color(i) for i, value in enumerate(classes)),
            indexed=True,
            values=tuple(classes),
        )
        how = "class indices" if dense else "values, each a class: " + _listed(classes)
        how += f"; {values[-1]} is ignored" if len(classes) < len(values) else ""
        remarks = () if dense else (f"{how}. If they mean something else, say it in data.palette",)
    ignored = _ignored_values(census, palette.values)
    return Meaning(replace(palette, ignored_values=ignored), how, remarks)


def _is_void(values: list[int]) -> bool:
    """Whether the largest value, 255, stands apart from the others and is to be ignored."""
    if len(values) < 2 or values[-1] != IGNORE_INDEX:
        return False
    others = values[:-1]
    step = max((second - first for first, second in pairwise(others)), default=1)
    return others[-1] < INDEX_LIKE or IGNORE_INDEX - others[-1] > OUTLYING * step


# -- blended shades
def _classes_and_shades(held: _Held) -> tuple[np.ndarray, np.ndarray]:
    """Return the keys of classes, and which keys are shades at the borders of two, bool (n,)."""
    firm = (held.inner >= AREA * held.pixels) & is_color(held.keys)
    shades = np.zeros(len(held.keys), bool)
    if 2 <= firm.sum() <= MOST_INDICES:
        thin = np.flatnonzero(~firm & is_color(held.keys))
        shades[thin] = nearest_code(unpacked(held.keys[thin]), unpacked(held.keys[firm])) >= 0
    if shades.sum() < FEWEST_SHADES:
        shades[:] = False
    elif len(held.keys) > MOST_CLASSES:
        # Where more classes meet a shade is on no line between two.
        left = ~firm & ~shades
        if held.pixels[left].sum() + held.rest < held.pixels[shades].sum() / 2:
            shades |= left
    return held.keys[~shades], shades


def _nearest(meaning: Meaning, held: _Held, other: np.ndarray, *, lossy: bool = False) -> Meaning:
    """Return a meaning that takes other keys to the nearest class, and says so."""
    pixels = int(held.pixels[other].sum()) + (held.rest if lossy else 0)
    palette = replace(meaning.palette, lossy=True) if lossy else replace(meaning.palette, blended=bool(pixels))
    if not pixels:
        return replace(meaning, palette=palette)
    why = "the masks were saved with loss, and borders are not exact" if lossy else "smooth borders"
    said = (
        f"{pixels:,} pixels ({pixels / held.total:.2%}) of {int(other.sum())} shades that are no class "
        f"({_named(held, other)}) belong to the nearest class: {why}. If one is a class, name all in data.palette"
    )
    return replace(meaning, palette=palette, remarks=(*meaning.remarks, said), blended=pixels)


def _lossy(held: _Held, census: Sequence[MaskCount], name: str) -> Meaning:
    """Return classes of masks saved with loss: colors of areas, which nearly all pixels are near to."""
    keys, colors = held.keys, unpacked(held.keys)
    out = f"{name}: hold {len(keys)}{' and more' if held.rest else ''} colors"
    way_out = "Save them as PNG with one exact color a class, or name the classes in data.palette"
    centers: list[int] = []
    near = np.zeros(len(keys), bool)
    free = np.ones(len(keys), bool)
    for i in np.argsort(-held.inner, kind="stable").tolist():
        if not free[i]:
            continue
        around = np.abs(colors - colors[i]).max(axis=1) <= NEAR
        if held.inner[around & free].sum() < SMALLEST * held.total or len(centers) >= MOST_CLASSES:
            break
        centers.append(i)
        near |= around
        free &= np.abs(colors - colors[i]).max(axis=1) > APART
    share = held.pixels[near].sum() / max(1, held.total)
    if not centers or share < MOSTLY or len(centers) >= MOST_CLASSES:
        raise DataError(
            f"{out}, and {share:.0%} of the pixels are near one that stands for a class; these are photographs, or "
            f"were blurred, resized smoothly or saved with much loss. {way_out}"
        )
    if len(centers) == 1 and len(keys) > 1:
        raise DataError(
            f"{out} so near each other that a format with loss, such as JPEG, mixes them; they cannot be told apart. "
            f"{way_out}"
        )
    classes = np.unique(_pure(keys[centers]))
    meaning = _of_classes(classes, census, name)
    return _nearest(meaning, held, np.isin(_pure(keys), classes, invert=True), lossy=True)


def _pure(keys: np.ndarray) -> np.ndarray:
    """Return keys whose channels are 0 or 255 where they nearly are."""
    colors = unpacked(keys)
    colors = np.where(colors <= NEAR // 2, 0, np.where(colors >= 255 - NEAR // 2, 255, colors))
    return colors[..., 0] << 16 | colors[..., 1] << 8 | colors[..., 2]


# -- words
def _gray(keys: np.ndarray) -> np.ndarray:
    return ~is_color(keys) | np.isin(keys, gray_keys(np.arange(256)))


def _color(key: int) -> Color:
    return key >> 16 & 255, key >> 8 & 255, key & 255


def _rgb(color: np.ndarray) -> Color:
    return int(color[0]), int(color[1]), int(color[2])


def _named(held: _Held, which: np.ndarray) -> str:
    order = np.flatnonzero(which)[np.argsort(-held.pixels[which], kind="stable")]
    keys = held.keys[order].tolist()
    return _listed([str(key & 255) if _gray(np.array([key]))[0] else code_text(_color(key)) for key in keys])


def _listed(values: Sequence[object]) -> str:
    more = f" and {len(values) - SHOWN} more" if len(values) > SHOWN else ""
    return ", ".join(str(value) for value in values[:SHOWN]) + more
