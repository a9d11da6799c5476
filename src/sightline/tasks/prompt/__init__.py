"""Masks for images from points, boxes, words, or everything. Imports no torch: `evaluate` and `semantic` do."""

from sightline.tasks.prompt.prompt import DEFAULT_FORMATS, FORMATS, check_formats, prompt_array, prompt_files
from sightline.tasks.prompt.requests import Request, parse_box, parse_point, read_prompts

__all__ = [
    "DEFAULT_FORMATS",
    "FORMATS",
    "Request",
    "check_formats",
    "parse_box",
    "parse_point",
    "prompt_array",
    "prompt_files",
    "read_prompts",
]
