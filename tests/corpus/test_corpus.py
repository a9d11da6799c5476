"""Every input of the corpus gives what its line says."""

from __future__ import annotations

from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest

from corpus.case import Case

TABLES = sorted(
    path.stem for path in Path(__file__).parent.glob("[a-z]*.py") if path.stem not in ("case", "page", "test_corpus")
)
CASES: list[tuple[str, Case]] = [(table, case) for table in TABLES for case in import_module(f"corpus.{table}").CASES]


@pytest.mark.parametrize("case", [case for _, case in CASES], ids=[f"{table}: {case.name}" for table, case in CASES])
def test_input(case: Case, tmp_path: Path):
    case.check(tmp_path)


def test_each_line_stands_once():
    twice = [name for name, count in Counter((table, case.name) for table, case in CASES).items() if count > 1]
    assert not twice
