"""`sightline runs`: what there is, and how it stands."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from sightline.cli.common import Json, show
from sightline.cli.ending import end, paragraph, say
from sightline.runs.numbers import size_text

if TYPE_CHECKING:
    from sightline.runs.listing import Listed

WATCH_SECONDS = 2.0  # between two looks; a look reads small files only
CLEAR = "\x1b[H\x1b[2J\x1b[3J"


def runs(
    folder: Path = Path(),
    /,
    *,
    watch: Annotated[
        bool,
        Parameter(name="--watch", negative="", show_default=False, help="Look again and again, until Ctrl-C."),
    ] = False,
    as_json: Json = False,
) -> None:
    """List runs and studies with their state, score, age and size; --watch follows those that run.

    A run whose process is gone is shown as interrupted: it goes on by the command that began it, with --resume.

    Example: sightline runs runs/

    Parameters
    ----------
    folder
        Folder that is searched through; the working directory by default.
    """
    from sightline.errors import RunError
    from sightline.runs.listing import list_runs

    if not folder.is_dir():
        raise RunError(f"{folder}: no such folder; give one that runs were written to")
    listed = list_runs(folder)
    if as_json:
        show([entry.to_dict() for entry in listed], as_json=True)
        return
    if watch:
        _watch(folder)
        return
    if not listed:
        raise RunError(f"{folder}: holds no run and no study; `sightline study demo` makes one")
    _print(listed, folder)
    for entry in listed:
        if entry.state not in ("done", "running"):
            print(paragraph(_reason(entry)))
    newest = max(listed, key=lambda entry: entry.changed)
    end({}, ("report", newest.path), ("serve", newest.path))


def _reason(entry: Listed) -> str:
    """Return why a run or a study is neither done nor running."""
    reason = entry.reason or "no reason given"
    # What is damaged is named by its file, below the folder.
    return reason if reason.startswith(str(entry.path)) else f"{entry.path}: {entry.state}: {reason}"


def _watch(folder: Path) -> None:
    """Show the table again where it changed; on a terminal in place of the last one."""
    from sightline.runs.listing import list_runs

    before: list[tuple[str, ...]] = []
    try:
        while True:
            listed = list_runs(folder)
            now = [(str(entry.path), entry.state_text, entry.score_text) for entry in listed]
            if sys.stdout.isatty():
                print(CLEAR, end="")
            if now != before or sys.stdout.isatty():
                _print(listed, folder) if listed else say(f"{folder}: no run yet")
            before = now
            sys.stdout.flush()
            time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        print()  # the prompt of the shell stands on a line of its own


def _print(listed: list[Listed], folder: Path) -> None:
    now = time.time()
    rows = [
        {
            "run": str(entry.path.relative_to(folder)),
            "kind": entry.kind,
            "state": entry.state_text,
            "score": entry.score_text.replace("\N{NARROW NO-BREAK SPACE}", " "),
            "changed": age_text(now - entry.changed),
            "size": size_text(entry.bytes),
        }
        for entry in listed
    ]
    show(rows, as_json=False, title=str(folder), spare=("size", "changed", "kind"))


def age_text(seconds: float) -> str:
    """Return "5 s ago", "12 min ago", "3 h ago" or "8 days ago"."""
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit} ago"
    return f"{max(0, seconds):.0f} s ago"
