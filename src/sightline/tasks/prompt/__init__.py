"""Masks for images from points, boxes, words, or everything; and how well they agree with labelled masks."""

from sightline.tasks.prompt.evaluate import evaluate_engine
from sightline.tasks.prompt.prompt import DEFAULT_FORMATS, FORMATS, prompt_array, prompt_files
from sightline.tasks.prompt.requests import Request, parse_box, parse_point, read_prompts
from sightline.tasks.prompt.semantic import clicks

__all__ = [
    "DEFAULT_FORMATS",
    "FORMATS",
    "Request",
    "clicks",
    "evaluate_engine",
    "parse_box",
    "parse_point",
    "prompt_array",
    "prompt_files",
    "read_prompts",
]
