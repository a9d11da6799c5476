"""How many inputs each reader gets, 100,000 or SIGHTLINE_FUZZ, and the forms in which each drawn input is read.

    SIGHTLINE_FUZZ=20000 uv run pytest tests/fuzz -m slow -n 0 --hypothesis-show-statistics

To draw an input costs ten times what reading it does. So each is read as it was drawn and in `FORMS - 1` changed forms;
the statistics tell how many were drawn.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

S = TypeVar("S", str, bytes)
FORMS = 25
SEEDS = st.integers(0, 1 << 32)
EDITS = 3  # at most, in a changed form
DEEPER = 0.8  # how often a change goes into a value, not for the whole of it
# What stands in for a value in a changed form; keys of mappings are taken from these where they are words.
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 255, 256, 1 << 40, 10**30, 0.5, -2.5, float("nan"), float("inf"), 1e-300),
    *("", " ", "a", "0", "1e400", "é", "\0", "\ud800", "a/b", "name", "x" * 300),
    *([], [0], [[]], [0, 0, 0], [1, 2], {}, {"a": 0}, [None], [{"a": []}]),
)

many_inputs = settings(
    max_examples=-(-int(os.environ.get("SIGHTLINE_FUZZ", "100000")) // FORMS),
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def randoms(seed: int) -> Iterator[random.Random]:
    """Yield a source of draws for each form of an input that a program makes of it."""
    return (random.Random(seed * FORMS + form) for form in range(FORMS))


def forms(content: S, seed: int, pieces: Sequence[S]) -> Iterator[S]:
    """Yield a text or bytes as drawn and in changed forms.

    Args:
        content: as drawn.
        seed: of the changes.
        pieces: put in at random places; signs that mean something in such a file.
    """
    yield content
    rng = random.Random(seed)
    for _ in range(FORMS - 1):
        yield changed(content, rng, pieces)


def changed(content: S, rng: random.Random, pieces: Sequence[S]) -> S:
    """Return a text or bytes after one to `EDITS` changes: parts gone, twice, moved, replaced, cut off, one bit off."""
    for _ in range(rng.randint(1, EDITS)):
        start = rng.randint(0, len(content))
        end = min(len(content), start + rng.choice((0, 1, 1, 2, 4, 16, 1000)))
        head, part, tail = content[:start], content[start:end], content[end:]
        kind = rng.randrange(7)
        if kind == 0:
            content = head + tail
        elif kind == 1:
            content = head + part + part + tail
        elif kind == 2:
            content = part + head + tail
        elif kind == 3:
            content = head + rng.choice(pieces) + tail
        elif kind == 4:
            content = head + rng.choice(pieces) + part + tail
        elif kind == 5 and rng.random() < 0.3:
            content = head
        elif isinstance(content, bytes) and start < len(content):
            content = content[:start] + bytes([content[start] ^ (1 << rng.randrange(8))]) + content[start + 1 :]
    return content


def value_forms(value: Any, seed: int, odd: Sequence[Any] = ODD) -> Iterator[Any]:
    """Yield a value of lists and mappings as drawn and in changed forms, by values of `odd`."""
    yield value
    rng = random.Random(seed)
    words = [each for each in odd if isinstance(each, str)]
    for _ in range(FORMS - 1):
        yield _changed_value(value, rng, odd, words)


def _changed_value(value: Any, rng: random.Random, odd: Sequence[Any], words: Sequence[str]) -> Any:
    """Return a value of which one part is gone, twice, under another key, or another value."""
    if not isinstance(value, dict | list) or not value or rng.random() > DEEPER:
        return rng.choice(odd)
    kind = rng.randrange(8)
    if isinstance(value, list):
        at = rng.randrange(len(value))
        if kind == 0:
            return value[:at] + value[at + 1 :]
        if kind == 1:
            return value[:at] + value[at : at + 1] + value[at:]
        return [*value[:at], _changed_value(value[at], rng, odd, words), *value[at + 1 :]]
    copy = dict(value)
    key = rng.choice(list(copy))
    if kind == 0:
        del copy[key]
    elif kind == 1:
        copy[rng.choice(words)] = copy.pop(key)
    else:
        copy[key] = _changed_value(copy[key], rng, odd, words)
    return copy
