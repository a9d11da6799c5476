"""`write`: from the files of a study or run to one HTML page, its Markdown twin, and the figures as PNG."""

from __future__ import annotations

import shutil
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from sightline.errors import RunError
from sightline.figures import png, svg
from sightline.files.atomic import atomic_path, write_bytes, write_text
from sightline.report.document import Document, Thumbnails
from sightline.report.run_page import run_document
from sightline.report.study_page import study_document
from sightline.runs import artifacts


def write(path: Path, out: Path | None = None) -> list[Path]:
    """Write the report of a study or a run, from its files alone. Same files, same bytes.

    Args:
        path: the folder of a study or of a run.
        out: a folder, or a file ending in .html; `path` by default. Markdown and figures/ go beside the page.

    Returns:
        The files written: the page, its Markdown, the figures.

    Raises:
        RunError: `path` holds neither, or a study without a result.
    """
    path = Path(path)
    document = build_document(path)
    page = _page(path, out)
    folder = page.parent / artifacts.FIGURES
    figures = [
        png(picture.panels, folder / f"{picture.name}.png", columns=picture.columns, keys=picture.keys)
        for picture in document.pictures
    ]
    for sheet in document.sheets:
        figures.append(folder / f"{sheet.name}.png")
        write_bytes(figures[-1], sheet.png)
    figures += _copy_samples(document, path, page.parent)
    text = page.with_suffix(".md")
    write_text(page, render_html(document))
    write_text(text, render_markdown(document))
    return [page, text, *figures]


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


def _copy_samples(document: Document, source: Path, target: Path) -> list[Path]:
    sheets = [b.sheet for section in document.sections for b in section.blocks if isinstance(b, Thumbnails)]
    if source.resolve() == target.resolve():
        return []
    copied = []
    for sheet in sheets:
        with atomic_path(target / sheet) as temporary:
            shutil.copyfile(source / sheet, temporary)
        copied.append(target / sheet)
    return copied
