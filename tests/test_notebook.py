"""The notebook runs from top to bottom, and what it shows is what the results hold."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sightline as sl
from sightline import notebook
from sightline.api import keywords_text

NOTEBOOK = Path(__file__).parents[1] / "examples" / "start.ipynb"


@pytest.fixture(scope="module")
def names(tmp_path_factory) -> dict[str, Any]:
    """Return what the cells of the notebook define."""
    cells = [cell for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    names: dict[str, Any] = {"__name__": "notebook"}
    with pytest.MonkeyPatch.context() as patch:
        base = tmp_path_factory.mktemp("notebook")
        patch.setenv("SIGHTLINE_CACHE", str(base / "cache"))
        patch.setattr("tempfile.tempdir", str(base))
        for number, cell in enumerate(cells):
            exec(compile("".join(cell["source"]), f"{NOTEBOOK.name}, cell {number}", "exec"), names)
    return names


def test_the_same_picture_in_any_form_has_the_same_label(names):
    labels = names["labels"]
    assert labels.ids == tuple(f"{number:06d}.png" for number in range(4))
    for row in labels.probabilities[2:]:
        np.testing.assert_allclose(row, labels.probabilities[1], atol=1e-6)
    assert repr(labels).startswith("LabelPredictions(4 images, 3 classes")
    assert "000003.png" in labels._repr_html_()


def test_a_check_tells_counts(names):
    assert names["found"].value("images") == 60
    assert "class steep" in names["found"]._repr_html_()


def test_a_run_shows_score_and_report_and_is_the_same_by_any_path(names, monkeypatch):
    run = names["run"]
    html = run._repr_html_()
    assert names["page"].absolute().as_uri() in html
    assert f"{run.accuracy:.4g}" in html
    monkeypatch.chdir(run.path.parent)
    assert sl.load(run.path.name) == sl.load(os.path.relpath(run.path)) == run


def test_masks_show_the_best_one(names):
    masks = names["masks"]
    assert masks[0][32, 32]
    assert not masks[0][0, 0]
    assert "data:image/png;base64," in masks._repr_html_()
    assert repr(masks).startswith(f"PromptResult({len(masks)} masks of 64 x 64, graphcut")


def test_a_mistake_names_the_keyword(names):
    assert "add resume=True to go on with it" in names["mistake"]
    assert "--" not in names["mistake"]


@pytest.mark.parametrize(
    ("flags", "keywords"),
    [
        ("add --resume (in Python resume=True) to go on", "add resume=True to go on"),
        ("lower it (--set optim.lr=0.1)", 'lower it (optim={"lr": 0.1})'),
        ("--set batch_size=2 --set accumulate=1", "batch_size=2 accumulate=1"),
        ("use --engine sam or --label-fraction", "use engine sam or label_fraction"),
        ("a - b -- c", "a - b -- c"),
    ],
)
def test_messages_in_python(flags: str, keywords: str):
    assert keywords_text(flags) == keywords


def test_tables_are_escaped_and_short():
    html = notebook.table([{"<a>": "<script>"}] * 12)
    assert "<script>" not in html
    assert html.count("<tr>") == 11
    assert "and 2 more" in html
