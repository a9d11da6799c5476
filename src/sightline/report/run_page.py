"""The page of a single run, finished or not."""

from __future__ import annotations

from pathlib import Path

from sightline.report import tables
from sightline.report.document import Answer, Block, Code, Document, Listing, Section, Text
from sightline.report.face import Face, Rows, face_of
from sightline.runs import RunFolder
from sightline.runs.info import RunInfo
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
        *face.sections(run),
        Section("implementation", "What was run", _implementation(run, info, face)),
        Section("reproduce", "How to reproduce", [Text([text]), Code(command)]),
    ]
    return Document(name, f"Sightline {face.verb} run", _answers(run, info, face), sections)


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
