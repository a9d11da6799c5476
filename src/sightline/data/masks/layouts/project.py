"""A project of the page: the pictures that were begun or done, with their objects drawn from the project's files."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from sightline.data.masks.layouts.base import Files, Found, Pair, in_order, part_on_way
from sightline.data.masks.project import ProjectFolder
from sightline.errors import DataError


def project(source: str, root: Path, files: Files) -> Found | None:
    """Find the pictures of an annotation project; its own files say where they are, so `files` is not looked at."""
    del files
    folder = ProjectFolder(root)
    if not folder.exists:
        return None
    settings, pictures = folder.settings, folder.pictures
    pairs, left = [], {"skipped": 0, "untouched": 0}
    for work in folder.works():
        if work.state in left:
            left[work.state] += 1
            continue
        image = pictures / work.picture
        if not image.is_file():
            raise DataError(
                f"{source}: {image} is not there, whose masks the project holds; put the pictures back, or say where "
                f'they are in project.json ("pictures")'
            )
        part = part_on_way(Path(work.picture))
        pairs.append(
            Pair(work.picture, image, folder.objects_file(work.picture), part, partial(_draw, folder, work.picture))
        )
    if not pairs:
        raise DataError(f"{source}: no picture of this project is begun or done; open it with `sightline serve` first")
    remarks = (f"{left['skipped']} skipped pictures are left out",) if left["skipped"] else ()
    return Found(in_order(pairs), settings.palette, "projects of the page", remarks)


def _draw(folder: ProjectFolder, picture: str) -> np.ndarray:
    work = folder.work(picture)
    if work is None:
        raise DataError(f"{folder.objects_file(picture)}: went away while it was read")
    return work.index()
