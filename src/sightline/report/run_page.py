"""The page of a single run, finished or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sightline.report import tables
from sightline.report.document import Answer, Block, Code, Document, Listing, Section, Text, Warnings
from sightline.report.face import Face, Rows, face_of
from sightline.report.results import flag_line
from sightline.runs import RunFolder
from sightline.runs.flags import JUDGE_RUN
from sightline.runs.info import RunInfo
from sightline.runs.kinds import import_dotted
from sightline.runs.numbers import count, duration, plain


def run_document(folder: Path) -> Document:
    """Return the page of a run folder.

    Raises:
        RunError: `folder` holds no run.
    """
    run = RunFolder.open(folder)
    info, name = run.info(), folder.resolve().name
    face = face_of(info.kind)
    text = "config.yaml in the run folder is fully resolved; its settings are listed above."
    command = f"sightline {face.verb} {run.config()['data']['source']} --out again"
    sections = [
        *_flagged(run, face.sections(run)),
        Section("implementation", "What was run", _implementation(run, info, face)),
        Section("reproduce", "How to reproduce", [Text([text]), Code(command)]),
    ]
    return Document(name, f"Sightline {face.verb} run", _answers(run, info, face), sections)


def _flagged(run: RunFolder, sections: Sequence[Section]) -> list[Section]:
    """Return the sections, the first with what the run is flagged for, if it is."""
    judged = import_dotted(JUDGE_RUN)(run) if run.is_done else None
    if judged is None or not judged[0] or not sections:
        return list(sections)
    flags, metric, score = judged
    lines = [flag_line(run.path.resolve().name, flag, metric, score.per_class) for flag in flags]
    shown = Warnings("Flags: no verdict should rest on this run", lines)
    return [replace(sections[0], blocks=[shown, *sections[0].blocks]), *sections[1:]]


def _answers(run: RunFolder, info: RunInfo, face: Face) -> list[Answer]:
    if not run.is_done:
        return [Answer("Status", info.status.capitalize() + ".", [info.reason] if info.reason else [])]
    return face.answers(run) or [Answer("Status", "Done.", [])]


def _implementation(run: RunFolder, info: RunInfo, face: Face) -> list[Block]:
    config, result = run.config(), run.result() if run.is_done else {}
    rows: Rows = [("Data", plain(config["data"]["source"]))]
    if "split" in result:
        rows.append(tables.split_row(result["split"]))
    if "images" in result:
        rows.append(("Images", count(result["images"])))
    if "init" in result:
        rows.append(("Started from", plain(result["init"])))
    rows += face.rows(run)
    if "fit_seconds" in info.timings:
        rows.append(("Time", duration(info.fit_seconds)))
    rows += tables.provenance_rows(info)
    blocks: list[Block] = [tables.table("Implementation", rows), tables.every_setting("Every setting", config)]
    notes = result.get("notes") or []
    return [Text(["The run did without:"]), Listing(list(notes)), *blocks] if notes else blocks
