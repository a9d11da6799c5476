"""From the paths below a folder to classes, styles and parts: what the folders mean, and what stands in the way.

Nothing is read here but names, so the same rules hold for every layout, and a table of paths tests them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from sightline.data.images.folder import Passed
from sightline.data.split_file import part_of
from sightline.files.names import composed, printable

SHOWN = 8  # folders that an error describes
BESIDE = "image beside the class folders"


@dataclass(frozen=True)
class Place:
    """One image and what its folders say.

    Attributes:
        path: below the source.
        folders: those on the way that may be a class or a style, outermost first.
        part: train, val, test, or "" where no folder says so.
        label: name of the class, "" for none.
        style: name of the style, "" for none.
    """

    path: PurePath
    folders: tuple[str, ...]
    part: str = ""
    label: str = ""
    style: str = ""


@dataclass(frozen=True)
class Meaning:
    """What the folders of a source mean.

    Attributes:
        layout: classes, styles or folder.
        places: the images that are taken.
        passed: the images that are not, by reason.
        unclear: why there are no labels, "" where there are.
    """

    layout: str
    places: tuple[Place, ...]
    passed: tuple[Passed, ...] = ()
    unclear: str = ""


def read_folders(paths: Iterable[PurePath], layout: str = "auto") -> Meaning:
    """Tell classes, styles and parts from the paths of images.

    Folders that hold all the rest (zip/zip/CLASS, CLASS/images) mean nothing. Two or more folders named train, val
    (valid, validation, dev) or test, in any case, are parts. Then

        classes: CLASS/image, of two or more classes; images deeper in a class folder are of that class.
        styles: STYLE/CLASS/image, no image directly in a style, and two or more classes.
        folder: anything else; no labels.

    Fewer images beside the class folders than in them are passed over; more make the folders unclear.

    Args:
        paths: of the images below the source, relative.
        layout: auto, classes or styles; the latter two are read as such where auto would be in doubt.
    """
    every = tuple(Place(path, tuple(composed(printable(name)) for name in path.parts[:-1])) for path in paths)
    places, passed = _without_wraps(every)
    places, outside = _with_parts(places)
    passed = [*passed, *outside]
    places, beside = _without_wraps(places)
    places = _without_inner_wrap(places)
    strays = [place for place in places if not place.folders]
    inside = [place for place in places if place.folders]
    passed += beside + _passed(BESIDE, strays)
    if layout == "auto":
        layout, doubt = _judged(strays, inside)
        if doubt:
            parts = {place.path: place.part for place in places}
            return Meaning("folder", tuple(replace(p, part=parts.get(p.path, "")) for p in every), (), doubt)
    if layout == "classes":
        return Meaning(layout, tuple(replace(p, label=p.folders[0]) for p in inside), tuple(passed))
    loose = [place for place in inside if len(place.folders) == 1]
    taken = [replace(p, style=p.folders[0], label=p.folders[1]) for p in inside if len(p.folders) > 1]
    return Meaning(layout, tuple(taken), (*passed, *_passed("image beside the class folders of a style", loose)))


def _judged(strays: Sequence[Place], inside: Sequence[Place]) -> tuple[str, str]:
    """Return classes or styles, and why the folders cannot be either, "" where they can."""
    tops = {place.folders[0] for place in inside}
    doubt = ""
    if not inside and (parts := sorted({place.part for place in strays} - {""})):
        doubt = f"{' and '.join(parts)} hold images and no class folders"
    elif not inside:
        doubt = "no folders with images in them, whose names would be the classes"
    elif len(tops) < 2:
        doubt = f"one folder with images only, {min(tops)}; classes need two"
    elif len(strays) >= len(inside):
        doubt = f"{len(strays)} images beside the folders and {len(inside)} in them"
    elif 2 * sum(len(place.folders) == 1 for place in inside) < len(inside):
        if _are_styles(inside, tops):
            return "styles", ""
        if 2 * sum(len(place.folders) > 2 for place in inside) >= len(inside):
            doubt = "most images lie three folders deep or deeper"
    return "classes", f"{doubt}. {_described([*strays, *inside])}" if doubt else ""


def _are_styles(inside: Sequence[Place], tops: set[str]) -> bool:
    """Return whether each top folder holds classes: two or more, or one that another top folder has too."""
    inner = {top: {p.folders[1] for p in inside if p.folders[0] == top and len(p.folders) > 1} for top in tops}
    shared = Counter(name for names in inner.values() for name in names)
    deep = sum(len(place.folders) > 2 for place in inside)
    several = any(len(names) > 1 for names in inner.values())
    return (
        several
        and 2 * deep < len(inside)
        and all(len(names) > 1 or any(shared[name] > 1 for name in names) for names in inner.values())
    )


def _without_wraps(places: Sequence[Place]) -> tuple[list[Place], list[Passed]]:
    """Take away outer folders that hold all images but a few, which are passed over: an archive in an archive."""
    places, passed = list(places), []
    while True:
        tops = {place.folders[0] for place in places if place.folders}
        inside = [place for place in places if place.folders]
        below = {place.folders[1] for place in inside if len(place.folders) > 1}
        strays = [place for place in places if not place.folders]
        deeper = sum(len(place.folders) > 1 for place in inside)
        if len(tops) != 1 or len(below) < 1 or 2 * deeper <= len(inside) or len(strays) >= len(inside):
            return places, passed
        passed += _passed(BESIDE, strays)
        places = [replace(place, folders=place.folders[1:]) for place in inside]


def _without_inner_wrap(places: Sequence[Place]) -> list[Place]:
    """Take away the inner folder of CLASS/images/1.png, where each class has that one and nothing else."""
    inside = [place for place in places if place.folders]
    if len({place.folders[0] for place in inside}) < 2 or any(len(place.folders) < 2 for place in inside):
        return list(places)
    if len({place.folders[1] for place in inside}) != 1:
        return list(places)
    cut = [replace(p, folders=(p.folders[0], *p.folders[2:])) if p.folders else p for p in places]
    return _without_inner_wrap(cut)


def _with_parts(places: Sequence[Place]) -> tuple[list[Place], list[Passed]]:
    """Take away folders that name a part, outermost or below the classes, and note the part."""
    if _parts_outermost(places):
        parts = [replace(p, part=part_of(p.folders[0]), folders=p.folders[1:]) for p in places if _part(p)]
        rest = [place for place in places if not _part(place)]
        bare = {part for part in ("train", "val", "test") if not any(p.folders for p in parts if p.part == part)}
        taken = parts
        passed = _passed("image beside the parts", rest)
        if any(p.folders for p in parts):  # a test part of bare images is one to be predicted
            for part in sorted(bare):
                images = [place for place in parts if place.part == part]
                passed += _passed(f"image of the {part} part without class folder", images)
            taken = [place for place in parts if place.part not in bare]
        return taken, passed
    inner = {place.folders[1] for place in places if len(place.folders) > 1}
    if len({part_of(name) for name in inner}) > 1 and all(map(part_of, inner)):
        return [
            replace(p, part=part_of(p.folders[1]), folders=(p.folders[0], *p.folders[2:])) if len(p.folders) > 1 else p
            for p in places
        ], []
    return list(places), []


def _parts_outermost(places: Sequence[Place]) -> bool:
    """Return whether outermost folders are parts: two or more, or a train folder with classes that no other has."""
    inner: dict[str, set[str]] = {}
    for place in places:
        if place.folders:
            inner.setdefault(place.folders[0], set()).update(place.folders[1:2])
    named = {name for name in inner if part_of(name)}
    if len({part_of(name) for name in named}) != 1:
        return bool(named)
    others = set().union(*(names for name, names in inner.items() if name not in named))
    own = set().union(*(inner[name] for name in named))
    return len(own) > 1 and not own & others


def _part(place: Place) -> str:
    return part_of(place.folders[0]) if place.folders else ""


def _passed(reason: str, places: Sequence[Place]) -> list[Passed]:
    names = tuple(sorted(printable(place.path.as_posix()) for place in places))
    return [Passed(reason, names)] if names else []


def _described(places: Sequence[Place]) -> str:
    """Return what each outermost folder holds, as "a: 3 images; b: 2 images below it"."""
    direct = Counter(p.path.parts[0] if len(p.path.parts) > 1 else "" for p in places if len(p.path.parts) <= 2)
    deeper = Counter(place.path.parts[0] for place in places if len(place.path.parts) > 2)
    texts = []
    for name in sorted(direct.keys() | deeper.keys()):
        counts = [f"{direct[name]} images"] if direct[name] else []
        counts += [f"{deeper[name]} images in its folders"] if deeper[name] else []
        texts.append(f"{printable(name) or 'beside the folders'}: {', '.join(counts)}")
    return "; ".join(texts[:SHOWN]) + (f"; and {len(texts) - SHOWN} more folders" if len(texts) > SHOWN else "")
