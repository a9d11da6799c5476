"""Which network each arm has, as far as that is known before anything is run, and the controls that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sightline.config import BackboneConfig, StudyConfig
from sightline.runs import RunFolder, read_json
from sightline.study.arms import Arm, control_of, pairs_of
from sightline.study.plan import arm_config, pretrained_config, reference_config

Shape = tuple[str, str]


def controls(study: StudyConfig, arms: Sequence[Arm]) -> list[str]:
    """Return the arms that the study lacks to compare like with like: random weights in the network of other weights.

    Where two arms that are compared differ in backbone or stem, what their weights are worth is not in the difference;
    it is in that between each and the same network with random weights.
    """
    by_name, wanted = {arm.name: arm for arm in arms}, dict[str, None]()
    for pair in pairs_of(arms):
        shapes = {name: network_of(study, by_name[name]) for name in pair}
        if None in shapes.values() or len(set(shapes.values())) == 1:
            continue
        for name in pair:
            arm = by_name[name]
            if arm.weights != "random":
                plain = control_of(arm, own_network=shapes[name] != _random_network(study, arm))
                wanted.setdefault(plain)
    return [name for name in wanted if name not in by_name]


def network_of(study: StudyConfig, arm: Arm) -> Shape | None:
    """Return backbone, without its library, and stem of an arm; None where only its weights will say, or of none."""
    weights = arm.network_of or arm.weights
    if arm.task not in ("classify", "segment"):
        return None
    if weights == "own":
        return _shape(pretrained_config(study))
    if weights == "reference":
        return _reference_network(study)
    return _random_network(study, arm)


def _random_network(study: StudyConfig, arm: Arm) -> Shape | None:
    return _shape(arm_config(study, arm))


def _reference_network(study: StudyConfig) -> Shape | None:
    if (supervised := reference_config(study)) is not None:
        return _shape(supervised)
    name = study.reference.weights
    if Path(name).exists():
        if not RunFolder(Path(name)).exists:
            return None
        model = read_json(RunFolder(Path(name)).model_json)
        return (_bare(model["backbone"]), model["stem"]) if {"backbone", "stem"} <= model.keys() else None
    # Imported here, where torch is needed: a study without published weights is planned without.
    from sightline.models.reference import published_network

    backbone = published_network(name)
    return (_bare(backbone), "published") if backbone is not None else None


def _shape(config: BackboneConfig | None) -> Shape | None:
    return (_bare(config.backbone), config.stem) if config is not None else None


def _bare(backbone: str) -> str:
    """Return an architecture's name without library and tag."""
    return backbone.rpartition("/")[2].partition(".")[0]
