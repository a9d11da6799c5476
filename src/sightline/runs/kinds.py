"""The kinds of run: what each is made of, declared once. Study, report, command line and page look here.

Dotted paths ("module:name") name what lies on floors above this one, and are imported when they are asked for: planning
and reporting then load no torch, and no floor knows the one above it. See docs/decisions/0010.
"""

from __future__ import annotations

from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any

from sightline.config import ClassifyConfig, PretrainConfig, PromptConfig, RunConfig, SegmentConfig
from sightline.config.types import ExportFormat
from sightline.errors import RunError, nearest
from sightline.runs.record import Record
from sightline.runs.results import (
    ClassifyDetails,
    ClassifyResult,
    PretrainResult,
    PromptDetails,
    PromptResult,
    SegmentDetails,
    SegmentResult,
)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of run.

    Attributes:
        config: class of its config.yaml.
        result: class of its result.json.
        run: `(config, out, resume=True) -> RunFolder`: does it.
        face: a `report.face.Face`: what the report shows of it.
        workload: `(config) -> engine.example.Workload`: its images, and how many steps like which one it comes to.
        details: class of what an arm of a study tells beside its mean; None where no arm is of this kind.
        arms: a `study.arms.ArmFamily`: the names that its arms have in a study, and what each name stands for; "" where
            no arm is of this kind.
        node: `(study, arm, seed, out) -> Node`: one run of an arm.
        metric: the metric that its arms are compared by where the study names none.
        block: the block of the study file with its data and settings.
        data: what the study's result calls the data that it reads.
        data_title: what a reader calls them.
        trained: whether a seed changes anything.
        watched: what metrics.jsonl calls the validation score by which an epoch is chosen; "" where there is none.
        predict: `(run, images, out, **options) -> LabelPredictions or MaskPredictions`; "" where it cannot be done.
        evaluate: `(run, data, **options) -> Evaluation`; "" likewise.
        embed: `(config, out) -> EmbeddingQuality`; "" likewise.
        export: `(run, format, out) -> Exported`; "" likewise.
        formats: what `export` can write.
    """

    config: type[RunConfig]
    result: type[Record]
    run: str
    face: str
    workload: str
    data: str
    data_title: str
    details: type[Record] | None = None
    arms: str = ""
    node: str = ""
    metric: str = ""
    block: str = ""
    trained: bool = True
    watched: str = ""
    predict: str = ""
    evaluate: str = ""
    embed: str = ""
    export: str = ""
    formats: tuple[ExportFormat, ...] = ()


KINDS: dict[str, Kind] = {
    "pretrain": Kind(
        config=PretrainConfig,
        result=PretrainResult,
        run="sightline.tasks.pretrain:pretrain",
        face="sightline.report.faces.pretrain:FACE",
        workload="sightline.tasks.pretrain.example_step:workload",
        data="unlabelled",
        data_title="Unlabelled",
        embed="sightline.tasks.embed:embed",
        export="sightline.models.export:export_run",
        formats=("onnx", "timm", "hf"),
    ),
    "classify": Kind(
        config=ClassifyConfig,
        result=ClassifyResult,
        run="sightline.tasks.classify:classify",
        face="sightline.report.faces.classify:FACE",
        workload="sightline.tasks.classify.example_step:workload",
        details=ClassifyDetails,
        arms="sightline.study.arms:SETTING_ARMS",
        node="sightline.study.plan:classify_node",
        metric="accuracy",
        watched="val/accuracy",
        block="classify",
        data="labelled",
        data_title="Labelled",
        predict="sightline.tasks.classify:predict",
        evaluate="sightline.tasks.classify:evaluate",
        embed="sightline.tasks.embed:embed",
        export="sightline.models.export:export_run",
        formats=("onnx", "timm", "hf"),
    ),
    "segment": Kind(
        config=SegmentConfig,
        result=SegmentResult,
        run="sightline.tasks.segment:segment",
        face="sightline.report.faces.segment:FACE",
        workload="sightline.tasks.segment.example_step:workload",
        details=SegmentDetails,
        arms="sightline.study.arms:NETWORK_ARMS",
        node="sightline.study.plan:segment_node",
        metric="mean_iou",
        watched="val/mean_iou",
        block="segment",
        data="masks",
        data_title="With masks",
        predict="sightline.tasks.segment:predict",
        evaluate="sightline.tasks.segment:evaluate",
        export="sightline.models.segmentation:export_run",
        formats=("onnx", "smp", "hf"),
    ),
    "prompt": Kind(
        config=PromptConfig,
        result=PromptResult,
        run="sightline.tasks.prompt.evaluate:evaluate_engine",
        face="sightline.report.faces.prompt:FACE",
        workload="sightline.tasks.prompt.example_step:workload",
        details=PromptDetails,
        arms="sightline.study.arms:ENGINE_ARMS",
        node="sightline.study.plan:prompt_node",
        metric="mean_iou",
        block="segment",
        data="masks",
        data_title="With masks",
        trained=False,
    ),
}


def kind_named(name: str) -> Kind:
    """Return the kind of that name.

    Raises:
        RunError: no such kind; the folder was written by another version.
    """
    if name not in KINDS:
        raise RunError(f"kind {name!r}: no such kind of run.{nearest(name, KINDS)} Known: {', '.join(KINDS)}")
    return KINDS[name]


def import_dotted(path: str) -> Any:
    """Import what a dotted path names, "package.module:name"."""
    return resolve_name(path)
