"""Masks for images, written in the formats that other programs read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sightline.data import IMAGE_SUFFIXES, decode
from sightline.data.masks import formats as mask_files
from sightline.errors import ConfigError, DataError, nearest
from sightline.files.atomic import write_json
from sightline.models.promptable import PromptEngine, Prompts, build_engine, check_point
from sightline.models.promptable.everything import Settings, everything, method
from sightline.tasks.prompt.listed import Wanted

FORMATS = ("masks", "palette", "coco", "geojson", "overlay")
DEFAULT_FORMATS = ("masks", "palette", "coco", "overlay")  # geojson needs a georeference
Progress = Callable[[str, int, int], object]


@dataclass(frozen=True)
class Found:
    """Masks of one image, best first.

    Attributes:
        masks: a sequence of bool (H, W); decoded one at a time in everything mode.
        scores: of each, 0–1.
        record: image, size, prompts, scores, engine, model, device, seconds: what NAME.json holds.
        files: written.
    """

    masks: Sequence[np.ndarray]
    scores: list[float]
    record: dict[str, Any]
    files: list[Path]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the image."""
        return self.record["height"], self.record["width"]


def prompt_array(
    image: np.ndarray,
    wanted: Wanted,
    *,
    engine: PromptEngine | str = "grabcut",
    model_id: str | None = None,
    device: str = "auto",
    multimask: bool = True,
    settings: Settings | None = None,
) -> Found:
    """Find masks in one image in memory, uint8 (H, W, 3); arguments and errors as in `prompt_files`."""
    wanted.check("image")
    built = engine if isinstance(engine, PromptEngine) else build_engine(engine, model_id, device)
    masks, scores, record = _find(built, image, wanted, multimask, settings, None)
    return Found(masks, scores, {"image": None, "height": image.shape[0], "width": image.shape[1], **record}, [])


