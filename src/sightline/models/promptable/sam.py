"""SAM, SAM-HQ, SAM 2.1 and EdgeTAM: encode an image once, then points, boxes and earlier masks give masks."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sightline.errors import ConfigError
from sightline.models.promptable.embedding_engine import EmbeddingEngine
from sightline.models.promptable.embeddings import Embedding
from sightline.models.promptable.load import Family
from sightline.models.promptable.pixels import padded_pixels, stretched_pixels
from sightline.models.promptable.points import regions_by_points
from sightline.prompts import ENGINES, EverythingSettings, ImageState, Progress, Prompts, Region


@dataclass(frozen=True)
class SamState(ImageState):
    """An embedded image.

    Attributes:
        embedding: by name, on the engine's device.
        model_height: of the image as the model sees it, without padding.
        model_width: likewise.
    """

    embedding: Embedding
    model_height: int
    model_width: int


class Sam(EmbeddingEngine):
    """Segment Anything: points and boxes.

    Images, points and boxes reach the model as its authors' predictors bring them, and answers are theirs to rounding
    (docs/benchmarks/sam-parity.md); scores are the model's own estimates of IoU.
    """

    name = "sam"
    family = Family("SamModel", "SamProcessor", ENGINES["sam"].model_types)
    accepts = ENGINES["sam"].accepts
    everything_method = "a grid of points, three masks each"

    def _look(self, image: np.ndarray) -> SamState:
        begin = time.perf_counter()
        embedding, from_cache = self._embedding(image)
        height, width = image.shape[:2]
        return SamState(
            height, width, from_cache, time.perf_counter() - begin, embedding, *self.model_size(height, width)
        )

    @torch.no_grad()
    def _embed(self, image: np.ndarray) -> Embedding:
        return self._to_embedding(self._model.get_image_embeddings(self.pixels(image).to(self.device)))

    def pixels(self, image: np.ndarray) -> Tensor:
        """Return float32 (1, 3, h, w), an image (H, W, 3) as the model takes it."""
        processor = self._processor.image_processor
        size, mean, std = self.model_size(*image.shape[:2]), processor.image_mean, processor.image_std
        if self._keeps_aspect:
            return padded_pixels(image, size, processor.size["longest_edge"], mean, std)
        return stretched_pixels(image, size, mean, std)

    def _to_embedding(self, features: Any) -> Embedding:
        """Return what the model's encoder gave, by name; `_embedding_keys` gives it back."""
        return {"image": features}

    def _embedding_keys(self, embedding: Embedding) -> dict[str, Any]:
        """Return an embedding as keyword arguments of the model."""
        return {"image_embeddings": embedding["image"]}

    def model_size(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width of an image as the model sees it: SAM keeps the aspect, SAM 2 does not."""
        size = self._processor.image_processor.size
        if "longest_edge" in size:
            scale = size["longest_edge"] / max(height, width)
            return max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))
        return size["height"], size["width"]

    def _answer(
        self, state: ImageState, prompts: Prompts, multimask: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, None]:
        assert isinstance(state, SamState)
        points = np.array([point[:2] for point in prompts.points], np.float32)[None] if prompts.points else None
        labels = np.array([point[2] for point in prompts.points])[None] if prompts.points else None
        box = None if prompts.box is None else np.array([prompts.box], np.float32)
        low_res, scores = self.decode(state, points, labels, box, prompts.mask_input, multimask)
        # Before they are bounded: two estimates above 1 have an order too.
        order = scores[0].argsort(descending=True, stable=True)
        masks = self.full_size(state, low_res[0][order])
        kept = self._kept(low_res[0][order])
        return masks, scores[0][order].clamp(0, 1).cpu().numpy(), kept.cpu().numpy(), None

    def _kept(self, low_res: Tensor) -> Tensor:
        """Return the logits that a later prompt may refine."""
        return low_res

    @torch.no_grad()
    def decode(
        self,
        state: SamState,
        points: np.ndarray | None = None,
        labels: np.ndarray | None = None,
        boxes: np.ndarray | None = None,
        mask_input: np.ndarray | None = None,
        multimask: bool = True,
    ) -> tuple[Tensor, Tensor]:
        """Answer P prompts at once.

        Args:
            state: of the image.
            points: float32 (P, N, 2), x and y in pixels of the image.
            labels: int (P, N), 1 inside, 0 outside.
            boxes: float32 (P, 4).
            mask_input: float32 (h, w), logits; for P = 1.
            multimask: three masks a prompt, else one.

        Returns:
            float32 logits (P, M, h, w) and scores (P, M), as the model gives them, on the engine's device: SAM's scores
            can lie outside 0–1.

        Raises:
            ConfigError: a mask input that is no answer's low_res of this model.
        """
        keys: dict[str, Any] = {"multimask_output": multimask, **self._embedding_keys(state.embedding)}
        if points is not None and labels is not None:
            keys["input_points"] = self._scaled(state, points)[None]
            keys["input_labels"] = torch.as_tensor(labels, device=self.device)[None]
        if boxes is not None:
            keys["input_boxes"] = self._scaled(state, boxes.reshape(-1, 2, 2)).reshape(1, -1, 4)
        if mask_input is not None:
            keys["input_masks"] = self._mask_input(mask_input)
        answer = self._model(**keys)
        return answer.pred_masks[0].float(), answer.iou_scores[0].float()

    def full_size(self, state: SamState, low_res: Tensor) -> np.ndarray:
        """Return bool (M, H, W) of logits (M, h, w)."""
        return (self.full_size_logits(state, low_res) > 0).numpy()

    def full_size_logits(self, state: SamState, low_res: Tensor) -> Tensor:
        """Return float32 (M, H, W), on the CPU, of logits (M, h, w)."""
        if not len(low_res):  # torch's interpolation refuses to do nothing
            return torch.zeros(0, state.height, state.width)
        sizes = [[state.height, state.width]]
        more = [[[state.model_height, state.model_width]]] if self._keeps_aspect else []
        return self._processor.post_process_masks([low_res[None].cpu()], sizes, *more, binarize=False)[0][0]

    @property
    def _keeps_aspect(self) -> bool:
        return "longest_edge" in self._processor.image_processor.size

    def _scaled(self, state: SamState, pairs: np.ndarray) -> Tensor:
        scale = np.array([state.model_width / state.width, state.model_height / state.height], np.float64)
        return torch.as_tensor((pairs * scale).astype(np.float32), device=self.device)

    def _mask_input(self, logits: np.ndarray) -> Tensor:
        size = (
            self._model.config.prompt_encoder_config.image_size // self._model.config.prompt_encoder_config.patch_size
        )
        if logits.shape != (4 * size, 4 * size):
            raise ConfigError(
                f"mask_input of shape {logits.shape}: {self.name} refines logits of ({4 * size}, {4 * size}), "
                "as in low_res of its own answers"
            )
        return torch.as_tensor(np.asarray(logits, np.float32), device=self.device)[None, None]

    def _everything(self, state: ImageState, settings: EverythingSettings, progress: Progress) -> list[Region]:
        assert isinstance(state, SamState)
        return regions_by_points(self, state, settings, progress)


class SamHQ(Sam):
    """SAM-HQ: as SAM, with the encoder's layers of global attention for its finer mask token."""

    name = "sam-hq"
    family = Family("SamHQModel", "SamHQProcessor", ENGINES["sam-hq"].model_types)
    accepts = ENGINES["sam-hq"].accepts

    def _to_embedding(self, features: Any) -> Embedding:
        return {"image": features[0]} | {f"layer{i:02d}": value for i, value in enumerate(features[1])}

    def _embedding_keys(self, embedding: Embedding) -> dict[str, Any]:
        layers = [embedding[name] for name in sorted(embedding) if name != "image"]
        return {"image_embeddings": embedding["image"], "intermediate_embeddings": layers}


class Sam2(Sam):
    """SAM 2.1 on single images: feature maps of several sizes."""

    name = "sam2"
    family = Family("Sam2Model", "Sam2Processor", ENGINES["sam2"].model_types)
    accepts = ENGINES["sam2"].accepts

    def _to_embedding(self, features: Any) -> Embedding:
        return {f"level{i}": value for i, value in enumerate(features)}

    def _embedding_keys(self, embedding: Embedding) -> dict[str, Any]:
        return {"image_embeddings": [embedding[name] for name in sorted(embedding)]}

    def _kept(self, low_res: Tensor) -> Tensor:
        # As SAM2ImagePredictor returns them.
        return low_res.clamp(-32, 32)


class EdgeTam(Sam2):
    """EdgeTAM: SAM 2 with a small encoder."""

    name = "edgetam"
    family = Family("EdgeTamModel", "Sam2Processor", ENGINES["edgetam"].model_types)
    accepts = ENGINES["edgetam"].accepts
