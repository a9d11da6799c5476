"""The Python calls: the same work as the command line, with the same configuration keys as keyword arguments."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar

import numpy as np
from PIL.Image import Image

from sightline import recipes
from sightline.config import (
    ClassifyConfig,
    DataConfig,
    EmbedConfig,
    PixelsConfig,
    PretrainConfig,
    SegmentConfig,
    SegmentDataConfig,
    StudyConfig,
    from_environment,
    from_keywords,
    resolve,
)
from sightline.config.types import Device, ExportFormat, MaskForm
from sightline.errors import ConfigError, DataError, SightlineError
from sightline.prompts import DEFAULT_ENGINE, Box, EverythingSettings, Point, PromptResult, Prompts
from sightline.runs import RunFolder, StudyFolder
from sightline.runs.kinds import import_dotted, kind_named
from sightline.runs.outputs import DataCheck, EmbeddingQuality, Exported, LabelPredictions, MaskPredictions, PartDone
from sightline.runs.results import ClassifyEvaluation, SegmentEvaluation
from sightline.runs.run import Run
from sightline.runs.verbs import data_config, export_target, function_of

__version__ = version("sightline")

# A path, or what has one: a Run, a StudyFolder.
Source = str | os.PathLike[str]
Data = Source | Mapping[str, Any] | DataConfig | SegmentDataConfig


_P = ParamSpec("_P")
_R = TypeVar("_R")
# What messages call by a flag, and how the same is written in Python.
_KEYWORDS: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = (
    (r"--resume(?: \(in Python resume=True\))?", lambda match: "resume=True"),
    (r"--set (\w+)\.(\w+)=([^\s);,]+)", lambda match: f'{match[1]}={{"{match[2]}": {match[3]}}}'),
    (r"--set (\w+=[^\s);,]+)", lambda match: match[1]),
    (r"--([a-z][a-z-]*)", lambda match: match[1].replace("-", "_")),
)


def _in_python(call: Callable[_P, _R]) -> Callable[_P, _R]:
    """Let the errors of a call name keywords where those of the command line name flags."""

    @wraps(call)
    def worded(*arguments: _P.args, **keywords: _P.kwargs) -> _R:
        try:
            return call(*arguments, **keywords)
        except SightlineError as error:
            error.args = (keywords_text(str(error)),)
            raise

    return worded


def keywords_text(text: str) -> str:
    """Return a message with keywords in place of flags: "--set optim.lr=1" becomes 'optim={"lr": 1}'."""
    for pattern, keyword in _KEYWORDS:
        text = re.sub(pattern, keyword, text)
    return text


# -- training
@_in_python
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


@_in_python
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


@_in_python
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


@_in_python
def study(
    source: Source | StudyConfig,
    out: Source,
    *,
    only: tuple[str, ...] = (),
    split: Source = "",
    jobs: int = 1,
    cluster: str = "",
    slurm: str = "",
) -> StudyFolder:
    """Run a study file, or a study by name, and write its report: `study.result["C"].value` is the mean of an arm.

    Args:
        source: a YAML file, the name of a packaged study, or a configuration.
        out: the study's folder; what is done there is not run again.
        only: arms to run; () runs all.
        split: JSON file of part → ids, for the images with labels or with masks.
        jobs: runs at a time, on this machine.
        cluster: address of a dask scheduler whose workers do the runs.
        slurm: partition of SLURM whose nodes do the runs.

    Returns:
        The study: `path`, `result` (arms by name, comparisons), `runs()`, `report` (files of the report).

    Raises:
        UserError: a mistake in the file, or `out` holds another study.
    """
    from sightline.report import write
    from sightline.study import read_study, run_study, with_split

    config = source if isinstance(source, StudyConfig) else read_study(os.fspath(source), from_environment())
    if split:
        config = with_split(config, os.fspath(split))
    folder = run_study(config, Path(out), only=only, jobs=jobs, cluster=cluster, slurm=slurm)
    write(folder.path)
    return folder


# -- finished runs
@_in_python
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


@_in_python
def predict(
    run: Source,
    images: Source | Image | np.ndarray | Sequence[Any],
    out: Source | None = None,
    *,
    root: Source | None = None,
    tta: bool = False,
    probabilities: bool = False,
    top_k: int | None = None,
    masks: MaskForm | None = None,
    part: str | None = None,
    merge: bool = False,
    device: Device = "auto",
) -> LabelPredictions | MaskPredictions | PartDone:
    """Name the class of new images with a classifier, or draw their masks with a segmenter.

    Args:
        run: a finished classify or segment run.
        images: a folder that is searched through, one image, or for a classifier a CSV with columns id,filename; or one
            image in memory (PIL, array, tensor), or a sequence of paths and images in memory, which are named 000000,
            000001, … in their order.
        out: of a classifier the CSV to write, id,filename,label, or None for none; of a segmenter the folder of masks.
        root: folder that the CSV's file names are below, its own by default; classifiers only.
        tta: average the masks over flips and turns, at 8 times the work; segmenters only.
        probabilities: write them too, a column probability:CLASS of the CSV for each class; of a segmenter NAME.npy,
            float16 (K, H, W).
        top_k: write so many of the most probable labels too, in columns top1,top1_probability,top2 and so on;
            classifiers only.
        masks: rgb (colors), index (values), or palette (values with a table of colors), by default colors or values
            as the masks that the run was trained on; segmenters only.
        part: "1/4" does the first of four parts alone, by a hash of ids; the same call goes on after an interruption.
        merge: write the CSV from all parts; classifiers only.
        device: auto, cpu, cuda or mps.

    Returns:
        Of a classifier `ids`, `labels`, `probabilities` float32 (N, K), `classes` and `top(k)`; of a segmenter
        `paths` of the masks and `classes`; of a part of a classifier's images how many there are.

    Raises:
        RunError: no run, an unfinished one, or one of another kind.
        ConfigError: an option of the other kind of run, or masks without `out`.
        DataError: an image is missing or unreadable.
    """
    options: dict[str, Any] = {"root": None if root is None else Path(root), "tta": tta}
    options |= {"probabilities": probabilities, "masks": masks, "part": part, "merge": merge}
    options = {key: value for key, value in options.items() if value} | ({} if top_k is None else {"top_k": top_k})
    work = function_of(RunFolder.open(Path(run)), "predict", options)
    target = None if out is None else Path(out)
    if isinstance(images, str | os.PathLike):
        return work(Path(run), Path(images), target, device=device)
    with tempfile.TemporaryDirectory() as folder:
        _write_images(images, Path(folder))
        return work(Path(run), Path(folder), target, device=device)


@_in_python
def evaluate(
    run: Source,
    data: Data,
    *,
    part: Literal["all", "train", "val", "test"] = "all",
    interventions: bool = False,
    device: Device = "auto",
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


@_in_python
def embed(run: Source, data: Data | Image | np.ndarray | Sequence[Any], out: Source, **keys: Any) -> EmbeddingQuality:
    """Write penultimate features of a run on images: embedding.parquet with id, label and features float32 (dim,).

    Args:
        run: a finished pretrain or classify run.
        data: images, with or without labels, or a mapping with the keys of DataConfig; or one image in memory (PIL,
            array, tensor), or a sequence of paths and images in memory, whose ids are 000000, 000001, … in their order
            (these are not kept: a page that shows the map has no pictures of them).
        out: the folder to write.
        **keys: keys of EmbedConfig that differ from the defaults, for example tsne=True.

    Returns:
        The quality: `n`, with labels `knn` and `silhouette`, with a map `trustworthiness` and `map_silhouette`.

    Raises:
        UserError: wrong configuration or data, or a run without features of whole images.
    """
    from sightline.tasks.embed import embed as run_embed

    def work(data: Data) -> EmbeddingQuality:
        flags = {**_data(data), "run": os.fspath(run), **_plain(keys)}
        return run_embed(resolve(EmbedConfig, environment=from_environment(), flags=flags), Path(out))

    if isinstance(data, str | os.PathLike | Mapping | DataConfig | SegmentDataConfig):
        return work(data)
    with tempfile.TemporaryDirectory() as folder:
        _write_images(data, Path(folder))
        return work({"source": folder, "layout": "folder"})


@_in_python
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


@_in_python
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


# -- data
@_in_python
def check(data: Data) -> DataCheck:
    """Open every image of a data set and tell its layout, classes, sizes and unreadable files: `sl.check("pets/")`.

    Args:
        data: a folder, list file, CSV, known name, or a mapping with the keys of DataConfig or SegmentDataConfig.

    Returns:
        Rows of what and value; `check.value("images")`. Of images with masks also what the masks mean, and leaks
        between the parts of the split.

    Raises:
        DataError: no such data, or no images.
    """
    from sightline.data import check as check_images
    from sightline.data import check_masks, find, holds_masks, passed_rows, walk

    values = _data(data)["data"]
    source = str(values["source"])
    if not isinstance(data, DataConfig) and holds_masks(SegmentDataConfig(source=source)):
        found = check_masks(SegmentDataConfig.build(values))
        return DataCheck(source=source, rows=tuple(found.rows() + passed_rows(walk(find(source)).passed)))
    return DataCheck(source=source, rows=tuple(check_images(DataConfig.build(values))))


@_in_python
def serve(
    target: Source,
    *,
    project: Source | None = None,
    port: int = 0,
    open_browser: bool = True,
    engine: str = DEFAULT_ENGINE,
    model: str | None = None,
) -> None:
    """Open the local page and wait until it is stopped by Ctrl-C, or by interrupting the kernel of a notebook.

    Args:
        target: demo; a study, run or embed folder; a project; a folder of pictures, or one picture.
        project: the folder in which the work on the pictures is kept; by default beside them, as NAME-project.
        port: to listen on; 0 takes a free one.
        open_browser: open the page; its address is printed anyhow.
        engine: the engine that segments, a key of `sightline.prompts.ENGINES`.
        model: a hub id or a path of its weights.

    Returns:
        Nothing, once it is stopped.

    Raises:
        UserError: nothing there that could be shown, or a port that is taken.
        NotAvailable: weights that cannot be had now.
    """
    from sightline.prompts import build_engine, engine_named
    from sightline.web import serve as run_server
    from sightline.web.opening import Keeping, open_site

    engine_named(engine)
    site = open_site(os.fspath(target), None, Keeping(None if project is None else Path(project)))
    make = lambda: build_engine(engine, model, "auto")  # noqa: E731
    try:
        run_server(site, make, host="127.0.0.1", port=port, open_browser=open_browser)
    finally:
        if site.keeper is not None:
            site.keeper.close()


# -- prompts
@_in_python
def prompt(
    image: Source | np.ndarray | Image | Sequence[Any],
    *,
    points: Sequence[tuple[float, float] | Point] = (),
    box: Box | None = None,
    text: str = "",
    everything: bool = False,
    engine: str = DEFAULT_ENGINE,
    model: str | None = None,
    device: Device = "auto",
    multimask: bool = True,
    settings: EverythingSettings | None = None,
    bands: Sequence[int] | None = None,
    scale: Sequence[Any] | Literal["auto"] = "auto",
    out: Source | None = None,
) -> PromptResult:
    """Find masks in one image: `sl.prompt("photo.jpg", points=[(120, 80, 1)], engine="sam2")`.

    Args:
        image: a file; a PIL image; an array or list of any numeric type, (H, W) gray, (H, W, 3) RGB or (H, W, 4) RGB
            and alpha; or a torch tensor, channels first. Floats up to 1 are 0–1; else numbers are 0–255, in uint16 also
            0–65535.
        points: (x, y) or (x, y, 1) for inside, (x, y, 0) for outside; pixels of the image, pixel centers at integers.
        box: (x0, y0, x1, y1), in the same pixels.
        text: words, for an engine that takes them.
        everything: all masks that the engine finds by itself, instead of prompts.
        engine: a key of `sightline.prompts.ENGINES`, which says what each is, takes and needs.
        model: a hub id or a path of the weights.
        device: auto, cpu, cuda or mps.
        multimask: several hypotheses where the prompt is ambiguous.
        settings: of everything mode.
        bands: of a file, from 1, that are seen, in the order given; by default what the file says.
        scale: the values of a file that become black and white, a pair or a pair for each band; auto leaves 8 bits as
            they are and takes percentiles of more bits and floats.
        out: a folder to write the masks to, under the file's name, or "image" for an image in memory.

    Returns:
        The masks, best first, with scores and how they were made; `np.asarray(result)` is bool (M, H, W).

    Raises:
        UserError: a malformed prompt, one outside the image, or an array that is no image.
        NotAvailable: weights that cannot be had now.
    """
    from sightline.tasks.prompt import Request, prompt_array, prompt_files

    corners = None if box is None else _corners(box)
    request = Request(Prompts(tuple(_labeled(point) for point in points), corners, text), everything)
    folder = None if out is None else Path(out)
    keys = {"out": folder, "engine": engine, "model_id": model, "device": device, "multimask": multimask}
    if isinstance(image, str | os.PathLike):
        pixels = PixelsConfig.build({"bands": bands, "scale": scale})
        return next(iter(prompt_files([Path(image)], request, settings=settings, pixels=pixels, **keys)))
    if bands is not None or scale != "auto":
        raise ConfigError(
            "bands and scale choose among the numbers of a file; give its path, or arrays as they are to be"
        )
    return prompt_array(image, request, settings=settings, **keys)


def _write_images(images: Any, folder: Path) -> None:
    """Write or link images under the numbers of their order."""
    from PIL.Image import fromarray

    from sightline.tasks.prompt.arrays import rgb_array

    # An array or a tensor of four dimensions is many images; a list always is.
    series = [images] if isinstance(images, Image) or getattr(images, "ndim", 4) < 4 else list(images)
    if not series:
        raise DataError("no images: the list is empty; give paths, PIL images, arrays or tensors")
    for number, image in enumerate(series):
        if isinstance(image, str | os.PathLike):
            path = Path(image).absolute()
            if not path.is_file():
                raise DataError(f"{image}: no such file; give paths of images")
            (folder / f"{number:06d}{path.suffix}").symlink_to(path)
        else:
            fromarray(rgb_array(image)).save(folder / f"{number:06d}.png")


def _labeled(point: Sequence[float]) -> Point:
    """Return (x, y, label) of plain numbers; a point without a label is inside."""
    if not hasattr(point, "__len__"):
        raise ConfigError(f"points: {point} is no point; give a list of them, points=[(x, y)]")
    if len(point) not in (2, 3):
        raise ConfigError(f"point {tuple(point)}: expected (x, y), or (x, y, 1 for inside or 0 for outside)")
    label = point[2] if len(point) == 3 else 1
    return float(point[0]), float(point[1]), int(label) if label in (0, 1) else label  # pyright: ignore[reportReturnType]


def _corners(box: Sequence[float]) -> Box:
    """Return a box of plain numbers; an array or a tensor is one too."""
    try:
        return tuple(map(float, box))  # pyright: ignore[reportReturnType]
    except (TypeError, ValueError):
        raise ConfigError(f"box {box}: expected four numbers, x0, y0, x1, y1") from None


def _run(config: PretrainConfig | ClassifyConfig | SegmentConfig, out: Source, resume: bool) -> Run:
    """Do what the configuration says, by the function of its kind."""
    work = import_dotted(kind_named(config.kind).run)
    return Run(work(config, Path(out), resume=resume).path)


def _data(data: Data) -> dict[str, Any]:
    if isinstance(data, DataConfig | SegmentDataConfig):
        return {"data": data.model_dump(mode="json", exclude_unset=True)}
    if isinstance(data, Mapping):
        return {"data": dict(data)}
    if not isinstance(data, str | os.PathLike):
        kind = type(data).__name__
        raise ConfigError(
            f"data: a {kind} is neither a path, nor a known name, nor a mapping of keys; give one of these"
        )
    return {"data": {"source": os.fspath(data)}}


def _init(init: Source | None) -> dict[str, str]:
    return {} if init is None else {"init": os.fspath(init)}


def _plain(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Turn NumPy numbers and paths into what a configuration file could hold."""
    convert = {np.integer: int, np.floating: float, os.PathLike: os.fspath}
    return {
        key: next((to(value) for cls, to in convert.items() if isinstance(value, cls)), value)
        for key, value in keys.items()
    }
