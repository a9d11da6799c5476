"""Parameters and helpers that several verbs share."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sightline.confidence import NARROW
from sightline.files.atomic import json_text
from sightline.files.homes import at_home
from sightline.processes import is_first_process
from sightline.runs.artifacts import WEIGHTS

if TYPE_CHECKING:
    PathOrName = str
else:
    # What is typed stays a string, the first of the two; shells complete it as a path.
    PathOrName = str | Path

Set = Annotated[
    tuple[str, ...],
    Parameter(
        name="--set",
        negative="",
        show_default=False,
        help="Any key of the configuration, as key=value, for example --set optim.lr=0.01; may be repeated.",
    ),
]
Out = Annotated[Path, Parameter(name="--out", help="Folder to write.")]
Resume = Annotated[
    bool, Parameter(name="--resume", negative="", show_default=False, help="Go on from the checkpoint in --out.")
]
Json = Annotated[
    bool,
    Parameter(name="--json", negative="", show_default=False, help="Print JSON for a program instead of a table."),
]

PartOption = Annotated[
    str | None,
    Parameter(
        name="--part",
        help="Do only part I of N, as I/N: images by a hash of their ids, in blocks, into --out's folder. The same "
        "command goes on after an interruption.",
    ),
]
Merge = Annotated[
    bool,
    Parameter(
        name="--merge", negative="", show_default=False, help="Write the results from the parts that are done in --out."
    ),
]


def given(**values: Any) -> dict[str, Any]:
    """Return the values that were given, that is, are not None."""
    return {key: value for key, value in values.items() if value is not None}


def data_layer(source: str, layout: str | None = None, style: str | None = None) -> dict[str, Any]:
    """Return the `data` block of a configuration from the command line's arguments."""
    return {"data": {"source": source, **given(layout=layout, style=style)}}


def check_source(source: str) -> None:
    """Refuse data that are neither a path nor a known name, before what trains is imported.

    Raises:
        DataError: neither.
    """
    if not at_home(source).exists():
        from sightline.data import find

        find(source)


def check_begin(source: str, out: Path, *, resume: bool) -> None:
    """Refuse what a run cannot begin with, before what trains is imported.

    Raises:
        DataError: no such data.
        RunError: `out` holds something else, or a run and `resume` is not given.
    """
    check_source(source)
    # Another process of the same run may have begun the folder already.
    if is_first_process():
        from sightline.runs import RunFolder

        RunFolder.check_vacant(out, resume=resume)
        if "torch" not in sys.modules:
            print("loading torch", file=sys.stderr, flush=True)


def say_weights(run: Path) -> None:
    """Say on stderr that a run's network was loaded whole: a run that is not is refused."""
    from safetensors import safe_open

    with safe_open(run / WEIGHTS, framework="numpy") as file:
        count = len(file.keys())
    print(f"{run}: {count} of {count} tensors used; not used: none; missing: none", file=sys.stderr)


def show(rows: Sequence[Mapping[str, Any]], *, as_json: bool, title: str = "", spare: Sequence[str] = ()) -> None:
    """Print rows to stdout, as a table for a person or as JSON for a program; of several processes the first does.

    A table that is wider than the terminal loses the columns `spare`, as many as it must in their order. One that is
    still too wide is written as one line a row where it says what has which value, and else as one line a value: no
    path and no number is cut.
    """
    if not is_first_process():
        return
    if as_json:
        print(json_text(list(rows), indent=1))
        return
    rows = _narrowed(rows, spare)
    columns, cells = _cells(rows)
    console = Console()
    if fits(rows):
        table = Table(*columns, title=title or None)
        for row in cells:
            table.add_row(*map(escape, row))
        console.print(table)
        return
    if title:
        print(title)
    if columns[:2] == ["what", "value"] or len(columns) == 2:
        for name, value, *rest in cells:
            further = [f", {column} {cell}" for column, cell in zip(columns[2:], rest, strict=True) if cell]
            print(f"  {name}: {value}{''.join(further)}")
        return
    for number, row in enumerate(cells):
        if number:
            print()
        for column, cell in zip(columns, row, strict=True):
            if cell:
                print(f"  {column}: {cell}")


def _narrowed(rows: Sequence[Mapping[str, Any]], spare: Sequence[str]) -> Sequence[Mapping[str, Any]]:
    """Return the rows without as many of the spare columns as it takes to fit; as they are if none would do."""
    for count in range(len(spare) + 1):
        fewer = [{key: value for key, value in row.items() if key not in spare[:count]} for row in rows]
        if fits(fewer):
            return fewer
    return rows


def fits(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether rows are a table that is no wider than the terminal, 80 columns where there is none."""
    columns, cells = _cells(rows)
    widths = [
        max(len(line) for cell in column for line in cell.split("\n")) for column in zip(columns, *cells, strict=True)
    ]
    return sum(widths) + 3 * len(widths) + 1 <= Console().width


def _cells(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Return the columns' names and each row's cells as they are printed."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    return [_text(column) for column in columns], [[_text(row.get(column, "")) for column in columns] for row in rows]


def _text(value: Any) -> str:
    # Narrow spaces are shown as boxes by many terminals.
    return f"{value:.4g}" if isinstance(value, float) else str(value).replace(NARROW, " ")
