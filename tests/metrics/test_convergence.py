"""`still_rising` on curves made by hand, and on the real ones that its page is about."""

from __future__ import annotations

import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

from sightline.metrics.convergence import still_rising

ROOT = Path(__file__).parents[2]
EPOCHS = np.arange(1, 31)


@pytest.mark.parametrize(
    ("curve", "rising"),
    [
        ((), False),  # a head fitted by L-BFGS has no epochs
        ((0.3,), True),
        ((0.3, 0.4), True),
        ((0.4, 0.4, 0.3), False),
        ((0.3, 0.4, 0.5, 0.6, 0.6, 0.6), True),  # too few to show that it has ended
        (0.2 + 0.01 * EPOCHS, True),
        (0.8 - 0.6 * np.exp(-EPOCHS / 4), False),
        (0.8 - 0.6 * np.exp(-EPOCHS / 20), True),
        (np.full(30, 0.5), False),
        (np.where(EPOCHS < 15, 0.02 * EPOCHS, 0.6 - 0.02 * EPOCHS), False),  # it fell at the end
        ((0.2, float("nan"), 0.3, 0.5, 0.6, 0.7), True),
    ],
)
def test_curves_made_by_hand(curve, rising):
    assert still_rising(curve) is rising


def test_noise_around_a_level_rises_seldom():
    rng = np.random.default_rng(0)
    curves = 0.7 - 0.5 * np.exp(-EPOCHS / 3) + rng.normal(0, 0.02, (400, len(EPOCHS)))
    assert np.mean([still_rising(curve) for curve in curves]) < 0.05


def test_the_real_curves_of_the_page_are_told_apart(monkeypatch):
    spec = spec_from_file_location("convergence", ROOT / "benchmarks" / "convergence.py")
    assert spec is not None
    assert spec.loader is not None
    script = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "convergence", script)  # dataclasses look there
    spec.loader.exec_module(script)
    folder = ROOT / "docs" / "benchmarks"
    curves = json.loads((folder / script.CURVES).read_text(encoding="utf-8"))
    found = [(state, flagged) for *_, state, flagged in script.cases(curves)]
    cut, finished = ([flagged for other, flagged in found if other == state] for state in ("cut", "finished"))
    assert len(curves) >= 40
    assert len(cut) > 20
    assert all(cut)
    assert np.mean(finished) <= 0.05
    assert "\n".join(script.page(curves)) + "\n" == (folder / "convergence.md").read_text(encoding="utf-8")
