"""Label efficiency: arms trained on fractions of the labels, and how many labels one saves against another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sightline.config import ClassifyConfig, StudyConfig
from sightline.errors import ConfigError
from sightline.runs.kinds import import_dotted
from sightline.runs.results import ClassifyResult
from sightline.runs.study_result import LabelCurve, LabelEfficiency, LabelPoint, LabelsSaved
from sightline.study.arms import Arm, arms_of, metric_of
from sightline.study.node import Node, RateOf

if TYPE_CHECKING:
    from sightline.runs import RunFolder

ALL = 1.0  # the fraction at which an arm's own runs stand


def arms_with_curves(study: StudyConfig, arms: Sequence[Arm]) -> list[Arm]:
    """Return the arms that are trained on fractions of the labels.

    Raises:
        ConfigError: an arm that is not of this study, or has no labels to do without.
    """
    block = study.labels
    if block is None:
        return []
    can = [arm for arm in arms if arm.task == "classify" and not arm.as_long_as]
    if wrong := [name for name in block.arms if name not in {arm.name for arm in can}]:
        raise ConfigError(
            f"labels.arms {', '.join(wrong)}: no arm of classification of this study that is trained by epochs of the "
            f"study; it has {', '.join(arm.name for arm in can) or 'none'}"
        )
    if study.classify is not None and study.classify.set.get("label_fraction", ALL) != ALL:
        raise ConfigError(
            "labels and classify.set.label_fraction: one takes the other's place; leave out label_fraction, the arms "
            "themselves then have all labels"
        )
    return [arm for arm in can if not block.arms or arm.name in block.arms]


def draws_of(study: StudyConfig) -> tuple[int, ...]:
    """Return the seed of each draw of the labels.

    Raises:
        ConfigError: more draws than seeds.
    """
    assert study.labels is not None, "asked of studies with curves only"
    number = study.labels.draws or len(study.seeds)
    if number > len(study.seeds):
        raise ConfigError(
            f"labels.draws = {number}: each draw has a seed of its own, and the study has {len(study.seeds)}; "
            "add seeds, or take fewer draws"
        )
    return study.seeds[:number]


def run_name(arm: Arm, seed: int, fraction: float) -> str:
    """Return the run of an arm on a fraction of the labels; all of them are the arm's own run's."""
    return arm.run_name(seed) if fraction == ALL else f"{arm.run_name(seed)}-labels-{fraction:g}"


def with_labels(study: StudyConfig, arms: Sequence[Arm], nodes: Sequence[Node], features: str) -> list[Node]:
    """Return the nodes with a run for each arm, draw and fraction, each behind the arm's own.

    A fraction is trained at the learning rate of its arm, with more epochs the fewer labels there are.

    Args:
        study: with a block `labels`, or without.
        arms: of the study.
        nodes: of the arms.
        features: folder where runs on one backbone share its features.
    """
    if study.labels is None:
        return list(nodes)
    draws = draws_of(study)
    asked = {arm.run_name(seed): (arm, seed) for arm in arms_with_curves(study, arms) for seed in draws}
    fractions = sorted({*study.labels.fractions} - {ALL}, reverse=True)
    expanded: list[Node] = []
    for node in nodes:
        if node.name not in asked:
            expanded.append(node)
            continue
        arm, seed = asked[node.name]
        whole = _sharing(node, features)
        expanded.append(whole)
        for fraction in fractions:
            expanded.append(_fraction_node(study, whole, run_name(arm, seed, fraction), fraction, draws.index(seed)))
    return expanded


def _sharing(node: Node, features: str) -> Node:
    config = node.config
    assert isinstance(config, ClassifyConfig), "arms with labels are of this kind"
    if not config.fits_head:
        return node
    return replace(node, config=config.model_copy(update={"shared_features": features}))


def _fraction_node(study: StudyConfig, whole: Node, name: str, fraction: float, draw: int) -> Node:
    config = whole.config
    assert study.labels is not None, "there are fractions"
    assert isinstance(config, ClassifyConfig), "arms with labels are of this kind"
    changes = {"label_fraction": fraction, "label_draw": draw, "keep_features": 0, "tune": ()}
    if not config.fits_head:
        changes["epochs"] = round(config.epochs * (1 / fraction) ** study.labels.epochs_power)
    node = replace(whole, name=name, config=config.model_copy(update=changes))
    return node.ruled(RateOf(whole.name)) if config.tune else node


# -- what they say
def label_efficiency(
    study: StudyConfig, runs: Mapping[str, RunFolder], reasons: Mapping[str, str]
) -> LabelEfficiency | None:
    """Return the curves of the arms whose runs are done, and what they save; None where none is asked for.

    Args:
        study: its configuration.
        runs: the finished runs by name.
        reasons: of the others, why they are not done.
    """
    if study.labels is None:
        return None
    arms = arms_with_curves(study, arms_of(study))
    curves = [_curve(study, arm, runs, reasons) for arm in arms]
    plain = next((arm.name for arm in arms if arm.weights == "random" and arm.trained == "all"), "")
    base = next((curve for curve in curves if curve.arm == plain), None)
    others = [curve for curve in curves if curve is not base]
    saved = [of for curve in others for of in _saved(study, arms, curve, base)] if base is not None else []
    return LabelEfficiency(draws=len(draws_of(study)), curves=tuple(curves), saved=tuple(saved))


def _curve(study: StudyConfig, arm: Arm, runs: Mapping[str, RunFolder], reasons: Mapping[str, str]) -> LabelCurve:
    """Return the points at which all draws are done, and why others are not."""
    assert study.labels is not None, "there are fractions"
    metric, draws = metric_of(study, arm), draws_of(study)
    points: list[LabelPoint] = []
    missing: dict[str, str] = {}
    for fraction in sorted({*study.labels.fractions}):
        names = [run_name(arm, seed, fraction) for seed in draws]
        done = [runs[name] for name in names if name in runs]
        missing |= {name: reasons.get(name, "not asked for") for name in names if name not in runs}
        if len(done) < len(draws):
            continue
        summary = import_dotted(metric.evidence)(done).summary()
        points.append(
            LabelPoint(
                fraction=fraction, labels=done[0].result_as(ClassifyResult).trained_on, mean=summary.mean,
                low=summary.low, high=summary.high, n=summary.n, seeds=summary.seeds,
            )
        )  # fmt: skip
    return LabelCurve(
        arm=arm.name, name=arm.title, metric=metric.name, points=tuple(points), missing=missing or None
    )  # fmt: skip


def _saved(study: StudyConfig, arms: Sequence[Arm], curve: LabelCurve, base: LabelCurve) -> list[LabelsSaved]:
    """Return for each point of a curve how many labels the other needs to get there."""
    # Imported here, where statistics are needed: a run in a process of its own, and a plan, do without them.
    import numpy as np

    from sightline.metrics.labels import labels_needed

    if len(base.points) < 2:
        return []
    arm = next(arm for arm in arms if arm.name == curve.arm)
    sign = 1 if metric_of(study, arm).better == "higher" else -1
    labels = np.array([point.labels for point in base.points], np.float64)
    scores = sign * np.array([point.seeds for point in base.points]).T
    saved = []
    for point in curve.points:
        needed = labels_needed(labels, scores, sign * np.array(point.seeds))
        within = 0 < needed.labels < float("inf")
        saved.append(
            LabelsSaved(
                a=curve.arm, b=base.arm, fraction=point.fraction, labels=point.labels,
                reached="within" if within else "below" if needed.labels == 0 else "beyond",
                needed=needed.labels if within else None, low=needed.low, high=needed.high,
                fewest=base.points[0].labels, most=base.points[-1].labels,
            )
        )  # fmt: skip
    return saved
