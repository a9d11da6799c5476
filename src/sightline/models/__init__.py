"""Backbones, heads, and weights in and out."""

from sightline.models.backbones import Backbone, build_backbone
from sightline.models.classifier import Classifier, LoadedClassifier, load_classifier
from sightline.models.foreign import MatchReport, read_foreign
from sightline.models.heads import LinearHead, projector
from sightline.models.initial import InitialBackbone, initial_backbone, load_reference
from sightline.models.weights import Loaded, load_backbone, read_description, reading_of, save_model

__all__ = [
    "Backbone",
    "Classifier",
    "InitialBackbone",
    "LinearHead",
    "Loaded",
    "LoadedClassifier",
    "MatchReport",
    "build_backbone",
    "initial_backbone",
    "load_backbone",
    "load_classifier",
    "load_reference",
    "projector",
    "read_description",
    "read_foreign",
    "reading_of",
    "save_model",
]
