"""Every input of the corpus gives what its line says, and docs/data.md says the same."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from corpus.case import Case
from corpus.page import PAGE, SECTIONS, tables, text

CASES = tables()


@pytest.mark.parametrize("case", [case for _, case in CASES], ids=[f"{table}: {case.name}" for table, case in CASES])
def test_input(case: Case, tmp_path: Path):
    case.check(tmp_path)


def test_each_line_stands_once():
    twice = [name for name, count in Counter((table, case.name) for table, case in CASES).items() if count > 1]
    assert not twice


def test_the_page_is_what_the_corpus_says():
    assert {case.section for _, case in CASES} - {""} == set(SECTIONS)
    assert PAGE.read_text(encoding="utf-8") == text(), "write it again: uv run python tests/corpus/page.py"
