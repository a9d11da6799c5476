"""From one study file to the graph of runs it stands for. Imports no torch, so `--dry-run` answers at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline import recipes
from sightline.config import (
    BackboneConfig,
    ClassifyConfig,
    PretrainConfig,
    PromptConfig,
    SegmentConfig,
    StudyConfig,
    at_rate,
    merge,
    read_yaml,
    resolve,
)
from sightline.config.study import StudyPretrain
from sightline.errors import ConfigError, nearest
from sightline.files import at_home
from sightline.runs.artifacts import SHARED_FEATURES
from sightline.runs.kinds import KINDS, import_dotted
from sightline.study import named
from sightline.study.arms import Arm, arms_of, parse_arm, seeds_of
from sightline.study.labels import with_labels
from sightline.study.node import EpochsFor, Node, RateOf
from sightline.study.trial import on_trial

if TYPE_CHECKING:
    from sightline.runs import StudyFolder

PRETRAIN, REFERENCE = "pretrain", "reference"
# Keys of a study file that hold paths, wherever they stand, and words there that are no path.
PATHS = frozenset({"source", "split_file", "palette", "init", "weights", "recipe"})
NAMES = frozenset({"none", "reference"})


def read_study(
    source: str, environment: Mapping[str, Any] | None = None, flags: Mapping[str, Any] | None = None
) -> StudyConfig:
    """Read a study file, or a packaged study by its name.

    Args:
        source: the file, or a name of `named.names()`, for example "demo".
        environment: keys of the study that SIGHTLINE_SET changes; its arms are not asked.
        flags: keys of the study that stand above all.

    Raises:
        ConfigError: no such file, an unknown key, or a value that breaks its rule.
    """
    if source in named.names():
        file, where = read_yaml(named.path_of(source)), f"study {source}"
    elif Path(source).suffix or Path(source).is_file():
        file, where = from_file(read_yaml(Path(source)), Path(source).parent), source
    else:
        names = named.names()
        raise ConfigError(
            f"study {source!r}: no such file, and no study of that name.{nearest(source, names)} Give a YAML file, or "
            f"one of {', '.join(names)}"
        )
    return resolve(StudyConfig, file=file, environment=environment, flags=flags, where=where)


def with_split(study: StudyConfig, split: str) -> StudyConfig:
    """Return a study whose images with labels, or with masks, are split by a file.

    Args:
        study: with one of the blocks `classify` and `segment`.
        split: path of a JSON file of part → ids.

    Raises:
        ConfigError: the study has both blocks, or neither.
    """
    blocks = {name: block for name in ("classify", "segment") if (block := getattr(study, name)) is not None}
    if len(blocks) != 1:
        has = f"the blocks {' and '.join(blocks)}" if blocks else "neither block classify nor segment"
        raise ConfigError(
            f"--split {split}: {study.name} has {has}, and a split file is for one of them; say data.split_file in its "
            "block"
        )
    ((name, block),) = blocks.items()
    data = block.data.model_copy(update={"split_file": split})
    return study.model_copy(update={name: block.model_copy(update={"data": data})})


def from_file(block: Mapping[str, Any], folder: Path, prefix: str = "") -> dict[str, Any]:
    """Return a block of a study file, its relative paths as they are reached from the working directory.

    A path is looked for beside the file first; one that is only in the working directory is taken from there, and
    that is said. What is neither, a name such as demo/objects or a hub id, stays as it is.
    """
    values = dict(block)
    for key, value in block.items():
        if isinstance(value, Mapping):
            values[key] = from_file(value, folder, f"{prefix}{key}.")
        elif key in PATHS and isinstance(value, str) and value and value not in NAMES:
            here, there = at_home(value), folder / at_home(value)
            if key in ("recipe", "palette") and not there.is_file():  # a folder may have the name of one
                continue
            if os.path.exists(there) and not (os.path.exists(here) and here.samefile(there)):
                values[key] = str(there)
            elif os.path.exists(here) and not os.path.exists(there):
                print(f"study: {prefix}{key} = {value} is not beside the study file; taken from here", file=sys.stderr)
    return values


def expand(study: StudyConfig, out: Path, only: tuple[str, ...] = ()) -> list[Node]:
    """Return the study's runs, each after those it needs.

    Args:
        study: the study.
        out: its folder; runs refer to each other's weights below it.
        only: arms to keep, with what they need; () keeps all of the study's.

    Raises:
        ConfigError: an arm that does not exist, or one whose data or weights the study does not name.
    """
    arms = arms_of(study)
    for name in only:
        if parse_arm(name) not in arms:
            raise ConfigError(f"--only {name}: not an arm of this study; it has {', '.join(a.name for a in arms)}")
    # Where the file was right: one that is not is told of before NumPy and Arrow are there.
    from sightline.runs import StudyFolder

    nodes = [*_pretrain_nodes(study), _reference_node(study)]
    seeds = dict.fromkeys(seed for arm in arms for seed in seeds_of(study, arm))
    of_arms: list[Node] = [
        import_dotted(KINDS[arm.task].node)(study, arm, seed, StudyFolder(out))
        for seed in seeds
        for arm in arms
        if seed in seeds_of(study, arm)
    ]
    nodes += with_labels(study, arms, of_arms, str(out / SHARED_FEATURES))
    nodes = [replace(node, config=on_trial(node.config, study.scale)) for node in nodes if node is not None]
    if study.logger:
        shown = {"logger": study.logger, "group": study.name}
        nodes = [replace(node, config=node.config.model_copy(update=shown)) for node in nodes]
    return _needed(_ordered(nodes), only)


def _ordered(nodes: list[Node]) -> list[Node]:
    """Return the nodes in their order, but each after those it needs; a need that is no node is met already."""
    by_name, ordered = {node.name: node for node in nodes}, dict[str, Node]()

    def place(node: Node) -> None:
        for need in node.needs:
            if need in by_name and need not in ordered:
                place(by_name[need])
        ordered.setdefault(node.name, node)

    for node in nodes:
        place(node)
    return list(ordered.values())


def _needed(nodes: list[Node], only: tuple[str, ...]) -> list[Node]:
    """Keep the arms of `only` (all if empty) and what they need; order stays, needs first."""
    names: set[str] = set()
    for node in reversed(nodes):  # `sam` needs a network's masks, networks need weights
        if (node.arm and (not only or node.arm in only)) or node.name in names:
            names |= {node.name, *node.needs}
    return [node for node in nodes if node.name in names]


def pretraining_names(study: StudyConfig) -> list[str]:
    """Return the runs that pretrain, by their number; one alone has none."""
    if study.pretrain is None:
        return []
    number = study.pretrain.seeds
    return [PRETRAIN] if number == 1 else [f"{PRETRAIN}-{index}" for index in range(number)]


def pretraining_of(study: StudyConfig, arm: Arm, seed: int) -> str:
    """Return the pretraining that a seed of an arm begins with: each seed takes the next, and then the first again."""
    names = pretraining_names(study)
    return names[seeds_of(study, arm).index(seed) % len(names)]


def _pretrain_nodes(study: StudyConfig) -> list[Node]:
    if study.pretrain is None:
        return []
    config = _pretrain(study.pretrain)
    return [
        Node(name, "pretrain", config.model_copy(update={"seed": config.seed + index}))
        for index, name in enumerate(pretraining_names(study))
    ]


def _reference_node(study: StudyConfig) -> Node | None:
    if study.reference.supervised is None or study.classify is None:
        return None
    return Node(REFERENCE, "classify", _classify(study, study.reference.supervised))


# -- one run of an arm, by its kind
def classify_node(study: StudyConfig, arm: Arm, seed: int, out: StudyFolder) -> Node:
    """Return the run of a setting; the one whose features are shown keeps them."""
    settings, needs = _started(study, arm, seed, out)
    if arm.name == study.embed_arm and seed == study.seeds[0]:
        settings["keep_features"] = study.embed_samples
    if arm.trained == "head" and study.classify is not None:
        settings["head_solver"] = arm.head_solver or study.classify.head_solver
        if settings["head_solver"] == "lbfgs":
            settings["head_views"] = study.classify.head_views
    node = Node(arm.run_name(seed), arm.task, _classify(study, settings), needs, arm.name)
    assert study.classify is not None, "arms_of has checked it"
    if arm.as_long_as:
        return _twin(study, arm, seed, node)
    return _with_rates(study, arm, seed, node, study.classify.lr_factors)


def segment_node(study: StudyConfig, arm: Arm, seed: int, out: StudyFolder) -> Node:
    """Return the run of a network that draws masks."""
    settings, needs = _started(study, arm, seed, out)
    node = Node(arm.run_name(seed), arm.task, _segment(study, settings), needs, arm.name)
    assert study.segment is not None, "arms_of has checked it"
    if arm.as_long_as:
        return _twin(study, arm, seed, node)
    return _with_rates(study, arm, seed, node, study.segment.lr_factors)


def _with_rates(study: StudyConfig, arm: Arm, seed: int, node: Node, factors: Sequence[float]) -> Node:
    """Let the first seed choose a learning rate, and the others keep it; what has no rate stays as it is."""
    config = node.config
    assert isinstance(config, ClassifyConfig | SegmentConfig), "what an arm trains"
    if config.tune or (isinstance(config, ClassifyConfig) and config.fits_head):
        return node
    rates = tuple(float(f"{factor * config.optim.lr:.3g}") for factor in factors)
    if len(rates) == 1:
        return node if factors[0] == 1 else replace(node, config=at_rate(config, rates[0]))
    first = seeds_of(study, arm)[0]
    if seed == first:
        return replace(node, config=config.model_copy(update={"tune": rates}))
    return node.ruled(RateOf(arm.run_name(first)))


def _twin(study: StudyConfig, arm: Arm, seed: int, node: Node) -> Node:
    """Let a run take the learning rate of its base, and epochs for the time that pretraining and another arm took."""
    base, other = parse_arm(arm.base), parse_arm(arm.as_long_as)
    first = base.run_name(seeds_of(study, base)[0])
    others = (pretraining_of(study, other, seed), other.run_name(seed))
    return node.ruled(RateOf(first), EpochsFor(base.run_name(seed), others))


def prompt_node(study: StudyConfig, arm: Arm, seed: int, out: StudyFolder) -> Node:
    """Return the judging of a promptable engine, which takes the masks of another arm along.

    Raises:
        ConfigError: the arm whose masks it takes is not of this study.
    """
    assert study.segment is not None, "arms_of has checked it"
    other = next((other for other in arms_of(study) if other.name == study.prompt.superpixel_vote), None)
    if study.prompt.superpixel_vote and other is None:
        raise ConfigError(
            f"prompt.superpixel_vote = {study.prompt.superpixel_vote!r}: not an arm of this study; name one, or take ''"
        )
    snapped = other.run_name(seeds_of(study, other)[0]) if other is not None else ""
    settings = study.prompt.model_dump() | {
        "seed": seed,
        "superpixel_vote": str(out.run_path(snapped)) if snapped else "",
    }
    data = {"data": study.segment.data.model_dump(exclude_unset=True)}
    config = resolve(PromptConfig, file=data, flags=settings, where="study, prompt")
    return Node(arm.run_name(seed), arm.task, config, (snapped,) if snapped else (), arm.name)


def _started(study: StudyConfig, arm: Arm, seed: int, out: StudyFolder) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the settings of an arm's run with where its weights come from, and the runs that it needs for them."""
    settings, weights = {"seed": seed, **arm.settings}, arm.network_of or arm.weights
    if weights == "own":
        pretraining = pretraining_of(study, arm, seed)
        return settings | {"init": str(out.run_path(pretraining))}, (pretraining,)
    if weights == "reference" and study.reference.supervised is not None and study.classify is not None:
        return settings | {"init": str(out.run_path(REFERENCE))}, (REFERENCE,)
    if weights == "reference":
        return settings | {"init": "reference", "reference": study.reference.weights}, ()
    return settings, ()


