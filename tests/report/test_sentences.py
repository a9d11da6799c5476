from __future__ import annotations

import re
from dataclasses import replace

import pytest

from sightline.report.answers import answers
from sightline.report.sentences import comparison_sentence
from sightline.runs.info import Provenance
from sightline.runs.metrics import METRICS
from sightline.runs.numbers import count, duration, p_value
from sightline.runs.results import Network
from sightline.runs.study_result import ArmResult, ArmScore, Comparison, Reference, StudyResult
from sightline.study.arms import parse_arm, questions_of


def result(verdicts: dict[str, str], missing: str = "", low: float = 0.01, metric: str = "accuracy") -> StudyResult:
    score = ArmScore(mean=0.5, low=0.4, high=0.6, n=1200, seeds=(0.5, 0.5), per_class={}, seconds=1, images_seen=1)
    arms = []
    for name in "ABCDE":
        head = {"arm": name, "name": "", "task": "classify", "metric": metric, "parts": parse_arm(name).parts((0, 1))}
        state = {"status": "failed", "reason": "the loss is not finite"} if name in missing else {
            "status": "done", "reason": "", "score": score}  # fmt: skip
        arms.append(ArmResult(**head, **state))
    compared = [
        Comparison(a=a, b=b, difference=0.02, low=low, high=0.03, p_raw=0.0004, p=0.0004, verdict=verdict)
        for (a, b), verdict in verdicts.items()
    ]
    return StudyResult(
        name="", notes="", arms=tuple(arms), comparisons=tuple(compared),
        questions=tuple(questions_of([parse_arm(name) for name in "ABCDE"])), embedding=None, pretrain=None,
        reference=Reference(name="", trained_here=False), data={}, provenance=Provenance(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("verdicts", "short"),
    [
        ({"CA": "higher"}, ("Yes, here it does.", "Cannot be said: a needed arm did not run.")),
        ({"CA": "lower", "CE": "lower", "BD": "lower"}, ("No, here it does harm.", "Freeze.")),
        ({"CA": "undecided", "CE": "higher", "BD": "higher"}, ("Not shown by this study.", "Fine-tune.")),
        ({"CE": "higher", "BD": "lower"}, ("Cannot be said: a needed arm did not run.", "It depends on the weights.")),
        (
            {"CE": "undecided", "BD": "lower"},
            ("Cannot be said: a needed arm did not run.", "B against D: Freeze. The other pair is undecided."),
        ),
    ],
)
def test_short_answers(verdicts: dict[str, str], short: tuple[str, str]):
    assert tuple(answer.short for answer in answers(result(verdicts))[:2]) == short


def test_a_missing_arm_is_named():
    sentence = comparison_sentence(result({}, missing="B"), "B", "C").replace("\u00a0", " ")
    assert sentence == "B − C cannot be given: B failed.", "why is said once, under the tables"


def test_different_networks_are_named_with_their_sizes():
    of = result({"BC": "higher"})
    networks = {
        "B": Network(backbone="resnet50", stem="published", input_size=64, parameters=23_500_000),
        "C": Network(backbone="resnet18", stem="3x3", input_size=64, parameters=11_200_000),
    }
    other = replace(of, comparisons=tuple(replace(comparison, networks=networks) for comparison in of.comparisons))
    sentence = re.sub(r"[\u00a0\u202f]", " ", comparison_sentence(other, "B", "C"))
    assert sentence.endswith(
        "; the two are different networks, B resnet50, stem published, 64 px (23 500 000 parameters) and C resnet18, "
        "stem 3x3, 64 px (11 200 000 parameters)."
    )
    (answer,) = (answer for answer in answers(other) if "reference’s" in answer.question)
    assert answer.short == "The reference’s. The networks differ too."


def test_an_interval_without_zero_does_not_decide():
    assert "the p-value corrected" in comparison_sentence(result({"CA": "undecided"}), "C", "A")
    assert "the p-value corrected" not in comparison_sentence(result({"CA": "undecided"}, low=-0.01), "C", "A")


def test_numbers_as_text():
    points, ious = METRICS["accuracy"].difference, METRICS["mean_iou"].difference
    assert points(-0.0004) == "0.0"
    assert points(-0.104) == "−10.4"
    assert (ious(0.0171), ious(-0.0001)) == ("+0.017", "0.000")
    assert p_value(0.0004).replace("\u00a0", " ") == "p < 0.001"
    assert p_value(0.0124).replace("\u00a0", " ") == "p = 0.012"
    assert count(1234567) == "1\u202f234\u202f567"
    assert [duration(s) for s in (4.21, 59.96, 425, 7800)] == ["4.2 s", "1 min 00 s", "7 min 05 s", "2 h 10 min"]
