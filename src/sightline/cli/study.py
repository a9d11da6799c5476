"""`sightline study`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from sightline.cli.common import Json, PathOrName, show
from sightline.cli.ending import command, end, paragraph, say
from sightline.cli.flags import config_flags
from sightline.confidence import INTERVAL
from sightline.config import StudyConfig

if TYPE_CHECKING:
    from sightline.runs.study_result import ArmResult, Published, StudyResult


@config_flags(StudyConfig, "scale", "logger")
def study(
    file: PathOrName,
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
    split: Annotated[
        Path | None,
        Parameter(
            name="--split", show_default=False, help="JSON file of part → ids, for the images with labels or masks."
        ),
    ] = None,
    jobs: Annotated[int, Parameter(name="--jobs", help="Number of runs at a time, each in its own process.")] = 1,
    cluster: Annotated[
        str,
        Parameter(
            name="--cluster",
            show_default=False,
            help="Address or file of a dask scheduler whose workers do the runs (extra cluster).",
        ),
    ] = "",
    slurm: Annotated[
        str,
        Parameter(name="--slurm", show_default=False, help="Partition of SLURM whose nodes do the runs (extra slurm)."),
    ] = "",
    flags: dict[str, Any],
    as_json: Json = False,
) -> None:
    """Run every arm of a comparison over several seeds, and write the report. The main job.

    The same command goes on after an interruption and skips what is done. An arm that fails is named in the report,
    the others are run, and the exit code is 1.

    Example: sightline study demo

    Parameters
    ----------
    file
        Study file (YAML), or a name: `demo` (generated data, no network, a few minutes), or a published comparison,
        `mini-imagenet-office-home` or `deepglobe-landcover`.
    """
    from sightline.config import from_environment
    from sightline.study import expand, read_study, with_split

    folder = (out or Path(f"{Path(file).stem}-study")).absolute()
    config = read_study(file, from_environment(), flags)
    if split is not None:
        config = with_split(config, str(split))
    nodes = expand(config, folder, only)  # every mistake in it is told before torch is imported
    if dry_run:
        from sightline.study import check_sources
        from sightline.study.estimate import estimate

        check_sources(nodes, folder)
        plan = estimate(nodes, folder, lambda text: print(text, file=sys.stderr, flush=True))
        if as_json:
            show(plan.rows(), as_json=True)
        else:
            show(plan.rows_by_arm(), as_json=False, title=f"plan of {config.name}", spare=("needs", "disk"))
            given = (*(("--out", out) if out else ()), *(("--split", split) if split else ()))
            end({"study": folder}, ("study", file, *given))
        return
    from sightline.errors import TrainingFailed
    from sightline.report import write
    from sightline.report.sentences import absences
    from sightline.study import run_study

    try:
        finished = run_study(config, folder, only=only, jobs=jobs, cluster=cluster, slurm=slurm)
    except KeyboardInterrupt:
        given = {"--out": out, "--split": split, "--cluster": cluster, "--slurm": slurm}
        again = command("study", file, *(part for flag, value in given.items() if value for part in (flag, value)))
        raise KeyboardInterrupt(f"what is done stays done, and this goes on: {again}") from None
    page = write(folder)[0]
    if as_json:
        show([_row(arm) for arm in finished.result.arms], as_json=True)
    else:
        _print_answers(finished.result)
        for metric, arms in _done_by_metric(finished.result).items():
            show(
                [_line(arm, finished.result.published) for arm in arms], as_json=False, title=f"{config.name}: {metric}"
            )
        say(*absences(finished.result.arms).values())
        end({"report": page}, ("serve", folder), ("report", folder))
    if failed := [arm for arm in finished.result.arms if arm.status == "failed"]:
        raise TrainingFailed(
            f"{config.name}: arm {', '.join(arm.arm for arm in failed)} failed, the others are in the report: "
            f"{failed[0].reason}"
        )


def _print_answers(result: StudyResult) -> None:
    """Print each question of the study with its answer, and the sentences that it rests on."""
    from sightline.report.answers import answers

    for answer in answers(result):
        print(f"{answer.question} {answer.short}")
        for sentence in answer.sentences:
            print(paragraph(sentence, "  "))
    print()


def _done_by_metric(result: StudyResult) -> dict[str, list[ArmResult]]:
    """Return the arms with a result, those of one metric together: a table of each fits 80 columns."""
    groups: dict[str, list[ArmResult]] = {}
    for arm in result.arms:
        if arm.score is not None:
            groups.setdefault(arm.measure.text, []).append(arm)
    return groups


def _line(arm: ArmResult, published: Published | None) -> dict[str, str]:
    """Return an arm as a row of the closing table, with what others published, and its flags below each other."""
    score, metric = arm.done, arm.measure
    interval = metric.interval(score.low, score.high)
    flags = {"flags": "\n".join(arm.flags)} if arm.flags else {}
    values = published.values if published is not None else {}
    theirs = {"published": metric.score(values[arm.arm])} if arm.arm in values else {}
    return {"arm": arm.arm, metric.text: metric.score(score.mean), INTERVAL: interval, "n": str(score.n),
            "seeds": str(len(score.seeds)), **theirs, **flags}  # fmt: skip


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
        "flags": list(arm.flags),
    }
