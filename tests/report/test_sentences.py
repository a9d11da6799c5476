from __future__ import annotations

from typing import Any

import pytest

from sightline.report.sentences import answers, comparison_sentence, count, duration, p_value, points


def result(verdicts: dict[str, str], missing: str = "", low: float = 0.01) -> dict[str, Any]:
    arms = [
        {"arm": a, "name": "", "status": "failed", "reason": "the loss is not finite"}
        if a in missing
        else {"arm": a, "name": "", "status": "done", "mean": 0.5, "n": 1200, "seeds": [0.5, 0.5]}
        for a in "ABCDE"
    ]
    compared = [
        {"a": pair[0], "b": pair[1], "difference": 0.02, "low": low, "high": 0.03, "p": 0.0004, "verdict": verdict}
        for pair, verdict in verdicts.items()
    ]
    return {"arms": arms, "comparisons": compared}


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


def test_a_missing_arm_is_named_with_its_reason():
    sentence = comparison_sentence(result({}, missing="B"), "B", "C").replace("\u00a0", " ")
    assert sentence == "B − C cannot be given: B: failed, the loss is not finite."


def test_an_interval_without_zero_does_not_decide():
    assert "the p-value corrected" in comparison_sentence(result({"CA": "undecided"}), "C", "A")
    assert "the p-value corrected" not in comparison_sentence(result({"CA": "undecided"}, low=-0.01), "C", "A")


def test_numbers_as_text():
    assert points(-0.0004) == "0.0"
    assert points(-0.104) == "−10.4"
    assert p_value(0.0004).replace("\u00a0", " ") == "p < 0.001"
    assert p_value(0.0124).replace("\u00a0", " ") == "p = 0.012"
    assert count(1234567) == "1\u202f234\u202f567"
    assert [duration(s) for s in (4.21, 59.96, 425, 7800)] == ["4.2 s", "1 min 00 s", "7 min 05 s", "2 h 10 min"]
