"""What was done, in sentences: long enough for a methods section, and read from what was run."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fake_study import write_study

from sightline.files.atomic import write_json
from sightline.report.face import StudyView
from sightline.report.methods import methods_text
from sightline.report.study_page import study_document
from sightline.runs import StudyFolder, read_json
from sightline.runs.artifacts import RESULT

SHORTEST, LONGEST = 150, 300  # words


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    return StudyFolder(write_study(tmp_path_factory.mktemp("study")))


def test_it_says_what_a_methods_section_needs_in_few_words(folder: StudyFolder):
    view = StudyView.of(folder)
    paragraphs = methods_text(view)
    text = " ".join(paragraphs).replace("\u202f", " ")
    assert SHORTEST <= len(text.split()) <= LONGEST
    for said in (
        "by DINO, from random weights, on 2 560 images of photos/unlabelled", "sgd with a learning rate of 0.03",
        "10 epochs of warm-up, then a cosine to 1e-06", "random crops of 50 % to 100 % of the area",
        "650 for train, 140 for val, 140 for test; 7 classes", "in batches of 32 images", "Each arm had 3 seeds",
        "decide below 0.05",
    ):  # fmt: skip
        assert said in text, said
    (section,) = (section for section in study_document(folder.path).sections if section.anchor == "implementation")
    assert vars(section.blocks[0])["paragraphs"] == paragraphs


def test_it_says_nothing_of_what_did_not_run(folder: StudyFolder):
    view = StudyView.of(folder)
    alone = replace(view, runs={name: run for name, run in view.runs.items() if name != "pretrain"})
    assert not any("pretrained" in paragraph for paragraph in methods_text(alone))
    content = read_json(folder.path / RESULT)
    write_json(folder.path / RESULT, content | {"comparisons": []})
    assert not any("p-values" in paragraph for paragraph in methods_text(StudyView.of(folder)))
    write_json(folder.path / RESULT, content)
