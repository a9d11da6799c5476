"""`sightline study` and `sightline report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from sightline.cli.common import Json, show


def study(
    file: str,
    /,
    *,
    out: Annotated[Path | None, Parameter(name="--out", help="The study's folder; FILE's name by default.")] = None,
    only: Annotated[tuple[str, ...], Parameter(name="--only", help="Run this arm only; may be repeated.")] = (),
    dry_run: Annotated[
        bool, Parameter(name="--dry-run", negative="", help="Print the plan with estimated time.")
    ] = False,
    jobs: Annotated[int, Parameter(name="--jobs", help="Runs at a time, each in its own process.")] = 1,
    as_json: Json = False,
) -> None:
    """Run every arm of a comparison over several seeds, and write the report. The main job.

    The same command goes on after an interruption and skips what is done.

    Example: sightline study demo

    Parameters
    ----------
    file
        A study file (YAML), or `demo`: generated data, no network, a few minutes.
    """
    from sightline.config import from_environment
    from sightline.study import expand, read_study

    folder = (out or Path(f"{Path(file).stem}-study")).absolute()
    config = read_study(file, from_environment())
    if dry_run:
        from sightline.study.estimate import estimate

        show(estimate(expand(config, folder, only), folder), as_json=as_json, title=f"plan of {config.name} → {folder}")
        return
    from sightline.report import write
    from sightline.study import run_study

    finished = run_study(config, folder, only=only, jobs=jobs)
    written = write(folder)
    show([_row(arm) for arm in finished.result["arms"]], as_json=as_json, title=config.name)
    if not as_json:
        print("report: " + ", ".join(str(path) for path in written))


def report(
    path: Path,
    /,
    *,
    out: Annotated[Path | None, Parameter(name="--out", help="Where to write; PATH by default.")] = None,
) -> None:
    """Write the report of a study or a run, from its files alone.

    Example: sightline report demo-study

    Parameters
    ----------
    path
        The folder of a study or of a run.
    """
    from sightline.report import write

    for written in write(path, out):
        print(written)


def _row(arm: dict) -> dict:
    row = {"arm": arm["arm"], "setting": arm["name"], "status": arm["status"]}
    if arm["status"] != "done":
        return row | {"reason": arm["reason"]}
    return row | {
        "metric": arm["metric"],
        "mean": arm["mean"],
        "low": arm["low"],
        "high": arm["high"],
        "n": arm["n"],
        "seeds": len(arm["seeds"]),
    }
