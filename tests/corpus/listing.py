"""What a folder holds beside images, and what every verb takes of it."""

from __future__ import annotations

import os
import socket
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from conftest import save
from corpus.case import Case, Refused
from sightline.config import DataConfig
from sightline.data import IMAGE_SUFFIXES, images_in, list_images, passed_line, walk
from sightline.data.labelled.listing import list_unlabelled
from sightline.files import Outputs
from sightline.files.names import composed, printable


def seen(folder: Path) -> tuple[list[str], list[str]]:
    """Return the names of the images, and what was passed over and why."""
    listing = walk(folder / "data")
    return [listing.name(path) for path in listing.images], [str(entry) for entry in listing.passed]


def taken(folder: Path) -> list[str]:
    return seen(folder)[0]


def said(folder: Path) -> str:
    """Return the line that a verb prints."""
    return passed_line("data", walk(folder / "data").passed)


def ids(folder: Path) -> list[str]:
    return list_images(DataConfig(source=str(folder / "data"))).ids


def to_name(name: str) -> Callable[[Path], list[str]]:
    """Return what `predict` takes of a path."""
    return lambda folder: list_unlabelled(folder / name).ids


def prompted(name: str) -> Callable[[Path], list[str]]:
    """Return the images that `prompt` and a segmenter's `predict` take of a path."""
    return lambda folder: [path.name for path in images_in(folder / name, say=lambda _: None)]


def files(*names: str) -> Any:
    def make(folder: Path) -> None:
        for name in names:
            path = folder / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")

    return make


def both(*steps: Callable[[Path], object]) -> Any:
    return lambda folder: [step(folder) for step in steps]


def link(name: str, target: str) -> Any:
    def make(folder: Path) -> None:
        path = folder / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)

    return make


def raw(name: bytes) -> Any:
    """Return what writes a file whose name is any bytes."""

    def make(folder: Path) -> None:
        (folder / "data").mkdir(exist_ok=True)
        with open(os.path.join(os.fsencode(folder), b"data", name), "wb") as file:
            file.write(b"x")

    return make


def fifo(folder: Path) -> None:
    (folder / "data").mkdir(exist_ok=True)
    os.mkfifo(folder / "data" / "pipe.jpg")


def a_socket(folder: Path) -> None:
    (folder / "data").mkdir(exist_ok=True)
    here = os.getcwd()
    os.chdir(folder / "data")  # the path of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("s.png")
    finally:
        os.chdir(here)


def without_permission(name: str, look: Callable[[Path], Any]) -> Callable[[Path], Any]:
    """Return a look in which a file or folder is refused, as to somebody who is not root."""
    scandir, access = os.scandir, os.access

    def denied(path: Any) -> Any:
        if Path(path).name == name:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    def looked(folder: Path) -> Any:
        with (
            patch("os.scandir", denied),
            patch("os.access", lambda path, mode: Path(path).name != name and access(path, mode)),
        ):
            return look(folder)

    return looked


def without_heic(look: Callable[[Path], Any]) -> Callable[[Path], Any]:
    """Return a look as where the extra `heic` is not installed."""

    def looked(folder: Path) -> Any:
        with patch("sightline.data.images.folder.known_suffixes", lambda: IMAGE_SUFFIXES):
            return look(folder)

    return looked


def recorded(*names: str) -> Any:
    """Return what writes small pictures under these names as outputs of Sightline's own."""

    def write(folder: Path) -> None:
        outputs = [folder / "data" / name for name in names]
        with Outputs([(folder / "photo.png", output) for output in outputs]).writing():
            for output in outputs:
                save(output, size=4)

    return write


def picture(folder: Path) -> None:
    save(folder / "photo.jpg", size=8)


NFD = unicodedata.normalize("NFD", "é")

