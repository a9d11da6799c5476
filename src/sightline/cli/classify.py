"""`sightline classify`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from cyclopts import Parameter

from sightline.cli.common import Json, Out, PathOrName, Resume, Set, check_begin, given, show
from sightline.cli.ending import classify_answer, end, labelled_next, say
from sightline.cli.flags import config_flags, run_layer
from sightline.config import ClassifyConfig, from_environment, resolve
from sightline.runs.results import ClassifyResult

# Learning rates a decade apart around the default, which suit heads and whole networks.
LR_GRID = (1e-5, 1e-4, 1e-3, 1e-2)


@config_flags(
    ClassifyConfig,
    "init",
    "reference",
    "network",
    "train",
    "head_solver",
    "label_fraction",
    "backbone",
    "epochs",
    "optim.lr",
    "seed",
    "logger",
    "data.layout",
    "data.style",
    "data.split_file",
)
def classify(
    data: PathOrName,
    /,
    *,
    out: Out,
    flags: dict[str, Any],
    tune: Annotated[
        Literal["lr"] | None,
        Parameter(help=f"Choose the learning rate on validation from {', '.join(f'{lr:g}' for lr in LR_GRID)}."),
    ] = None,
    set: Set = (),
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Train a classifier in one setting and evaluate it once on the test part.

    Example: sightline classify pets/ --out runs/c --init runs/dino --train head

    Parameters
    ----------
    data
        Class folders, style/class folders, or a CSV id,filename,label; `demo/objects` needs no network.
    """
    layer = run_layer(data, flags) | ({"tune": list(LR_GRID)} if tune else {})
    config = resolve(ClassifyConfig, environment=from_environment(), assignments=set, flags=layer)
    check_begin(data, out, resume=resume)
    from sightline.tasks.classify import classify as run_classify

    run = run_classify(config, out, resume=resume)
    result = run.result()
    accuracy = result["accuracy"]
    row = {"run": str(run.path), "test accuracy": accuracy["value"], "low": accuracy["low"], "high": accuracy["high"]}
    chosen = given(**{"best epoch": result.get("best_epoch"), "penalty": result.get("penalty")})
    if as_json:
        show([row | {"n": accuracy["n"]} | chosen], as_json=True)
        return
    say(*classify_answer(run.result_as(ClassifyResult)))
    end({"run": run.path}, *labelled_next(run.path))
