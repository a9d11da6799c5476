from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from sightline.figures import (
    Panel,
    arm_panel,
    class_keys,
    difference_panel,
    health_panels,
    learning_panels,
    png,
    schedule_panels,
    svg,
    tsne_panels,
)
from sightline.figures.curves import by_epoch, mean_over_seeds
from sightline.runs.metrics import METRICS
from sightline.runs.results import COMMON_HEALTH, HealthPlot
from sightline.runs.study_result import ArmResult, ArmScore, Comparison
from sightline.study.arms import parse_arm


def lines(epochs: int = 4, offset: float = 0.0) -> list[dict[str, Any]]:
    return [
        {
            "step": 2 * e, "epoch": e, "loss": 2 - e / 9, "val/accuracy": 0.2 + e / 9 + offset, "lr": 0.1,
            "health/loss_over_ln_k": 0.9, "health/kl_to_uniform": 3.0, "knn/accuracy": 0.3,
        }
        for e in range(epochs)
    ]  # fmt: skip


def arms(name: str = "a < b & $x$") -> list[ArmResult]:
    score = ArmScore(mean=0.5, low=0.45, high=0.56, n=10, seeds=(0.49, 0.51), per_class={}, seconds=1.0, images_seen=1)
    head = {"task": "classify", "metric": "accuracy", "parts": parse_arm("A").parts((0, 1))}
    return [
        ArmResult(arm="A", name=name, status="done", reason="", score=score, **head),
        ArmResult(arm="B", name="b", status="not run", reason="x", **head),
    ]


def every_panel() -> list[Panel]:
    compared = [Comparison(a="C", b="A", difference=0.1, low=0.05, high=0.2, p_raw=0.01, p=0.01, verdict="higher")]
    points = np.random.default_rng(0).normal(size=(30, 2))
    plots = (
        HealthPlot(name="health/loss_over_ln_k", title="Loss / ln K", words="1 is a guess", reference=1.0),
        HealthPlot(name="health/kl_to_uniform", title="KL", words="in nats", reference=4.2, reference_from=2.1),
        *COMMON_HEALTH,
    )
    return [
        arm_panel(arms()), difference_panel(compared, METRICS["accuracy"]),
        *learning_panels({"A": [lines(), lines(3, 0.1)], "B": []}),
        *health_panels(lines(), plots), *schedule_panels(lines()),
        *tsne_panels(points, points, ["猫", "$dog"] * 15),
    ]  # fmt: skip


@pytest.mark.parametrize("panel", every_panel(), ids=lambda panel: panel.name)
def test_svg_is_well_formed_repeats_and_refers_to_nothing_outside(panel: Panel):
    text = svg(panel)
    assert text == svg(panel)
    root = ElementTree.fromstring(text)
    assert root.get("role") == "img"
    assert (root.get("aria-label") or "").startswith(panel.title)
    assert "http" not in text
    assert "<style" not in text


def test_identifiers_of_two_panels_do_not_meet():
    ids = [{e.get("id") for e in ElementTree.fromstring(svg(p)).iter() if e.get("id")} for p in every_panel()]
    assert sum(len(own) for own in ids) == len(set().union(*ids))


def test_png_repeats(tmp_path: Path):
    panels = tsne_panels(np.eye(2), np.eye(2), ["a", "b"])
    first, second = (png(panels, tmp_path / f / "x.png", keys=class_keys(["a", "b"])).read_bytes() for f in "ab")
    assert first == second
    with Image.open(tmp_path / "a" / "x.png") as image:
        assert image.width > image.height


def test_a_line_to_compare_with_is_drawn_only_where_the_curve_comes_near_it():
    near, far = (
        HealthPlot(
            name="health/kl_to_uniform", title="KL", words="in nats", reference=8.0, reference_label="ln K",
            reference_from=bound,
        )
        for bound in (2.9, 3.1)
    )  # fmt: skip
    first, second = health_panels(lines(), (near, far))
    assert "the line at 8 is ln K" in first.description
    assert "ln K" not in second.description


def test_nothing_to_draw_gives_no_panels():
    assert learning_panels({"A": []}) == []
    assert health_panels([{"step": 1, "epoch": 0, "loss": 1.0}]) == []


def test_an_epoch_is_the_mean_of_its_lines():
    x, y = by_epoch([{"epoch": 0, "loss": 1.0}, {"epoch": 0, "loss": 3.0}, {"epoch": 2, "loss": 5.0}], "train/loss")
    assert x.tolist() == [1, 3]
    assert y.tolist() == [2.0, 5.0]


def test_seeds_of_different_length_are_averaged_where_they_are():
    runs = [(np.array([1, 2]), np.array([0.0, 1.0])), (np.array([1]), np.array([1.0]))]
    epochs, mean, low, high = mean_over_seeds(runs)
    assert epochs.tolist() == [1, 2]
    assert mean.tolist() == [0.5, 1.0]
    assert (low.tolist(), high.tolist()) == ([0.0, 1.0], [1.0, 1.0])


def test_sixty_classes_are_told_apart():
    keys = class_keys([f"class {i:02d}" for i in range(60)])
    assert len({(key.color, key.marker) for key in keys}) == 60


def test_text_in_any_script_gives_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        svg(arm_panel(arms("猫")[:1]))
