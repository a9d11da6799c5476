"""The Python calls: the same work as the command line, with the same configuration keys as keyword arguments."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL.Image import Image

from sightline import recipes
from sightline.config import (
    ClassifyConfig,
    DataConfig,
    EmbedConfig,
    PretrainConfig,
    SegmentConfig,
    SegmentDataConfig,
    StudyConfig,
    from_environment,
    from_keywords,
    resolve,
)
from sightline.config.types import ExportFormat, MaskForm
from sightline.errors import ConfigError
from sightline.prompts import DEFAULT_ENGINE, Box, EverythingSettings, Point, PromptResult, Prompts
from sightline.runs import RunFolder, StudyFolder
from sightline.runs.kinds import import_dotted, kind_named
from sightline.runs.outputs import EmbeddingQuality, Exported, LabelPredictions, MaskPredictions
from sightline.runs.results import ClassifyEvaluation, SegmentEvaluation
from sightline.runs.run import Run
from sightline.runs.verbs import data_config, export_target, function_of

__version__ = version("sightline")

# A path, or what has one: a Run, a StudyFolder.
Source = str | os.PathLike[str]
Data = Source | Mapping[str, Any] | DataConfig | SegmentDataConfig


# -- training
def pretrain(data: Data, out: Source, *, recipe: str = "dino-small", resume: bool = False, **keys: Any) -> Run:
    """Pretrain a backbone without labels: `sl.pretrain("photos/", out="runs/dino", epochs=100)`.

    Args:
        data: a folder, list file, known name, or a mapping with the keys of DataConfig.
        out: the run folder to write.
        recipe: a named set of values or a YAML file.
        resume: go on with the run in `out`.
        **keys: keys of PretrainConfig that differ from the recipe, for example epochs=100.

    Returns:
        The finished run: `path`, `result` (images, steps, health, warnings); it has no score of its own.

    Raises:
        UserError: wrong configuration or data; the message says what and the way out.
        TrainingFailed: a run that started and broke, for example by a loss that is not finite.
    """
    config = resolve(
        PretrainConfig,
        recipe=recipes.layer(recipe),
        environment=from_environment(),
        flags={**_data(data), **_plain(keys)},
        where=f"pretrain ({recipe})",
    )
    return _run(config, out, resume)


def classify(data: Data, out: Source, *, init: Source | None = None, resume: bool = False, **keys: Any) -> Run:
    """Train a classifier and judge it once on the test part: `sl.classify("pets/", out="runs/c", init=dino)`.

    Args:
        data: class folders, style/class folders, a CSV, a known name, or a mapping with the keys of DataConfig.
        out: the run folder to write.
        init: none, reference, a run, a checkpoint file, or a published name; none by default.
        resume: go on with the run in `out`.
        **keys: keys of ClassifyConfig that differ from the defaults, for example train="head".

    Returns:
        The finished run: `path`, `accuracy` in 0–1, `interval` (value, low, high, n), `result` (also by class).

    Raises:
        UserError: wrong configuration, data or weights.
        NotAvailable: reference weights that cannot be had now.
        TrainingFailed: a run that started and broke.
    """
    flags = {**_data(data), **_init(init), **_plain(keys)}
    return _run(resolve(ClassifyConfig, environment=from_environment(), flags=flags), out, resume)


def segment(data: Data, out: Source, *, init: Source | None = None, resume: bool = False, **keys: Any) -> Run:
    """Train a segmentation network and judge it once on the test part: `sl.segment("tiles/", out="runs/a")`.

    Args:
        data: images with masks, a known name, or a mapping with the keys of SegmentDataConfig.
        out: the run folder to write.
        init: weights of the encoder: none, reference, a run, a checkpoint file, or a published name; none by default.
        resume: go on with the run in `out`.
        **keys: keys of SegmentConfig that differ from the defaults, for example epochs=40.

    Returns:
        The finished run: `path`, `mean_iou` in 0–1, `interval` (value, low, high, n), `result` (also by class).

    Raises:
        UserError: wrong configuration, data or weights.
        NotAvailable: reference weights that cannot be had now.
        TrainingFailed: a run that started and broke.
    """
    flags = {**_data(data), **_init(init), **from_keywords(SegmentConfig, _plain(keys))}
    return _run(resolve(SegmentConfig, environment=from_environment(), flags=flags), out, resume)


def study(source: Source | StudyConfig, out: Source, *, only: tuple[str, ...] = (), jobs: int = 1) -> StudyFolder:
    """Run a study file, or a study by name, and write its report: `study.result["C"].value` is the mean of an arm.

    Args:
        source: a YAML file, the name of a packaged study, or a configuration.
        out: the study's folder; what is done there is not run again.
        only: arms to run; () runs all.
        jobs: runs at a time.

    Returns:
        The study: `path`, `result` (arms by name, comparisons), `runs()`, `report` (files of the report).

    Raises:
        UserError: a mistake in the file, or `out` holds another study.
    """
    from sightline.report import write
    from sightline.study import read_study, run_study

    config = source if isinstance(source, StudyConfig) else read_study(os.fspath(source), from_environment())
    folder = run_study(config, Path(out), only=only, jobs=jobs)
    write(folder.path)
    return folder


# -- finished runs
def load(path: Source) -> Run:
    """Open a finished run: `sl.load("runs/c").accuracy`.

    Args:
        path: the folder that a run was written to, by Python or by the command line.

    Returns:
        The run: `path`, `kind`, `metric`, `value`, `interval` (value, low, high, n), `result`, `folder`.

    Raises:
        RunError: no run there, or one that has not finished.
    """
    return Run.load(path)


def predict(
    run: Source,
    images: Source,
    out: Source | None = None,
    *,
    root: Source | None = None,
    tta: bool = False,
    probabilities: bool = False,
    top_k: int | None = None,
    masks: MaskForm | None = None,
    device: str = "auto",
) -> LabelPredictions | MaskPredictions:
    """Name the class of new images with a classifier, or draw their masks with a segmenter.

    Args:
        run: a finished classify or segment run.
        images: a folder that is searched through, one image, or for a classifier a CSV with columns id,filename.
        out: of a classifier the CSV to write, id,filename,label, or None for none; of a segmenter the folder of masks.
        root: folder that the CSV's file names are below, its own by default; classifiers only.
        tta: average the masks over flips and turns, at 8 times the work; segmenters only.
        probabilities: write them too, a column probability:CLASS of the CSV for each class; of a segmenter NAME.npy,
            float16 (K, H, W).
        top_k: write so many of the most probable labels too, in columns top1,top1_probability,top2 and so on;
            classifiers only.
        masks: rgb (colors), index (values), or palette (values with a table of colors), by default colors or values
            as the masks that the run was trained on; segmenters only.
        device: auto, cpu, cuda or mps.

    Returns:
        Of a classifier `ids`, `labels`, `probabilities` float32 (N, K), `classes` and `top(k)`; of a segmenter
        `paths` of the masks and `classes`.

    Raises:
        RunError: no run, an unfinished one, or one of another kind.
        ConfigError: an option of the other kind of run, or masks without `out`.
        DataError: an image is missing or unreadable.
    """
    options: dict[str, Any] = {"root": None if root is None else Path(root), "tta": tta}
    options |= {"probabilities": probabilities, "masks": masks}
    options = {key: value for key, value in options.items() if value} | ({} if top_k is None else {"top_k": top_k})
    work = function_of(RunFolder.open(Path(run)), "predict", options)
    return work(Path(run), Path(images), None if out is None else Path(out), device=device)


def evaluate(
    run: Source,
    data: Data,
    *,
    part: Literal["all", "train", "val", "test"] = "all",
    interventions: bool = False,
    device: str = "auto",
) -> ClassifyEvaluation | SegmentEvaluation:
    """Evaluate a classifier on labelled images, or a segmenter on images with masks.

    Args:
        run: a finished classify or segment run.
        data: labelled images with the run's classes, images with masks of these, or a mapping with the keys of
            DataConfig or SegmentDataConfig.
        part: part of the tiles to evaluate on; segmenters only.
        interventions: also zero, average and shuffle each skip, and write RUN/interventions.json; segmenters only.
        device: auto, cpu, cuda or mps.

    Returns:
        The score: `metric`, `value` and `interval` (value, low, high, n); of a classifier also `scores` (confusion,
        calibration, accuracy by style, most confident mistakes); of a segmenter also `boundary_iou`,
        `pixel_accuracy`, `per_class`, `confusion` and `interventions`. `seen` counts the images that the run was
        trained or chosen on, and `unseen` is the score of the others, where there are both.

    Raises:
        RunError: no run, an unfinished one, or one of another kind.
        ConfigError: an option of the other kind of run.
        DataError: the data has other classes than the run, or cannot be opened.
    """
    folder = RunFolder.open(Path(run))
    options = ({"part": part} if part != "all" else {}) | ({"interventions": True} if interventions else {})
    work = function_of(folder, "evaluate", options)
    return work(Path(run), data_config(folder, _data(data)["data"]), device=device)


def embed(run: Source, data: Data, out: Source, **keys: Any) -> EmbeddingQuality:
    """Write penultimate features of a run on images: embedding.parquet with id, label and features float32 (dim,).

    Args:
        run: a finished pretrain or classify run.
        data: images, with or without labels, or a mapping with the keys of DataConfig.
        out: the folder to write.
        **keys: keys of EmbedConfig that differ from the defaults, for example tsne=True.

    Returns:
        The quality: `n`, with labels `knn` and `silhouette`, with a map `trustworthiness` and `map_silhouette`.

    Raises:
        UserError: wrong configuration or data, or a run without features of whole images.
    """
    flags = {**_data(data), "run": os.fspath(run), **_plain(keys)}
    config = resolve(EmbedConfig, environment=from_environment(), flags=flags)
    from sightline.tasks.embed import embed as run_embed

    return run_embed(config, Path(out))


def export(run: Source, *, format: ExportFormat, out: Source | None = None) -> Exported:
    """Write a trained network for other programs, after checking that it gives the same there.

    Args:
        run: a finished pretrain, classify or segment run.
        format: onnx, timm, hf or smp; the kind of run decides which it can be.
        out: file (onnx) or folder to write; RUN/export/FORMAT by default.

    Returns:
        What was written: `path`, `max_difference`, `largest` output, and `open_with`, the line that opens it.

    Raises:
        RunError: no run, an unfinished one, or one of another kind.
        ConfigError: a format that this run or its network cannot be written in.
        NotAvailable: the extra `export` is not installed.
    """
    folder = RunFolder.open(Path(run))
    target = export_target(folder, format, None if out is None else Path(out))
    return function_of(folder, "export")(folder, format, target)


def report(path: Source, out: Source | None = None, *, beside: Source | None = None) -> tuple[Path, ...]:
    """Write the report of a study or a run, from its files alone.

    Args:
        path: the folder of a study or of a run.
        out: a folder, or a file ending in .html; `path` by default, of two studies FIRST-beside-SECOND next to the
            first.
        beside: a second study: the page is then of the arms and comparisons that both have.

    Returns:
        The files written: the page, its Markdown, the figures, and of a study tables/ as CSV and LaTeX.

    Raises:
        RunError: `path` holds neither, or a study without a result.
    """
    from sightline.report import write

    return tuple(write(Path(path), *(None if of is None else Path(of) for of in (out, beside))))


# -- prompts
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
    if isinstance(image, str | os.PathLike):
        return next(iter(prompt_files([Path(image)], request, settings=settings, **keys)))
    return prompt_array(image, request, settings=settings, **keys)


def _labeled(point: Sequence[float]) -> Point:
    """Return (x, y, label) of plain numbers; a point without a label is inside."""
    if len(point) not in (2, 3):
        raise ConfigError(f"point {tuple(point)}: expected (x, y), or (x, y, 1 for inside or 0 for outside)")
    label = point[2] if len(point) == 3 else 1
    return float(point[0]), float(point[1]), int(label) if label in (0, 1) else label  # pyright: ignore[reportReturnType]


def _run(config: PretrainConfig | ClassifyConfig | SegmentConfig, out: Source, resume: bool) -> Run:
    """Do what the configuration says, by the function of its kind."""
    work = import_dotted(kind_named(config.kind).run)
    return Run(work(config, Path(out), resume=resume).path)


def _data(data: Data) -> dict[str, Any]:
    if isinstance(data, DataConfig | SegmentDataConfig):
        return {"data": data.model_dump(mode="json", exclude_unset=True)}
    return {"data": dict(data) if isinstance(data, Mapping) else {"source": os.fspath(data)}}


def _init(init: Source | None) -> dict[str, str]:
    return {} if init is None else {"init": os.fspath(init)}


def _plain(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Turn NumPy numbers and paths into what a configuration file could hold."""
    convert = {np.integer: int, np.floating: float, os.PathLike: os.fspath}
    return {
        key: next((to(value) for cls, to in convert.items() if isinstance(value, cls)), value)
        for key, value in keys.items()
    }
