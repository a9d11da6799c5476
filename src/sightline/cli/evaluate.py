"""`sightline evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from sightline.cli.common import Json, data_layer, given, show
from sightline.cli.flags import Device, Layout, Style


def evaluate(
    run: Path,
    data: str,
    /,
    *,
    layout: Layout = None,
    style: Style = None,
    part: Annotated[
        Literal["all", "train", "val", "test"],
        Parameter(name="--part", help="Part of the tiles to evaluate on; segmenters only."),
    ] = "all",
    split_file: Annotated[
        Path | None,
        Parameter(name="--split-file", help="JSON file of the tiles in each part and scene; segmenters only."),
    ] = None,
    interventions: Annotated[
        bool,
        Parameter(
            name="--interventions",
            negative="",
            show_default=False,
            help="Also zero, average and shuffle each skip, and write RUN/interventions.json; segmenters only.",
        ),
    ] = False,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Evaluate a trained classifier on labelled images, or a trained segmenter on images with masks.

    Example: sightline evaluate runs/c other-camera/

    Parameters
    ----------
    run
        Folder of a finished classify or segment run.
    data
        Labelled images with the run's classes, or images with masks of these.
    """
    from sightline.errors import ConfigError
    from sightline.runs import RunFolder

    if RunFolder.open(run).info().kind == "segment":
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
