"""The first study file: from a look at one's folders to a commented study.yaml. Imports no torch."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sightline.config import ClassifyConfig, DataConfig, Frozen, SegmentConfig, SegmentDataConfig, StudyConfig
from sightline.data import holds_masks, image_size, list_images, walk
from sightline.data.tables import TABLE_SUFFIXES
from sightline.errors import DataError
from sightline.files import write_text
from sightline.runs import artifacts

KINDS = ("unlabelled", "labelled", "masks")
# Every decoder of the library halves an image five times.
STRIDE = 32
SHOWN = 8  # names of classes


@dataclass(frozen=True)
class Source:
    """A source of images.

    Attributes:
        path: of the folder or the table.
        kind: of KINDS.
        images: how many; of images with masks the masks count too.
        classes: names; () of other kinds.
        side: shorter side of the first image in pixels.
    """

    path: Path
    kind: str
    images: int
    classes: tuple[str, ...] = ()
    side: int = 0


@dataclass(frozen=True)
class Found:
    """What is in a folder: of each kind the largest source, and the others."""

    chosen: dict[str, Source]
    others: tuple[Source, ...]

    def lines(self) -> list[str]:
        """Return a line for each source."""
        titles = {"unlabelled": "images without labels", "labelled": "images with labels", "masks": "images and masks"}
        lines = []
        for source in (*self.chosen.values(), *self.others):
            classes = f", {len(source.classes)} classes" if source.classes else ""
            unused = "" if source in self.chosen.values() else "; not taken, another one is larger"
            lines.append(f"{source.path}: {source.images} {titles[source.kind]}{classes}{unused}.")
        return lines


def look(folder: Path) -> Found:
    """Find images without labels, with labels, and with masks.

    The folders and tables in `folder` are looked at one by one; where none of them has labels or masks, `folder` is
    looked at as a whole, by the same readers as `data check`.

    Raises:
        DataError: no such folder, no images, or images without any labels or masks.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give one that holds your images")
    inside = sorted(path for path in folder.iterdir() if not path.name.startswith(".") and not _is_output(path))
    sources = [source for path in inside if (source := _source(path)) is not None]
    if all(source.kind == "unlabelled" for source in sources):
        whole = _source(folder)
        if whole is not None and (whole.kind != "unlabelled" or not sources):
            sources = [whole]
    if not sources:
        raise DataError(f"{folder}: holds no images; give the folder that holds them")
    chosen = {
        kind: max((source for source in sources if source.kind == kind), key=lambda source: source.images)
        for kind in KINDS
        if any(source.kind == kind for source in sources)
    }
    if chosen.keys() == {"unlabelled"}:
        path = chosen["unlabelled"].path
        raise DataError(
            f"{folder}: holds images without labels or masks, and a study compares by these; put labelled images or "
            f"masks into a folder beside them, or begin with `sightline pretrain {path} --out runs/dino`"
        )
    return Found(chosen, tuple(source for source in sources if source not in chosen.values()))


def write_study(found: Found, path: Path) -> None:
    """Write a study file of what was found, each key with what it means; paths are relative to the file.

    Raises:
        DataError: something of that name is there.
    """
    if path.exists():
        raise DataError(f"{path}: is there already, and nothing was changed; give another --out")
    write_text(path, study_text(found, path.parent))


def study_text(found: Found, folder: Path) -> str:
    """Return the text of a study file that stands in `folder`."""
    chosen = found.chosen
    blocks = [
        f"# {_description(StudyConfig, 'name')}\nname: {_scalar(folder.resolve().name or 'study')}",
        f"# {_description(StudyConfig, 'arms')}\n# A random weights, B published, C own; D and E are B and C frozen.\n"
        f"# B and D need a network once; without one they are shown as not run.\narms: [{', '.join(_arms(chosen))}]",
        f"# {_description(StudyConfig, 'seeds')}\nseeds: [0, 1, 2]",
    ]
    makers: dict[str, tuple[str, Callable[[Source], dict[str, Any]]]] = {
        "unlabelled": ("pretrain", lambda source: {"recipe": "dino-small"}),
        "labelled": ("classify", lambda source: {"set": {"epochs": ClassifyConfig.model_fields["epochs"].default}}),
        "masks": ("segment", _segment_settings),
    }
    for kind, source in chosen.items():
        block, settings = makers[kind]
        where = os.path.relpath(source.path, folder)
        classes = (
            f": {', '.join(source.classes[:8])}{', …' if len(source.classes) > 8 else ''}" if source.classes else ""
        )
        counted = "images and masks" if kind == "masks" else "images"
        head = f"# {_description(StudyConfig, block)} {source.images} {counted}, {source.side} px at the first{classes}"
        body = {block: {"data": {"source": where}, **settings(source)}}
        blocks.append(f"{head}\n{yaml.safe_dump(body, sort_keys=False, allow_unicode=True).rstrip()}")
    if "masks" in chosen:
        blocks.append(f"# {_description(StudyConfig, 'prompt')}\nprompt: {{engine: graphcut}}")
    unused = [f"# not taken: {os.path.relpath(source.path, folder)} ({source.kind})" for source in found.others]
    commands = "# Plan: sightline study FILE --dry-run\n# Run, and go on after an interruption: sightline study FILE"
    return "\n\n".join([commands, *blocks, *unused]) + "\n"


def _arms(chosen: dict[str, Source]) -> list[str]:
    own = "unlabelled" in chosen
    arms = [*(["A", "B", "C", "D", "E"] if own else ["A", "B", "D"])] if "labelled" in chosen else []
    return arms + (["unet", *(["unet-own"] if own else []), "deeplabv3plus", "sam"] if "masks" in chosen else [])


def _segment_settings(source: Source) -> dict[str, Any]:
    """Return settings whose crop fits into the tiles."""
    crop = min(SegmentConfig.model_fields["crop"].default, max(STRIDE, source.side // STRIDE * STRIDE))
    return {"set": {"backbone": "resnet18", "crop": crop, "epochs": SegmentConfig.model_fields["epochs"].default}}


def _source(path: Path) -> Source | None:
    """Return what a folder or a table holds; None where it holds no images."""
    if path.is_file() and path.suffix.lower() not in TABLE_SUFFIXES:
        return None
    try:
        if path.is_dir() and holds_masks(SegmentDataConfig(source=str(path))):
            images = walk(path).images
            return Source(path, "masks", len(images), side=_side(images[0])) if images else None
        listing = list_images(DataConfig(source=str(path)))
    except DataError:
        return None
    samples = listing.samples
    if not samples:
        return None
    classes = tuple(listing.classes) if len(listing.classes) > 1 else ()
    return Source(path, "labelled" if classes else "unlabelled", len(samples), classes, _side(samples[0].path))


def _side(path: Path) -> int:
    """Return the shorter side of an image; 0 where its header cannot be read, as `data check` tells."""
    try:
        return min(image_size(path))
    except DataError:
        return 0


def _is_output(path: Path) -> bool:
    return any((path / name).is_file() for name in (artifacts.INFO, artifacts.STUDY)) or path.name == artifacts.RUNS


def _description(cls: type[Frozen], key: str) -> str:
    return cls.model_fields[key].description or ""


def _scalar(value: str) -> str:
    return yaml.safe_dump(value, allow_unicode=True).partition("\n")[0]
