"""Masks for images, written in the formats that other programs read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL.Image import Image

from sightline.config import PixelsConfig
from sightline.data import decode, images_in
from sightline.data.images.reading import Reading, picture
from sightline.data.images.survey import settle
from sightline.data.masks import formats as mask_files
from sightline.data.masks import outlines
from sightline.errors import ConfigError, DataError, nearest
from sightline.files import Outputs, write_json
from sightline.files.names import printable
from sightline.prompts import (
    DEFAULT_ENGINE,
    EverythingSettings,
    LazyMasks,
    Progress,
    PromptEngine,
    PromptResult,
    Prompts,
    build_engine,
)
from sightline.tasks.prompt.arrays import rgb_array
from sightline.tasks.prompt.requests import Request

FORMATS = ("masks", "palette", "coco", "geojson", "overlay")
DEFAULT_FORMATS = ("masks", "palette", "coco", "overlay")  # geojson needs a georeference
AS_FILES_SAY = PixelsConfig()
FileProgress = Callable[[str, int, int], object]


def prompt_array(
    image: np.ndarray | Image | Sequence[Any],
    request: Request,
    *,
    out: Path | None = None,
    name: str = "image",
    engine: PromptEngine | str = DEFAULT_ENGINE,
    model_id: str | None = None,
    device: str = "auto",
    formats: Sequence[str] = DEFAULT_FORMATS,
    multimask: bool = True,
    settings: EverythingSettings | None = None,
) -> PromptResult:
    """Find masks in one image in memory.

    Args:
        image: a PIL image, an array, a tensor or a list; see `rgb_array`.
        request: prompts, or everything.
        out: the folder to write NAME.json, NAME_mask_000.png, … to; None writes nothing.
        name: of the files.
        engine: as in `prompt_files`, with all that follows; without geojson, for an array has no georeference.

    Raises:
        ConfigError: a malformed prompt, or one that lies outside the image.
        DataError: an array that is no image.
    """
    request.check("image")
    check_formats(formats)
    if "geojson" in formats:
        raise ConfigError("format 'geojson': an image in memory has no georeference; give its file, or take coco")
    pixels = rgb_array(image)
    request.prompts.checked(*pixels.shape[:2])
    built = engine if isinstance(engine, PromptEngine) else build_engine(engine, model_id, device)
    result = _find(built, pixels, None, request, multimask, settings, None)
    return result if out is None else _write(out / name, Path(name), pixels, result, formats)


def prompt_files(
    images: Sequence[Path],
    requests: Request | Mapping[str, Request],
    *,
    out: Path | None = None,
    engine: PromptEngine | str = DEFAULT_ENGINE,
    model_id: str | None = None,
    device: str = "auto",
    formats: Sequence[str] = DEFAULT_FORMATS,
    multimask: bool = True,
    settings: EverythingSettings | None = None,
    pixels: PixelsConfig = AS_FILES_SAY,
    say: Callable[[str], object] = lambda _: None,
    progress: FileProgress | None = None,
) -> Iterable[PromptResult]:
    """Find masks in images, one image at a time.

    Args:
        images: files, or folders that are searched through.
        requests: one for every image, or by file name (or path within its folder).
        out: the folder to write NAME.json, NAME_mask_000.png, … to; None writes nothing.
        engine: a built one, or a name of ENGINES.
        model_id: of an engine by name.
        device: of an engine by name.
        formats: of FORMATS.
        multimask: several hypotheses where the prompt is ambiguous.
        settings: of everything mode.
        pixels: which bands of the files are seen, and which values are black and white; all images are read alike.
        say: called with what a user may want to know of how they are read.
        progress: called with the image, the steps done and all steps, in everything mode.

    Yields:
        One result an image.

    Raises:
        ConfigError: a malformed prompt, or one that lies outside its image.
        DataError: an image that cannot be read, or that the prompts do not name.
    """
    check_formats(formats)
    named = _named(images)
    by_name = _by_name(named, requests)
    built = engine if isinstance(engine, PromptEngine) else build_engine(engine, model_id, device)
    reading = settle("images", list(named.values()), pixels, say=say)
    return _each(named, by_name, reading, built, out, formats, multimask, settings, progress)


def check_formats(formats: Sequence[str]) -> None:
    """Refuse a format that is not of FORMATS.

    Raises:
        ConfigError: one that is not.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise ConfigError(f"format {unknown[0]!r}: known are {', '.join(FORMATS)}.{nearest(unknown[0], FORMATS)}")


def _each(
    named: Mapping[str, Path],
    by_name: Mapping[str, Request],
    reading: Reading,
    engine: PromptEngine,
    out: Path | None,
    formats: Sequence[str],
    multimask: bool,
    settings: EverythingSettings | None,
    progress: FileProgress | None,
) -> Iterable[PromptResult]:
    for name, path in named.items():
        image, request = picture(decode(path, reading=reading)), by_name[name]
        # Before the engine looks at the image, which may take long.
        request.prompts.checked(*image.shape[:2])
        report = None if progress is None else (lambda done, steps, path=path: progress(str(path), done, steps))
        result = _find(engine, image, path, request, multimask, settings, report)
        result.record["reading"] = reading.to_dict()
        yield result if out is None else _write(out / name, path, image, result, formats)


