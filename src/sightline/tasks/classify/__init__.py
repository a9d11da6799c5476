"""Downstream classification in any of the five settings."""

from sightline.tasks.classify.classify import classify, labelled_part
from sightline.tasks.classify.predict import evaluate, predict
from sightline.tasks.classify.task import ClassifyTask

__all__ = ["ClassifyTask", "classify", "evaluate", "labelled_part", "predict"]
