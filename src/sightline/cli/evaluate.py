"""`sightline evaluate`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from sightline.cli.common import Json, PathOrName, check_source, data_layer, given, say_weights, show
from sightline.cli.ending import end, interval_answer, say
from sightline.cli.flags import Device, Layout, Style


def evaluate(
    run: Path,
    data: PathOrName,
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
        Parameter(name=["--split", "--split-file"], help="JSON file of the tiles of each part; segmenters only."),
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

    Images that the run was trained on, in whatever folder, are counted, and the score without them stands beside.

    Example: sightline evaluate runs/c other-camera/

    Parameters
    ----------
    run
        Folder of a finished classify or segment run.
    data
        Labelled images with the run's classes, or images with masks of these.
    """
    from sightline.runs import RunFolder
    from sightline.runs.results import Evaluation
    from sightline.runs.verbs import data_config, function_of

    folder = RunFolder.open(run)
    options = given(part=part if part != "all" else None, interventions=interventions or None)
    layer = data_layer(data, layout, style)["data"] | given(split_file=str(split_file) if split_file else None)
    config = data_config(folder, layer)
    check_source(data)
    result: Evaluation = function_of(folder, "evaluate", options)(run, config, device=device)
    say_weights(run)
    if warning := result.warning():
        print(f"! {data}: {warning}", file=sys.stderr)
    if as_json:
        show([{"run": str(run), **result.row()}], as_json=True)
        return
    say(interval_answer(result.metric, result.judged, "images" + (" not trained on" if result.unseen else "")))
    for title, rows in result.tables():
        show(rows, as_json=False, title=title)
    end({"run": run}, ("predict", run, "IMAGES", "--out", "OUT"))
