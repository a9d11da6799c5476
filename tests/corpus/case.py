"""One input and what Sightline must make of it: the corpus is tables of these, one line each.

A file of this folder holds a table `CASES`. `test_corpus.py` runs them all, and `page.py` writes docs/data.md from
those that have a section, so that the page cannot say what the program does not do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sightline.errors import SightlineError


@dataclass(frozen=True)
class Refused:
    """The input is refused by one of Sightline's own errors, whose message holds each of these words."""

    words: tuple[str, ...]

    def __init__(self, *words: str) -> None:
        object.__setattr__(self, "words", words)


@dataclass(frozen=True)
class Case:
    """One input.

    Attributes:
        name: what the input is, in words; unique in its file.
        make: writes it below an empty folder.
        look: what Sightline makes of that folder, through the function that the verbs use.
        expected: what must come out: a value that equals it, or `Refused`.
        section: of docs/data.md, "" where the case is not shown there.
        says: what docs/data.md says of it; the expected value where empty.
    """

    name: str
    make: Callable[[Path], object]
    look: Callable[[Path], Any]
    expected: Any
    section: str = ""
    says: str = ""

    def check(self, folder: Path) -> None:
        """Make the input in `folder` and compare what comes out.

        Raises:
            AssertionError: something else came out.
        """
        self.make(folder)
        if isinstance(self.expected, Refused):
            with pytest.raises(SightlineError) as caught:
                self.look(folder)
            missing = [word for word in self.expected.words if word not in str(caught.value)]
            assert not missing, f"{self.name}: the error does not say {missing}: {caught.value}"
            return
        came = self.look(folder)
        assert came == self.expected, f"{self.name}: {came!r}, and must be {self.expected!r}"
