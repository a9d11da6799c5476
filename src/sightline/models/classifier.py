"""Classifiers: a backbone and a linear head, in run folders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from torch import Tensor, nn

from sightline.errors import RunError
from sightline.models.backbones import build_backbone
from sightline.models.freezing import hold_still
from sightline.models.heads import LinearHead
from sightline.models.libraries import RGB
from sightline.models.weights import read_description, read_weights
from sightline.runs import RunFolder


class Classifier(nn.Module):
    """Backbone and linear head as one map from images to logits."""

    def __init__(self, backbone: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def train(self, mode: bool = True) -> Self:
        """Set training or evaluation mode; what is frozen stays in evaluation mode."""
        super().train(mode)
        hold_still(self.backbone)
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, classes) of normalised images (B, 3, H, W)."""
        return self.head(self.backbone(images))


@dataclass(frozen=True)
class LoadedClassifier:
    """A classifier with a run's weights.

    Attributes:
        classifier: on the CPU, in evaluation mode.
        description: model.json: how it was built, its classes, how it takes images.
    """

    classifier: Classifier
    description: dict[str, Any]


def load_classifier(run: RunFolder) -> LoadedClassifier:
    """Load the classifier of a run.

    Raises:
        RunError: an unfinished run, or one of another kind.
        WeightsError: damaged weights.
    """
    description = read_description(run)
    if description.get("kind") != "classifier":
        raise RunError(
            f"{run.path}: a {description.get('kind')} cannot name classes; give the folder of a classify run"
        )
    backbone = build_backbone(description["backbone"], description["stem"], in_chans=description.get("in_chans", RGB))
    classifier = Classifier(backbone, LinearHead(backbone.dim, len(description["classes"])))
    classifier.load_state_dict(read_weights(run))
    return LoadedClassifier(classifier.eval(), description)
