"""Words to masks: SAM 3, and Grounding DINO with SAM 2."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from sightline.devices import resolve_device
from sightline.errors import ConfigError
from sightline.models.promptable.embedding_engine import EmbeddingEngine
from sightline.models.promptable.embeddings import Embedding
from sightline.models.promptable.load import Family, Parts, load_parts
from sightline.models.promptable.sam import Sam2, SamState
from sightline.prompts import ENGINES, ImageState, PromptEngine, Prompts

SURE = 0.5  # SAM 3's own threshold for an instance, and for a pixel of it
BOX, WORD = 0.35, 0.25  # Grounding DINO's thresholds, of its authors' demonstration
AT_ONCE = 16  # boxes that SAM 2 turns into masks together: bounds memory


@dataclass(frozen=True)
class Sam3State(ImageState):
    """An embedded image: feature maps and their positions, fine to coarse, on the engine's device."""

    embedding: Embedding


class Sam3(EmbeddingEngine):
    """Every instance of what some words name, or of what a box holds.

    With multimask off only the best instance is returned. Boxes in the answer are the model's.
    """

    name = "sam3"
    family = Family("Sam3Model", "Sam3Processor", ENGINES["sam3"].model_types)
    accepts = ENGINES["sam3"].accepts

    def _look(self, image: np.ndarray) -> Sam3State:
        begin = time.perf_counter()
        embedding, from_cache = self._embedding(image)
        height, width = image.shape[:2]
        return Sam3State(height, width, from_cache, time.perf_counter() - begin, embedding)

    @torch.no_grad()
    def _embed(self, image: np.ndarray) -> Embedding:
        inputs = self._processor(images=image, return_tensors="pt")
        features = self._model.get_vision_features(pixel_values=inputs["pixel_values"].to(self.device))
        # Without their positions, which depend on the maps' sizes alone.
        return {f"map{i}": value for i, value in enumerate(features.fpn_hidden_states)}

    @torch.no_grad()
    def _answer(
        self, state: ImageState, prompts: Prompts, multimask: bool
    ) -> tuple[np.ndarray, np.ndarray, None, np.ndarray]:
        assert isinstance(state, Sam3State)
        size = [(state.height, state.width)]
        # The processor divides by width and height: coordinates whose 0 is the image's edge, not a pixel's centre.
        boxes = None if prompts.box is None else [[[edge + 0.5 for edge in prompts.box]]]
        inputs = self._processor(
            text=prompts.text or None, input_boxes=boxes, original_sizes=size, return_tensors="pt"
        ).to(self.device)
        keys = {
            key: inputs[key]
            for key in ("input_ids", "attention_mask", "input_boxes", "input_boxes_labels")
            if key in inputs
        }
        outputs = self._model(vision_embeds=self._vision(state.embedding), **keys)
        detections = self._processor.post_process_instance_segmentation(outputs, SURE, SURE, size)[0]
        order = detections["scores"].argsort(descending=True, stable=True)[: None if multimask else 1]
        return (
            detections["masks"][order].bool().cpu().numpy().reshape(-1, state.height, state.width),
            detections["scores"][order].float().cpu().numpy(),
            None,
            detections["boxes"][order].float().cpu().numpy() - np.float32(0.5),
        )

    def _vision(self, embedding: Embedding):
        from transformers.models.sam3.modeling_sam3 import Sam3VisionEncoderOutput

        maps = tuple(embedding[name] for name in sorted(embedding))
        positions = self._model.vision_encoder.neck.position_encoding
        return Sam3VisionEncoderOutput(
            fpn_hidden_states=maps,
            fpn_position_encoding=tuple(positions(m.shape, m.device, m.dtype) for m in maps),
        )


@dataclass(frozen=True)
class GroundedState(ImageState):
    """The image for the detector, which reads image and words together, and its embedding for the masks."""

    image: np.ndarray
    masks: SamState


class GroundedSam(PromptEngine):
    """Grounding DINO finds boxes for words, SAM 2 turns each into a mask.

    Several things are named with commas or full stops between them. Scores are the detector's.
    """

    name = "grounded-sam"
    family = Family("GroundingDinoForObjectDetection", "GroundingDinoProcessor", ("grounding-dino",))
    accepts = ENGINES["grounded-sam"].accepts

    def __init__(self, detector: Parts, model_id: str, device: str, masks: Sam2) -> None:
        self.model_id, self.device = model_id, device
        self._model, self._processor, self._masks = detector.model, detector.processor, masks

    @classmethod
    def load(cls, model_id: str, device: str) -> Self:
        """Return the engine; `model_id` is DETECTOR+SEGMENTER, hub ids or folders, the latter SAM 2's own if left out.

        Errors as of PromptEngine.load.
        """
        device = resolve_device(device)
        detector, _, segmenter = model_id.partition("+")
        segmenter = segmenter or ENGINES["sam2"].weights
        masks = Sam2(load_parts(Sam2.family, segmenter, device, cls.name), segmenter, device)
        parts = load_parts(cls.family, detector, device, cls.name)
        return cls(parts, f"{detector}+{masks.model_id}", device, masks)

    def _look(self, image: np.ndarray) -> GroundedState:
        masks = self._masks.set_image(image)
        assert isinstance(masks, SamState)
        return GroundedState(masks.height, masks.width, masks.from_cache, masks.seconds, image, masks)

    @torch.no_grad()
    def _answer(
        self, state: ImageState, prompts: Prompts, multimask: bool
    ) -> tuple[np.ndarray, np.ndarray, None, np.ndarray]:
        assert isinstance(state, GroundedState)
        inputs = self._processor(images=state.image, text=phrases(prompts.text), return_tensors="pt").to(self.device)
        outputs = self._model(**inputs)
        detections = self._processor.post_process_grounded_object_detection(
            outputs, inputs["input_ids"], BOX, WORD, [(state.height, state.width)]
        )[0]
        order = detections["scores"].argsort(descending=True, stable=True)[: None if multimask else 1]
        scores = detections["scores"][order].float().cpu().numpy()
        boxes = detections["boxes"][order].float().cpu().numpy().reshape(-1, 4) - np.float32(0.5)
        masks = [np.zeros((0, state.height, state.width), bool)]
        for begin in range(0, len(boxes), AT_ONCE):
            low_res, _ = self._masks.decode(state.masks, boxes=boxes[begin : begin + AT_ONCE], multimask=False)
            masks.append(self._masks.full_size(state.masks, low_res[:, 0]))
        return np.concatenate(masks), scores, None, boxes


def phrases(text: str) -> str:
    """Return words as Grounding DINO was trained on them: lower case, each phrase ended with a full stop.

    Raises:
        ConfigError: nothing but punctuation.
    """
    parts = [part.strip().lower() for part in re.split(r"[.,;\n]", text) if part.strip()]
    if not parts:
        raise ConfigError(f"text {text!r}: no words in it")
    return ". ".join(parts) + "."
