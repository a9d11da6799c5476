"""`sightline init`: a study file for what is in one's folders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from sightline.cli.ending import end, say


def init(
    folder: Path = Path(),
    /,
    *,
    out: Annotated[Path | None, Parameter(name="--out", help="File to write; FOLDER/study.yaml by default.")] = None,
) -> None:
    """Look at one's folders, and write a commented study.yaml for what is there.

    Example: sightline init my-data/

    Parameters
    ----------
    folder
        Folder that holds images without labels, class folders or tables, and images with masks, each in a folder of
        its own; or one of these.
    """
    from sightline.study.begin import look, write_study

    found = look(folder)
    path = out or folder / "study.yaml"
    write_study(found, path)
    say(*found.lines())
    end({"study": path}, ("study", path, "--dry-run"), ("study", path))
