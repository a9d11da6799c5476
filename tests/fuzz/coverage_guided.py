"""Fuzzing of the readers that is guided by coverage: bytes are changed where that reaches new lines.

    uv run --group fuzz python tests/fuzz/coverage_guided.py READER CORPUS_FOLDER -max_total_time=600 -max_len=4096

Of what READERS names, everything but a result and an error of Sightline's own ends the run, with the bytes in a file.
libFuzzer prints how many inputs it tried.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["sightline", "yaml", "csv", "json"]):
    import numpy as np
    from PIL import Image

    from sightline.config import DataConfig, SplitConfig
    from sightline.data import ImageSet, Sample, list_images, split
    from sightline.data.masks.census import count_plane
    from sightline.data.masks.meaning import settle
    from sightline.data.masks.palette_files import read_palette
    from sightline.data.masks.planes import read_plane
    from sightline.errors import SightlineError
    from sightline.study import expand, read_study
    from sightline.tasks.prompt.requests import read_prompts

LISTING = ImageSet(
    "set", tuple(Sample(f"{c}/{i}.png", Path("x"), label) for label, c in enumerate("ab") for i in range(3)), ("a", "b")
)
Reader = Callable[[Path], object]


def mask(path: Path) -> None:
    """Find out what one mask means."""
    settle([count_plane(read_plane(path))])


def checkpoint(path: Path) -> None:
    """Read the tensors of a checkpoint."""
    from sightline.models.foreign import read_foreign

    read_foreign(path)


def png() -> bytes:
    """Return a mask of two values."""
    file = io.BytesIO()
    Image.fromarray(np.eye(8, dtype=np.uint8) * 255).save(file, "PNG")
    return file.getvalue()


def tensors() -> bytes:
    """Return a checkpoint of two tensors."""
    import torch

    file = io.BytesIO()
    torch.save({"conv1.weight": torch.zeros(2, 2), "epoch": 3}, file)
    return file.getvalue()


# Name → file name, reader, an input to begin with.
READERS: dict[str, tuple[str, Reader, Callable[[], bytes]]] = {
    "table": ("t.csv", lambda p: list_images(DataConfig(source=str(p))), lambda: b"id,filename,label\n0,a.png,x\n"),
    "palette": ("p.yaml", read_palette, lambda: b"names:\n  0: land\n  1: road\n"),
    "mask": ("m.png", mask, png),
    "split": (
        "s.json",
        lambda p: split(LISTING, SplitConfig(val=0.3, test=0.3), str(p)),
        lambda: b'{"train": ["a/0.png", "b/0.png"], "val": ["a/1.png", "b/1.png"]}',
    ),
    "study": (
        "s.yaml",
        lambda p: expand(read_study(str(p)), p.parent),
        lambda: b"name: s\nclassify: {data: {source: photos}}\narms: [E]\nseeds: [0, 1]\n",
    ),
    "prompts": ("p.json", read_prompts, lambda: b'{"a.png": {"points": [[1, 2, 1]], "box": [0, 0, 3, 3]}}'),
    "checkpoint": ("x.pth", checkpoint, tensors),
}


def main() -> None:
    """Fuzz the reader that the first argument names."""
    name, corpus, *flags = sys.argv[1:]
    file, read, first = READERS[name]
    folder = Path(tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
    Image.new("RGB", (4, 4)).save(folder / "a.png")
    Path(corpus).mkdir(parents=True, exist_ok=True)
    Path(corpus, "first").write_bytes(first())

    def one(content: bytes) -> None:
        (folder / file).write_bytes(content)
        with contextlib.suppress(SightlineError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read(folder / file)

    atheris.Setup([sys.argv[0], corpus, *flags], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
