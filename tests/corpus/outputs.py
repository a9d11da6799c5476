"""Files that a command writes beside a user's own, folders of runs, and locks: what is refused, what goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from corpus.case import Case, Refused
from corpus.own_files import Score
from sightline.config import RunConfig
from sightline.files import Outputs, is_output, locked, write_text
from sightline.files.lock import Holder
from sightline.runs import RunFolder


def put(*names: str, text: str = "theirs") -> Callable[[Path], object]:
    """Return what writes a user's own files."""

    def make(folder: Path) -> None:
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)

    return make


def written(folder: Path, *pairs: tuple[str, str], inputs: tuple[str, ...] = (), of: str = "") -> dict[str, str]:
    """Write outputs as a command does, and return what every file of the folder holds."""
    outputs = Outputs([(folder / a, folder / b) for a, b in pairs], [folder / name for name in inputs])
    with outputs.writing(of=of):
        for target in outputs.sources:
            write_text(target, "ours")
    return contents(folder)


def contents(folder: Path) -> dict[str, str]:
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != ".sightline-outputs"]
    return {path.relative_to(folder).as_posix(): path.read_text() for path in sorted(paths)}


def twice(*pairs: tuple[str, str], between: Callable[[Path], object] = lambda folder: None, of: str = "") -> Any:
    def look(folder: Path) -> dict[str, str]:
        written(folder, *pairs, of=of)
        between(folder)
        return written(folder, *pairs, of=of)

    return look


def answers(first: list[str], second: list[str]) -> Any:
    """Two answers for one image, the second with other files."""

    def look(folder: Path) -> list[str]:
        written(folder, *((("a"), name) for name in first), of="a")
        written(folder, *((("a"), name) for name in second), of="a")
        return sorted(contents(folder))

    return look


def link(folder: Path) -> None:
    put("in/a.png")(folder)
    (folder / "out").symlink_to(folder / "in")


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


# -- folders of runs
CONFIG = RunConfig(seed=3)


def begin(*, resume: bool = False, **keys: Any) -> Callable[[Path], Any]:
    def look(folder: Path) -> str:
        config = CONFIG.model_copy(update=keys)
        return RunFolder.create(folder / "run", config, kind="toy", fingerprint="0", resume=resume).status

    return look


def run(status: str = "running") -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        made = RunFolder.create(folder / "run", CONFIG, kind="toy", fingerprint="0")
        if status == "done":
            made.finish(Score(score=1.0), {})

    return make


def without_info(*more: str, config: bool = True) -> Callable[[Path], object]:
    """A run that was killed before its run.json."""

    def make(folder: Path) -> None:
        run()(folder)
        (folder / "run" / "run.json").unlink()
        if not config:
            (folder / "run" / "config.yaml").unlink()
        for name in more:
            (folder / "run" / name).write_text("half")

    return make


def left(*names: str) -> Callable[[Path], Any]:
    def look(folder: Path) -> list[str]:
        begin(resume=True)(folder)
        paths = [path for path in (folder / "run").rglob("*") if path.is_file()]
        return sorted({path.name for path in paths} - {"run.json", "config.yaml"})

    return look


def and_files(*names: str) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        run()(folder)
        for name in names:
            (folder / "run" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "run" / name).write_text("half")

    return make


# -- locks
def lock(host: str = "", pid: int = 0, began: str | None = None, text: str | None = None) -> Callable[[Path], object]:
    """A lock that somebody left."""

    def make(folder: Path) -> None:
        me = Holder.me()
        values = {
            "host": host or me.host,
            "pid": pid or dead_pid(),
            "began": me.began if began is None else began,
            "since": "2026-01-01 00:00:00",
        }
        import json

        (folder / ".lock").write_text(json.dumps(values) if text is None else text)
        os.utime(folder / ".lock", (1e9, 1e9))

    return make


def take(folder: Path) -> list[str]:
    with locked(folder / ".lock", "the run"):
        held = sorted(path.name for path in folder.iterdir())
    return [*held, *sorted(path.name for path in folder.iterdir())]


def nothing(folder: Path) -> None:
    """An empty folder."""