def arm_config(study: StudyConfig, arm: Arm) -> BackboneConfig | None:
    """Return the configuration of an arm before its weights are known; None of what trains no network."""
    make = {"classify": _classify, "segment": _segment}.get(arm.task)
    return make(study, arm.settings) if make is not None else None


def pretrained_config(study: StudyConfig) -> PretrainConfig | None:
    """Return the configuration of the study's own pretraining; None where it has none."""
    return _pretrain(study.pretrain) if study.pretrain is not None else None


def reference_config(study: StudyConfig) -> ClassifyConfig | None:
    """Return the configuration that trains the reference here; None where it is published."""
    supervised = study.reference.supervised
    return _classify(study, supervised) if supervised is not None and study.classify is not None else None


def _architecture(study: StudyConfig) -> dict[str, Any]:
    """Return backbone and stem as pretrained, for every network of the study unless it says otherwise."""
    if study.pretrain is None:
        return {}
    config = _pretrain(study.pretrain)
    return {"backbone": config.backbone, "stem": config.stem}


def _pretrain(block: StudyPretrain) -> PretrainConfig:
    file: dict[str, Any] = {"data": block.data.model_dump(exclude_unset=True), **block.set}
    where = f"study, pretrain ({block.recipe})"
    return resolve(PretrainConfig, recipe=recipes.layer(block.recipe), file=file, where=where)


def _classify(study: StudyConfig, settings: dict[str, Any]) -> ClassifyConfig:
    assert study.classify is not None, "arms_of has checked it"
    data = {"data": study.classify.data.model_dump(exclude_unset=True)}
    file = merge(data, study.classify.set)
    return resolve(ClassifyConfig, recipe=_architecture(study), file=file, flags=settings, where="study, classify")


def _segment(study: StudyConfig, settings: dict[str, Any]) -> SegmentConfig:
    assert study.segment is not None, "arms_of has checked it"
    data = {"data": study.segment.data.model_dump(exclude_unset=True)}
    file = merge(data, study.segment.set)
    return resolve(SegmentConfig, recipe=_architecture(study), file=file, flags=settings, where="study, segment")
