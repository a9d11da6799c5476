"""No figure of a sentence is typed by hand: it is read from result.json, or from the constant that rules it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import sightline
from sightline.confidence import INTERVAL, percent_of, studies_of

SOURCE = Path(sightline.__file__).parent
# What says something of results: the report and its figures, the study, how commands end.
PLACES = ("report", "study", "figures")
SAYING = [
    *(path.relative_to(SOURCE).as_posix() for place in PLACES for path in sorted((SOURCE / place).rglob("*.py"))),
    "cli/ending.py", "cli/study.py", "runs/flags.py", "runs/metrics.py", "runs/numbers.py",
]  # fmt: skip
NUMBER_WORD = r"\b(?:two|three|four|five|ten|half|dozen)\b (?:or more )?(?:seeds|studies|runs|draws)"
# Digits that are no figure: a rule of what may be given, a name, the year of a citation, the size of a layer, the ends
# of a scale by definition.
NAMES = (
    r"1 is a perfect match of masks, 0 none", r"^: 1 where [\w ]+, 0 where", r"^: 1 where neighbours",
    r"give 1 or more", r"\b[01] is a\b", r"\b[01] is collapse\b", r"\bF1\b", r"\b(?:19|20)\d\d\b", r"\b3×3\b",
    r"round,pad=0\S*",
)  # fmt: skip


def texts(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each string that reads as a part of a sentence, but for docstrings."""
    tree = ast.parse(source)
    bodies = [node.body for node in ast.walk(tree) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)]
    docstrings = {id(line.value) for body in bodies for line in body if isinstance(line, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            reads = re.search(r"[A-Za-z’]{2,}[ ,.]|[ .][A-Za-z]{2,}|\d\s?%", node.value)
            if reads and not re.search(r"[\\/]\w+[\\/]|^[\w.-]+$", node.value):
                yield node.lineno, node.value


def typed(text: str) -> list[str]:
    """Return the digits and number words of a text that are no name."""
    for name in NAMES:
        text = re.sub(name, "", " ".join(text.split("\u202f")))
    return re.findall(rf"\d[\d.]*|{NUMBER_WORD}", text)


@pytest.mark.parametrize("file", SAYING)
def test_no_sentence_has_a_typed_figure(file: str):
    found = [
        (line, text, digits)
        for line, text in texts((SOURCE / file).read_text(encoding="utf-8"))
        if (digits := typed(text))
    ]
    assert not found, "take it from result.json or from the constant that rules it"


def test_the_scan_sees_what_stood_there():
    lines = (
        'A = "Line: its 95 % interval."',
        'B = f"{a} ({b}; in four studies of five, below 0.05)"',
        'C = "Macro F1 (2007)"',
    )
    source = "\n".join(lines)
    assert [typed(text) for _, text in sorted(texts(source))] == [["95"], ["four studies", "0.05"], []]


def test_words_follow_the_levels():
    assert INTERVAL == "95\u202f% interval"
    assert percent_of(0.995) == "99.5\u202f%"
    assert (studies_of(0.8), studies_of(0.9)) == ("four studies of five", "nine studies of ten")
