"""Runs that die by SIGKILL at a change of their folder: killed_runs.py FOLDER KILLS SEED KIND, a JSON line a kind.

What a kill leaves on the disk is what the changes before it left: between two of them it does not matter when it comes.
So a whole run is made first, its changes (files opened to be written, renamed, removed, folders made) are counted, and
the kills come before changes that are drawn from all of them. Each process is forked from this one, where torch is
loaded.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from conftest import write_classes, write_tiles
from sightline.cli.main import run

CHANGES = frozenset({"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate"})
COMMON = ["--resume", "--set", "threads=1", "--set", "workers=0", "--set", "checkpoint_minutes=0", "--set",
          "precision=32-true"]  # fmt: skip
SMALL = ["--backbone", "timm/test_resnet", "--epochs", "2", "--set", "batch_size=4"]
VIEWS = [f"{key}={value}" for key, value in {
    "views.global_size": 32, "views.local_size": 16, "views.local_crops": 1, "method.prototypes": 32,
    "method.hidden": 32, "method.bottleneck": 16,
}.items()]  # fmt: skip
COMMANDS: dict[str, list[str]] = {
    "pretrain": ["pretrain", "{classes}", "--recipe", "dino-demo", *SMALL, *(f"--set={view}" for view in VIEWS)],
    "classify": ["classify", "{classes}", *SMALL, "--set", "input_size=24"],
    "segment": ["segment", "{tiles}", *SMALL, "--crop", "32"],
    "study": ["study", "{study}", "--jobs", "1"],
}
# Loaded before the forks, for it takes longer than what is killed; none of these starts a thread.
LOADED = ("sightline.tasks.pretrain", "sightline.tasks.classify", "sightline.tasks.segment", "sightline.study",
          "sightline.report", "sightline.views.device", "sightline.views.kernels", "sightline.models.foreign",
          "matplotlib.figure")  # fmt: skip
SAME = ("metrics.jsonl", "result.json", "weights.safetensors", "model.json")


def forked(work: Callable[[], int]) -> int:
    """Return how a copy of this process ended that did the work: its exit code, or minus the signal's number."""
    child = os.fork()
    if not child:
        code = 70
        try:
            with open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing):
                code = work()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def watched(arguments: list[str], folder: Path, at: int, count: Path | None = None) -> int:
    """Run a command; the process dies before its change number `at` of the folder, or writes how many there were."""
    changes = 0

    def hook(event: str, values: tuple) -> None:
        nonlocal changes
        writes = event == "open" and isinstance(values[2], int) and values[2] & (os.O_WRONLY | os.O_RDWR)
        if (writes or event in CHANGES) and str(values[0]).startswith(str(folder)):
            changes += 1
            if changes == at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    code = run(arguments)
    if count is not None:
        count.write_text(str(changes))
    return code


def results(folder: Path) -> dict[str, bytes]:
    """Return what must be the same of an unbroken run and one that was killed and resumed."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        # The result of a study holds times.
        if path.name in SAME and path.is_file() and (path.parent == folder) <= (folder / "run.json").exists()
    }


def kills(kind: str, places: dict[str, Path], work: Path, count: int, seed: int) -> dict[str, object]:
    """Return how many runs of a kind were killed, and where one did not go on to the result of the unbroken one."""
    template = [part.format(**places) for part in COMMANDS[kind]]
    whole = work / "whole"
    code = forked(lambda: watched([*template, "--out", str(whole), *options(kind)], whole, 0, work / "count"))
    assert code == 0, f"{kind}: the whole run ended with {code}"
    changes, expected = int((work / "count").read_text()), results(whole)
    rng = random.Random(seed)
    wrong: dict[int, str] = {}
    drawn = rng.sample(range(1, changes + 1), min(count, changes))  # unsorted, so that a part of them is spread too
    for at in drawn:
        out = work / "whole"  # by the same name: results name their folder
        shutil.rmtree(out)
        arguments = [*template, "--out", str(out), *options(kind)]
        died = forked(lambda arguments=arguments, out=out, at=at: watched(arguments, out, at))
        said = work / "stderr"
        with said.open("w") as file:
            saved = os.dup(2)
            os.dup2(file.fileno(), 2)
            code = forked(lambda arguments=arguments: run(arguments))
            os.dup2(saved, 2)
            os.close(saved)
        if died != -signal.SIGKILL:
            wrong[at] = f"was not killed: {died}"
        elif code:
            wrong[at] = f"--resume ended with {code}: {said.read_text()[-500:]}"
        elif (got := results(out)) != expected:
            wrong[at] = "other than unbroken: " + ", ".join(n for n in expected if got.get(n) != expected[n])
        print(f"{kind}: killed at change {at} of {changes}: {wrong.get(at, 'resumed')}", file=sys.stderr, flush=True)
    return {"kind": kind, "changes of the folder": changes, "kills": len(drawn), "wrong": wrong}


def write_study(folder: Path) -> Path:
    """Write a study of one arm, of which each run is small."""
    classify = {"backbone": "timm/test_resnet", "input_size": 24, "epochs": 2, "batch_size": 4, "threads": 1,
                "checkpoint_minutes": 0, "precision": "32-true"}  # fmt: skip
    data = {"source": str(folder / "classes")}
    sizes: dict[str, dict[str, int]] = {"views": {}, "method": {}}
    for view in VIEWS:
        block, _, rest = view.partition(".")
        sizes[block][rest.partition("=")[0]] = int(rest.partition("=")[2])
    pretrain = {key: classify[key] for key in classify if key != "input_size"} | sizes
    content = {
        "name": "killed",
        "seeds": [0, 1],
        "arms": ["E"],
        "embed_samples": 10,
        "pretrain": {"recipe": "dino-demo", "data": data, "set": pretrain},
        "classify": {"data": data, "set": classify, "lr_factors": [1]},
    }
    path = folder / "study.yaml"
    path.write_text(json.dumps(content))
    return path


def options(kind: str) -> list[str]:
    """Return what makes a run of a kind repeat itself to the bit."""
    return [] if kind == "study" else COMMON  # a study always goes on


def main() -> int:
    """Kill, resume, and print what came of it."""
    for name in LOADED:
        import_module(name)
    folder, count, seed, kinds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
    places = {
        "classes": write_classes(folder / "classes", each=6),
        "tiles": write_tiles(folder / "tiles"),
        "study": write_study(folder),
    }
    wrong = 0
    for kind in kinds or COMMANDS:
        work = folder / kind
        work.mkdir()
        outcome = kills(kind, places, work, count, seed)
        print(json.dumps(outcome), flush=True)
        wrong += len(outcome["wrong"])  # pyright: ignore[reportArgumentType]
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
