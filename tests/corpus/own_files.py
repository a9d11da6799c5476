"""Sightline's own files, damaged, and files of prompts of wrong types."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from conftest import save
from corpus.case import Case, Refused
from sightline.config import DataConfig, RunConfig
from sightline.data import list_images, load_image_set
from sightline.engine import checkpoint
from sightline.files import flaw, seal
from sightline.files.seal import BLOCK
from sightline.runs import RunFolder
from sightline.runs.record import Record
from sightline.tasks.prompt import read_prompts


@dataclass(frozen=True, kw_only=True)
class Score(Record):
    score: float


def run(folder: Path) -> RunFolder:
    made = RunFolder.create(folder / "run", RunConfig(), kind="toy", fingerprint="0")
    made.append_metrics(step=1, epoch=0, values={"loss": 0.5})
    made.write_arrays("a.npz", x=np.zeros(3))
    made.write_predictions({"id": ["a"]})
    made.finish(Score(score=1.0), {})
    return made


def damaged(name: str, content: bytes | Callable[[bytes], bytes]) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        run(folder)
        path = folder / "run" / name
        path.write_bytes(content if isinstance(content, bytes) else content(path.read_bytes()))

    return make


READ: dict[str, Callable[[RunFolder], Any]] = {
    "run.json": lambda run: run.info(),
    "config.yaml": lambda run: run.config(),
    "metrics.jsonl": lambda run: run.metrics(),
    "result.json": lambda run: run.result(),
    "a.npz": lambda run: run.arrays("a.npz"),
    "predictions.parquet": lambda run: run.predictions(),
}
DAMAGE: dict[str, bytes | Callable[[bytes], bytes]] = {
    "cut": lambda content: content[: len(content) // 2],
    "zeros": lambda content: b"\0" * len(content),
    "a list": b"[]\n",
    "Latin-1": b'{"a": "\xe9"}\n',
    "no JSON": b"{nothing\n",
}


def own(name: str, damage: str) -> Case:
    return Case(
        f"{name}: {damage}", damaged(name, DAMAGE[damage]), lambda f: READ[name](RunFolder(f / "run")), Refused(name)
    )


# -- checkpoints
def checkpoint_with(change: Callable[[Path], object]) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        import torch

        checkpoint.save(folder / "last", {"a": torch.zeros(4)}, {"step": 5, "task": {"x": 1}}, 5)
        change(folder / "last")

    return make


def manifest(change: Callable[[dict[str, Any]], object] | bytes) -> Callable[[Path], object]:
    def apply(folder: Path) -> None:
        path = folder / "manifest.json"
        if isinstance(change, bytes):
            path.write_bytes(change)
            return
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return checkpoint_with(apply)


def tensors(change: Callable[[bytes], bytes] | None) -> Callable[[Path], object]:
    def apply(folder: Path) -> None:
        (path,) = folder.glob("tensors-*")
        if change is None:
            path.unlink()
        else:
            path.write_bytes(change(path.read_bytes()))

    return checkpoint_with(apply)


def load(folder: Path) -> Any:
    saved = checkpoint.load(folder / "last")
    return None if saved is None else saved.state["step"]


# -- caches
def pixels(folder: Path, change: Callable[[Path], object]) -> tuple[list[str], bool]:
    """Return what is said when a damaged cache is opened, and whether its pixels are those of the first time."""
    for i in range(3):
        save(folder / "photos" / f"{i}.png", i)
    listing, said = list_images(DataConfig(source=str(folder / "photos"))), list[str]()
    first = [image.copy() for image in load_image_set(listing, 16, folder / "cache").gather(range(3))]
    (home,) = (folder / "cache" / "pixels").iterdir()
    change(home)
    images = load_image_set(listing, 16, folder / "cache", progress=said.append)
    same = all(np.array_equal(a, b) for a, b in zip(first, images.gather(range(3)), strict=True))
    again = load_image_set(listing, 16, folder / "cache", progress=said.append)
    return [word for line in said for word in ("damaged", "decoding") if word in line], same and len(again) == 3


def cache(name: str, change: Callable[[Path], object], expected: list[str]) -> Case:
    return Case(f"the pixel cache: {name}", lambda folder: None, lambda f: pixels(f, change), (expected, True))


def change_file(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    return lambda home: (home / name).write_bytes(change((home / name).read_bytes()))


REBUILT = ["damaged", "decoding"]


def large(at: int) -> Callable[[Path], object]:
    """A sealed file of 100 blocks, one of which is zeroed afterwards."""

    def make(folder: Path) -> None:
        (folder / "c").mkdir()
        (folder / "c" / "x").write_bytes(b"\1" * (100 * BLOCK))
        seal(folder / "c")
        with (folder / "c" / "x").open("r+b") as file:
            file.seek(at * BLOCK)
            file.write(b"\0" * BLOCK)

    return make


# -- prompts
def prompts(name: str, content: str | bytes, *words: str) -> Case:
    suffix = "csv" if content[:5] in ("image", b"image") else "json"
    raw = content.encode() if isinstance(content, str) else content
    return Case(
        f"prompts: {name}",
        lambda f: (f / f"p.{suffix}").write_bytes(raw),
        lambda f: read_prompts(f / f"p.{suffix}"),
        Refused(*words),
    )


def asked(name: str, content: str | bytes, expected: Any) -> Case:
    suffix = "csv" if content[:5] in ("image", b"image") else "json"
    raw = content.encode() if isinstance(content, str) else content

    def look(folder: Path) -> Any:
        (request,) = read_prompts(folder / f"p.{suffix}").values()
        return request.everything or request.prompts.points or request.prompts.box or request.prompts.text

    return Case(f"prompts: {name}", lambda f: (f / f"p.{suffix}").write_bytes(raw), look, expected)


CASES = [
    *(own(name, damage) for name in ("run.json", "result.json") for damage in DAMAGE),
    own("metrics.jsonl", "no JSON"),
    own("metrics.jsonl", "a list"),
    own("metrics.jsonl", "Latin-1"),
    Case(
        "metrics.jsonl: a last line that a crash cut",
        damaged("metrics.jsonl", lambda c: c + b'{"step": 2, "lo'),
        lambda f: len(RunFolder(f / "run").metrics()),
        1,
    ),
    Case(
        "metrics.jsonl: a line without its step",
        damaged("metrics.jsonl", b'{"epoch": 1}\n'),
        lambda f: RunFolder(f / "run").metrics(),
        Refused("metrics.jsonl", "line 1"),
    ),
    own("config.yaml", "zeros"),
    own("config.yaml", "a list"),
    own("config.yaml", "Latin-1"),
    own("config.yaml", "no JSON"),
    own("a.npz", "cut"),
    own("a.npz", "zeros"),
    own("a.npz", "no JSON"),
    own("predictions.parquet", "cut"),
    own("predictions.parquet", "zeros"),
    own("predictions.parquet", "no JSON"),
    Case(
        "run.json: an empty object",
        damaged("run.json", b"{}"),
        lambda f: RunFolder(f / "run").info(),
        Refused("run.json", "kind"),
    ),
    Case(
        "run.json: a status of another type",
        damaged("run.json", lambda c: c.replace(b'"done"', b"5")),
        lambda f: RunFolder(f / "run").status,
        Refused("run.json", "status"),
    ),
    # -- checkpoints
    Case("a checkpoint", checkpoint_with(lambda f: None), load, 5),
    Case("a checkpoint: no manifest", checkpoint_with(lambda f: (f / "manifest.json").unlink()), load, None),
    *(
        Case(f"a checkpoint: manifest {name}", manifest(content), load, Refused("manifest.json", "remove", "anew"))
        for name, content in {
            "cut": b'{"step": 1, "ten',
            "empty": b"",
            "a list": b"[]",
            "zeros": b"\0" * 80,
            "null": b"null",
            "Latin-1": b'{"\xe9": 1}',
            "deep": b"[" * 100_000,
        }.items()
    ),
    *(
        Case(
            f"a checkpoint: manifest without {key}",
            manifest(lambda c, key=key: c.pop(key)),
            load,
            Refused("manifest.json"),
        )
        for key in ("tensors", "sha256", "state")
    ),
    Case(
        "a checkpoint: another step in its state",
        manifest(lambda c: c["state"].update(step=6)),
        load,
        Refused("manifest.json", "checksum"),
    ),
    Case("a checkpoint: another file of tensors", manifest(lambda c: c.update(tensors="x")), load, Refused("checksum")),
    Case(
        "a checkpoint: tensors that are a number",
        manifest(lambda c: c.update(tensors=3)),
        load,
        Refused("manifest.json"),
    ),
    Case("a checkpoint: tensors cut", tensors(lambda c: c[:-3]), load, Refused("checksum", "anew")),
    Case("a checkpoint: tensors empty", tensors(lambda c: b""), load, Refused("checksum")),
    Case("a checkpoint: tensors zeroed", tensors(lambda c: b"\0" * len(c)), load, Refused("checksum")),
    Case("a checkpoint: tensors gone", tensors(None), load, Refused("checksum")),
    # -- caches
    cache("as it was", lambda home: None, []),
    cache("pixels zeroed", change_file("pixels.npy", lambda c: c[:128] + b"\0" * (len(c) - 128)), REBUILT),
    cache("pixels wholly zeroed", change_file("pixels.npy", lambda c: b"\0" * len(c)), REBUILT),
    cache("one pixel changed", change_file("pixels.npy", lambda c: c[:-1] + bytes([c[-1] ^ 1])), REBUILT),
    cache("pixels cut", change_file("pixels.npy", lambda c: c[:-1]), REBUILT),
    cache("pixels empty", change_file("pixels.npy", lambda c: b""), REBUILT),
    cache("no pixels", lambda home: (home / "pixels.npy").unlink(), REBUILT),
    cache("index zeroed", change_file("index.npy", lambda c: b"\0" * len(c)), REBUILT),
    cache("index empty", change_file("index.npy", lambda c: b""), REBUILT),
    cache("no index", lambda home: (home / "index.npy").unlink(), REBUILT),
    cache("list of bad images damaged", change_file("bad.json", lambda c: b"["), REBUILT),
    cache("no list of bad images", lambda home: (home / "bad.json").unlink(), REBUILT),
    cache("no seal", lambda home: (home / "seal.json").unlink(), REBUILT),
    cache("seal zeroed", change_file("seal.json", lambda c: b"\0" * len(c)), REBUILT),
    cache("seal a list", change_file("seal.json", lambda c: b"[]"), REBUILT),
    cache("seal of nothing", change_file("seal.json", lambda c: b"{}"), REBUILT),
    Case("a large file: its first block zeroed", large(0), lambda f: flaw(f / "c"), "x is not as it was written"),
    Case("a large file: its last block zeroed", large(99), lambda f: flaw(f / "c"), "x is not as it was written"),
    Case(
        "a large file: a block that is not looked at",
        large(1),
        lambda f: flaw(f / "c") in ("", "x is not as it was written"),
        True,
    ),
    # -- prompts
    asked("a point", '{"a.png": {"points": [[1, 2, 1]]}}', ((1.0, 2.0, 1),)),
    asked("a box", '{"a.png": {"box": [1, 2, 3, 4]}}', (1.0, 2.0, 3.0, 4.0)),
    asked("everything", '{"a.png": {"everything": true}}', True),
    asked("everything as CSV", "image,everything\na.png,yes\n", True),
    asked("not everything as CSV", "image,text,everything\na.png,dog,no\n", "dog"),
    asked("a point as CSV", "image,x,y,label\na.png,1,2,0\n", ((1.0, 2.0, 0),)),
    prompts("everything as a text", '{"a.png": {"everything": "false"}}', "everything", "'false'", "without quotes"),
    prompts("everything as a number", '{"a.png": {"everything": 1}}', "everything"),
    prompts("everything as null", '{"a.png": {"everything": null}}', "everything"),
    prompts("a text that is a number", '{"a.png": {"text": 5}}', "text"),
    prompts("points that are a text", '{"a.png": {"points": "12"}}', "points"),
    prompts("points as an object", '{"a.png": {"points": {"x": 1}}}', "points"),
    prompts("a point of two numbers", '{"a.png": {"points": [[1, 2]]}}', "points"),
    prompts("a point of texts", '{"a.png": {"points": [["1", "2", "1"]]}}', "points"),
    prompts("a point with another label", '{"a.png": {"points": [[1, 2, 7]]}}', "points"),
    prompts("a point at infinity", '{"a.png": {"points": [[Infinity, 2, 1]]}}', "points"),
    prompts("a point that is NaN", '{"a.png": {"points": [[NaN, 2, 1]]}}', "points"),
    prompts("a point of 400 digits", '{"a.png": {"points": [[' + "9" * 400 + ", 2, 1]]}}", "points"),
    prompts("a point of 5,000 digits", '{"a.png": {"points": [[' + "9" * 5000 + ", 2, 1]]}}", "p.json"),
    prompts("a box of three", '{"a.png": {"box": [1, 2, 3]}}', "box"),
    prompts("a box as a text", '{"a.png": {"box": "1,2,3,4"}}', "box"),
    prompts("a box of truths", '{"a.png": {"box": [true, true, true, true]}}', "box"),
    prompts("an image twice", '{"a.png": {"text": "a"}, "a.png": {"text": "b"}}', "a.png", "twice"),
    prompts("an image without an object", '{"a.png": []}', "expected an object"),
    prompts("a list", "[]", "expected an object"),
    prompts("nothing", "", "p.json"),
    prompts("zeros", b"\0" * 50, "p.json"),
    prompts("deep JSON", "[" * 100_000, "p.json"),
    asked("Latin-1", b'{"a.png": {"text": "caf\xe9"}}', "café"),
    asked("UTF-16", '{"a.png": {"text": "x"}}'.encode("utf-16"), "x"),
    asked("Latin-1 as CSV", b"image,text\na.png,caf\xe9\n", "café"),
    prompts("a CSV with a cell too many", "image,x,y\na.png,1,2,3\n", "line 2", "more than the 3 columns"),
    prompts("a CSV with a cell too few", "image,x,y\na.png,1\n", "line 2", "point"),
    prompts("a CSV with an open quote", 'image,text\na.png,"dog\n', "p.csv"),
    prompts("a CSV with an unknown column", "image,z\na.png,1\n", "columns"),
    prompts("a CSV with a column twice", "image,x,x,y\na.png,1,1,2\n", "more than once"),
    prompts("a CSV with a word for a number", "image,x,y\na.png,one,2\n", "line 2"),
    prompts("a CSV with NaN", "image,x,y\na.png,nan,2\n", "line 2"),
    prompts("a CSV box with a corner missing", "image,x0,y0,x1,y1\na.png,1,2,3,\n", "line 2", "box"),
    prompts("a CSV box without its first corner", "image,x0,y0,x1,y1\na.png,,2,3,4\n", "line 2", "box"),
    prompts("a CSV box at infinity", "image,x0,y0,x1,y1\na.png,1,2,3,inf\n", "line 2", "box"),
    prompts("a CSV with another word for everything", "image,everything\na.png,maybe\n", "line 2", "everything"),
    prompts("a CSV with no image in a row", "image,x,y\n,1,2\n", "line 2"),
    prompts("a CSV with a field of a megabyte", "image,text\na.png," + "x" * (1 << 20) + "\n", "p.csv"),
]
