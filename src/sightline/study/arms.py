"""The arms that a study can have: what each is called, what task it is, and which are compared. Imports no torch.

Classification: `A` to `E`, the five settings. Segmentation: `MODEL[-own|-reference][-drop-SKIP[-structural]]`, for
example `unet`, `unet-own`, `unet-drop-deepest`, `unet-drop-2-structural`, `deeplabv3plus`. Promptable: `sam`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sightline.config import SETTINGS, StudyConfig
from sightline.errors import ConfigError, nearest

Task = Literal["classify", "segment", "prompt"]
Weights = Literal["random", "own", "reference"]

UNET, SAM = "unet", "sam"
KNOWN = (*SETTINGS, UNET, "unet-own", "unet-drop-deepest", "unet-drop-random", "unet-drop-all", "deeplabv3plus", SAM)
SETTING_PAIRS = (("B", "C"), ("C", "A"), ("B", "D"), ("C", "E"))
_START: dict[Weights, str] = {
    "random": "random weights",
    "own": "own self-supervised weights",
    "reference": "reference weights",
}
_SETTINGS: dict[str, tuple[Weights, bool]] = {
    "A": ("random", False),
    "B": ("reference", False),
    "C": ("own", False),
    "D": ("reference", True),
    "E": ("own", True),
}
_SEGMENTER = re.compile(
    r"(?P<model>[a-z0-9+]+?)(?:-(?P<weights>own|reference))?"
    r"(?:-drop-(?P<drop>\d+|deepest|shallowest|all|random)(?P<structural>-structural)?)?"
)


@dataclass(frozen=True)
class Arm:
    """One arm of a comparison.

    Attributes:
        name: as the study file and the result have it.
        title: what it is, for a reader.
        task: which task runs it.
        weights: what its backbone starts from.
        settings: what its configuration has beside the study's.
    """

    name: str
    title: str
    task: Task
    weights: Weights
    settings: dict[str, Any]


def parse_arm(name: str) -> Arm:
    """Return the arm of that name.

    Raises:
        ConfigError: no such arm.
    """
    if name in _SETTINGS:
        weights, freeze = _SETTINGS[name]
        trained = "backbone frozen" if freeze else "all trained"
        return Arm(name, f"{_START[weights]}, {trained}", "classify", weights, {"freeze": freeze})
    if name == SAM:
        return Arm(name, "a promptable engine, no training, labels by oracle", "prompt", "random", {})
    found = _SEGMENTER.fullmatch(name)
    if found is None or len(name) < 3:
        raise ConfigError(
            f"arm {name!r}: no such arm.{nearest(name, KNOWN)} Known: {', '.join(KNOWN)}, and any segmentation model "
            "by name with -own, -reference, -drop-SKIP and -structural"
        )
    weights: Weights = found["weights"] or "random"  # pyright: ignore[reportAssignmentType]
    settings: dict[str, Any] = {"model": found["model"]}
    if found["drop"]:
        settings["drop_skip"] = found["drop"]
    if found["structural"]:
        settings |= {"drop_mode": "structural", "match_parameters": True}
    return Arm(name, _segmenter_title(found, weights), "segment", weights, settings)


def _segmenter_title(found: re.Match[str], weights: Weights) -> str:
    names = {UNET: "U-Net", "deeplabv3plus": "DeepLabV3+"}
    title = names.get(found["model"], found["model"])
    if found["drop"]:
        skip = f"skip {found['drop']}" if found["drop"].isdigit() else f"its {found['drop']} skip"
        skip = {"all": "all skips", "random": "a random skip in training"}.get(found["drop"], skip)
        title += f" without {skip}"
    if found["structural"]:
        title += ", rebuilt to the same size"
    return f"{title}, {_START[weights]}" if weights != "random" else title


def arms_of(study: StudyConfig) -> list[Arm]:
    """Return the study's arms: those it names, then those of its `ablate:` block that it does not name.

    Raises:
        ConfigError: an arm that does not exist, or one whose data or weights the study does not name.
    """
    names = [*study.arms]
    if study.ablate is not None:
        names += [UNET, *(f"{UNET}-drop-{skip}" for skip in study.ablate.skips)]
        if study.ablate.structural:
            names += [f"{UNET}-drop-{skip}-structural" for skip in study.ablate.skips if skip != "random"]
    arms = [parse_arm(name) for name in dict.fromkeys(names)]
    _check_blocks(study, arms)
    return arms


def _check_blocks(study: StudyConfig, arms: list[Arm]) -> None:
    needs = (
        ("classify", study.classify, [arm.name for arm in arms if arm.task == "classify"]),
        ("segment", study.segment, [arm.name for arm in arms if arm.task in ("segment", "prompt")]),
        ("pretrain", study.pretrain, [arm.name for arm in arms if arm.weights == "own"]),
    )
    for block, value, names in needs:
        if value is None and names:
            raise ConfigError(
                f"arms {', '.join(names)}: the study has no `{block}:` block, which they take their "
                f"{'weights' if block == 'pretrain' else 'data'} from; add it, or drop them"
            )


def seeds_of(study: StudyConfig, arm: Arm) -> tuple[int, ...]:
    """Return the seeds of an arm; an engine that is not trained has one."""
    if arm.task == "prompt":
        return study.seeds[:1]
    return (study.segment.seeds if arm.task == "segment" and study.segment else ()) or study.seeds


def pairs_of(arms: Sequence[Arm]) -> list[tuple[str, str]]:
    """Return which arms are compared: the settings as usual; of networks each with the one that it differs from."""
    names = {arm.name for arm in arms}
    pairs = [pair for pair in SETTING_PAIRS if names.issuperset(pair)]
    for arm in arms:
        if arm.task != "segment" or arm.name == UNET:
            continue
        base = arm.name.partition("-drop-")[0]
        if base != arm.name and base in names:
            pairs.append((base, arm.name))  # what the skip was worth
        elif arm.weights != "random" and (plain := arm.name.removesuffix(f"-{arm.weights}")) in names:
            pairs.append((arm.name, plain))  # what the weights are worth
        elif UNET in names:
            pairs.append((arm.name, UNET))
    return pairs
