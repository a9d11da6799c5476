"""Seals of finished cache folders: what a power cut or a stray hand did to them is seen before they are used."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from sightline.files.atomic import write_json

SEAL = "seal.json"
BLOCK = 1 << 20
# Blocks of a file that are read again when its folder is opened: files up to 64 MiB wholly, in about 50 ms; of larger
# ones the first, the last, and others at equal distances. All of them would be seconds for each GB, at every start.
BLOCKS = 64


def seal(folder: Path) -> None:
    """Write seal.json: the size of each file in `folder` and below, and the hash of the blocks that are looked at."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    write_json(folder / SEAL, {path.relative_to(folder).as_posix(): _print(path) for path in files})


def flaw(folder: Path) -> str:
    """Return what is wrong with a sealed folder, "" where nothing is."""
    try:
        sealed = json.loads((folder / SEAL).read_text(encoding="utf-8"))
        if not sealed:
            return "its seal is empty"
        for name, expected in sealed.items():
            if _print(folder / name) != expected:
                return f"{name} is not as it was written"
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _print(path: Path) -> list[int | str]:
    size = path.stat().st_size
    digest, count = hashlib.blake2b(digest_size=16), -(-size // BLOCK)
    chosen = range(count) if count <= BLOCKS else [i * (count - 1) // (BLOCKS - 1) for i in range(BLOCKS)]
    with path.open("rb") as file:
        for block in chosen:
            file.seek(block * BLOCK)
            digest.update(file.read(BLOCK))
    return [size, digest.hexdigest()]
