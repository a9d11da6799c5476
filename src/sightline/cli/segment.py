"""`sightline segment`."""

from __future__ import annotations

from typing import Any

from sightline.cli.common import Json, Out, PathOrName, Resume, Set, check_begin, show
from sightline.cli.ending import end, labelled_next, say, segment_answer
from sightline.cli.flags import config_flags, run_layer
from sightline.config import SegmentConfig, from_environment, resolve
from sightline.runs.results import SegmentResult


@config_flags(
    SegmentConfig,
    "model",
    "backbone",
    "init",
    "reference",
    "network",
    "skips.drop",
    "skips.mode",
    "skips.at_evaluation",
    "loss",
    "epochs",
    "batch_size",
    "crop",
    "optim.lr",
    "log_images",
    "data.split_file",
    "seed",
    "logger",
)
def segment(
    data: PathOrName,
    /,
    *,
    out: Out,
    flags: dict[str, Any],
    set: Set = (),
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Train a segmentation network on images with masks, and evaluate it once on the test part.

    Example: sightline segment landcover/ --out runs/a --model unet --backbone resnet18 --drop-skip deepest

    Parameters
    ----------
    data
        NAME_sat.jpg with NAME_mask.png, or images/ with masks/; `demo/landcover` needs no network.
    """
    layer = run_layer(data, flags)
    config = resolve(SegmentConfig, environment=from_environment(), assignments=set, flags=layer)
    check_begin(data, out, resume=resume)
    from sightline.tasks.segment import segment as run_segment

    run = run_segment(config, out, resume=resume)
    result = run.result()
    score = result["mean_iou"]
    row = {"run": str(run.path), "test mean IoU": score["value"], "low": score["low"], "high": score["high"]}
    rows = [row | {"tiles": score["n"], "Boundary IoU": result["boundary_iou"], "best epoch": result["best_epoch"]}]
    if as_json:
        show(rows, as_json=True)
        return
    say(*segment_answer(run.result_as(SegmentResult)))
    show([{"class": name, **values} for name, values in result["per_class"].items()], as_json=False)
    end({"run": run.path}, *labelled_next(run.path))
