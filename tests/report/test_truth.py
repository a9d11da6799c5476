"""Each number of result.json that the answers and tables show is read from it: change it, and the page changes."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from fake_study import write_study

from sightline.report.answers import answers
from sightline.report.document import Table
from sightline.report.results import between, blocks
from sightline.runs import StudyFolder
from sightline.runs.study_result import StudyResult

# What no answer and no table of these shows: the uncorrected p, which CSV has.
UNSHOWN = {"p_raw"}


def shown(content: dict[str, Any]) -> str:
    """Return the answers and the tables of arms, comparisons and classes as text."""
    result = StudyResult.from_dict(content)
    tables = [asdict(block) for block in blocks(result.arms, between(result, result.arms)) if isinstance(block, Table)]
    return str([answers(result), tables])


def numbers(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of each number."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from numbers(item, (*path, key))
    elif isinstance(value, list):
        for key, item in enumerate(value):
            yield from numbers(item, (*path, key))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder: Path = write_study(tmp_path_factory.mktemp("study"), missing=("B", "D", "E"))
    result = StudyFolder(folder).result.to_dict()
    # Beside what is decided, the smallest difference that could have been shown is not told.
    result["comparisons"][0]["verdict"] = "undecided"
    return result


def test_each_number_of_arms_and_comparisons_is_shown_and_changes_with_the_result(content: dict[str, Any]):
    before = shown(content)
    paths = [path for key in ("arms", "comparisons") for path in numbers(content[key], (key,))]
    paths = [path for path in paths if path[-1] not in UNSHOWN]
    assert {"mean", "low", "high", "n", "seconds", "images_seen", "difference", "p", "detectable"} <= {
        p[-1] for p in paths
    }
    for path in paths:
        changed = copy.deepcopy(content)
        *above, last = path
        place = changed
        for key in above:
            place = place[key]
        place[last] = place[last] * 2 + (1 if isinstance(place[last], int) else 0.03)
        assert shown(changed) != before, path