def _find(
    engine: PromptEngine,
    image: np.ndarray,
    path: Path | None,
    request: Request,
    multimask: bool,
    settings: EverythingSettings | None,
    progress: Progress | None,
) -> PromptResult:
    state = engine.set_image(image)
    begin = time.perf_counter()
    if request.everything:
        regions = engine.everything(state, settings, progress)
        masks: Sequence[np.ndarray] = LazyMasks(regions)
        scores, boxes = np.array([region.score for region in regions], np.float32), None
        # Python's floats: NAME.json keeps all their digits.
        written = [region.score for region in regions]
        prompts: dict[str, Any] = {"everything": engine.everything_method}
    else:
        answer = engine.offer(state, request.prompts, multimask=multimask)
        masks, scores, boxes = list(answer.masks), answer.scores, answer.boxes
        written, prompts = [float(score) for score in scores], _plain(request.prompts)
    record = {
        "image": None if path is None else printable(str(path)),
        "height": image.shape[0],
        "width": image.shape[1],
        "engine": engine.name,
        "model": engine.model_id or None,
        "device": engine.device,
        "prompts": prompts,
        "masks": len(masks),
        "scores": written,
        **({"boxes": boxes.tolist()} if boxes is not None else {}),
        "seconds": {"image": state.seconds, "answer": time.perf_counter() - begin},
        "embedding_from_cache": state.from_cache,
    }
    return PromptResult(masks, scores, boxes, (image.shape[0], image.shape[1]), record)


def _plain(prompts: Prompts) -> dict[str, Any]:
    values = {"points": [list(point) for point in prompts.points], "box": prompts.box, "text": prompts.text}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items() if value}


def _write(base: Path, source: Path, image: np.ndarray, result: PromptResult, formats: Sequence[str]) -> PromptResult:
    """Write the formats, then the record, whose presence tells that all is there; return the result with its files."""
    names = [base.name + ending for ending in _endings(formats, len(result.masks))]
    files = tuple(base.with_name(name) for name in names)
    with Outputs([(source, file) for file in files], [source]).writing(of=base.name):
        record = {**result.record, "files": names[:-1]}
        if "palette" in formats:
            record["palette_masks"] = min(len(result.masks), mask_files.MOST_INDICES)
        _write_formats(base, source, image, result, formats)
        write_json(files[-1], record)
    return replace(result, record=record, files=files)


def _endings(formats: Sequence[str], masks: int) -> list[str]:
    """Return what follows NAME in the files of an answer, the record's last."""
    endings = {
        "masks": [f"_mask_{i:03d}.png" for i in range(masks)],
        "palette": ["_palette.png"],
        "coco": ["_coco.json"],
        "geojson": [".geojson"],
        "overlay": ["_overlay.png"],
    }
    return [ending for name in FORMATS if name in formats for ending in endings[name]] + [".json"]


def _write_formats(base: Path, source: Path, image: np.ndarray, result: PromptResult, formats: Sequence[str]) -> None:
    masks, record = result.masks, result.record

    def path(ending: str) -> Path:
        return base.with_name(base.name + ending)

    def scored() -> Iterable[tuple[np.ndarray, dict[str, Any]]]:
        return ((mask, {"score": score}) for mask, score in zip(masks, record["scores"], strict=True))

    if "masks" in formats:
        for i, mask in enumerate(masks):
            mask_files.write_mask(path(f"_mask_{i:03d}.png"), mask)
    if "palette" in formats:
        mask_files.write_palette(path("_palette.png"), masks, result.size)
    if "coco" in formats:
        write_json(path("_coco.json"), mask_files.coco(source.name, result.size, [{"name": "mask"}], scored()))
    if "geojson" in formats:
        numbered = ((mask, {"mask": i, **score}) for i, (mask, score) in enumerate(scored()))
        write_json(path(".geojson"), outlines.geojson(source, numbered))
    if "overlay" in formats:
        # One hypothesis on the picture: the others would cover it.
        shown = masks if "everything" in record["prompts"] or "boxes" in record else masks[:1]
        mask_files.write_overlay(path("_overlay.png"), image, shown)


def _named(images: Sequence[Path]) -> dict[str, Path]:
    """Return the files by the name their output gets: path within its folder, or file name, without suffix."""
    named: dict[str, Path] = {}
    for given in images:
        for path in images_in(given):
            name = (path.relative_to(given) if given.is_dir() else Path(path.name)).with_suffix("").as_posix()
            if named.setdefault(name, path) != path:
                raise DataError(f"{named[name]} and {path} would both write {name}.json; ask for them one by one")
    if not named:
        raise DataError("no images given")
    return named


def _by_name(named: Mapping[str, Path], requests: Request | Mapping[str, Request]) -> dict[str, Request]:
    if isinstance(requests, Request):
        requests.check("images")
        return dict.fromkeys(named, requests)
    by_name, used = {}, set()
    for name, path in named.items():
        key = next((key for key in (name + path.suffix, name, path.name, str(path)) if key in requests), None)
        if key is None:
            raise DataError(f"{path}: the prompts file does not name it; add it, or give only the images it names")
        by_name[name] = requests[key]
        used.add(key)
    left = [key for key in requests if key not in used]
    if left:
        raise DataError(f"the prompts file names {left[0]}, which is not among the images given")
    return by_name
