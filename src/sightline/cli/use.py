"""`sightline predict`, `evaluate` and `embed`: using a finished run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from sightline.cli.common import Json, Layout, Out, Style, data_layer, given, show


def predict(
    run: Path,
    images: Path,
    /,
    *,
    out: Annotated[
        Path, Parameter(name="--out", help="The CSV to write, id,filename,label; of a segmenter, the folder of masks.")
    ],
    folder: Annotated[Path | None, Parameter(name="--images", help="Where the CSV's file names are found.")] = None,
    turns: Annotated[
        bool, Parameter(name="--turns", negative="", help="Masks only: average over flips and turns, 8 times the work.")
    ] = False,
    probabilities: Annotated[
        bool, Parameter(name="--probabilities", negative="", help="Masks only: also write NAME.npy, float16 (K, H, W).")
    ] = False,
    device: str = "auto",
) -> None:
    """Name the class of new images with a trained classifier, or draw their masks with a trained segmenter.

    Example: sightline predict runs/c test.csv --images test/ --out predictions.csv

    Parameters
    ----------
    run
        The folder of a finished classify or segment run.
    images
        A folder searched through, one image, or for a classifier a CSV with columns id,filename.
    device
        auto, cpu, cuda or mps.
    """
    from sightline.runs import RunFolder

    if RunFolder.open(run).info()["kind"] == "segment":
        from sightline.tasks.segment import Options, predict_masks

        options = Options(turns=turns, probabilities=probabilities)
        masks = predict_masks(run, images, out, options, device=device)
        print(f"{len(masks)} masks → {out}")
        return
    from sightline.tasks.classify import predict as work

    predictions = work(run, images, out, folder=folder, device=device)
    print(f"{len(predictions)} images → {out}")


def evaluate(
    run: Path,
    data: str,
    /,
    *,
    layout: Layout = None,
    style: Style = None,
    part: Annotated[
        Literal["all", "train", "val", "test"], Parameter(name="--part", help="Masks only: the tiles to judge on.")
    ] = "all",
    split_file: Annotated[
        Path | None, Parameter(name="--split-file", help="Masks only: which tiles are in which part, and scene.")
    ] = None,
    interventions: Annotated[
        bool,
        Parameter(
            name="--interventions",
            negative="",
            help="Masks only: also zero, average and shuffle each skip, and write RUN/interventions.json.",
        ),
    ] = False,
    device: str = "auto",
    as_json: Json = False,
) -> None:
    """Judge a trained classifier on labelled images, or a trained segmenter on images with masks.

    Example: sightline evaluate runs/c other-camera/

    Parameters
    ----------
    run
        The folder of a finished classify or segment run.
    data
        Labelled images with the run's classes, or images with masks of these.
    device
        auto, cpu, cuda or mps.
    """
    from sightline.errors import ConfigError
    from sightline.runs import RunFolder

    if RunFolder.open(run).info()["kind"] == "segment":
        layer = {"source": data, **given(layout=layout, split_file=str(split_file) if split_file else None)}
        _evaluate_masks(run, layer, part, interventions, device, as_json)
        return
    if part != "all" or split_file is not None or interventions:
        raise ConfigError(f"{run}: is no segment run, and --part, --split-file and --interventions are for these")
    from sightline.config import DataConfig
    from sightline.tasks.classify import evaluate as work

    result = work(run, DataConfig.build(data_layer(data, layout, style)["data"]), device=device)
    show([{"run": str(run), **result}], as_json=as_json, title="evaluation")


def _evaluate_masks(run: Path, layer: dict[str, Any], part: str, intervene: bool, device: str, as_json: bool) -> None:
    from sightline.config import SegmentDataConfig
    from sightline.tasks.segment import evaluate as work

    result = work(run, SegmentDataConfig.build(layer), part=part, intervene=intervene, device=device)
    if as_json:
        show([{"run": str(run), **result}], as_json=True)
        return
    score = result["mean_iou"]
    row = {"run": str(run), "mean IoU": score["value"], "low": score["low"], "high": score["high"], "tiles": score["n"]}
    others = {"Boundary IoU": result["boundary_iou"], "pixel accuracy": result["pixel_accuracy"]}
    show([{**row, **others}], as_json=False, title="evaluation")
    show([{"class": name, **values} for name, values in result["per_class"].items()], as_json=False)
    if intervene:
        changes = [
            {"skip": skip, **{kind: f"{found['change']:+.4f}" for kind, found in kinds.items()}}
            for skip, kinds in result["interventions"]["skips"].items()
        ]
        show(changes, as_json=False, title="change of mean IoU with a skip taken away, not retrained")


def embed(
    run: Path,
    data: str,
    /,
    *,
    out: Out,
    tsne: Annotated[bool | None, Parameter(negative="", help="Also map the features to the plane.")] = None,
    layout: Layout = None,
    style: Style = None,
    seed: int | None = None,
    device: str | None = None,
    as_json: Json = False,
) -> None:
    """Write penultimate features of a run as parquet, with k-NN accuracy where there are labels.

    Example: sightline embed runs/dino demo/objects --out embeddings --tsne

    Parameters
    ----------
    run
        The folder of a finished run, or a checkpoint file.
    data
        Images, with or without labels.
    seed
        Of the map.
    device
        auto, cpu, cuda or mps.
    """
    from sightline.config import EmbedConfig, from_environment, resolve
    from sightline.tasks.embed import embed as work

    layer = {"run": str(run), **given(tsne=tsne, seed=seed, device=device)}
    config = resolve(EmbedConfig, environment=from_environment(), flags=data_layer(data, layout, style) | layer)
    quality = work(config, out)
    show([{"out": str(out), **quality}], as_json=as_json, title="embedding")
