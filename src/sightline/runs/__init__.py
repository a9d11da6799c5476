"""Run folders: the only thing passed between parts. Imports no torch."""

from sightline.runs.folder import RunFolder
from sightline.runs.record import read_json
from sightline.runs.study_folder import StudyFolder

__all__ = ["RunFolder", "StudyFolder", "read_json"]
