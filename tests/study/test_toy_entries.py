"""One toy entry in each table that CONTRIBUTING lists, all together in one study and its report.

Nothing but the tables is changed: whatever else asks which entries there are would fail here. The tables are dicts, but
for `QUESTIONS`, `EVALUATORS`, `COMMON_HEALTH` and `FORMS`: tuples, in whose place longer ones are put.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from lightning_fabric import Fabric
from PIL import Image
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from conftest import write_classes
from sightline.config import METHODS, DataConfig, MethodConfig, PretrainConfig, RunConfig, StudyConfig, resolve
from sightline.config.losses import LOSSES, LossEntry
from sightline.config.methods import Method
from sightline.data import DEEPGLOBE, load_images, split
from sightline.data.labelled.listing import ImageSet
from sightline.data.sets.catalog import CATALOG, Entry
from sightline.engine import Context, NoProgress, record
from sightline.errors import ConfigError
from sightline.models import Backbone
from sightline.models.cpu import place, swap
from sightline.models.libraries import BACKBONE_LIBRARIES, Library, Pyramid
from sightline.models.segmentation.build import MODELS
from sightline.models.segmentation.encoder import Encoder, build_encoder
from sightline.models.segmentation.segmenter import SegmentationOutputs, Segmenter
from sightline.models.segmentation.skips import SkipPolicy
from sightline.prompts import (
    ENGINES,
    EngineInfo,
    EverythingSettings,
    ImageState,
    Progress,
    PromptEngine,
    Prompts,
    Region,
    pixel,
)
from sightline.report import pictures, write
from sightline.report.document import Answer, Section, Text
from sightline.report.face import Heading, Rows, StudyView
from sightline.report.sentences import flagged_arms
from sightline.runs import RunFolder, StudyFolder
from sightline.runs.flags import FLAGS, Flag
from sightline.runs.kinds import KINDS, Kind
from sightline.runs.metrics import METRICS, Metric
from sightline.runs.record import Record
from sightline.runs.results import HealthPlot, Interval, MethodReport, ScoredResult
from sightline.study import arms, run_study
from sightline.study.arms import SETTINGS, Arm, ArmFamily, Asked, Setting, parse_arm
from sightline.study.evidence import Accuracy
from sightline.study.flags import Judged
from sightline.study.plan import Node
from sightline.tasks.pretrain import monitor
from sightline.tasks.pretrain.methods import Crops, EpochMeans, MeansMethod
from sightline.tasks.segment.losses import Pixels


# -- a pretraining method
class MirrorConfig(MethodConfig):
    """Settings of the toy method."""

    name: Literal["mirror"] = "mirror"
    polish: float = Field(default=1.0, description="Weight of the one term.")


class Mirror(MeansMethod):
    """Two views of an image are to have the same features."""

    def __init__(self, backbone: Backbone, config: PretrainConfig, fabric: Fabric, steps_per_epoch: int) -> None:
        assert isinstance(config.method, MirrorConfig)
        self._polish = config.method.polish
        self.network = self.backbone = place(backbone, fabric.device)
        self.means = EpochMeans(("blur",), fabric)

    def loss(self, network: nn.Module, crops: Crops) -> tuple[Tensor, dict[str, Tensor]]:
        first, second = (network(views) for views in crops[0])
        blur = functional.mse_loss(first, second)
        self.means.add(blur)
        return self._polish * blur, {}

    def remarks(self, health: Mapping[str, float]) -> list[str]:
        return ["the mirror is a toy. Take another method"] if "blur" in health else []

    @classmethod
    def report(cls, config: PretrainConfig) -> MethodReport:
        assert isinstance(config.method, MirrorConfig)
        plot = HealthPlot(name="health/blur", title="Blur of the mirror", words="0 where both views look alike")
        rows = (("Polish of the mirror", f"{config.method.polish:g} coats"),)
        return MethodReport(name="mirror", title="Toy mirror", rows=rows, health=(plot,), fine="The mirror is clean.")


def brightest(snapshot: monitor.Snapshot) -> Iterator[tuple[str, float]]:
    """A toy monitor: the largest feature of the first image."""
    yield "health/brightest", float(snapshot.features(snapshot.images, np.array([0])).max())


BRIGHTEST = HealthPlot(name="health/brightest", title="Brightest feature", words="of the first toy")


# -- a library of backbones with one backbone, and a segmentation model
class Pebble(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.second = nn.Conv2d(8, 12, 3, stride=2, padding=1)

    def maps(self, images: Tensor) -> list[Tensor]:
        shallow = self.first(images).relu()
        return [shallow, self.second(shallow).relu()]

    def forward(self, images: Tensor) -> Tensor:
        return self.maps(images)[-1].mean((2, 3))


class QuickPebble(Pebble):
    """A toy form for CPUs: the same numbers in another way, its uses counted."""

    uses = 0

    def forward(self, images: Tensor) -> Tensor:
        QuickPebble.uses += 1
        return self.maps(images)[-1].flatten(2).mean(2)


def pebble_maps(module: nn.Module, images: Tensor) -> Sequence[Tensor]:
    assert isinstance(module, Pebble)
    return module.maps(images)


TOY_LIBRARY = Library(
    names=lambda: ["pebble"],
    architecture=lambda name: name,
    build=lambda name, in_chans: Pebble(),
    pyramid=lambda inner, name, in_chans: Pyramid(inner, (1, 2), pebble_maps),
)


class Mosaic(Segmenter):
    """Names each tile of the deepest map by one linear layer."""

    def __init__(self, encoder: Encoder, classes: int) -> None:
        stride = max(encoder.strides.values())
        super().__init__(name="mosaic", encoder_name=encoder.name, stem=encoder.stem, classes=classes, stride=stride)
        self.encoder: Encoder = encoder
        self.head = nn.Conv2d(encoder.channels[max(encoder.channels)], classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.outputs(images).logits

    def outputs(self, images: Tensor) -> SegmentationOutputs:
        return self.run_padded(images, self.run)

    def run(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        features = self.encoder(images)
        tiles = self.head(features[max(features)])
        stages = {f"encoder.{index}": feature for index, feature in features.items()} | {"tiles": tiles}
        return functional.interpolate(tiles, images.shape[2:]), stages

    def encoder_tensors(self) -> dict[str, Tensor]:
        return self.encoder.state_dict(keep_vars=True)

    def parts(self) -> Mapping[str, nn.Module]:
        return {**self.encoder.parts(), "logits": self.head}


def mosaic(
    encoder: str, classes: int, stem: Literal["published", "3x3"], policy: SkipPolicy, seed: int, in_chans: int
) -> Mosaic:
    torch.manual_seed(seed)
    return Mosaic(build_encoder(encoder, stem, seed, in_chans=in_chans), classes)


def brier(pixels: Pixels) -> Tensor:
    """A toy loss: the squared distance between probabilities and truth (Brier 1950), a mean over valid pixels."""
    squares = (pixels.probabilities() - pixels.one_hot()).square().sum()
    return squares / pixels.valid.sum().clamp_min(1.0)


# -- a promptable engine
class Halves(PromptEngine):
    """Finds the left and the right half of every picture."""

    name = "halves"
    accepts = frozenset({"points", "everything"})
    everything_method = "a left half and a right one"

    @classmethod
    def load(cls, model_id: str, device: str) -> Halves:
        return cls()

    def _look(self, image: np.ndarray) -> ImageState:
        return ImageState(*image.shape[:2], from_cache=False, seconds=0.0)

    def _answer(
        self, state: ImageState, prompts: Prompts, multimask: bool
    ) -> tuple[np.ndarray, np.ndarray, None, None]:
        places = [pixel(point, state.height, state.width) for point in prompts.points]
        mask = next(half for half in halves(state) if half[places[0]])
        return mask[None], np.ones(1, np.float32), None, None

    def _everything(self, state: ImageState, settings: EverythingSettings, progress: Progress) -> list[Region]:
        return [Region.of(half, 0.5) for half in halves(state)]


def halves(state: ImageState) -> list[np.ndarray]:
    left = np.zeros((state.height, state.width), bool)
    left[:, : state.width // 2] = True
    return [left, ~left]


# -- a metric, of which less is better
def wrong(runs: Sequence[RunFolder]) -> Accuracy:
    accuracy = Accuracy.of(runs)
    assert accuracy.chance is not None
    return replace(accuracy, correct=1 - accuracy.correct, chance=1 - accuracy.chance)


ERRORS = Metric(
    name="errors",
    title="Share of errors",
    text="errors",
    samples="toy images",
    unit="points of error",
    scale=100,
    digits=1,
    per_class="Accuracy",
    kinds=("classify",),
    evidence=f"{__name__}:wrong",
    better="lower",
)
QUESTION = Asked(
    heading="Does a toy need to move?",
    pairs=(("A", "Z"),),
    words={"better": "It runs.", "worse": "It rests.", "undecided": "The toy does not say."},
)
ENGINE = EngineInfo(f"{__name__}:Halves", "a toy that halves pictures", Halves.accepts)


# -- a flag
def one_answer(judged: Judged) -> bool:
    return judged.metric.name == "right"


SIMPLE = Flag(
    name="too simple", words="knows one answer", rule=f"{__name__}:one_answer", way_out="ask for a second one"
)


# -- a kind of run, whose arms are named by a family of their own
class GuessConfig(RunConfig):
    """Always the first class."""

    kind: Literal["guess"] = "guess"
    data: DataConfig


@dataclass(frozen=True, kw_only=True)
class GuessDetails(Record):
    answer: str


@dataclass(frozen=True, kw_only=True)
class GuessResult(GuessDetails, ScoredResult):
    right: Interval

    @property
    def class_count(self) -> int:
        return 2

    def details(self) -> GuessDetails:
        return GuessDetails(answer=self.answer)


def guess(config: GuessConfig, out: Path, *, resume: bool = False) -> RunFolder:
    return record(config, out, load_images(config.data).listing, judge_guesses, resume=resume, progress=NoProgress())


def judge_guesses(context: Context[GuessConfig, ImageSet]) -> None:
    listing = context.inputs
    test = split(listing, context.config.data.split).test
    correct = listing.labels[test] == 0
    context.run.write_predictions({"id": [listing.ids[i] for i in test], "correct": correct})
    right = Interval(value=float(correct.mean()), low=0.0, high=1.0, n=len(test))
    result = GuessResult(
        answer=listing.classes[0], right=right, images_seen=len(test), bad_images=0, split={"test": len(test)}
    )
    context.run.finish(result, {"fit_seconds": 0.0})


def guesses(runs: Sequence[RunFolder]) -> Accuracy:
    rows = [run.predictions().sort_by("id")["correct"].to_numpy(zero_copy_only=False) for run in runs]
    return Accuracy(np.stack(rows).astype(np.float64), {})


def guess_node(study: StudyConfig, arm: Arm, seed: int, out: StudyFolder) -> Node:
    assert study.classify is not None
    data = {"data": study.classify.data.model_dump(exclude_unset=True)}
    return Node(arm.run_name(seed), arm.task, resolve(GuessConfig, file=data, flags={"seed": seed}), (), arm.name)


class GuessFace:
    verb = "study"
    heading = Heading(anchor="guesses", title="Guesses of the toy", prefix="guesses-", curves="", settings="")

    def rows(self, run: RunFolder) -> Rows:
        return [("Answer of the toy", run.result_as(GuessResult).answer)]

    def answers(self, run: RunFolder) -> list[Answer]:
        return [Answer("Right", "By chance.", [])]

    def sections(self, run: RunFolder) -> Sequence[Section]:
        return []

    def study_sections(self, view: StudyView) -> Sequence[Section]:
        details = [arm.details for arm in view.arms("guess")]
        return [Section("toy", "A toy of its kind", [Text([f"It says {of.answer}." for of in details if of])])]


FACE = GuessFace()
COINS = ArmFamily(
    lambda: ("coin",),
    lambda name: Arm(name=name, title="always the first class", task="guess", trained=None) if name == "coin" else None,
)
GUESS = Kind(
    config=GuessConfig,
    result=GuessResult,
    details=GuessDetails,
    run=f"{__name__}:guess",
    face=f"{__name__}:FACE",
    workload="",
    data="labelled",
    data_title="Labelled",
    arms=f"{__name__}:COINS",
    node=f"{__name__}:guess_node",
    metric="right",
    trained=False,
)
RIGHT = replace(ERRORS, name="right", title="Lucky guesses", kinds=("guess",), evidence=f"{__name__}:guesses")


def write_scenes(folder: Path, parts: Mapping[str, int], side: int = 32) -> Path:
    """Write pictures whose left and right parts differ, with masks."""
    rng = np.random.default_rng(0)
    for part, number in parts.items():
        (folder / part).mkdir(parents=True)
        for index in range(number):
            classes = np.where(np.arange(side) < rng.integers(8, 24), 3, 4).astype(np.uint8)[None].repeat(side, 0)
            colors = DEEPGLOBE.decode(classes)
            noise = rng.integers(0, 60, (side, side, 3))
            Image.fromarray((colors // 2 + noise).astype(np.uint8)).save(folder / part / f"{index:02d}_sat.jpg")
            Image.fromarray(colors).save(folder / part / f"{index:02d}_mask.png")
    return folder


def study_file(folder: Path) -> Path:
    recipe = folder / "toy-recipe.yaml"
    views = {"global_size": 16, "local_size": 8, "local_crops": 0}
    method = {"name": "mirror", "polish": 7.0}
    common = {"epochs": 1, "batch_size": 12, "precision": "32-true", "workers": 0}
    # More epochs at a higher rate: enough for A and Z to learn something.
    classify = {**common, "input_size": 16, "epochs": 8, "optim": {"lr": 0.02}}
    content = {"backbone": "toys/pebble", **common, "views": views, "method": method, "optim": {"warmup_epochs": 0}}
    recipe.write_text(yaml.safe_dump(content))
    scenes = write_scenes(folder / "scenes", {"train": 12, "validation": 4})
    study = {
        "name": "toys",
        "arms": ["A", "Z", "mosaic", "mosaic-own", "sam", "coin"],
        # Of A and Z three, for with fewer there is no verdict.
        "seeds": [0, 1, 2],
        "pretrain": {"recipe": str(recipe), "data": {"source": "toy-stripes"}},
        "classify": {
            "data": {"source": "toy-stripes"},
            "metric": "errors",
            "lr_factors": [1],
            "set": classify,
        },
        "segment": {
            "data": {"source": str(scenes)},
            "seeds": [0],
            "lr_factors": [1],
            "set": {"crop": 16, "loss": "brier", **common, "batch_size": 5},
        },
        "prompt": {"engine": "halves", "clicks": 1, "superpixel_vote": "mosaic-own"},
        "embed_arm": "A",
    }
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(study))
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyFolder]:
    folder = tmp_path_factory.mktemp("toys")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIGHTLINE_CACHE", str(folder / "cache"))
        patch.setenv("SIGHTLINE_DATA", str(folder / "data"))
        patch.setitem(METHODS, "mirror", Method(MirrorConfig, f"{__name__}:Mirror"))
        patch.setattr(monitor, "EVALUATORS", (*monitor.EVALUATORS, brightest))
        patch.setattr(pictures, "COMMON_HEALTH", (*pictures.COMMON_HEALTH, BRIGHTEST))
        patch.setattr(swap, "FORMS", (*swap.FORMS, (lambda module: type(module) is Pebble, QuickPebble)))
        patch.setitem(SETTINGS, "Z", Setting("random", "head"))
        patch.setattr(arms, "QUESTIONS", (*arms.QUESTIONS, QUESTION))
        patch.setitem(METRICS, "errors", ERRORS)
        patch.setitem(METRICS, "right", RIGHT)
        patch.setitem(FLAGS, "too simple", SIMPLE)
        patch.setitem(KINDS, "guess", GUESS)
        patch.setitem(LOSSES, "brier", LossEntry(f"{__name__}:brier", "Brier's score"))
        patch.setitem(MODELS, "mosaic", mosaic)
        patch.setitem(ENGINES, "halves", ENGINE)
        patch.setitem(BACKBONE_LIBRARIES, "toys", TOY_LIBRARY)
        patch.setitem(CATALOG, "toy-stripes", Entry("striped toys", "none needed"))
        write_classes(folder / "data" / "toy-stripes", each=14, size=20)
        yield run_study(str(study_file(folder)), folder / "out")


@pytest.fixture(scope="module")
def written(finished: StudyFolder) -> list[Path]:
    """The page, its Markdown, and its pictures."""
    return write(finished.path)


@pytest.fixture(scope="module")
def pages(written: list[Path]) -> list[str]:
    assert [path.suffix for path in written[:2]] == [".html", ".md"]
    return [path.read_text(encoding="utf-8") for path in written[:2]]


def test_every_arm_ran(finished: StudyFolder):
    result = json.loads((finished.path / "result.json").read_text(encoding="utf-8"))
    assert {arm["arm"]: (arm["status"], arm.get("reason", "")) for arm in result["arms"]} == dict.fromkeys(
        ("A", "Z", "mosaic", "mosaic-own", "sam", "coin"), ("done", "")
    )


def test_the_metric_of_the_study_is_the_toy_s(finished: StudyFolder, pages: list[str]):
    result = json.loads((finished.path / "result.json").read_text(encoding="utf-8"))
    by_name = {arm["arm"]: arm for arm in result["arms"]}
    shares = {}
    for name in ("A", "Z"):
        paths = [finished.path / "runs" / f"{name}-{seed}" / "predictions.parquet" for seed in range(3)]
        rows = [row for path in paths for row in pq.read_table(path).to_pylist()]
        shares[name] = sum(row["predicted"] != row["label"] for row in rows) / len(rows)
        assert by_name[name]["metric"] == "errors"
        assert finished.result[name].value == pytest.approx(shares[name])
    (comparison,) = (of for of in finished.result.comparisons if of.pair == ("A", "Z"))
    assert comparison.difference == pytest.approx(shares["A"] - shares["Z"])
    for page in pages:
        assert "Share of errors on the test split" in page
        assert all(ERRORS.score(share) in page for share in shares.values())


def test_the_report_shows_the_method_as_it_tells_of_itself(finished: StudyFolder, pages: list[str]):
    run = finished.run("pretrain")
    assert {"health/blur", "health/brightest"} <= run.result()["health"].keys()
    for page in pages:
        for text in (
            "Toy mirror", "Polish of the mirror", "7 coats", "Blur of the mirror", "0 where both views look alike",
            "the mirror is a toy. Take another method", "Brightest feature: of the first toy",
        ):  # fmt: skip
            assert text in page
        assert "rototype" not in page


def test_networks_on_a_cpu_are_in_the_toy_s_form(finished: StudyFolder):
    assert finished.run("pretrain").result()["steps"] < QuickPebble.uses


def test_the_report_answers_the_question_of_the_setting(finished: StudyFolder, pages: list[str]):
    (comparison,) = (of for of in finished.result.comparisons if of.pair == ("A", "Z"))
    found = {"higher": "worse", "lower": "better"}.get(comparison.verdict, "undecided")
    # A flag of either arm takes the place of the words.
    short = f"Not to be said: {flagged_arms([comparison])}." if comparison.flags else QUESTION.words[found]
    assert finished.result["Z"].name == "random weights, backbone frozen"
    for page in pages:
        assert "Does a toy need to move?" in page
        assert short in page
        assert "random weights, backbone frozen" in page


def test_the_report_shows_network_loss_engine_library_and_data(
    finished: StudyFolder, written: list[Path], pages: list[str]
):
    own = finished.run("mosaic-own-0")
    assert own.result()["init"]["source"] == str(finished.path / "runs" / "pretrain")
    assert own.config()["loss"] == "brier"
    # Each half is nearly of one class.
    assert finished.result["sam"].value > 0.5
    names = {path.name for path in written}
    assert {"architecture-mosaic.png", "architecture-mosaic-own.png", "prompt-0.png"} <= names
    for page in pages:
        for text in (
            "brier, class weights none", "mosaic, own self-supervised weights", "toys/pebble", "toy-stripes",
            "halves (a toy that halves pictures), no weights", "a left half and a right one",
        ):  # fmt: skip
            assert text in page


def test_a_kind_of_run_is_an_arm_and_has_a_face(finished: StudyFolder, pages: list[str]):
    arm, rows = finished.result["coin"], finished.run("coin-0").predictions()["correct"].to_pylist()
    assert (arm.task, arm.metric, arm.value) == ("guess", "right", pytest.approx(sum(rows) / len(rows)))
    assert isinstance(arm.details, GuessDetails)
    assert arm.flags == ("too simple",)
    for page in pages:
        assert "coin: too simple: it knows one answer; ask for a second one." in page
        for text in ("Guesses of the toy", "Lucky guesses", "always the first class", f"It says {arm.details.answer}."):
            assert text in page
    with pytest.raises(ConfigError, match="Did you mean 'coin'"):
        parse_arm("coin!")


def test_a_run_of_each_has_a_page_of_its_own(finished: StudyFolder, tmp_path: Path):
    for name, text in (
        ("pretrain", "Toy mirror"),
        ("mosaic-0", "brier"),
        ("sam-0", "a toy that halves pictures"),
        ("coin-0", "Answer of the toy"),
    ):
        assert text in write(finished.path / "runs" / name, tmp_path / name)[1].read_text(encoding="utf-8")


def test_a_mistyped_toy_is_told_its_nearest(finished: StudyFolder):
    with pytest.raises(ConfigError, match="mirror"):
        PretrainConfig.build({"data": {"source": "toy-stripes"}, "method": {"name": "miror"}})
