"""Run folders: the only thing passed between parts. Imports no torch."""

from sightline.runs.folder import RunFolder, read_json

__all__ = ["RunFolder", "read_json"]
