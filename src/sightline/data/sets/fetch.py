"""Downloading named data sets: resumed, verified, and unpacked without trusting the archive."""

from __future__ import annotations

import hashlib
import http.client
import lzma
import shutil
import stat
import sys
import tarfile
import urllib.error
import urllib.request
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from sightline.data.sets.catalog import CATALOG, Archive
from sightline.data.sets.convert import CONVERSIONS
from sightline.errors import DataError, NotAvailable, nearest
from sightline.files import data_home
from sightline.files.staging import staged

BLOCK = 1 << 20
TIMEOUT = 30  # seconds without a byte
MAX_RATIO = 100  # unpacked to packed: images hardly shrink, a bomb's zeros shrink a thousandfold
SMALL = 2**30  # bytes that are let through at any ratio
MAX_MEMBERS = 5_000_000


def fetch(name: str, out: Path | None = None) -> Path:
    """Download, verify and unpack a named data set; what is there already is left as it is.

    Args:
        name: of the catalogue.
        out: the folder to make; the data home's by default.

    Raises:
        DataError: an unknown name, a set whose terms a person must accept first, or a wrong checksum.
        NotAvailable: no network, or the server does not answer; what came so far is kept and gone on from.
    """
    if name not in CATALOG:
        raise DataError(f"data set {name!r}: not known.{nearest(name, CATALOG)} Known: {', '.join(CATALOG)}")
    entry, target = CATALOG[name], out or data_home() / name
    if target.is_dir():
        return target
    print(f"{name}: {entry.about}\nlicence: {entry.licence}", file=sys.stderr)
    if entry.by_hand:
        raise DataError(
            f"{name}: its terms must be accepted by a person. By hand: {entry.by_hand}. Page: {entry.page}. Then put "
            f"the files under {target}"
        )
    archives = [download(archive, data_home() / "downloads") for archive in entry.archives]
    with staged(target) as private:
        for archive in archives:
            unpack(archive, private)
        if entry.conversion:
            CONVERSIONS[entry.conversion](private)
    return target


def download(archive: Archive, folder: Path) -> Path:
    """Download one file into `folder`, going on where an earlier try stopped, and verify it.

    Raises:
        NotAvailable: the server cannot be reached.
        DataError: the checksum is wrong; the file is removed, so that a new try starts afresh.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / PurePosixPath(archive.url).name
    if path.is_file() and _matches(path, archive.digest):
        return path
    part = path.with_name(path.name + ".part")
    try:
        _receive(archive.url, part)
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        raise NotAvailable(f"{archive.url}: {error}; the same command goes on where it stopped") from None
    if not _matches(part, archive.digest):
        part.unlink()
        raise DataError(
            f"{archive.url}: what came does not match its checksum {archive.digest}; it was removed, try again"
        )
    part.replace(path)
    return path


def _receive(url: str, part: Path) -> None:
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # nothing after what we have: it is whole
            return
        raise
    with response:
        resumed = response.status == 206
        total = int(response.headers.get("Content-Length", 0)) + (have if resumed else 0)
        done, reported = have if resumed else 0, 0
        with part.open("ab" if resumed else "wb") as file:
            while block := response.read(BLOCK):
                file.write(block)
                done += len(block)
                if total and done * 20 // total > reported:
                    reported = done * 20 // total
                    print(f"{part.stem}: {done / 2**20:.0f} of {total / 2**20:.0f} MiB", file=sys.stderr)
        if done < total:  # a dropped connection ends the stream without an error
            raise OSError(f"the connection ended after {done:,} of {total:,} bytes")


def _matches(path: Path, digest: str) -> bool:
    algorithm, _, expected = digest.partition(":")
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest() == expected


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar or zip file: plain files and folders inside `folder` only, and no more bytes than are sane.

    Raises:
        DataError: the archive is damaged, or holds a path outside, a link, a device, or too much.
    """
    try:
        if zipfile.is_zipfile(archive):
            _unpack_zip(archive, folder)
        elif tarfile.is_tarfile(archive):
            _unpack_tar(archive, folder)
        else:
            raise DataError(f"{archive}: is neither a zip nor a tar file")
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError) as error:
        raise DataError(f"{archive}: is damaged ({error}); remove it and fetch again") from None


def _unpack_zip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as bundle:
        members = bundle.infolist()
        if links := [m.filename for m in members if stat.S_ISLNK(m.external_attr >> 16)]:
            raise DataError(f"{archive}: holds a link, {links[0]}; not unpacked")
        _check(archive, folder, [(m.filename, m.file_size) for m in members])
        bundle.extractall(folder)


def _unpack_tar(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as bundle:
        members = bundle.getmembers()
        if odd := [m.name for m in members if not (m.isfile() or m.isdir())]:
            raise DataError(f"{archive}: holds a link or device, {odd[0]}; not unpacked")
        _check(archive, folder, [(m.name, m.size) for m in members])
        bundle.extractall(folder, filter="data")


def _check(archive: Path, folder: Path, members: list[tuple[str, int]]) -> None:
    for name, _ in members:
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts:
            raise DataError(f"{archive}: holds a path outside its folder, {name!r}; not unpacked")
    total = sum(size for _, size in members)
    packed = archive.stat().st_size
    if total > max(SMALL, MAX_RATIO * packed) or len(members) > MAX_MEMBERS:
        raise DataError(
            f"{archive}: {packed:,} bytes would unpack to {total:,} in {len(members):,} files, as a bomb does; "
            "not unpacked"
        )
    if total > (free := shutil.disk_usage(folder).free):
        raise DataError(f"{archive}: would unpack to {total:,} bytes, and {folder} has {free:,} free; make room")
