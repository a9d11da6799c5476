"""The data of a study, looked for before anything is trained: what is missing is named together, with the way to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sightline.errors import DataError
from sightline.runs import RunFolder, StudyFolder
from sightline.study.plan import Node


def check_sources(nodes: Sequence[Node], folder: Path) -> None:
    """Refuse a study whose data are not here; runs that are done need none.

    Raises:
        DataError: some source is no path and no data set that is here; the message names each.
    """
    # Imported here, where images are needed: planning does without.
    from sightline.data import find

    missing: dict[str, str] = {}
    for node in nodes:
        run = RunFolder(StudyFolder(folder).run_path(node.name))
        if run.exists and run.is_done:
            continue
        source = node.config.to_dict()["data"]["source"]
        try:
            find(source)
        except DataError as error:
            missing[source] = str(error)
    if missing:
        raise DataError("\n".join(missing.values()))
