"""`sightline pretrain`."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from sightline import recipes
from sightline.cli.common import Json, Out, PathOrName, Resume, Set, check_begin, show
from sightline.cli.ending import end, pretrain_answer, say
from sightline.cli.flags import config_flags, run_layer
from sightline.config import PretrainConfig, from_environment, resolve
from sightline.runs.results import PretrainResult

RECIPE = "dino-small"


@config_flags(
    PretrainConfig,
    "method",
    "backbone",
    "init",
    "reference",
    "epochs",
    "batch_size",
    "optim.lr",
    "seed",
    "logger",
    "data.layout",
    "data.style",
    recipe=recipes.load(RECIPE),
    recipe_name=RECIPE,
)
def pretrain(
    data: PathOrName,
    /,
    *,
    out: Out,
    recipe: Annotated[
        str, Parameter(help=f"Named set of values, or a YAML file. Named ones: {', '.join(recipes.names())}.")
    ] = RECIPE,
    flags: dict[str, Any],
    set: Set = (),
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Pretrain a backbone on images without labels, by self-supervised learning.

    Example: sightline pretrain photos/ --out runs/dino --recipe dino-small --epochs 20

    Parameters
    ----------
    data
        Folder, list file, or a name known to `sightline data fetch`; `demo/unlabelled` needs no network.
    """
    config = resolve(
        PretrainConfig,
        recipe=recipes.layer(recipe),
        environment=from_environment(),
        assignments=set,
        flags=run_layer(data, flags),
        where=f"pretrain ({recipe})",
    )
    check_begin(data, out, resume=resume)
    from sightline.tasks.pretrain import pretrain as run_pretrain

    run = run_pretrain(config, out, resume=resume)
    result = run.result()
    rows = {"run": str(run.path), "images": result["images"], "epochs": result["epochs"], **result["health"]}
    if as_json:
        show([rows], as_json=True)
        return
    say(*pretrain_answer(run.result_as(PretrainResult)))
    end(
        {"run": run.path},
        ("classify", "LABELLED", "--out", "OUT", "--init", run.path),
        ("report", run.path),
        ("embed", run.path, "IMAGES", "--out", "OUT", "--tsne"),
    )
