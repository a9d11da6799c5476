"""Typed, frozen configurations and how they are read. Imports no torch."""

from sightline.config.backbone import BackboneConfig
from sightline.config.base import Frozen, from_assignments, from_keywords, merge, read_yaml
from sightline.config.classify import ClassifyConfig
from sightline.config.data import DataConfig, PixelsConfig, SplitConfig
from sightline.config.embed import EmbedConfig
from sightline.config.loggers import LOGGERS, LoggerEntry
from sightline.config.masks import SegmentDataConfig
from sightline.config.methods import METHODS, DinoConfig, Method, MethodConfig
from sightline.config.optim import ClassifyOptim, OptimConfig, SegmentOptim
from sightline.config.pretrain import MonitorConfig, PretrainConfig
from sightline.config.prompt import PromptConfig
from sightline.config.resolve import from_environment, resolve
from sightline.config.run import FEATURE_BATCH, RunConfig
from sightline.config.segment import SegmentAugment, SegmentConfig, SkipsConfig
from sightline.config.study import (
    StudyAblate,
    StudyClassify,
    StudyConfig,
    StudyLabels,
    StudyPretrain,
    StudyPrompt,
    StudyReference,
    StudySegment,
)
from sightline.config.tuning import at_rate
from sightline.config.types import IGNORE_INDEX
from sightline.config.views import ViewsConfig

__all__ = [
    "FEATURE_BATCH",
    "IGNORE_INDEX",
    "LOGGERS",
    "METHODS",
    "BackboneConfig",
    "ClassifyConfig",
    "ClassifyOptim",
    "DataConfig",
    "DinoConfig",
    "EmbedConfig",
    "Frozen",
    "LoggerEntry",
    "Method",
    "MethodConfig",
    "MonitorConfig",
    "OptimConfig",
    "PixelsConfig",
    "PretrainConfig",
    "PromptConfig",
    "RunConfig",
    "SegmentAugment",
    "SegmentConfig",
    "SegmentDataConfig",
    "SegmentOptim",
    "SkipsConfig",
    "SplitConfig",
    "StudyAblate",
    "StudyClassify",
    "StudyConfig",
    "StudyLabels",
    "StudyPretrain",
    "StudyPrompt",
    "StudyReference",
    "StudySegment",
    "ViewsConfig",
    "at_rate",
    "from_assignments",
    "from_environment",
    "from_keywords",
    "merge",
    "read_yaml",
    "resolve",
]
