"""What engines of the transformers library share: their weights by hub id or folder, and embeddings kept on disk."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Self

import numpy as np

from sightline.devices import resolve_device
from sightline.models.promptable.embeddings import Embedding, EmbeddingCache
from sightline.models.promptable.load import Family, Parts, load_parts
from sightline.prompts import PromptEngine


class EmbeddingEngine(PromptEngine):
    """An engine that embeds an image once and keeps the embedding.

    Args:
        parts: model and processor.
        model_id: for records.
        device: that the model is on.
        cache: of embeddings; the one on disk by default.

    Attributes:
        family: of models that it can load.
    """

    family: ClassVar[Family]

    def __init__(self, parts: Parts, model_id: str, device: str, cache: EmbeddingCache | None = None) -> None:
        self.model_id, self.device = model_id, device
        self._model, self._processor = parts.model, parts.processor
        self._cache = cache or EmbeddingCache(f"{self.name} {parts.checksum}")

    @classmethod
    def load(cls, model_id: str, device: str) -> Self:
        """Return the engine with weights in transformers' format; arguments and errors as of PromptEngine.load."""
        device = resolve_device(device)
        return cls(load_parts(cls.family, model_id, device, cls.name), model_id, device)

    def _embedding(self, image: np.ndarray) -> tuple[Embedding, bool]:
        """Return the embedding of an image on the engine's device, and whether it was read from disk."""
        embedding, from_cache = self._cache.get(image, lambda: self._embed(image))
        return {name: value.to(self.device) for name, value in embedding.items()}, from_cache

    @abstractmethod
    def _embed(self, image: np.ndarray) -> Embedding:
        """Compute the embedding of an image."""
