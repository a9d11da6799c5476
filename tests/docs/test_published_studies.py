"""The study files beside the published results are read by the commands of today."""

from __future__ import annotations

from pathlib import Path

import pytest

from sightline.study import read_study

FILES = sorted((Path(__file__).parents[2] / "docs" / "results").glob("*/study.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_a_published_study_file_is_read(file: Path):
    assert read_study(str(file)).arms


def test_there_are_some():
    assert len(FILES) >= 4
