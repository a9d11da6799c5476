"""What a run makes beside its result: it never fails the run, and `--resume` makes what is missing.

The result is written first. Then each extra is made, its entries are added to result.json, and run.json names it as
made. An error is a note in the result and a line on the screen; its traceback is in `RUN/notes/NAME.txt`.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sightline.errors import SightlineError
from sightline.runs import RunFolder

Say = Callable[[str], object]


@dataclass(frozen=True)
class Extra:
    """Something made of a finished run, from its folder and its inputs alone.

    Attributes:
        name: unique in the run.
        make: () → entries of result.json that it adds or replaces.
    """

    name: str
    make: Callable[[], Mapping[str, Any]]


def missing_extras(run: RunFolder, extras: Sequence[Extra]) -> list[Extra]:
    """Return those that are still to be made: new ones, and those that failed or were cut off."""
    made = run.info().extras
    return [extra for extra in extras if extra.name not in made]


def make_extras(run: RunFolder, extras: Sequence[Extra], say: Say) -> None:
    """Make extras of a finished run, whose lock the caller holds."""
    for extra in extras:
        entries: dict[str, Any] = {}
        made = attempt(run, extra.name, lambda extra=extra, entries=entries: entries.update(extra.make()), say)
        run.amend(entries, made=extra.name if made else None)


def attempt(run: RunFolder, name: str, work: Callable[[], object], say: Say) -> bool:
    """Do something that a run can do without; an error becomes a note. Return whether it was done."""
    try:
        work()
    except Exception as error:  # whatever it is, the run is worth more
        words = str(error) if isinstance(error, SightlineError) else f"{type(error).__name__}: {error}"
        path = run.write_note(name, words, traceback.format_exc())
        say(f"! {run.path.name}: {name} failed, the run goes on: {words} (traceback in {path})")
        return False
    run.drop_note(name)
    return True
