"""Checksums: one of a file's bytes, one of a text that stands for what a run depends on."""

from __future__ import annotations

import hashlib
from pathlib import Path

DIGEST = 32  # hexadecimal digits of a fingerprint: 128 bits, short enough to read aloud


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def text_digest(*parts: str) -> str:
    """Return the first 32 hexadecimal digits of the SHA-256 of `parts`, joined by spaces."""
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:DIGEST]
