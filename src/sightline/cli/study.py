"""`sightline study`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from sightline.cli.common import Json, show

if TYPE_CHECKING:
    from sightline.runs.study_result import ArmResult


def study(
    file: str,
    /,
    *,
    out: Annotated[Path | None, Parameter(name="--out", help="Folder of the study; FILE-study by default.")] = None,
    only: Annotated[
        tuple[str, ...],
        Parameter(name="--only", negative="", show_default=False, help="Arm to run, instead of all; may be repeated."),
    ] = (),
    dry_run: Annotated[
        bool,
        Parameter(
            name="--dry-run",
            negative="",
            show_default=False,
            help="Print the plan with estimated times, and run nothing.",
        ),
    ] = False,
    jobs: Annotated[int, Parameter(name="--jobs", help="Number of runs at a time, each in its own process.")] = 1,
    as_json: Json = False,
) -> None:
    """Run every arm of a comparison over several seeds, and write the report. The main job.

    The same command goes on after an interruption and skips what is done. An arm that fails is named in the report,
    the others are run, and the exit code is 1.

    Example: sightline study demo

    Parameters
    ----------
    file
        Study file (YAML), or `demo`: generated data, no network, a few minutes.
    """
    from sightline.config import from_environment
    from sightline.study import expand, read_study

    folder = (out or Path(f"{Path(file).stem}-study")).absolute()
    config = read_study(file, from_environment())
    if dry_run:
        from sightline.study.estimate import estimate

        show(estimate(expand(config, folder, only), folder), as_json=as_json, title=f"plan of {config.name} → {folder}")
        return
    from sightline.errors import TrainingFailed
    from sightline.report import write
    from sightline.study import run_study

    finished = run_study(config, folder, only=only, jobs=jobs)
    written = write(folder)
    show([_row(arm) for arm in finished.result.arms], as_json=as_json, title=config.name)
    if not as_json:
        print("report: " + ", ".join(str(path) for path in written))
    if failed := [arm for arm in finished.result.arms if arm.status == "failed"]:
        raise TrainingFailed(
            f"{config.name}: arm {', '.join(arm.arm for arm in failed)} failed, the others are in the report: "
            f"{failed[0].reason}"
        )


def _row(arm: ArmResult) -> dict[str, object]:
    row: dict[str, object] = {"arm": arm.arm, "setting": arm.name, "status": arm.status}
    if (score := arm.score) is None:
        return row | {"reason": arm.reason}
    return row | {
        "metric": arm.metric,
        "mean": score.mean,
        "low": score.low,
        "high": score.high,
        "n": score.n,
        "seeds": len(score.seeds),
    }
