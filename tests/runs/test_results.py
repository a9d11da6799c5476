"""What stands in JSON is read into types and written from them; nothing is lost on the way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sightline.errors import ConfigError, RunError
from sightline.runs import artifacts
from sightline.runs.kinds import KINDS, import_dotted, kind_named
from sightline.runs.metrics import METRICS, metric_named
from sightline.runs.results import (
    ClassAccuracy,
    ClassifyResult,
    Clicks,
    EngineName,
    HealthPlot,
    Init,
    Interval,
    MethodReport,
    Oracle,
    PretrainResult,
    PromptResult,
    SegmentResult,
)
from sightline.runs.samples import ContactSheet, Prediction
from sightline.runs.study_result import StudyResult

PUBLISHED = sorted((Path(__file__).parents[2] / "docs" / "results").glob("*/result.json"))
INTERVAL = Interval(value=0.5, low=0.4, high=0.6, n=10)
INIT = Init(source="none", matched="")
COUNTED = {
    "classes": ("a", "b"), "absent": (), "pixel_accuracy": 0.5, "confusion": ((1, 2), (3, 4)), "per_class": {},
    "images_seen": 9, "bad_images": 0, "split": {"train": 5, "test": 2},
}  # fmt: skip
METHOD = MethodReport(name="x", title="X", rows=(("a", "b"),), health=(HealthPlot(name="k", title="K", words="w"),))
RECORDS = (
    PretrainResult(
        epochs=1, steps=2, images=3, images_seen=4, bad_images=0, health={"health/rankme": 2.5}, warnings=("w",),
        method=METHOD,
    ),
    ClassifyResult(
        val_accuracy=0.5, best_epoch=1, trained_on=5, images_seen=5, lr=0.1, init=INIT, bad_images=0,
        split={"train": 5}, accuracy=INTERVAL, per_class={"cat": ClassAccuracy(accuracy=0.5, n=2)},
    ),
    SegmentResult(
        mean_iou=INTERVAL, boundary_iou=0.1, val_mean_iou=0.2, best_epoch=1, trained_on=5, parameters=7, init=INIT,
        interventions=None, progress=(), **COUNTED,
    ),
    PromptResult(
        mean_iou=INTERVAL, engine=EngineName(name="e", description="d", model=None), method="m",
        clicks=Clicks(regions=0), snap=None,
        oracle=Oracle(covered=None, masks_per_image=2.0), settings={"grid": 32, "iou": 0.88}, pictures={}, **COUNTED,
    ),
    ContactSheet(
        side=9, columns=2, samples=(Prediction(id="i", label="a", predicted="b", probability=0.5, correct=False),)
    ),
)  # fmt: skip


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_survives_json(record):
    content = json.loads(json.dumps(record.to_dict(), allow_nan=False))
    assert type(record).from_dict(content) == record
    assert type(record).from_dict(content | {"gained later": 1}) == record


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.parent.name)
def test_published_results_survive_types(path: Path):
    content = json.loads(path.read_text(encoding="utf-8"))
    result = StudyResult.from_dict(content)
    assert result.to_dict() == content
    assert [result[arm.arm] for arm in result.arms] == list(result.arms)


def test_there_are_published_results():
    assert len(PUBLISHED) >= 4


def test_asking_for_another_metric_than_the_arm_s_says_so():
    study = StudyResult.from_dict(json.loads(next(p for p in PUBLISHED if "given" in str(p)).read_text()))
    arm = study["unet"]
    assert arm.metric == "mean_iou"
    assert arm.value == arm.mean_iou == arm.done.mean
    with pytest.raises(RunError, match=r"arm unet: is measured in mean IoU, not in accuracy; ask for \.value"):
        _ = arm.accuracy
    with pytest.raises(RunError, match="'A': not in this study; it has unet"):
        _ = study["A"]


def test_a_missing_and_a_mistaken_key_are_named():
    with pytest.raises(RunError, match=r"here: .*low: Field required"):
        Interval.from_dict({"value": 1, "high": 2, "n": 3}, where="here")
    with pytest.raises(RunError, match="n: Input should be a valid integer"):
        Interval.from_dict({"value": 1, "low": 0, "high": 2, "n": "many"})
    with pytest.raises(RunError, match="has no key 'pretrain'"):
        StudyResult.from_dict({"name": "x"})


def test_what_is_not_there_is_left_out_and_what_is_none_is_written():
    assert "scenes" not in INTERVAL.to_dict()
    assert Interval(value=0, low=0, high=0, n=1, scenes=3).to_dict()["scenes"] == 3
    assert RECORDS[2].to_dict()["interventions"] is None
    assert RECORDS[3].to_dict()["clicks"] == {"regions": 0}


def test_every_metric_has_all_that_a_reader_asks_for():
    for name, metric in METRICS.items():
        assert metric.name == name
        assert callable(import_dotted(metric.evidence))
        assert all((metric.title, metric.text, metric.samples, metric.unit, metric.per_class))
    assert METRICS["accuracy"].score(0.5412) == "54.1\u202f%"
    assert METRICS["accuracy"].interval(0.352, 0.533) == "35.2 to 53.3\u202f%"
    assert METRICS["accuracy"].judge("lower") == "worse"
    assert METRICS["mean_iou"].score(0.5412) == "0.541"
    with pytest.raises(ConfigError, match="Did you mean 'accuracy'"):
        metric_named("acuracy")


def test_every_kind_names_what_is_there():
    for name, kind in KINDS.items():
        assert kind.config.model_fields["kind"].default == name
        named = (kind.run, kind.face, kind.workload, kind.node, kind.predict, kind.evaluate, kind.embed, kind.export)
        for path in filter(None, named):
            assert import_dotted(path) is not None
        assert (kind.metric in METRICS) == (kind.details is not None)
    with pytest.raises(RunError, match="Did you mean 'segment'"):
        kind_named("segmnt")


def test_names_of_files_are_relative_and_differ():
    names = [value for key, value in vars(artifacts).items() if key.isupper() and isinstance(value, str)]
    assert not any(Path(name).is_absolute() for name in names)
    assert len(names) == len(set(names))
