"""Prompts, their answers, and the engines that give them: one vocabulary for page, commands and models.

An engine looks at an image once (`set_image`) and then answers any number of points, boxes or words with masks
(`predict`), or finds everything by itself (`everything`). Imports no torch; an engine's module is imported when
`build_engine` is asked for it.

Coordinates are pixels of the original image, x right, y down, pixel centers at integers.

What holds masks is loaded when first used: a command that answers a mistyped flag knows the engines without NumPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.later import later
from sightline.prompts.everything import EverythingSettings
from sightline.prompts.registry import (
    DEFAULT_ENGINE,
    ENGINES,
    HUB_FILES,
    EngineInfo,
    engine_named,
    engines_text,
    fetch_command,
)

if TYPE_CHECKING:
    from sightline.prompts.engine import ImageState, Progress, PromptEngine, build_engine
    from sightline.prompts.prompts import WHOLE, Answer, Box, LazyMasks, Point, PromptResult, Prompts, Region, pixel

__all__ = [
    "DEFAULT_ENGINE",
    "ENGINES",
    "HUB_FILES",
    "WHOLE",
    "Answer",
    "Box",
    "EngineInfo",
    "EverythingSettings",
    "ImageState",
    "LazyMasks",
    "Point",
    "Progress",
    "PromptEngine",
    "PromptResult",
    "Prompts",
    "Region",
    "build_engine",
    "engine_named",
    "engines_text",
    "fetch_command",
    "pixel",
]

__getattr__ = later(
    __name__,
    engine=["ImageState", "Progress", "PromptEngine", "build_engine"],
    prompts=["WHOLE", "Answer", "Box", "LazyMasks", "Point", "PromptResult", "Prompts", "Region", "pixel"],
)
