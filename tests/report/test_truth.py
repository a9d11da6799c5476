"""Each number of result.json that the page shows is read from it: change it, and each mention of it changes."""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_study import CLASSES, write_study

from sightline.cli.study import _line
from sightline.files.atomic import write_json
from sightline.report.answers import answers
from sightline.report.build import render_markdown
from sightline.report.copies import copies_sections
from sightline.report.document import Section, Text
from sightline.report.labels import labels_sections
from sightline.report.pretrainings import pretraining_remark, pretrainings_table
from sightline.report.rates import rates_sections
from sightline.report.results import between, blocks
from sightline.report.study_page import study_document
from sightline.runs import StudyFolder
from sightline.runs.artifacts import RESULT
from sightline.runs.copies import CleanScore, CopiesInTest
from sightline.runs.info import Memory
from sightline.runs.results import Interval, Network, Tuning
from sightline.runs.study_result import (
    Budget,
    LabelCurve,
    LabelEfficiency,
    LabelPoint,
    LabelsSaved,
    Pretraining,
    Published,
    StudyResult,
)

# What the page does not show, by the last key of its path, and where else it is.
UNSHOWN = {
    "p_raw": "tables/comparisons.csv",
    "lr": "the rate kept stands in the table of those tried",
    "input_size": "shown where networks differ, from the comparison",
    "chance": "shown of the first arm only where all have the same",
}
Path_ = tuple[Any, ...]


def rich(result: StudyResult) -> StudyResult:
    """Return a result that has everything that a study can tell: flags, costs, labels, networks, copies."""
    networks = {
        "A": Network(backbone="resnet18", stem="3x3", input_size=64, parameters=11_200_111),
        "C": Network(backbone="resnet50", stem="published", input_size=96, parameters=23_500_333),
    }
    tuning = Tuning(scores={1e-4: 0.4117, 3e-4: 0.5231}, seconds=77.0)
    budget = Budget(
        base="A-0", runs=("pretrain", "C-0"), seconds=777.0, epoch_seconds=17.3, epochs=44, times=3.67, capped=True
    )
    arms = tuple(
        arm
        if arm.score is None
        else replace(
            arm,
            score=replace(
                arm.score, network=networks[arm.arm], chance=0.1432, lr=3e-4, tuning=tuning, precision="32-true",
                memory=Memory(host=1_734_000_000, device=7_900_000_000),
                flags=("not converged",) if arm.arm == "A" else (),
                budgets=(budget,) * len(arm.score.seeds) if arm.arm == "A" else None,
                # As if the seeds of each arm had not been equally many.
                per_class={name: 0.21 + 0.037 * i for i, name in enumerate(arm.score.per_class)},
            ),
        )
        for arm in result.arms
    )  # fmt: skip
    # Beside what is decided, the smallest difference that could have been shown is not told.
    comparisons = tuple(replace(of, verdict="undecided", networks=networks) for of in result.comparisons)
    assert result.pretrain is not None
    each = tuple(
        Pretraining(
            run=f"pretrain-{i}", seed=i, seconds=455.0 + 61 * i, health={"knn/accuracy": 0.27 + i / 9}, warnings=()
        )
        for i in range(2)
    )
    return replace(
        result, arms=arms, comparisons=comparisons, labels=label_curves(), pretrain=replace(result.pretrain, each=each),
        copies={"labelled": CopiesInTest(
            n=139, train=("a", "b"), unlabelled=("c",), key="",
            scores={name: CleanScore(mean=0.3331, low=0.2772, high=0.4443, n=136) for name in ("A", "C")},
        )},
        published=Published(source="A paper", values={"A": 0.335, "C": 0.6946}), scale=0.37,
        reference=replace(result.reference, trained_here=True, data="theirs", seconds=911.0, images_seen=71_234,
                          accuracy=Interval(value=0.7171, low=0.6, high=0.8, n=311)),
    )  # fmt: skip


def label_curves() -> LabelEfficiency:
    curves = tuple(
        LabelCurve(
            arm=arm, name="", metric="accuracy",
            points=tuple(
                LabelPoint(fraction=fraction, labels=labels, mean=mean, low=mean - 0.0311, high=mean + 0.0413, n=140,
                           seeds=(mean,) * 3)
                for fraction, labels, mean in ((0.13, 85, 0.2117 + more), (1.0, 650, 0.4519 + more))
            ),
        )
        for arm, more in (("A", 0.0), ("C", 0.1353))
    )  # fmt: skip
    saved = LabelsSaved(
        a="C",
        b="A",
        fraction=0.13,
        labels=85,
        reached="within",
        needed=333.0,
        low=287.0,
        high=401.0,
        fewest=86,
        most=651,
    )
    beyond = replace(saved, reached="beyond", needed=None, low=None, high=None, fraction=1.0, labels=650)
    return LabelEfficiency(draws=3, curves=curves, saved=(saved, beyond))


