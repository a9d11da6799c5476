"""Image embeddings kept on disk: an image that was opened before answers its first click at once."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from sightline.files import cache_home
from sightline.files.atomic import atomic_path, sweep

VERSION = 2  # of what is in a file; a new number makes all older ones unread
# About 100 images of SAM 2 (16 MB each) or 500 of SAM (4 MB).
LIMIT = 2 << 30

Embedding = dict[str, Tensor]


class EmbeddingCache:
    """Embeddings by image content and model, least recently used ones removed beyond a bound.

    Args:
        model: all that an embedding depends on beside the image, for example the weights' checksum.
        folder: where; below the cache home by default.
        limit: bytes that all files together may take; an embedding larger than that is not kept.
    """

    def __init__(self, model: str, folder: Path | None = None, limit: int = LIMIT) -> None:
        self._folder, self._model, self._limit = folder, model, limit

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return self._folder or cache_home() / "embeddings"

    def get(self, image: np.ndarray, compute: Callable[[], Embedding]) -> tuple[Embedding, bool]:
        """Return the embedding of an image, float32 on the CPU, and whether it was read from disk.

        Args:
            image: uint8 (H, W, 3).
            compute: called where there is none, or a damaged one.
        """
        path = self.folder / f"{self._key(image)}.safetensors"
        tensors = _read(path)
        if tensors is not None:
            return tensors, True
        embedding = {name: value.detach().float().cpu().contiguous() for name, value in compute().items()}
        if sum(value.nbytes for value in embedding.values()) <= self._limit:
            self._write(path, embedding)
        return embedding, False

    def _key(self, image: np.ndarray) -> str:
        digest = hashlib.sha256(json.dumps([VERSION, self._model, image.shape]).encode())
        digest.update(np.ascontiguousarray(image).data)
        return digest.hexdigest()[:40]

    def _write(self, path: Path, embedding: Embedding) -> None:
        with atomic_path(path) as temporary:
            save_file(embedding, temporary, {"sha256": _checksum(embedding)})
        sweep(self.folder)
        self._shrink()

    def _shrink(self) -> None:
        files = []
        for path in self.folder.glob("*.safetensors"):
            try:
                files.append((path.stat().st_mtime_ns, path.stat().st_size, path))
            except FileNotFoundError:  # another process shrinks too
                continue
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= self._limit:
                return
            path.unlink(missing_ok=True)
            total -= size


def _read(path: Path) -> Embedding | None:
    """Return the tensors of a whole file, and mark it as just used; None where there is none, or a damaged one."""
    try:
        with safe_open(path, "pt") as file:
            embedding = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no mapping
            expected = (file.metadata() or {}).get("sha256")
        os.utime(path)
    except (OSError, SafetensorError):
        return None
    return embedding if _checksum(embedding) == expected else None


def _checksum(embedding: Embedding) -> str:
    digest = hashlib.sha256()
    for name in sorted(embedding):
        digest.update(name.encode())
        digest.update(embedding[name].contiguous().numpy().data)
    return digest.hexdigest()