A = ("a.png", "out/a.png")
CASES = [
    Case("a new folder", put("a.png"), lambda f: written(f, A), {"a.png": "theirs", "out/a.png": "ours"}),
    Case(
        "the images' own folder",
        put("a.png"),
        lambda f: written(f, ("a.png", "a.png"), inputs=("a.png",)),
        Refused("a.png", "is an input", "nothing was written", "--out"),
        "Outputs",
        "refused: it would replace the images",
    ),
    Case(
        "the images' own folder, by ..",
        put("in/a.png"),
        lambda f: written(f, ("in/a.png", "in/../in/a.png"), inputs=("in/a.png",)),
        Refused("is an input"),
    ),
    Case(
        "the images' own folder, by a link",
        link,
        lambda f: written(f, ("in/a.png", "out/a.png"), inputs=("in/a.png",)),
        Refused("is an input"),
    ),
    Case(
        "an image of another stem's name",
        put("a.tif", "a.png"),
        lambda f: written(f, ("a.tif", "a.png"), inputs=("a.tif", "a.png")),
        Refused("a.tif", "a.png", "is an input"),
    ),
    Case(
        "two images of one stem",
        put("a.jpg", "a.png"),
        lambda f: written(f, ("a.jpg", "out/a.png"), A),
        Refused("a.jpg", "a.png", "would both be written"),
        "Outputs",
        "refused, before anything is written",
    ),
    Case(
        "two images of one stem, probabilities",
        put("a.jpg"),
        lambda f: written(f, ("a.jpg", "out/a.npy"), ("b/a.jpg", "out/a.npy")),
        Refused("would both be written to", "a.npy"),
    ),
    Case(
        "two images of one stem in two folders",
        put("x/a.jpg", "y/a.jpg"),
        lambda f: list(written(f, ("x/a.jpg", "out/x/a.png"), ("y/a.jpg", "out/y/a.png"))),
        ["out/x/a.png", "out/y/a.png", "x/a.jpg", "y/a.jpg"],
    ),
    Case(
        "somebody's file of that name",
        put("a.png", "out/a.png"),
        lambda f: written(f, A),
        Refused("out/a.png", "did not write it", "nothing was changed"),
        "Outputs",
        "refused, and stays as it is",
    ),
    Case(
        "somebody's file of a later name",
        put("out/b.png"),
        lambda f: written(f, A, ("b.png", "out/b.png")),
        Refused("out/b.png", "nothing was changed"),
    ),
    Case(
        "many files of somebody's",
        put(*(f"out/{i}.png" for i in range(9))),
        lambda f: written(f, *((f"{i}.jpg", f"out/{i}.png") for i in range(9))),
        Refused("and 6 more"),
    ),
    Case(
        "a folder of that name",
        lambda f: (f / "out/a.png").mkdir(parents=True),
        lambda f: written(f, A),
        Refused("out/a.png"),
    ),
    Case(
        "a link of that name that leads nowhere",
        lambda f: ((f / "out").mkdir(), (f / "out/a.png").symlink_to(f / "x")),
        lambda f: written(f, A),
        Refused("out/a.png"),
    ),
    Case(
        "other files of somebody's beside",
        put("out/b.png", "out/a.json"),
        lambda f: written(f, A),
        {"out/a.json": "theirs", "out/a.png": "ours", "out/b.png": "theirs"},
    ),
    Case("the same command twice", nothing, twice(A), {"out/a.png": "ours"}, "Outputs", "replaces its own files"),
    Case(
        "the same command after the user changed a file",
        nothing,
        twice(A, between=put("out/a.png")),
        Refused("out/a.png", "did not write it"),
        "Outputs",
        "refused: the file is the user's now",
    ),
    Case(
        "the same command after the user removed a file",
        nothing,
        twice(A, between=lambda f: (f / "out/a.png").unlink()),
        {"out/a.png": "ours"},
    ),
    Case(
        "the same command after the record was lost",
        nothing,
        twice(A, between=lambda f: (f / "out/.sightline-outputs").unlink()),
        Refused("did not write it"),
    ),
    Case(
        "the same command after the record was damaged",
        nothing,
        twice(A, between=lambda f: (f / "out/.sightline-outputs").write_bytes(b"\0" * 40)),
        Refused("did not write it"),
    ),
    Case(
        "the folder was moved",
        nothing,
        lambda f: (written(f, A), (f / "out").rename(f / "new"), written(f, ("a.png", "new/a.png")))[-1],
        {"new/a.png": "ours"},
    ),
    Case(
        "an answer with fewer masks",
        nothing,
        answers(["a_0.png", "a_1.png", "a.json"], ["a_0.png", "a.json"]),
        ["a.json", "a_0.png"],
        "Outputs",
        "what an earlier answer wrote for the same image goes",
    ),
    Case(
        "an answer beside somebody's numbered files",
        put("a_9.png", "a_mask_2023.png"),
        answers(["a_0.png"], ["a_1.png"]),
        ["a_1.png", "a_9.png", "a_mask_2023.png"],
    ),
    Case(
        "own outputs are no images",
        put("b.png"),
        lambda f: (written(f, ("b.png", "a.png")), [name for name in ("a.png", "b.png") if not is_output(f / name)])[
            -1
        ],
        ["b.png"],
        "Outputs",
        "passed over where a folder of images is listed",
    ),
    Case(
        "an own output that somebody replaced is an image",
        nothing,
        lambda f: (written(f, A), put("out/a.png")(f), is_output(f / "out/a.png"))[-1],
        False,
    ),
    Case(
        "what a dead process left of a file is swept",
        lambda f: ((f / "out").mkdir(), (f / f"out/.a.png.tmp-{dead_pid()}").write_text("half")),
        lambda f: written(f, A),
        {"out/a.png": "ours"},
    ),
    Case(
        "what a living process writes stays",
        lambda f: ((f / "out").mkdir(), (f / f"out/.a.png.tmp-{os.getppid()}").write_text("half")),
        lambda f: len(written(f, A)),
        2,
    ),
    # -- runs
    Case("a new run", nothing, begin(), "running"),
    Case("an empty folder", lambda f: (f / "run").mkdir(), begin(), "running"),
    Case("a folder with somebody's file", put("run/thesis.txt"), begin(resume=True), Refused("not empty", "no run")),
    Case(
        "a folder with somebody's config.yaml",
        put("run/config.yaml", text="model: theirs"),
        begin(resume=True),
        Refused("not empty"),
    ),
    Case(
        "a folder with a config.yaml that is no YAML",
        put("run/config.yaml", text="{"),
        begin(resume=True),
        Refused("not empty"),
    ),
    Case("a run again, without --resume", run(), begin(), Refused("--resume")),
    Case("a run with --resume", run(), begin(resume=True), "running"),
    Case("a finished run with --resume", run("done"), begin(resume=True), "done"),
    Case("another run with --resume", run(), begin(resume=True, seed=4), Refused("seed: 3 there, 4 now")),
    Case("other workers with --resume", run(), begin(resume=True, workers=2), "running", "Runs", "the same run"),
    Case(
        "other minutes between checkpoints with --resume", run(), begin(resume=True, checkpoint_minutes=1.0), "running"
    ),
    Case(
        "a run that is to keep its checkpoint, with --resume",
        run(),
        begin(resume=True, keep_checkpoint=True),
        "running",
    ),
    Case("the same settings by SIGHTLINE_SET", run(), begin(resume=True, environment=("seed=3",)), "running"),
    Case("killed before run.json", without_info(), begin(resume=True), "running", "Runs", "--resume takes it"),
    Case("killed before run.json, with its lock", without_info(".lock"), begin(resume=True), "running"),
    Case("killed before run.json, without --resume", without_info(), begin(), Refused("just begun", "--resume")),
    Case("killed before run.json, other workers", without_info(), begin(resume=True, workers=3), "running"),
    Case("killed before run.json, another seed", without_info(), begin(resume=True, seed=4), Refused("not empty")),
    Case(
        "killed before run.json, and somebody's file",
        without_info("notes.txt"),
        begin(resume=True),
        Refused("not empty"),
    ),
    Case(
        "killed while config.yaml was written",
        without_info(".config.yaml.tmp-999999999", config=False),
        begin(resume=True),
        "running",
    ),
    Case("killed while run.json was written", without_info(".run.json.tmp-999999999"), begin(resume=True), "running"),
    Case("failed before it began, with its traceback", put("run/traceback.txt"), begin(resume=True), "running"),
    Case(
        "a killed run's temporary files",
        and_files(
            ".weights.safetensors.tmp-999999999",
            "checkpoints/last/.tmpAb12Cd",
            "checkpoints/last/.manifest.json.tmp-999999999",
        ),
        left(),
        [],
        "Runs",
        "are removed by --resume",
    ),
    Case("a run's other hidden files", and_files(".notes", "checkpoints/last/.tmpabc"), left(), [".notes", ".tmpabc"]),
    # -- locks
    Case("no lock", nothing, take, [".lock"]),
    Case("the lock of a process that is gone", lock(), take, [".lock"], "Locks", "is taken over"),
    Case("the lock of a number that another process has now", lock(pid=os.getpid(), began="long ago"), take, [".lock"]),
    Case(
        "the lock of a living process",
        lock(pid=os.getpid()),
        take,
        Refused("the run", "in use", str(os.getpid()), "wait for it"),
        "Locks",
        "is refused, with host and process",
    ),
    Case(
        "the lock of another host",
        lock(host="elsewhere"),
        take,
        Refused("on elsewhere", "if it is gone, remove", ".lock"),
        "Locks",
        "is refused, with the way out",
    ),
    Case("a lock that a crash left empty", lock(text=""), take, [".lock"]),
    Case("a lock that a crash left half", lock(text='{"host": "a'), take, [".lock"]),
    Case("a lock with other keys", lock(text='{"pid": 3}'), take, [".lock"]),
    Case("a lock that is a list", lock(text="[]"), take, [".lock"]),
]
