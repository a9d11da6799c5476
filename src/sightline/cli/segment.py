"""`sightline segment`."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from sightline.cli.common import Json, Out, Resume, Set, absolute, given, show
from sightline.config import SegmentConfig, from_environment, resolve


def segment(
    data: str,
    /,
    *,
    out: Out,
    model: str | None = None,
    backbone: str | None = None,
    init: str | None = None,
    network: Literal["teacher", "student"] | None = None,
    drop_skip: str | None = None,
    drop_mode: Literal["zero", "structural"] | None = None,
    eval_skips: Literal["auto", "keep", "drop"] | None = None,
    loss: str | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    crop: int | None = None,
    lr: float | None = None,
    watch: Annotated[str | None, Parameter(help="Ids of images whose masks are kept, separated by commas.")] = None,
    seed: int | None = None,
    set: Set = (),
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Train a segmentation network on images with masks, and judge it once on the test part.

    Example: sightline segment landcover/ --out runs/a --model unet --backbone resnet18 --drop-skip deepest

    Parameters
    ----------
    data
        NAME_sat.jpg with NAME_mask.png, or images/ with masks/; `demo/landcover` needs no network.
    model
        unet, deeplabv3plus, or another architecture of segmentation-models-pytorch.
    backbone
        Of the encoder: any timm or torchvision ResNet, or a timm network with feature maps; a run brings its own.
    init
        Weights of the encoder: none, reference, a run's folder, a checkpoint file, or a timm or hub id.
    network
        Of a checkpoint file that holds both: teacher or student.
    drop_skip
        A skip connection to go without: the index of an encoder feature, deepest, shallowest, all or random.
    drop_mode
        zero feeds zeros in the skip's place; structural builds the decoder without it.
    eval_skips
        Whether dropped skips are there at evaluation; auto keeps a fixed one away and brings random ones back.
    loss
        ce, dice, focal, lovasz, jaccard, or a sum such as ce+dice or 0.5*ce+dice.
    epochs
        Passes over the training part.
    batch_size
        Crops a step.
    crop
        Side of the training crops in pixels.
    lr
        Peak learning rate.
    seed
        Of every random draw.
    """
    from sightline.tasks.segment import segment as work

    layer = given(
        model=model,
        backbone=backbone,
        init=None if init is None else absolute(init),
        network=network,
        drop_skip=drop_skip,
        drop_mode=drop_mode,
        eval_skips=eval_skips,
        loss=loss,
        epochs=epochs,
        batch_size=batch_size,
        crop=crop,
        optim=None if lr is None else {"lr": lr},
        watch=watch.split(",") if watch else None,
        seed=seed,
    )
    flags = {"data": {"source": data}} | layer
    config = resolve(SegmentConfig, environment=from_environment(), assignments=set, flags=flags)
    run = work(config, out, resume=resume)
    result = run.result()
    score = result["mean_iou"]
    row = {"run": str(run.path), "test mean IoU": score["value"], "low": score["low"], "high": score["high"]}
    rows = [row | {"tiles": score["n"], "Boundary IoU": result["boundary_iou"], "best epoch": result["best_epoch"]}]
    show(rows, as_json=as_json, title="segmentation")
    if not as_json:
        show([{"class": name, **values} for name, values in result["per_class"].items()], as_json=False)