def prompt_files(
    images: Sequence[Path],
    wanted: Wanted | Mapping[str, Wanted],
    *,
    out: Path | None = None,
    engine: PromptEngine | str = "grabcut",
    model_id: str | None = None,
    device: str = "auto",
    formats: Sequence[str] = DEFAULT_FORMATS,
    multimask: bool = True,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> Iterable[Found]:
    """Find masks in images, one image at a time.

    Args:
        images: files, or folders that are searched through.
        wanted: of every image, or by file name (or path within its folder).
        out: the folder to write NAME.json, NAME_mask_000.png, … to; None writes nothing.
        engine: a built one, or a name of ENGINES.
        model_id: of an engine by name.
        device: of an engine by name.
        formats: of FORMATS.
        multimask: several hypotheses where the prompt is ambiguous.
        settings: of everything mode.
        progress: called with the image, the steps done and all steps, in everything mode.

    Yields:
        One Found an image.

    Raises:
        ConfigError: a malformed prompt, or one that lies outside its image.
        DataError: an image that cannot be read, or that the prompts do not name.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise ConfigError(f"format {unknown[0]!r}: known are {', '.join(FORMATS)}.{nearest(unknown[0], FORMATS)}")
    named = _named(images)
    by_name = _by_name(named, wanted)
    built = engine if isinstance(engine, PromptEngine) else build_engine(engine, model_id, device)
    return _each(named, by_name, built, out, formats, multimask, settings, progress)


def _each(
    named: Mapping[str, Path],
    by_name: Mapping[str, Wanted],
    engine: PromptEngine,
    out: Path | None,
    formats: Sequence[str],
    multimask: bool,
    settings: Settings | None,
    progress: Progress | None,
) -> Iterable[Found]:
    for name, path in named.items():
        image, ask = decode(path), by_name[name]
        for point in ask.prompts.points:
            check_point(point, *image.shape[:2])  # before the engine looks at the image, which may take long
        tell = None if progress is None else (lambda done, steps, path=path: progress(str(path), done, steps))
        masks, scores, record = _find(engine, image, ask, multimask, settings, tell)
        record = {"image": str(path), "height": image.shape[0], "width": image.shape[1], **record}
        files = [] if out is None else _write(out / name, path, image, masks, scores, record, formats)
        yield Found(masks, scores, record, files)


def _find(
    engine: PromptEngine,
    image: np.ndarray,
    ask: Wanted,
    multimask: bool,
    settings: Settings | None,
    progress: Callable[[int, int], object] | None,
) -> tuple[Sequence[np.ndarray], list[float], dict[str, Any]]:
    state = engine.set_image(image)
    record: dict[str, Any] = {"engine": engine.name, "model": engine.model_id or None, "device": engine.device}
    begin = time.perf_counter()
    if ask.everything:
        regions = everything(engine, state, settings, progress)
        masks: Sequence[np.ndarray] = _Decoded([region.rle for region in regions])
        scores, boxes = [region.score for region in regions], None
        record |= {"prompts": {"everything": method(engine)}}
    else:
        answer = engine.predict(state, ask.prompts, multimask=multimask)
        masks, boxes = list(answer.masks), answer.boxes
        scores = [float(score) for score in answer.scores]
        record |= {"prompts": _plain(ask.prompts)}
    record |= {
        "masks": len(masks),
        "scores": scores,
        **({"boxes": boxes.tolist()} if boxes is not None else {}),
        "seconds": {"image": state.seconds, "answer": time.perf_counter() - begin},
        "embedding_from_cache": state.from_cache,
    }
    return masks, scores, record


class _Decoded(Sequence[np.ndarray]):
    """Masks held as run lengths and decoded one at a time."""

    def __init__(self, rles: list[dict[str, Any]]) -> None:
        self._rles = rles

    def __len__(self) -> int:
        return len(self._rles)

    def __getitem__(self, i):
        return mask_files.decode_rle(self._rles[i])


def _plain(prompts: Prompts) -> dict[str, Any]:
    values = {"points": [list(point) for point in prompts.points], "box": prompts.box, "text": prompts.text}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items() if value}


def _write(
    base: Path,
    source: Path,
    image: np.ndarray,
    masks: Sequence[np.ndarray],
    scores: list[float],
    record: dict[str, Any],
    formats: Sequence[str],
) -> list[Path]:
    """Write the formats, then the record, whose presence tells that all is there."""
    size, files = image.shape[:2], []

    def path(ending: str) -> Path:
        files.append(base.with_name(base.name + ending))
        return files[-1]

    if "masks" in formats:
        for stale in base.parent.glob(f"{_escaped(base.name)}_mask_[0-9]*.png"):
            stale.unlink()  # of an earlier answer with more masks
        for i, mask in enumerate(masks):
            mask_files.write_mask(path(f"_mask_{i:03d}.png"), mask)
    if "palette" in formats:
        mask_files.write_palette(path("_palette.png"), masks, size)
        record["palette_masks"] = min(len(masks), mask_files.MOST_INDICES)
    if "coco" in formats:
        write_json(path("_coco.json"), mask_files.coco(masks, scores, source.name, size))
    if "geojson" in formats:
        mask_files.write_geojson(path(".geojson"), source, masks, scores)
    if "overlay" in formats:
        # One hypothesis on the picture: the others would cover it.
        shown = masks if "everything" in record["prompts"] or "boxes" in record else masks[:1]
        mask_files.write_overlay(path("_overlay.png"), image, shown)
    write_json(path(".json"), {**record, "files": [file.name for file in files[:-1]]})
    return files


def _escaped(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "[]*?" else letter for letter in name)


def _named(images: Sequence[Path]) -> dict[str, Path]:
    """Return the files by the name their output gets: path within its folder, or file name, without suffix."""
    named: dict[str, Path] = {}
    for given in images:
        if given.is_dir():
            found = sorted(path for path in given.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
            if not found:
                raise DataError(f"{given}: no images in this folder; known are {', '.join(sorted(IMAGE_SUFFIXES))}")
        elif given.is_file():
            found = [given]
        else:
            raise DataError(f"{given}: no such file or folder")
        for path in found:
            name = (path.relative_to(given) if given.is_dir() else Path(path.name)).with_suffix("").as_posix()
            if named.setdefault(name, path) != path:
                raise DataError(f"{named[name]} and {path} would both write {name}.json; ask for them one by one")
    if not named:
        raise DataError("no images given")
    return named


def _by_name(named: Mapping[str, Path], wanted: Wanted | Mapping[str, Wanted]) -> dict[str, Wanted]:
    if isinstance(wanted, Wanted):
        wanted.check("images")
        return dict.fromkeys(named, wanted)
    found, used = {}, set()
    for name, path in named.items():
        key = next((key for key in (name + path.suffix, name, path.name, str(path)) if key in wanted), None)
        if key is None:
            raise DataError(f"{path}: the prompts file does not name it; add it, or give only the images it names")
        found[name] = wanted[key]
        used.add(key)
    left = [key for key in wanted if key not in used]
    if left:
        raise DataError(f"the prompts file names {left[0]}, which is not among the images given")
    return found
