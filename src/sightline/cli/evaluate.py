"""`sightline evaluate`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from sightline.cli.common import Json, data_layer, given, say_weights, show
from sightline.cli.flags import Device, Layout, Style

if TYPE_CHECKING:
    from sightline.runs.results import ClassifyEvaluation, SegmentEvaluation

Row = dict[str, Any]
TITLE = "evaluation"


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
    from sightline.runs import RunFolder
    from sightline.runs.verbs import data_config, function_of

    folder = RunFolder.open(run)
    options = given(part=part if part != "all" else None, interventions=interventions or None)
    work = function_of(folder, "evaluate", options)
    layer = data_layer(data, layout, style)["data"] | given(split_file=str(split_file) if split_file else None)
    result = work(run, data_config(folder, layer), device=device)
    say_weights(run)
    if as_json:
        show([{"run": str(run), **_ROWS[result.metric](result)}], as_json=True)
        return
    for title, rows in _TABLES[result.metric](result):
        show([{"run": str(run), **row} for row in rows] if title == TITLE else rows, as_json=False, title=title)


def _accuracy_row(result: ClassifyEvaluation) -> Row:
    score = result.accuracy
    return {"accuracy": score.value, "low": score.low, "high": score.high, "n": score.n}


def _accuracy_tables(result: ClassifyEvaluation) -> list[tuple[str, list[Row]]]:
    return [(TITLE, [_accuracy_row(result)])]


def _mean_iou_row(result: SegmentEvaluation) -> Row:
    return result.to_dict()


def _mean_iou_tables(result: SegmentEvaluation) -> list[tuple[str, list[Row]]]:
    score = result.mean_iou
    row = {"mean IoU": score.value, "low": score.low, "high": score.high, "tiles": score.n}
    others = {"Boundary IoU": result.boundary_iou, "pixel accuracy": result.pixel_accuracy}
    classes = [{"class": name, **values.to_dict()} for name, values in result.per_class.items()]
    tables: list[tuple[str, list[Row]]] = [(TITLE, [row | others]), ("", classes)]
    if result.interventions is not None:
        changes: list[Row] = [
            {"skip": skip, **{name: f"{effect.change:+.4f}" for name, effect in effects.items()}}
            for skip, effects in result.interventions.skips.items()
        ]
        tables.append(("change of mean IoU with a skip taken away, not retrained", changes))
    return tables


# By the metric that an evaluation is judged by: its row for a program, and its tables for a person.
_ROWS: dict[str, Callable[[Any], Row]] = {"accuracy": _accuracy_row, "mean_iou": _mean_iou_row}
_TABLES: dict[str, Callable[[Any], list[tuple[str, list[Row]]]]] = {
    "accuracy": _accuracy_tables,
    "mean_iou": _mean_iou_tables,
}
