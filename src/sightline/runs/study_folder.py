"""The study folder: one file of settings, one of results, and a run folder for each arm and seed."""

from __future__ import annotations

from pathlib import Path

from sightline import notebook
from sightline.config import StudyConfig, read_yaml
from sightline.files.atomic import write_json
from sightline.runs import artifacts
from sightline.runs.folder import RunFolder
from sightline.runs.record import read_json
from sightline.runs.study_result import StudyResult


class StudyFolder:
    """A study on disk: `study.result["C"].value`.

    Attributes:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        done = f", {len(self.result.arms)} arms" if self.has_result else ", not collected yet"
        return f"StudyFolder({str(self.path)!r}{done})"

    def _repr_html_(self) -> str:
        """Show the arms with their scores, the first figure, and the report."""
        if not self.has_result:
            return notebook.link(self.path)
        rows = []
        for arm in self.result.arms:
            if (score := arm.score) is None:
                rows.append({"arm": arm.arm, "metric": f"{arm.status}: {arm.reason}"})
                continue
            values = {"mean": score.mean, "low": score.low, "high": score.high, "n": score.n}
            rows.append({"arm": arm.arm, "metric": arm.metric, **values})
        page, figures = self.report[:1], [path for path in self.report if path.suffix == ".png"][:1]
        shown = notebook.table(rows, self.path.name) + "".join(map(notebook.figure, figures))
        return shown + notebook.link(page[0] if page else self.path)

    @property
    def exists(self) -> bool:
        """Whether the folder holds a study."""
        return (self.path / artifacts.STUDY).is_file()

    @property
    def has_result(self) -> bool:
        """Whether the study has been collected at least once."""
        return (self.path / artifacts.RESULT).is_file()

    def config(self) -> StudyConfig:
        """Return study.yaml.

        Raises:
            ConfigError: there is none, or it is damaged.
        """
        path = self.path / artifacts.STUDY
        return StudyConfig.build(read_yaml(path), where=str(path))

    @property
    def result(self) -> StudyResult:
        """The content of result.json.

        Raises:
            RunError: there is none yet, or it is damaged.
        """
        path = self.path / artifacts.RESULT
        return StudyResult.from_dict(read_json(path), where=str(path))

    def write_result(self, result: StudyResult) -> None:
        """Write result.json."""
        write_json(self.path / artifacts.RESULT, result.to_dict())

    # -- runs
    def run_path(self, name: str) -> Path:
        """Return where the run of that name is, or will be."""
        return self.path / artifacts.RUNS / name

    def run(self, name: str) -> RunFolder:
        """Return the run of that name.

        Raises:
            RunError: there is none.
        """
        return RunFolder.open(self.run_path(name))

    def find_run(self, name: str) -> RunFolder:
        """Return the run of that name, whether there is one yet or not."""
        return RunFolder(self.run_path(name))

    def runs(self) -> dict[str, RunFolder]:
        """Return the runs that have begun, by name."""
        paths = sorted((self.path / artifacts.RUNS).glob(f"*/{artifacts.INFO}"))
        return {path.parent.name: RunFolder(path.parent) for path in paths}

    # -- files
    @property
    def report(self) -> tuple[Path, ...]:
        """The report's files: the page, its Markdown, the figures; () before it is written."""
        page = self.path / artifacts.REPORT
        if not page.is_file():
            return ()
        return (page, page.with_suffix(".md"), *sorted((self.path / artifacts.FIGURES).glob("*.png")))
