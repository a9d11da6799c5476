"""`sightline pretrain` and `sightline classify`."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from sightline import recipes
from sightline.cli.common import Json, Layout, Out, Resume, Set, Style, absolute, data_layer, given, show
from sightline.config import ClassifyConfig, PretrainConfig, from_environment, resolve


def pretrain(
    data: str,
    /,
    *,
    out: Out,
    recipe: str = "dino-small",
    backbone: str | None = None,
    init: str | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    seed: int | None = None,
    layout: Layout = None,
    style: Style = None,
    set: Set = (),
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Pretrain a backbone with DINO on images without labels.

    Example: sightline pretrain photos/ --out runs/dino --recipe dino-small --epochs 20

    Parameters
    ----------
    data
        A folder, a list file, or a name known to `sightline data fetch`; `demo/unlabelled` needs no network.
    recipe
        A named set of values (dino-small, dino-demo, dino-resnet50-miniimagenet) or a YAML file.
    backbone
        Any timm or torchvision name.
    init
        Published weights, a run or a file to go on from; random by default.
    epochs
        Passes over the images.
    batch_size
        Images a step.
    seed
        Of every random draw.
    """
    from sightline.tasks.dino import pretrain as work

    layer = given(backbone=backbone, init=init, epochs=epochs, batch_size=batch_size, seed=seed)
    config = resolve(
        PretrainConfig,
        recipe=recipes.layer(recipe),
        environment=from_environment(),
        assignments=set,
        flags=data_layer(data, layout, style) | layer,
        where=f"pretrain ({recipe})",
    )
    run = work(config, out, resume=resume)
    result = run.result()
    rows = {"run": str(run.path), "images": result["images"], "epochs": result["epochs"], **result["health"]}
    show([rows], as_json=as_json, title="pretraining")


def classify(
    data: str,
    /,
    *,
    out: Out,
    init: str | None = None,
    network: Literal["teacher", "student"] | None = None,
    freeze: bool | None = None,
    labels: float | None = None,
    backbone: str | None = None,
    epochs: int | None = None,
    lr: float | None = None,
    tune: Annotated[
        Literal["lr"] | None, Parameter(help="Choose the learning rate on validation from a small grid.")
    ] = None,
    seed: int | None = None,
    layout: Layout = None,
    style: Style = None,
    set: Set = (),
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Train a classifier in one setting and judge it once on the test split.

    Example: sightline classify pets/ --out runs/c --init runs/dino --freeze

    Parameters
    ----------
    data
        Class folders, style/class folders, or a CSV id,filename,label; `demo/objects` needs no network.
    init
        none, reference (official DINO weights), a run's folder, a checkpoint file, or a timm or hub id.
    network
        Of a checkpoint file that holds both: teacher or student.
    freeze
        Train the head only; the backbone stands still, batch-norm statistics too.
    labels
        Share of the training labels to use, stratified.
    backbone
        Any timm or torchvision name; a run brings its own.
    epochs
        Passes over the training part.
    lr
        Learning rate.
    seed
        Of every random draw.
    """
    from sightline.tasks.classify import classify as work

    layer = given(
        init=None if init is None else absolute(init),
        network=network,
        freeze=freeze,
        labels=labels,
        backbone=backbone,
        epochs=epochs,
        optim=None if lr is None else {"lr": lr},
        seed=seed,
        tune=list(LR_GRID) if tune else None,
    )
    flags = data_layer(data, layout, style) | layer
    config = resolve(ClassifyConfig, environment=from_environment(), assignments=set, flags=flags)
    run = work(config, out, resume=resume)
    result = run.result()
    accuracy = result["accuracy"]
    row = {"run": str(run.path), "test accuracy": accuracy["value"], "low": accuracy["low"], "high": accuracy["high"]}
    show([row | {"n": accuracy["n"], "best epoch": result["best_epoch"]}], as_json=as_json, title="classification")


LR_GRID = (1e-5, 1e-4, 1e-3, 1e-2)  # a decade apart around the default, which covers heads and whole networks
