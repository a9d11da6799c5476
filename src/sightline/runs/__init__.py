"""Run folders: the only thing passed between parts. Imports no torch.

A folder's class is loaded when first used: names of files (`runs.artifacts`) are wanted by commands that answer a
mistyped key before NumPy and Arrow are there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.later import later

if TYPE_CHECKING:
    from sightline.runs.folder import RunFolder
    from sightline.runs.record import read_json
    from sightline.runs.study_folder import StudyFolder

__all__ = ["RunFolder", "StudyFolder", "read_json"]

__getattr__ = later(__name__, folder=["RunFolder"], study_folder=["StudyFolder"], record=["read_json"])
