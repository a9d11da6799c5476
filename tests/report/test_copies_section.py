"""Scores without the copies of test images are those of the other images, and stand beside the scores of all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from fake_study import SEEDS, TEST, write_classify, write_study

from sightline.report import write
from sightline.runs import RunFolder, StudyFolder
from sightline.runs.clean_run import CleanRun
from sightline.runs.copies import CopiesInTest
from sightline.study.copies import clean_scores
from sightline.study.evidence import Accuracy, MeanIou


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_study(tmp_path_factory.mktemp("study"))


def copies_of(run: RunFolder) -> CopiesInTest:
    """Take what this run got right for copies: without them nothing is right."""
    right = [row["id"] for row in run.predictions().to_pylist() if row["correct"]]
    return CopiesInTest(n=TEST, train=tuple(right[:-1]), unlabelled=tuple(right[-2:]), key="k")


def test_scores_without_copies_are_those_of_the_other_images(folder: Path):
    run = RunFolder.open(folder / "runs" / "A-0")
    copies = copies_of(run)
    assert len(copies.ids) == run.predictions()["correct"].to_numpy(zero_copy_only=False).sum()
    found = clean_scores(copies, {"A": [run]}, {"A": Accuracy.of})
    assert found.scores["A"].mean == 0
    assert found.scores["A"].n == TEST - len(copies.ids)
    nothing = CopiesInTest(n=TEST, train=(), key="k")
    assert clean_scores(nothing, {"A": [run]}, {"A": Accuracy.of}).scores == {}


def test_counts_of_tiles_are_left_out_too(tmp_path: Path):
    run = write_classify(tmp_path / "run", 0, 0.5, "all")
    counts = np.array([[[5, 1], [2, 8]], [[0, 9], [9, 0]], [[4, 0], [0, 4]]])
    run.write_arrays("counts.npz", counts=counts, ids=np.array(["a", "copy", "b"]), scenes=np.array(["s", "s", "t"]))
    arrays = CleanRun(run, {"copy"}).arrays("counts.npz")
    assert arrays["ids"].tolist() == ["a", "b"]
    assert arrays["scenes"].tolist() == ["s", "t"]
    assert MeanIou(arrays["counts"][None], ["x", "y"], None).summary().n == 2


def test_the_report_shows_both_and_the_result_keeps_them(folder: Path):
    study = StudyFolder(folder)
    runs = {arm: [RunFolder.open(folder / "runs" / f"{arm}-{seed}") for seed in SEEDS] for arm in "AC"}
    copies = clean_scores(copies_of(runs["A"][0]), runs, dict.fromkeys("AC", Accuracy.of))
    content = json.loads((folder / "result.json").read_text()) | {"copies": {"labelled": copies.to_dict()}}
    (folder / "result.json").write_text(json.dumps(content))
    assert study.result.copies["labelled"] == copies
    text = write(folder)[1].read_text(encoding="utf-8")
    assert f"{len(copies.train)} among the images of training and validation" in text
    for arm in "AC":
        clean = copies.scores[arm]
        row = next(line for line in text.splitlines() if line.startswith(f"| {arm} |") and f"| {clean.n} |" in line)
        assert f"{100 * clean.mean:.1f}" in row
        assert f"{100 * study.result[arm].value:.1f}" in row
