"""Typed, frozen configurations and how they are read. Imports no torch."""

from sightline.config.base import (
    Frozen,
    from_assignments,
    from_environment,
    merge,
    read_yaml,
)
from sightline.config.prompt import PromptJudgeConfig
from sightline.config.schema import (
    FEATURE_BATCH,
    SETTINGS,
    ClassifyConfig,
    DataConfig,
    DinoConfig,
    EmbedConfig,
    MonitorConfig,
    OptimConfig,
    PretrainConfig,
    RunConfig,
    SplitConfig,
    ViewsConfig,
)
from sightline.config.segment import SegmentAugment, SegmentConfig
from sightline.config.segment_data import SegmentDataConfig
from sightline.config.study import (
    StudyAblate,
    StudyClassify,
    StudyConfig,
    StudyPretrain,
    StudyPrompt,
    StudyReference,
    StudySegment,
)

__all__ = [
    "FEATURE_BATCH",
    "SETTINGS",
    "ClassifyConfig",
    "DataConfig",
    "DinoConfig",
    "EmbedConfig",
    "Frozen",
    "MonitorConfig",
    "OptimConfig",
    "PretrainConfig",
    "PromptJudgeConfig",
    "RunConfig",
    "SegmentAugment",
    "SegmentConfig",
    "SegmentDataConfig",
    "SplitConfig",
    "StudyAblate",
    "StudyClassify",
    "StudyConfig",
    "StudyPretrain",
    "StudyPrompt",
    "StudyReference",
    "StudySegment",
    "ViewsConfig",
    "from_assignments",
    "from_environment",
    "merge",
    "read_yaml",
]
