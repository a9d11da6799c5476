"""The Python calls: the same work as the command line, with the same configuration keys as keyword arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL.Image import Image

from sightline import recipes
from sightline.config import (
    ClassifyConfig,
    DataConfig,
    EmbedConfig,
    PretrainConfig,
    SegmentConfig,
    StudyConfig,
    from_environment,
    from_keywords,
    resolve,
)
from sightline.errors import ConfigError
from sightline.prompts import DEFAULT_ENGINE, Box, EverythingSettings, Point, PromptResult, Prompts
from sightline.runs import RunFolder, StudyFolder

Source = str | Path
Data = Source | Mapping[str, Any] | DataConfig


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        path: its folder.
    """

    path: Path

    @property
    def folder(self) -> RunFolder:
        """The run folder, for metrics, predictions and weights."""
        return RunFolder.open(self.path)

    @property
    def result(self) -> dict[str, Any]:
        """The content of result.json."""
        return self.folder.result()

    @property
    def accuracy(self) -> float:
        """Test accuracy in 0–1 of a classify run; KeyError for other runs."""
        return self.result["accuracy"]["value"]

    @property
    def mean_iou(self) -> float:
        """Test mean IoU in 0–1 of a segment run; KeyError for other runs."""
        return self.result["mean_iou"]["value"]

    def __fspath__(self) -> str:
        return str(self.path)


def pretrain(data: Data, out: Source, *, recipe: str = "dino-small", resume: bool = False, **keys: Any) -> Run:
    """Pretrain a backbone without labels; `keys` are those of PretrainConfig, for example epochs=100.

    Args:
        data: a folder, list file, known name, or a mapping with the keys of DataConfig.
        out: the run folder to write.
        recipe: a named set of values or a YAML file.
        resume: go on with the run in `out`.
        **keys: what differs from the recipe.

    Raises:
        UserError: wrong configuration or data; the message says what and the way out.
    """
    config = resolve(
        PretrainConfig,
        recipe=recipes.layer(recipe),
        environment=from_environment(),
        flags={**_data(data), **_plain(keys)},
        where=f"pretrain ({recipe})",
    )
    from sightline.tasks.pretrain import pretrain as work

    return Run(work(config, Path(out), resume=resume).path)


def classify(data: Data, out: Source, *, init: Source | Run | None = None, resume: bool = False, **keys: Any) -> Run:
    """Train a classifier in one setting; `keys` are those of ClassifyConfig, for example train="head".

    Args:
        data: class folders, style/class folders, a CSV, a known name, or a mapping with the keys of DataConfig.
        out: the run folder to write.
        init: none, reference, a run, a checkpoint file, or a published name; none by default.
        resume: go on with the run in `out`.
        **keys: what differs from the defaults.

    Raises:
        UserError: wrong configuration, data or weights.
        NotAvailable: reference weights that cannot be had now.
    """
    flags = {**_data(data), **_init(init), **_plain(keys)}
    config = resolve(ClassifyConfig, environment=from_environment(), flags=flags)
    from sightline.tasks.classify import classify as work

    return Run(work(config, Path(out), resume=resume).path)


def segment(data: Data, out: Source, *, init: Source | Run | None = None, resume: bool = False, **keys: Any) -> Run:
    """Train a segmentation network; `keys` are those of SegmentConfig, for example drop_skip="deepest".

    Args:
        data: images with masks, a known name, or a mapping with the keys of SegmentDataConfig.
        out: the run folder to write.
        init: weights of the encoder: none, reference, a run, a checkpoint file, or a published name; none by default.
        resume: go on with the run in `out`.
        **keys: what differs from the defaults.

    Raises:
        UserError: wrong configuration, data or weights.
        NotAvailable: reference weights that cannot be had now.
    """
    flags = {**_data(data), **_init(init), **from_keywords(SegmentConfig, _plain(keys))}
    config = resolve(SegmentConfig, environment=from_environment(), flags=flags)
    from sightline.tasks.segment import segment as work

    return Run(work(config, Path(out), resume=resume).path)


