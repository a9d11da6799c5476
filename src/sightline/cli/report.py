"""`sightline report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from sightline.cli.ending import end, say


def report(
    path: Path,
    /,
    *,
    out: Annotated[Path | None, Parameter(name="--out", help="Folder to write to; PATH by default.")] = None,
) -> None:
    """Write the report of a study or a run, from its files alone.

    Example: sightline report demo-study

    Parameters
    ----------
    path
        Folder of a study or of a run.
    """
    from sightline.report import write

    page, *others = write(path, out)
    say(f"Beside the page: {len(others)} files, its Markdown and its figures.")
    end({"report": page}, ("serve", path))
