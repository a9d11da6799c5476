"""What a page says of confused classes, confidence and styles, from the result.json of the runs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from fake_study import write_study

from sightline.figures import svg
from sightline.report.build import build_document
from sightline.report.document import Listing, Picture, Table
from sightline.runs import RunFolder
from sightline.runs.results import ClassifyResult


@pytest.fixture(scope="module")
def study_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("study"), missing=("B", "D", "E"))


def section(path: Path):
    return next(section for section in build_document(path).sections if section.anchor == "confusion")


def test_a_study_shows_each_arm_over_its_seeds_and_names_what_it_confuses(study_folder: Path):
    blocks = section(study_folder).blocks
    runs = [RunFolder.open(study_folder / "runs" / f"C-{seed}").result_as(ClassifyResult).scores for seed in (0, 1, 2)]
    confusion = np.sum([of.confusion for of in runs if of is not None], axis=0)
    np.fill_diagonal(confusion, 0)
    (words,) = (block for block in blocks if isinstance(block, Listing))
    line = re.sub("[\u00a0\u202f]", " ", next(item for item in words.items if item.startswith("C ")))
    assert f", {confusion.max()} of 60 ({100 * confusion.max() / 60:.1f} %)" in line
    numbers, styles, mistakes = (block for block in blocks if isinstance(block, Table))
    assert [row[0] for row in numbers.rows] == ["A", "C"]
    error = 100 * np.mean([of.calibration.error for of in runs if of is not None])
    assert numbers.rows[1][-1].startswith(f"{error:.1f}")
    assert [row[:2] for row in styles.rows] == [["photo", "70"], ["sketch", "70"]]
    assert len(mistakes.rows) == 10
    pictures = [block for block in blocks if isinstance(block, Picture)]
    assert [picture.name for picture in pictures] == ["confusion", "reliability"]
    for picture in pictures:
        assert len(picture.panels) == 2
        assert all(svg(panel) == svg(panel) for panel in picture.panels[:1])


def test_a_run_shows_its_own_and_an_older_one_nothing(study_folder: Path):
    run = study_folder / "runs" / "C-0"
    (words,) = (block for block in section(run).blocks if isinstance(block, Listing))
    assert words.items[0].startswith("The run confuses most often: ")
    content = (run / "result.json").read_text()
    try:
        old = RunFolder.open(run).result()
        del old["scores"]
        ClassifyResult.from_dict(old).write(run / "result.json")
        assert "confusion" not in [section.anchor for section in build_document(run).sections]
    finally:
        (run / "result.json").write_text(content)