def shown(content: dict[str, Any]) -> str:
    """Return the answers, and what the page and the terminal make of the result alone, as text."""
    result = StudyResult.from_dict(content)
    done = [arm for arm in result.arms if arm.score is not None]
    sections = [
        Section("results", "", blocks(result.arms, between(result, result.arms), published=result.published)),
        *copies_sections(result), *labels_sections(result), *rates_sections(result),
        Section("pretraining", "", [*pretrainings_table(result), Text([pretraining_remark(result)])]),
    ]  # fmt: skip
    parts = [vars(block) for section in sections for block in section.blocks]
    texts = [{key: value for key, value in part.items() if key not in ("panels", "keys")} for part in parts]
    return str([answers(result), texts, [_line(arm, result.published) for arm in done]])


def numbers(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Yield the path of each number."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from numbers(item, (*path, key))
    elif isinstance(value, list):
        for key, item in enumerate(value):
            yield from numbers(item, (*path, key))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path


def with_value(content: dict[str, Any], path: Path_, value: float) -> dict[str, Any]:
    changed = copy.deepcopy(content)
    *above, last = path
    place = changed
    for key in above:
        place = place[key]
    place[last] = value
    return changed


def value_at(content: dict[str, Any], path: Path_) -> float:
    value: Any = content
    for key in path:
        value = value[key]
    return value


def figures(text: str) -> Counter[str]:
    """Return how often each figure stands in a text."""
    text = text.replace("\\u202f", "\u202f")  # of the list of texts
    return Counter(re.findall(r"\d[\d.\u202f]*", text))


def check(content: dict[str, Any], paths: list[Path_], show: Callable[[dict[str, Any]], str]) -> None:
    """Assert that each number is shown, and that what it brought is gone when it changes again."""
    before, unshown, staying = figures(show(content)), list[Path_](), list[Path_]()
    for path in paths:
        old = value_at(content, path)
        whole = isinstance(old, int)
        other, third = (old * 2 + 1, old * 3 + 2) if whole else (old * 1.13 + 0.0317, old * 1.71 + 0.083)
        after, last = (figures(show(with_value(content, path, value))) for value in (other, third))
        brought = after - before
        if not brought:
            unshown.append(path)
        # No mention of the second value stays with the third, but where both look alike by their rounding.
        elif all(last[figure] >= after[figure] for figure in brought):
            staying.append(path)
    assert (unshown, staying) == ([], [])


def is_told_elsewhere(path: Path_) -> bool:
    """Whether another number of the same kind stands for this one, or the picture shows it."""
    # Of seeds and of classes the first stand for all; of a saving the ends of the curve are said where it ends there.
    rest = {("seeds", 1), ("seeds", 2), *(("per_class", name) for name in CLASSES[2:])}
    rest |= {("points", index, "seeds", 0) for index in range(2)}  # drawn as dots
    ends = path[1:2] == ("saved",) and path[-1] in ({"fewest", "most"} if path[2] == 0 else {"fewest"})
    alike = path[1:3] == ("curves", 0) and path[-1] in ("labels", "n")  # the table has those of the last curve
    return path[-2:] in rest or path[-4:] in rest or ends or alike


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    folder: Path = write_study(tmp_path_factory.mktemp("study"), missing=("B", "D", "E"))
    return StudyFolder(folder)


@pytest.fixture(scope="module")
def content(folder: StudyFolder) -> dict[str, Any]:
    return rich(folder.result).to_dict()


def test_each_number_of_the_result_is_shown_and_changes_with_it(content: dict[str, Any]):
    keys = ("arms", "comparisons", "labels", "copies", "published")
    paths = [path for key in keys for path in numbers(content.get(key), (key,))]
    paths += list(numbers(content["pretrain"]["each"], ("pretrain", "each")))
    paths = [path for path in paths if path[-1] not in UNSHOWN and not is_told_elsewhere(path)]
    assert {
        "mean", "low", "high", "n", "seconds", "images_seen", "difference", "p", "detectable", "parameters",
        "host", "device", "epochs",
        "times", "needed", "fraction", "most", "knn/accuracy",
    } <= {path[-1] for path in paths}  # fmt: skip
    check(content, paths, shown)


def test_the_numbers_of_maps_data_and_reference_are_shown_and_change(folder: StudyFolder, content: dict[str, Any]):
    def page(changed: dict[str, Any]) -> str:
        write_json(folder.path / RESULT, changed)
        return render_markdown(study_document(folder.path))

    stage = [("embedding", when, key) for when in ("first", "last") for key in ("epoch", "knn", "silhouette")]
    paths = [
        *stage, ("embedding", "first", "trustworthiness"), ("embedding", "last", "map_silhouette"),
        ("pretrain", "seconds"), ("pretrain", "images_seen"), ("data", "labelled", "split", "test"),
        ("data", "labelled", "classes"), ("data", "unlabelled", "images"), ("reference", "seconds"),
        ("reference", "images_seen"), ("reference", "accuracy", "value"), ("reference", "accuracy", "n"),
        ("scale",),
    ]  # fmt: skip
    # Reference weights are listed where an arm starts from them.
    started = copy.deepcopy(content)
    started["arms"][0]["weights"] = "reference"
    check(started, paths, page)
