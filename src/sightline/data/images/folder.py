"""Which files of a folder are images: one rule for training, prediction, prompting and the page."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sightline.data.images.decode import HEIC_SUFFIXES, IMAGE_SUFFIXES
from sightline.errors import DataError
from sightline.files import is_output
from sightline.files.names import printable
from sightline.files.places import list_url, url_of
from sightline.processes import is_first_process

SHOWN = 3  # names of each reason: enough to recognise what is meant
SYSTEM_FOLDERS = frozenset({"__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found"})
# Pictures that are not read: unlike a text file, whoever has them may think that they are taken.
UNREAD_PICTURES = frozenset(
    {".arw", ".cr2", ".cr3", ".dng", ".ecw", ".exr", ".jxl", ".mrxs", ".ndpi", ".nef", ".orf", ".psd", ".raf"}
    | {".rw2", ".sid", ".svg", ".svs"}
)


@dataclass(frozen=True)
class Passed:
    """Files and folders that were passed over for one reason.

    Attributes:
        reason: in words.
        names: their paths below the folder, printable.
        usual: what nearly every folder holds, so that only `data check` speaks of it.
    """

    reason: str
    names: tuple[str, ...]
    usual: bool = False

    def __str__(self) -> str:
        more = ", …" if len(self.names) > SHOWN else ""
        return f"{len(self.names)} {self.reason} ({', '.join(self.names[:SHOWN])}{more})"


@dataclass(frozen=True)
class Listing:
    """The images in and below a folder, and everything else that was seen there.

    Attributes:
        folder: that was searched through.
        images: sorted by path.
        passed: what was passed over, one entry a reason.
        empty: names of folders without an image in or below them; of a folder in such a folder nothing is said.
    """

    folder: Path
    images: tuple[Path, ...]
    passed: tuple[Passed, ...] = ()
    empty: tuple[str, ...] = ()

    def name(self, path: Path) -> str:
        """Return the name of a file below the folder: its path from there with forward slashes, printable."""
        return name_below(self.folder, path)


def name_below(folder: Path, path: Path) -> str:
    """Return the path of a file from a folder above it, with forward slashes, printable."""
    return printable(path.relative_to(folder).as_posix())


def passed_line(source: str, passed: Iterable[Passed]) -> str:
    """Return one line that says what was passed over, "" where that was nothing unusual."""
    unusual = [str(entry) for entry in passed if not entry.usual]
    return f"{printable(source)}: passed over {'; '.join(unusual)}" if unusual else ""


def passed_rows(passed: Iterable[Passed]) -> list[dict[str, Any]]:
    """Return a row (what, value) for each reason, the usual ones too."""
    return [{"what": "passed over", "value": str(entry)} for entry in passed]


def is_image(path: Path) -> bool:
    """Return whether a path is a regular file with an image's suffix, and no hidden one.

    macOS gives each file of an archive a note with a leading dot: ._photo.jpg holds no photo. A FIFO of that name would
    block whoever opens it.
    """
    return path.suffix.lower() in known_suffixes() and not path.name.startswith(".") and path.is_file()


@cache
def known_suffixes() -> frozenset[str]:
    """Return the suffixes of files that are read as images here; those of HEIC where its extra is installed."""
    return IMAGE_SUFFIXES | HEIC_SUFFIXES if find_spec("pillow_heif") else IMAGE_SUFFIXES


def walk(folder: Path, *, outputs: bool = False) -> Listing:
    """List the images in and below a folder.

    Passed over are hidden files and folders, folders of the system, Sightline's own run folders and outputs, links in a
    circle, folders that were listed already under another name, what is no regular file, and what cannot be read.

    Args:
        folder: to search through; it may itself be any of these.
        outputs: take Sightline's own outputs too, for example masks to be judged.

    Raises:
        DataError: the folder itself cannot be listed.
    """
    search = _Search(folder, outputs)
    waiting = [folder]
    # Links come last: a folder that is there by its own name is listed under that.
    while waiting or search.links:
        while waiting:
            waiting += search.look_into(waiting.pop())
        if search.links:
            link = search.links.pop(0)
            waiting += [link] if search.leads_on(link) else []
    passed = [Passed(reason, tuple(sorted(names)), usual) for (usual, reason), names in sorted(search.passed.items())]
    return Listing(folder, tuple(sorted(search.images)), tuple(passed), tuple(search.empty()))


def walk_url(root: Path) -> Listing:
    """List the images of a folder on another file system, named by a URL.

    Raises:
        DataError: it cannot be reached, or there is nothing.
    """
    url, images, passed = url_of(root), list[Path](), defaultdict[tuple[bool, str], list[str]](list)
    assert url is not None, "the caller has looked"
    for path in list_url(url):
        name = name_below(root, path)
        if any(part.startswith(".") for part in path.relative_to(root).parts):
            passed[True, "hidden"].append(name)
        elif path.suffix.lower() in known_suffixes():
            images.append(path)
        else:
            usual = path.suffix.lower() not in UNREAD_PICTURES
            passed[usual, f"file of no image ({path.suffix.lower() or 'no suffix'})"].append(name)
    entries = [Passed(reason, tuple(names), usual) for (usual, reason), names in sorted(passed.items())]
    return Listing(root, tuple(images), tuple(entries))


class _Search:
    """A search through a folder: what was found, and the links that are still to be followed."""

    def __init__(self, root: Path, outputs: bool) -> None:
        self.images: list[Path] = []
        self.links: list[Path] = []
        self.folders: list[Path] = []
        self.passed: dict[tuple[bool, str], list[str]] = defaultdict(list)
        self._root, self._outputs, self._suffixes = root, outputs, known_suffixes()
        self._seen: set[tuple[int, int]] = set()

    def pass_over(self, path: Path, reason: str, usual: bool = False) -> None:
        """Note what is not taken, and why."""
        self.passed[usual, reason].append(name_below(self._root, path))

    def leads_on(self, link: Path) -> bool:
        """Return whether a link to a folder leads to one that was not listed yet; else note why it is passed over."""
        target = Path(os.path.realpath(link))
        if Path(os.path.realpath(link.parent)).is_relative_to(target):
            self.pass_over(link, "link in a circle")
        elif _identity(target) in self._seen:
            self.pass_over(link, "link to a folder that is listed already")
        else:
            return True
        return False

    def empty(self) -> list[str]:
        """Return the names of the outermost folders without an image below them."""
        full = {folder for image in self.images for folder in image.parents}
        bare = {folder for folder in self.folders if folder not in full}
        return sorted(name_below(self._root, folder) for folder in bare - {self._root} if folder.parent not in bare)

    def look_into(self, folder: Path) -> list[Path]:
        """Take the images of a folder, and return the folders in it."""
        try:
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
            identity = _identity(folder)
        except OSError as error:
            if folder == self._root:
                raise DataError(f"{folder}: cannot be listed ({error.strerror}); allow it to be read") from None
            self.pass_over(folder, f"folder that cannot be listed: {error.strerror}")
            return []
        if identity in self._seen:
            self.pass_over(folder, "folder that is listed already")
            return []
        self._seen.add(identity)
        if folder != self._root and _is_own({entry.name for entry in entries}):
            self.pass_over(folder, "folder of a run or study")
            return []
        self.folders.append(folder)
        return [path for entry in entries if (path := self._folder_or_note(entry)) is not None]

    def _folder_or_note(self, entry: os.DirEntry[str]) -> Path | None:
        path = Path(entry.path)
        if entry.name.startswith("."):
            self.pass_over(path, "hidden", usual=True)
            return None
        try:
            if entry.is_dir():
                return self._folder(path, entry.is_symlink())
            regular = entry.is_file()
        except OSError as error:
            self.pass_over(path, f"file that cannot be read: {error.strerror}")
            return None
        suffix = path.suffix.lower()
        if not regular:
            self.pass_over(path, "broken link" if entry.is_symlink() else "FIFO, device or socket")
        elif suffix not in self._suffixes:
            if suffix in HEIC_SUFFIXES:
                self.pass_over(path, "HEIC image, for which sightline[heic] must be installed")
            else:
                self.pass_over(path, f"file of no image ({suffix or 'no suffix'})", usual=suffix not in UNREAD_PICTURES)
        elif not os.access(path, os.R_OK):
            self.pass_over(path, "file that cannot be read: Permission denied")
        elif not self._outputs and is_output(path):
            self.pass_over(path, "output of Sightline's own")
        else:
            self.images.append(path)
        return None

    def _folder(self, path: Path, is_link: bool) -> Path | None:
        if path.name in SYSTEM_FOLDERS:
            self.pass_over(path, "folder of the system", usual=True)
        elif is_link:
            self.links.append(path)
        else:
            return path
        return None


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _is_own(names: set[str]) -> bool:
    """Return whether a folder of these files is what a run or a study wrote."""
    return {"run.json", "config.yaml"} <= names or {"study.yaml", "runs"} <= names


def images_below(folder: Path) -> list[Path]:
    """Return the images in and below a folder, sorted by path; see `walk`."""
    return list(walk(folder).images)


def tell(line: str) -> None:
    """Print a line of what a person should know to stderr; of several processes the first does."""
    if line and is_first_process():
        print(line, file=sys.stderr)


def images_in(path: Path, say: Callable[[str], object] = tell) -> Sequence[Path]:
    """Return the image that a path names, or all images in and below the folder that it names.

    Args:
        path: a file or a folder.
        say: called with one line of what was passed over, where that was anything unusual.

    Raises:
        DataError: nothing there, or a folder without images.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        what = "is no regular file" if path.exists() else "no such file or folder"
        raise DataError(f"{path}: {what}; give an image or a folder of images")
    listing = walk(path)
    if not listing.images:
        raise DataError(f"{path}: no images in this folder{why_none(listing.passed)}")
    if line := passed_line(str(path), listing.passed):
        say(line)
    return list(listing.images)


def why_none(passed: Iterable[Passed]) -> str:
    """Return what an error says after "no images": what was passed over, and which suffixes are known."""
    seen = "; ".join(str(entry) for entry in passed)
    return f"{f' (passed over {seen})' if seen else ''}; known are {', '.join(sorted(known_suffixes()))}"
