"""Masks from points, boxes or words, without training."""

from sightline.models.promptable.base import (
    ENGINES,
    Answer,
    EngineInfo,
    ImageState,
    PromptEngine,
    Prompts,
    check_point,
)
from sightline.models.promptable.build import build_engine

__all__ = [
    "ENGINES",
    "Answer",
    "EngineInfo",
    "ImageState",
    "PromptEngine",
    "Prompts",
    "build_engine",
    "check_point",
]
