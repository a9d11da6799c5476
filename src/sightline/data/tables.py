"""One careful reader of tables and lists: as Excel, pandas, Windows and graders write them, or a refusal with its line.

`read_table` knows nothing of images; `FileFinder` looks up the files that tables and lists name.
"""

from __future__ import annotations

import codecs
import csv
import io
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sightline.data.images.folder import known_suffixes
from sightline.errors import DataError
from sightline.files.names import composed, printable

DELIMITERS = ",;\t|"
TABLE_SUFFIXES = frozenset({".csv", ".tsv"})
SHOWN = 5  # names in an error: enough to recognise, few enough to read
# What people call a column, the usual name first; a table that has two takes the one that stands further left here.
# A space or a hyphen stands for "_".
SYNONYMS: dict[str, tuple[str, ...]] = {
    "filename": (
        *("filename", "file_name", "file", "filepath", "file_path", "path"),
        *("image", "image_name", "image_path", "img"),
    ),
    "id": ("id", "image_id", "sample_id"),
    "label": ("label", "class", "category", "target", "class_name", "label_name"),
    "split": ("split", "part", "subset", "partition"),
}
_BYTE_ORDERS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


@dataclass(frozen=True)
class Row:
    """A row of a table: the line it begins on, from 1, and the text of each column, without spaces around it."""

    line: int
    cells: Mapping[str, str]


@dataclass(frozen=True)
class Table:
    """A table as read.

    Attributes:
        path: of the file.
        columns: names, in lower case, without spaces around them; "" for a column without name.
        rows: as many cells as columns each; empty rows are left out.
        notes: what a person should know of how it was read.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    def column(self, meaning: str) -> str | None:
        """Return the column that holds what `SYNONYMS` calls `meaning`, None where there is none."""
        words = {_word(name): name for name in reversed(self.columns)}
        return next((words[name] for name in SYNONYMS[meaning] if name in words), None)


def _word(column: str) -> str:
    return column.replace(" ", "_").replace("-", "_")


def read_text(path: Path) -> tuple[str, list[str]]:
    """Return the text of a file, UTF-8, UTF-16 or Windows-1252, and what a person should know of how it was read.

    Raises:
        DataError: the file cannot be read, or is no text.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):  # whoever opened a FIFO would wait for ever
        raise DataError(f"{path}: is no regular file; give a table, a list of paths or a folder")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    encoding, notes = next((name for mark, name in _BYTE_ORDERS.items() if content.startswith(mark)), "utf-8"), []
    # Every second byte of plain text in UTF-16 is zero.
    for begin, name in ((0, "utf-16-be"), (1, "utf-16-le")):
        if encoding == "utf-8" and content[begin::2].count(0) > len(content) // 4:
            encoding = name
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise DataError(f"{path}: is no {encoding} text (byte {error.start}); save it as UTF-8") from None
        try:
            text = content.decode("cp1252")
        except UnicodeDecodeError:
            raise DataError(
                f"{path}: is neither UTF-8 nor Windows-1252 text (byte {error.start}); save it as UTF-8"
            ) from None
        notes.append("read as Windows-1252, for it is no UTF-8; save it as UTF-8 if letters are wrong")
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise DataError(f"{path}, line {line}: holds a zero byte, so this is no text; give a CSV or a list of paths")
    return text, notes


def read_table(path: Path, *, filled: bool = True) -> Table:
    """Read a table whose first line names the columns, separated by comma, semicolon, tab or bar.

    Args:
        path: of the file.
        filled: whether a row with fewer cells than columns is a mistake; False where most cells of a row are empty
            anyway, as of prompts: what is missing at its end is then empty.

    Raises:
        DataError: the file cannot be read, or a row does not fit the first line; names the line.
    """
    text, notes = read_text(path)
    text = text.removeprefix("\ufeff")
    first, _, rest = text.partition("\n")
    skipped, delimiter = 0, ""
    if (mark := first.strip("\r ").lower()).startswith("sep=") and mark[4:] in tuple(DELIMITERS):  # Excel's own mark
        text, skipped, delimiter = rest, 1, mark[4:]
    lines = _lines(path, text, delimiter or _delimiter(text), skipped)
    header = next(lines, None)
    if header is None:
        raise DataError(f"{path}: is empty; need a first line such as id,filename,label")
    columns = tuple(cell.strip().lower() for cell in header[1])
    if twice := [name for name, count in Counter(columns).items() if count > 1 and name]:
        raise DataError(f"{path}, line {header[0]}: names column {some(twice)} more than once; each must stand once")
    cells_of = [(line, _fitting(path, line, columns, cells, filled)) for line, cells in lines]
    if spaced := [line for line, cells in cells_of if any(cell != cell.strip() for cell in cells)]:
        notes.append(f"spaces around the text of {len(spaced)} rows are left out, the first in line {spaced[0]}")
    rows = tuple(
        Row(line, {name: cell.strip() for name, cell in zip(columns, cells, strict=True) if name})
        for line, cells in cells_of
    )
    return Table(path, columns, rows, tuple(notes))