def embed(run: Source | Run, data: Data, out: Source, **keys: Any) -> dict[str, float]:
    """Write penultimate features of `run` on `data`; `keys` are those of EmbedConfig. Returns the quality values."""
    path = run.path if isinstance(run, Run) else run
    flags = {**_data(data), "run": str(path), **_plain(keys)}
    config = resolve(EmbedConfig, environment=from_environment(), flags=flags)
    from sightline.tasks.embed import embed as work

    return work(config, Path(out))


def study(source: Source | StudyConfig, out: Source, *, only: tuple[str, ...] = (), jobs: int = 1) -> StudyFolder:
    """Run a study file, or "demo", and write its report: `study.result["C"].value` is the mean of an arm.

    Args:
        source: a YAML file, "demo", or a configuration.
        out: the study's folder; what is done there is not run again.
        only: arms to run; () runs all.
        jobs: runs at a time.

    Raises:
        UserError: a mistake in the file, or `out` holds another study.
    """
    from sightline.report import write
    from sightline.study import read_study, run_study

    config = source if isinstance(source, StudyConfig) else read_study(str(source), from_environment())
    folder = run_study(config, Path(out), only=only, jobs=jobs)
    write(folder.path)
    return folder


def prompt(
    image: Source | np.ndarray | Image,
    *,
    points: Sequence[tuple[float, float] | Point] = (),
    box: Box | None = None,
    text: str = "",
    everything: bool = False,
    engine: str = DEFAULT_ENGINE,
    model: str | None = None,
    device: str = "auto",
    multimask: bool = True,
    settings: EverythingSettings | None = None,
    out: Source | None = None,
) -> PromptResult:
    """Find masks in one image: `sl.prompt("photo.jpg", points=[(120, 80, 1)], engine="sam2")`.

    Args:
        image: a file; a PIL image; or an array, uint8, (H, W) gray, (H, W, 3) RGB or (H, W, 4) RGB and alpha.
        points: (x, y) or (x, y, 1) for inside, (x, y, 0) for outside; pixels of the image, pixel centers at integers.
        box: (x0, y0, x1, y1), in the same pixels.
        text: words, for an engine that takes them.
        everything: all masks that the engine finds by itself, instead of prompts.
        engine: a key of `sightline.prompts.ENGINES`, which says what each is, takes and needs.
        model: a hub id or a path of the weights.
        device: auto, cpu, cuda or mps.
        multimask: several hypotheses where the prompt is ambiguous.
        settings: of everything mode.
        out: a folder to write the masks to, under the file's name, or "image" for an image in memory.

    Returns:
        The masks, best first, with scores and how they were made; `np.asarray(result)` is bool (M, H, W).

    Raises:
        UserError: a malformed prompt, one outside the image, or an array that is no image.
        NotAvailable: weights that cannot be had now.
    """
    from sightline.tasks.prompt import Request, prompt_array, prompt_files

    request = Request(Prompts(tuple(_labeled(point) for point in points), box, text), everything)
    folder = None if out is None else Path(out)
    keys = {"out": folder, "engine": engine, "model_id": model, "device": device, "multimask": multimask}
    if isinstance(image, str | Path):
        return next(iter(prompt_files([Path(image)], request, settings=settings, **keys)))
    return prompt_array(image, request, settings=settings, **keys)


def _labeled(point: Sequence[float]) -> Point:
    """Return (x, y, label) of plain numbers; a point without a label is inside."""
    if len(point) not in (2, 3):
        raise ConfigError(f"point {tuple(point)}: expected (x, y), or (x, y, 1 for inside or 0 for outside)")
    label = point[2] if len(point) == 3 else 1
    return float(point[0]), float(point[1]), int(label) if label in (0, 1) else label  # pyright: ignore[reportReturnType]


def _data(data: Data) -> dict[str, Any]:
    if isinstance(data, DataConfig):
        return {"data": data.model_dump(mode="json", exclude_unset=True)}
    return {"data": dict(data) if isinstance(data, Mapping) else {"source": str(data)}}


def _init(init: Source | Run | None) -> dict[str, str]:
    if init is None:
        return {}
    return {"init": str(init.path.absolute()) if isinstance(init, Run) else str(init)}


def _plain(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Turn NumPy numbers and paths into what a configuration file could hold."""
    convert = {np.integer: int, np.floating: float, Path: str}
    return {
        key: next((to(value) for cls, to in convert.items() if isinstance(value, cls)), value)
        for key, value in keys.items()
    }
