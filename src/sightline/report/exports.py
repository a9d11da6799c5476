"""The main tables of a study for other programs: CSV with numbers as they are, LaTeX with them as a paper has them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from sightline.confidence import INTERVAL
from sightline.report.document import Table
from sightline.runs.numbers import NARROW, NBSP, p_value
from sightline.runs.study_result import ArmResult, Comparison, StudyResult

FOLDER = "tables"
Cell = str | int | float | None
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "−": "$-$", "–": "--", "±": r"$\pm$", "’": "'", NARROW: r"\,", NBSP: "~",
}  # fmt: skip


def study_files(result: StudyResult) -> dict[str, str]:
    """Return the text of each file by its name below tables/: arms and comparisons, each as .csv and .tex."""
    return {
        "arms.csv": _csv(_arm_columns(result)),
        "comparisons.csv": _csv([_comparison_columns(of) for of in result.comparisons], COMPARISON_HEADER),
        "arms.tex": latex(arms_table(result)),
        "comparisons.tex": latex(comparisons_table(result)),
    }


# -- numbers as they are
COMPARISON_HEADER = ("a", "b", "difference", "low", "high", "p_raw", "p", "verdict", "detectable", "flags")


def _arm_columns(result: StudyResult) -> list[dict[str, Cell]]:
    return [_arm_row(arm) for arm in result.arms]


def _arm_row(arm: ArmResult) -> dict[str, Cell]:
    """Return a row of arms.csv; empty cells where the arm has no result."""
    score = arm.score
    return {
        "arm": arm.arm, "name": arm.name, "task": arm.task, "metric": arm.metric, "status": arm.status,
        "reason": arm.reason,
        "mean": score.mean if score else None, "low": score.low if score else None,
        "high": score.high if score else None, "n": score.n if score else None,
        "seeds": " ".join(map(repr, score.seeds)) if score else None,
        "seconds": score.seconds if score else None, "images_seen": score.images_seen if score else None,
        "memory_bytes": score.memory.host if score and score.memory else None,
        "device_memory_bytes": score.memory.device if score and score.memory else None,
        "parameters": score.network.parameters if score and score.network else None,
        "flags": "; ".join(arm.flags),
    }  # fmt: skip


def _comparison_columns(of: Comparison) -> dict[str, Cell]:
    flags = "; ".join(f"{name} {', '.join(flags)}" for name, flags in (of.flags or {}).items())
    return {
        "a": of.a, "b": of.b, "difference": of.difference, "low": of.low, "high": of.high, "p_raw": of.p_raw, "p": of.p,
        "verdict": of.verdict, "detectable": of.detectable, "flags": flags,
    }  # fmt: skip


def _csv(rows: Sequence[dict[str, Cell]], header: Sequence[str] = ()) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, header or list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


# -- numbers as a paper has them
def arms_table(result: StudyResult) -> Table:
    """Return mean, interval, seeds and n of each arm, metrics one after another."""
    rows = []
    for arm in result.arms:
        score, metric = arm.score, arm.measure
        cells = (
            [arm.status, "", "", ""]
            if score is None
            else [metric.score(score.mean), metric.interval(score.low, score.high), str(len(score.seeds)), str(score.n)]
        )
        rows.append([arm.arm, arm.name, metric.title, *cells, ", ".join(arm.flags)])
    header = ("Arm", "Setting", "Metric", "Mean", INTERVAL, "Seeds", "n", "Flags")
    caption = f"{result.name}: means over seeds on the test split"
    return Table(caption, header, rows, (False, False, False, True, True, True, True, False))


def comparisons_table(result: StudyResult) -> Table:
    """Return difference, interval, corrected p and verdict of each comparison."""
    rows = []
    for of in result.comparisons:
        metric = result[of.a].measure
        interval = f"{metric.difference(of.low)} to {metric.difference(of.high)}"
        p = p_value(of.p).replace(NBSP, " ").removeprefix("p").removeprefix(" =").strip()
        rows.append([f"{of.a} − {of.b}", metric.difference(of.difference), interval, metric.unit, p, of.verdict])
    header = ("Arms", "Difference", INTERVAL, "Unit", "p (Holm)", "Verdict")
    caption = f"{result.name}: differences between arms on the same test samples, p corrected over all of them"
    return Table(caption, header, rows, (False, True, True, False, True, False))


def latex(table: Table) -> str:
    """Return a table as LaTeX: a `table` with caption; needs \\usepackage{booktabs} and UTF-8 input."""
    lines = [
        r"% \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escaped(table.caption)}}}",
        rf"\begin{{tabular}}{{{''.join('r' if numeric else 'l' for numeric in table.numeric)}}}",
        r"\toprule",
        _latex_row(table.header),
        r"\midrule",
        *(_latex_row(row) for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Return text that LaTeX sets as it stands."""
    return "".join(_LATEX.get(sign, sign) for sign in text.replace("\n", " "))


def _latex_row(cells: Sequence[str]) -> str:
    return " & ".join(map(escaped, cells)) + r" \\"