def _delimiter(text: str) -> str:
    """Return what separates the columns: the sign that cuts the first line into most names that are known."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    known = {name for names in SYNONYMS.values() for name in names}

    def fits(sign: str) -> tuple[int, int]:
        cells = [_word(cell.strip().strip('"').strip().lower()) for cell in first.split(sign)]
        return len(known & set(cells)), len(cells)

    return max(DELIMITERS, key=fits)


def _lines(path: Path, text: str, delimiter: str, skipped: int) -> Iterator[tuple[int, list[str]]]:
    """Yield each row that is not empty, with the line that it begins on."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    while True:
        line = reader.line_num + skipped + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(
                f"{path}, line {line}: cannot be read as a row ({error}); a quotation mark may be open from "
                'here on, or one within a text not doubled ("")'
            ) from None
        if any(cell.strip() for cell in cells):
            yield line, cells


def _fitting(path: Path, line: int, columns: Sequence[str], cells: list[str], filled: bool) -> list[str]:
    """Return as many cells as columns; empty ones at the end, as spreadsheets write them, are left out."""
    while len(cells) > len(columns) and not cells[-1].strip():
        cells = cells[:-1]
    if not filled:
        cells = cells + [""] * (len(columns) - len(cells))
    if len(cells) != len(columns):
        what = "fewer" if len(cells) < len(columns) else "more"
        raise DataError(
            f"{path}, line {line}: has {len(cells)} cells, {what} than the {len(columns)} columns "
            f"({', '.join(columns)}); fill or remove the row, and quote a text that holds the separator"
        )
    return cells


def check_unique(path: Path, names: Iterable[str], what: str) -> None:
    """Refuse a table or list that names a thing twice.

    Raises:
        DataError: it does.
    """
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise DataError(f"{path}: {what} given more than once: {some(twice)}; each must stand once")


def some(names: Sequence[str]) -> str:
    """Return the first few names, for an error."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(map(printable, names[:SHOWN])) + more


class FileFinder:
    """Looks up the files that a table or list names.

    Where no file has just that path, backslashes are read as slashes, accents compared composed (NFC), bytes that are
    no UTF-8 as Windows-1252 or as ids write them, and a name without suffix means the one image that has this stem.

    Args:
        folders: that relative names begin at, the first that has the file.
    """

    def __init__(self, *folders: Path) -> None:
        self._folders = folders
        self._names: dict[Path, dict[str, list[str]]] = {}

    def find(self, name: str) -> Path | None:
        """Return the file that is called `name`, relative or absolute; None where there is none.

        Raises:
            DataError: two images have that stem.
        """
        spellings = dict.fromkeys((name, name.replace("\\", "/")))
        places = [(folder, spelling) for spelling in spellings for folder in self._folders]
        exact = (folder / spelling for folder, spelling in places if os.path.isfile(folder / spelling))
        near = (path for folder, spelling in places if (path := self._near(folder, spelling)) is not None)
        return next(exact, None) or next(near, None)

    def _near(self, folder: Path, name: str) -> Path | None:
        path = Path(name)
        place, parts = (Path(path.anchor), path.parts[1:]) if path.is_absolute() else (folder, path.parts)
        for number, part in enumerate(parts, start=1):
            if not os.path.exists(place / part):
                entries = self._entries(place).get(composed(part), [])
                files = [entry for entry in entries if os.path.isfile(place / entry) == (number == len(parts))]
                if len(files) > 1:
                    raise DataError(
                        f"{place}: {part} may mean {' or '.join(map(printable, files))}; write the name in full"
                    )
                part = files[0] if files else part
            place = place / part
        return place if os.path.isfile(place) else None

    def _entries(self, folder: Path) -> dict[str, list[str]]:
        """Return the names in a folder by all that they may be called."""
        if folder not in self._names:
            names = self._names[folder] = {}
            try:
                entries = sorted(os.listdir(folder))
            except OSError:  # not there, or not to be listed: then nothing in it is known
                entries = []
            for entry in entries:
                for called in _called(entry):
                    names.setdefault(called, []).append(entry)
        return self._names[folder]


def _called(name: str) -> set[str]:
    called = {composed(printable(name))}
    if printable(name) != name:
        called.add(composed(os.fsencode(name).decode("cp1252", errors="replace")))
    stem, suffix = os.path.splitext(composed(name))
    return called | {stem} if suffix.lower() in known_suffixes() else called
