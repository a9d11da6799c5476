"""`sightline report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from sightline.cli.ending import end, say


def report(
    path: Path,
    beside: Path | None = None,
    /,
    *,
    out: Annotated[
        Path | None,
        Parameter(name="--out", help="Folder to write to; PATH by default, of two studies PATH-beside-BESIDE."),
    ] = None,
) -> None:
    """Write the report of a study or a run, from its files alone; or of two studies side by side.

    Beside the page of a study stand its main tables, tables/*.csv and *.tex.

    Example: sightline report demo-study

    Parameters
    ----------
    path
        Folder of a study or of a run.
    beside
        Folder of a second study: the page is then of the arms that both have.
    """
    from sightline.report import write

    page, *others = write(path, out, beside)
    say(f"Beside the page: {len(others)} files, its Markdown, its figures and tables.")
    end({"report": page}, ("serve", path))
