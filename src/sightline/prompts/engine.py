"""The interface of every prompt engine, and an engine by its name."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

import numpy as np

from sightline.errors import ConfigError, DataError
from sightline.prompts.everything import EverythingSettings
from sightline.prompts.prompts import Answer, Prompts, Region
from sightline.prompts.registry import DEFAULT_ENGINE, ENGINES, engine_named

Progress = Callable[[int, int], object]


@dataclass(frozen=True)
class ImageState:
    """What an engine remembers of one image; opaque, held by the caller, so many images can be open at once.

    Attributes:
        height: of the original image.
        width: of the original image.
        from_cache: whether the embedding was read from disk, not computed.
        seconds: what set_image took.
    """

    height: int
    width: int
    from_cache: bool
    seconds: float


class PromptEngine(ABC):
    """Answers prompts on images; `set_image` once, `predict` many times.

    Attributes:
        name: in ENGINES.
        model_id: hub id or path of the weights; "" where there are none.
        device: that it computes on.
        accepts: of "points", "box", "text", "mask_input", "everything".
        everything_method: how it finds everything, in words; "" where it cannot.
    """

    name: str
    model_id: str = ""
    device: str = "cpu"
    accepts: frozenset[str] = frozenset()
    everything_method: str = ""

    @classmethod
    @abstractmethod
    def load(cls, model_id: str, device: str) -> PromptEngine:
        """Return a ready engine.

        Args:
            model_id: a hub id or a local path of the weights; "" where there are none.
            device: auto, cpu, cuda or mps.

        Raises:
            ConfigError: no such device.
            NotAvailable: weights that are neither here nor can be fetched.
            WeightsError: a path that holds another model.
        """

    def set_image(self, image: np.ndarray) -> ImageState:
        """Look at an image, uint8 (H, W, 3), RGB; the costly part, done once and kept on disk by models that embed.

        Raises:
            DataError: not uint8 HWC with three channels, or empty.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise DataError(
                f"image of shape {image.shape}, {image.dtype}: expected uint8 (height, width, 3), not empty"
            )
        return self._look(np.ascontiguousarray(image))

    def predict(self, state: ImageState, prompts: Prompts, *, multimask: bool = True) -> Answer:
        """Return the masks that answer `prompts`, best first.

        Args:
            state: of set_image.
            prompts: at least one.
            multimask: several hypotheses where the prompt is ambiguous; else the single best.

        Raises:
            ConfigError: no prompt, one that the engine does not take, or one that is not on the image.
        """
        self._check_kinds(prompts.kinds())
        prompts = prompts.checked(state.height, state.width)
        begin = time.perf_counter()
        masks, scores, low_res, boxes = self._answer(state, prompts, multimask)
        return Answer(masks, scores, low_res, boxes, time.perf_counter() - begin)

    def offer(self, state: ImageState, prompts: Prompts, *, multimask: bool = True) -> Answer:
        """Return `predict`'s answer in the order in which people are offered it.

        One inside click asks for one thing: masks that cover WHOLE of the picture or more come after all others,
        whatever their score. In each of the two groups the engine's order stays, and so do all scores.

        Args:
            state: of set_image.
            prompts: at least one.
            multimask: as of `predict`.

        Raises:
            ConfigError: as of `predict`.
        """
        answer = self.predict(state, prompts, multimask=multimask)
        return answer.with_whole_pictures_last() if prompts.is_one_inside_click else answer

    def everything(
        self, state: ImageState, settings: EverythingSettings | None = None, progress: Progress | None = None
    ) -> list[Region]:
        """Return all masks that the engine finds by itself, best first.

        Args:
            state: of set_image.
            settings: what is asked and kept.
            progress: called with the steps done and all steps; what it raises ends the search.

        Raises:
            ConfigError: an engine without everything mode.
        """
        regions = self._everything(state, settings or EverythingSettings(), progress or (lambda done, steps: None))
        return sorted(regions, key=lambda region: -region.score)

    @abstractmethod
    def _look(self, image: np.ndarray) -> ImageState:
        """Return the state of a valid, contiguous image."""

    @abstractmethod
    def _answer(
        self, state: ImageState, prompts: Prompts, multimask: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
        """Return masks, scores, low_res and boxes of valid prompts."""

    def _everything(self, state: ImageState, settings: EverythingSettings, progress: Progress) -> list[Region]:
        """Return all masks in any order; refused unless an engine knows how."""
        able = [name for name, info in ENGINES.items() if "everything" in info.accepts]
        raise ConfigError(f"{self.name} has no everything mode; use --engine {' or '.join(able)}")

    def _check_kinds(self, kinds: set[str]) -> None:
        takes = sorted(self.accepts - {"mask_input", "everything"})
        if not kinds:
            raise ConfigError(f"no prompt for {self.name}: give {' or '.join(takes)}")
        if refused := kinds - self.accepts:
            others = [name for name, info in ENGINES.items() if kinds <= info.accepts]
            way_out = f"use --engine {' or '.join(others)}" if others else "give them one after the other"
            raise ConfigError(
                f"{self.name} takes no {' or '.join(sorted(refused))}, but {' and '.join(takes)}; {way_out}"
            )


def build_engine(name: str = DEFAULT_ENGINE, model_id: str | None = None, device: str = "auto") -> PromptEngine:
    """Return a ready engine.

    Args:
        name: a key of ENGINES.
        model_id: a hub id or a local path of the weights; the registry's by default.
        device: auto, cpu, cuda or mps.

    Raises:
        ConfigError: no such engine or device, or a model for an engine that has none.
        NotAvailable: weights that are neither here nor can be fetched.
        WeightsError: a path that holds another model.
    """
    info = engine_named(name)
    if model_id and not info.weights:
        raise ConfigError(f"model = {model_id!r}: {name} has no weights; choose --engine sam2, or give no model")
    module, _, attribute = info.path.partition(":")
    return getattr(import_module(module), attribute).load(model_id or info.weights, device)
