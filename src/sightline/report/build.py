"""`write`: from the files of a study or run to one HTML page, its Markdown twin, and the figures as PNG."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from sightline.errors import RunError
from sightline.figures import png, svg
from sightline.files import Outputs, atomic_path, write_bytes, write_text
from sightline.report import exports
from sightline.report.beside import beside_document
from sightline.report.document import Document, Table, Thumbnails
from sightline.report.run_page import run_document
from sightline.report.study_page import study_document
from sightline.runs import StudyFolder, artifacts


def write(path: Path, out: Path | None = None, beside: Path | None = None) -> list[Path]:
    """Write the report of a study or a run, from its files alone. Same files, same bytes.

    Args:
        path: the folder of a study or of a run.
        out: a folder, or a file ending in .html; `path` by default, of two studies FIRST-beside-SECOND next to the
            first. Markdown, figures/ and of a study tables/ go beside the page.
        beside: a second study, to stand beside the first.

    Returns:
        The files written: the page, its Markdown, the figures, the tables.

    Raises:
        RunError: `path` holds neither, or a study without a result.
        DataError: `out` holds files of these names that Sightline did not write.
    """
    path = Path(path)
    if beside is not None:
        out = out or path.resolve().parent / f"{path.resolve().name}-beside-{beside.resolve().name}"
    document = build_document(path) if beside is None else beside_document(path, beside)
    page = _page(path, out)
    text = page.with_suffix(".md")
    pictures = {page.parent / artifacts.FIGURES / f"{picture.name}.png": picture for picture in document.pictures}
    sheets = {page.parent / artifacts.FIGURES / f"{sheet.name}.png": sheet for sheet in document.sheets}
    # The names of a report in the folder of its own run or study are Sightline's.
    samples = {} if _is_within(page, path) else {page.parent / name: path / name for name in _samples(document)}
    tables = {page.parent / exports.FOLDER / name: table for name, table in _tables(path, beside, document).items()}
    files = [page, text, *pictures, *sheets, *samples, *tables]
    with nullcontext() if _is_within(page, path) else Outputs([(path, file) for file in files]).writing():
        for file, picture in pictures.items():
            png(picture.panels, file, columns=picture.columns, keys=picture.keys)
        for file, sheet in sheets.items():
            write_bytes(file, sheet.png)
        for file, source in samples.items():
            with atomic_path(file) as temporary:
                shutil.copyfile(source, temporary)
        for file, table in tables.items():
            write_text(file, table)
        write_text(page, render_html(document))
        write_text(text, render_markdown(document))
    return files


def build_document(path: Path) -> Document:
    """Return the document of a study or a run.

    Raises:
        RunError: `path` holds neither, or a study without a result.
    """
    if (path / artifacts.STUDY).is_file():
        return study_document(path)
    if (path / artifacts.INFO).is_file():
        return run_document(path)
    raise RunError(
        f"{path}: holds neither a study ({artifacts.STUDY}) nor a run ({artifacts.INFO}); give the folder of one"
    )


def _tables(path: Path, beside: Path | None, document: Document) -> dict[str, str]:
    """Return the tables for other programs, by file name: of a study its own, of two studies that of their arms."""
    if beside is not None:
        blocks = [block for section in document.sections for block in section.blocks if isinstance(block, Table)]
        return {"arms-beside.tex": exports.latex(blocks[0])}
    return exports.study_files(StudyFolder(path).result) if (path / artifacts.STUDY).is_file() else {}


def render_html(document: Document) -> str:
    """Return one self-contained HTML page: no script, and no address outside."""
    environment = Environment(
        loader=PackageLoader("sightline.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["svg"] = svg
    return environment.get_template("report.html.j2").render(document=document)


def render_markdown(document: Document) -> str:
    """Return Markdown that links to figures/."""
    environment = Environment(
        loader=PackageLoader("sightline.report"), autoescape=False, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["cell"] = _cell
    return environment.get_template("report.md.j2").render(document=document).strip() + "\n"


def _cell(text: str) -> str:
    """Keep a cell's text from ending its cell or its row, and from being read as markup."""
    for mark in "\\|<>*_`[]":
        text = text.replace(mark, "\\" + mark)
    return " ".join(text.split("\n"))


def _page(path: Path, out: Path | None) -> Path:
    if out is None:
        return path / artifacts.REPORT
    return out if out.suffix == ".html" else out / artifacts.REPORT


def _is_within(page: Path, path: Path) -> bool:
    return page.resolve() == (path / artifacts.REPORT).resolve()


def _samples(document: Document) -> list[str]:
    blocks = [block for section in document.sections for block in section.blocks]
    return [block.sheet for block in blocks if isinstance(block, Thumbnails)]
