"""What the report shows of a kind of run: each kind has one face, in `report/faces/`, named by `runs.kinds.KINDS`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sightline.config import StudyConfig
from sightline.report.document import Answer, Section
from sightline.runs import RunFolder, StudyFolder
from sightline.runs.kinds import KINDS, import_dotted
from sightline.runs.numbers import NO_VALUE
from sightline.runs.study_result import ArmResult, StudyResult

Rows = list[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class StudyView:
    """A study as its page reads it.

    Attributes:
        folder: where it is.
        result: its result.json.
        config: its study.yaml.
        runs: its run folders by name, finished or not.
    """

    folder: StudyFolder
    result: StudyResult
    config: StudyConfig
    runs: dict[str, RunFolder] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: StudyFolder) -> StudyView:
        """Read a study folder.

        Raises:
            RunError: it has no result yet.
        """
        result = folder.result
        return cls(folder=folder, result=result, config=folder.config(), runs=folder.runs())

    @property
    def pretrainings(self) -> list[RunFolder]:
        """The study's own pretrainings that have begun, by their seed."""
        infos = {name: run.info() for name, run in self.runs.items()}
        names = [name for name, info in infos.items() if info.kind == "pretrain"]
        return [self.runs[name] for name in sorted(names, key=lambda name: infos[name].seed)]

    def arms(self, *tasks: str) -> list[ArmResult]:
        """Return the arms whose runs are of these kinds."""
        return [arm for arm in self.result.arms if arm.task in tasks]

    def runs_of(self, arm: ArmResult) -> list[RunFolder]:
        """Return the runs of an arm that have begun, by seed."""
        names = [name for _, name in sorted(arm.parts.runs.items())]
        return [self.runs[name] for name in names if name in self.runs]

    def shared_rows(self, arms: Iterable[ArmResult]) -> Rows:
        """Return the settings of arms, those alike once and the others by arm: "A, C: 64 px; B: 224 px"."""
        by_arm = {arm.arm: dict(face_of(arm.task).rows(runs[0])) for arm in arms if (runs := self.runs_of(arm))}
        rows: Rows = []
        for label in dict.fromkeys(label for of in by_arm.values() for label in of):
            names: dict[str, list[str]] = {}
            for arm, of in by_arm.items():
                names.setdefault(of.get(label, NO_VALUE), []).append(arm)
            alike = len(names) == 1
            rows.append((label, "; ".join(text if alike else f"{', '.join(of)}: {text}" for text, of in names.items())))
        return rows

    def first_runs(self, arms: Iterable[ArmResult]) -> dict[str, RunFolder]:
        """Return the finished run of each arm's first seed, by arm."""
        done = {arm.arm: [run for run in self.runs_of(arm) if run.is_done] for arm in arms}
        return {name: runs[0] for name, runs in done.items() if runs}


@dataclass(frozen=True, kw_only=True)
class Heading:
    """Where a study's page shows the scores of a kind; kinds with the same heading share a section.

    Attributes:
        anchor: of the section.
        title: of the section.
        prefix: of the names of its pictures.
        curves: name of the picture of learning curves; "" for a kind that does not learn.
        settings: caption of the table of settings that all its arms share; "" shows none.
    """

    anchor: str
    title: str
    prefix: str
    curves: str
    settings: str


class Face(Protocol):
    """What a page shows of one kind of run."""

    # How the run is made again.
    verb: str
    # Where a study shows its arms; None for a kind that no arm is of.
    heading: Heading | None

    def rows(self, run: RunFolder) -> Rows:
        """Return the settings of a run as a reader expects them: label and text."""
        ...

    def answers(self, run: RunFolder) -> list[Answer]:
        """Return what a finished run says in short."""
        ...

    def sections(self, run: RunFolder) -> Sequence[Section]:
        """Return what the page of a run shows before its settings, finished or not."""
        ...

    def study_sections(self, view: StudyView) -> Sequence[Section]:
        """Return what the page of a study shows beside the scores; the page puts them into their places."""
        ...


def face_of(kind: str) -> Face:
    """Return the face of a kind of run."""
    return import_dotted(KINDS[kind].face)


def faces() -> dict[str, Face]:
    """Return all faces by kind."""
    return {kind: face_of(kind) for kind in KINDS}