CASES = [
    Case("images in folders", files("b/2.jpg", "a.png"), seen, (["a.png", "b/2.jpg"], []), "Listing"),
    Case("suffixes in any case", files("a.JPG", "b.Png"), taken, ["a.JPG", "b.Png"]),
    *[Case(f"{suffix}", files(f"a{suffix}"), taken, [f"a{suffix}"]) for suffix in (
        ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".avif", ".bmp", ".gif", ".jp2", ".j2k", ".tga",
        ".ppm", ".pgm", ".pbm", ".pnm", ".tif", ".tiff")],
    Case("hidden files", files("a.png", ".b.png", "._a.png"), seen, (["a.png"], ["2 hidden (._a.png, .b.png)"]),
         "Listing"),
    Case("nothing is said of hidden files", files("a.png", ".b.png"), said, ""),
    Case("hidden folders", files("a.png", ".git/b.png"), seen, (["a.png"], ["1 hidden (.git)"])),
    Case("notebook checkpoints", files("a.png", ".ipynb_checkpoints/a-checkpoint.png"), taken, ["a.png"], "Listing"),
    Case("macOS archives", files("a.png", "__MACOSX/._a.png"), seen, (["a.png"], ["1 folder of the system (__MACOSX)"]),
         "Listing"),
    Case("Synology thumbnails", files("a.png", "@eaDir/a.png/thumb.jpg"), taken, ["a.png"]),
    Case("other files are counted by suffix", files("a.png", "a.txt", "b.txt", "c"), seen,
         (["a.png"], ["2 file of no image (.txt) (a.txt, b.txt)", "1 file of no image (no suffix) (c)"])),
    Case("nothing is said of texts", files("a.png", "a.txt", "Thumbs.db"), said, ""),
    Case("raw photographs are said", files("a.png", "b.CR2"), said,
         "data: passed over 1 file of no image (.cr2) (b.CR2)",
         "Listing"),
    Case("HEIC without its extra", files("a.png", "b.HEIC"), without_heic(said),
         "data: passed over 1 HEIC image, for which sightline[heic] must be installed (b.HEIC)", "Listing"),
    Case("vector pictures", files("a.png", "b.svg"), said, "data: passed over 1 file of no image (.svg) (b.svg)"),
    Case("a folder named like an image", files("x.png/a.png"), taken, ["x.png/a.png"]),
    Case("a FIFO", both(files("a.png"), fifo), seen, (["a.png"], ["1 FIFO, device or socket (pipe.jpg)"]), "Listing"),
    Case("a FIFO, said", both(files("a.png"), fifo), said, "data: passed over 1 FIFO, device or socket (pipe.jpg)"),
    Case("a FIFO, asked for", fifo, prompted("data/pipe.jpg"), Refused("is no regular file")),
    Case("a FIFO, to be named", fifo, to_name("data/pipe.jpg"), Refused("is no regular file")),
    Case("a socket", both(files("a.png"), a_socket), taken, ["a.png"]),
    Case("a link to an image", both(files("a.png"), link("b.png", "a.png")), taken, ["a.png", "b.png"]),
    Case("a broken link", both(files("a.png"), link("b.png", "gone.png")), seen, (["a.png"], ["1 broken link (b.png)"]),
         "Listing"),
    Case("a link to itself", both(files("a.png"), link("b.png", "b.png")), taken, ["a.png"]),
    Case("a link in a circle", both(files("s/a.png"), link("s/loop", "..")), seen,
         (["s/a.png"], ["1 link in a circle (s/loop)"]), "Listing"),
    Case("links that lead to each other", both(files("a/1.png", "b/2.png"), link("a/b", "../b"), link("b/a", "../a")),
         taken, ["a/1.png", "b/2.png"]),
    Case("a folder and a link to it", both(files("z/a.png"), link("a", "z")), seen,
         (["z/a.png"], ["1 link to a folder that is listed already (a)"]), "Listing"),
    Case("a link to a folder elsewhere", both(files("a.png"), lambda f: save(f / "else/b.png", size=4),
         link("more", "../else")), taken, ["a.png", "more/b.png"], "Listing"),
    Case("two links to a folder elsewhere", both(lambda f: save(f / "else/b.png", size=4), link("x", "../else"),
         link("y", "../else")), seen, (["x/b.png"], ["1 link to a folder that is listed already (y)"])),
    Case("the folder is itself a link", both(lambda f: save(f / "else/b.png", size=4),
         lambda f: (f / "data").symlink_to("else")), taken, ["b.png"]),
    Case("a run folder", files("a.png", "run/run.json", "run/config.yaml", "run/figures/x.png"), seen,
         (["a.png"], ["1 folder of a run or study (run)"]), "Listing"),
    Case("a config.yaml alone is no run", files("a.png", "b/config.yaml", "b/x.png"), taken, ["a.png", "b/x.png"]),
    Case("a run's figures, asked for", files("run.json", "config.yaml", "figures/x.png"), taken, ["figures/x.png"]),
    Case("own outputs", both(files("a.png"), recorded("a_mask_000.png", "a_overlay.png")), seen,
         (["a.png"], ["2 output of Sightline's own (a_mask_000.png, a_overlay.png)", "1 hidden (.sightline-outputs)"]),
         "Listing"),
    Case("files named like outputs", files("a.png", "a_mask_000.png"), taken, ["a.png", "a_mask_000.png"]),
    Case("one that the record does not list", both(files("a.png", "a_mask_7.png"), recorded("a_mask_000.png")),
         taken, ["a.png", "a_mask_7.png"]),
    Case("a folder without permission", files("a.png", "b/c.png"), without_permission("b", seen),
         (["a.png"], ["1 folder that cannot be listed: Permission denied (b)"]), "Listing"),
    Case("is said", files("a.png", "b/c.png"), without_permission("b", said),
         "data: passed over 1 folder that cannot be listed: Permission denied (b)"),
    Case("a file without permission", files("a.png", "b.png"), without_permission("b.png", seen),
         (["a.png"], ["1 file that cannot be read: Permission denied (b.png)"]), "Listing"),
    Case("the folder itself without permission", files("a.png"), without_permission("data", seen),
         Refused("cannot be listed (Permission denied)")),
    Case("a name that is no UTF-8", raw(b"a\xf1o.jpg"), ids, ["a\\xf1o.jpg"], "Listing",
         "its id is a\\xf1o.jpg, which can be printed and written"),
    Case("and one that looks like its id", both(raw(b"a\xf1o.jpg"), raw(b"a\\xf1o.jpg")), ids,
         ["a\\\\xf1o.jpg", "a\\xf1o.jpg"]),
    Case("a line break in a name", files("a\nb.png"), ids, ["a\\x0ab.png"]),
    Case("a terminal's escape in a name", files("a\x1b[2J.png"), ids, ["a\\x1b[2J.png"]),
    Case("a folder that is no UTF-8, said", both(raw(b"b.png"), lambda f: os.mkdir(os.fsencode(f / "data") + b"/\xe9"),
         lambda f: os.symlink("../", os.fsencode(f / "data") + b"/\xe9/loop")), said,
         "data: passed over 1 link in a circle (\\xe9/loop)"),
    Case("decomposed names stay", files(f"{NFD}.png"), ids, [f"{NFD}.png"]),
    Case("emoji and spaces", files("🐈 1.png"), ids, ["🐈 1.png"]),
    Case("two suffixes of one stem", files("a.jpg", "a.png"), ids, ["a.jpg", "a.png"], "Listing", "two samples"),
    Case("nothing at all", lambda f: (f / "data").mkdir(), prompted("data"), Refused("no images in this folder",
         ".jpg")),
    Case("HEIC with its extra", files("b.HEIC"), taken, ["b.HEIC"], "Listing"),
    Case("only what is passed over", files("a.heic"), without_heic(prompted("data")),
         Refused("no images", "sightline[heic]")),
    Case("no such folder", lambda _: None, prompted("data"), Refused("no such file or folder")),
    Case("no such folder, to be named", lambda _: None, to_name("data"), Refused("no such file or folder")),
    Case("one image, to be named", picture, to_name("photo.jpg"), ["photo.jpg"]),
    Case("a folder, to be named", files("b/1.png", "a/2.png"), to_name("data"), ["a/2.png", "b/1.png"]),
    Case("what is printable stays", lambda _: None, lambda _: printable("é\\x.png"), "é\\x.png"),
    Case("composed", lambda _: None, lambda _: composed(NFD), "é"),
]  # fmt: skip
