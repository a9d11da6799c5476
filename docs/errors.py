"""Write docs/errors.md: mistakes of the first ten minutes, each with the answer that Sightline gives today.

    uv run python docs/errors.py

The commands are run here, in a folder made for them, on a machine that is told to have no GPU and no network.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

PAGE = Path(__file__).with_name("errors.md")
HEAD = """# Errors of the first ten minutes

Written by `uv run python docs/errors.py`, which runs each command and keeps its answer: what stands here is what the
program says, on a machine without GPU and network. An error names the thing, the value, the rule and the way out, and
ends with exit code 2 where the input or the use was wrong, 1 where something is missing or broke. No run folder is made
before the input has been looked at. `--debug` adds a traceback.
"""
# What the machine of this page lacks; home and caches are in the folder of the commands.
WITHOUT = {
    "CUDA_VISIBLE_DEVICES": "",
    "HF_HUB_OFFLINE": "1",
    "HF_HOME": "cache/huggingface",
    "TORCH_HOME": "cache/torch",
    "SIGHTLINE_CACHE": "cache",
    "SIGHTLINE_DATA": "data",
    "COLUMNS": "80",
    "NO_COLOR": "1",
}


@dataclass(frozen=True)
class Mistake:
    """A heading, what was done, the command, and what to know beside its answer."""

    title: str
    words: str
    command: str
    after: str = ""


MISTAKES = (
    Mistake("The wrong folder", "A letter is missing: the folder is `photos`.", "pretrain photo --out runs/dino"),
    Mistake("A folder without images", "It holds notes.", "pretrain notes --out runs/dino"),
    Mistake("A mistyped flag", "It is `--epochs`.", "pretrain photos --out runs/dino --epoch 5"),
    Mistake("A mistyped key", "It is `optim.lr`.", "pretrain photos --out runs/dino --set optim.lrr=0.001"),
    Mistake("A value of the wrong kind", "", "classify labelled --out runs/c --epochs many"),
    Mistake(
        "No labels",
        "`photos` holds images without class folders.",
        "classify photos --out runs/c",
        "Unlabelled images are for `pretrain`; `classify` takes [class folders or a CSV](guides/own-folder.md).",
    ),
    Mistake(
        "Too few images",
        "Of one class there is a single image, which cannot be in three parts.",
        "classify few --out runs/c",
        "The interval of a score on a handful of test images is wide, and the report shows it.",
    ),
    Mistake(
        "Fewer images than a batch",
        "Ten images, where `dino-small` takes 128 a step.",
        "pretrain photos --out runs/dino",
        "This starts such a run; it will not learn anything of use from ten images.",
    ),
    Mistake("Too few tiles", "Two tiles with masks.", "segment two-tiles --out runs/a"),
    Mistake("A mask is missing", "One tile has no mask beside it.", "segment unpaired --out runs/a"),
    Mistake("Damaged images", "Two of ten files are no images inside.", "pretrain damaged --out runs/dino"),
    Mistake(
        "No GPU",
        "",
        "classify labelled --out runs/c --set device=cuda",
        "`device: auto`, the default, takes a GPU where torch sees one and the CPU otherwise; `sightline doctor` shows "
        "which. "
        "A CPU does all that a GPU does, later.",
    ),
    Mistake(
        "No network",
        "Reference weights are published, and must be fetched once.",
        "classify labelled --out runs/c --init reference",
        "In a study the arms that need them are shown as not run, with this reason, and the others go on. Some weights "
        "come [from a Python package](weights.md). "
        "[Weights in and out](guides/weights.md) says how to bring them.",
    ),
    Mistake(
        "No weights of a promptable engine",
        "The engine `graphcut`, which is the default, needs none.",
        "prompt photos/00.png --engine sam2 --point 20,20,+ --out masks",
    ),
    Mistake(
        "A point outside the image",
        "The image has 40 × 40 pixels.",
        "prompt photos/00.png --point 400,20,+ --out masks",
    ),
    Mistake("A run that is not there", "", "predict runs/nothing photos --out predictions.csv"),
    Mistake("An engine that does not exist", "", "prompt photos/00.png --engine sam22 --point 20,20,+ --out masks"),
    Mistake("A study file that is not there", "", "study studdy.yaml"),
)


def page() -> str:
    """Return the page as Markdown: each command with what it answered."""
    with tempfile.TemporaryDirectory() as folder, _machine(Path(folder)):
        _write_inputs(Path())
        text = HEAD + "".join(map(_section, MISTAKES))
        assert not Path("runs").exists(), "a run folder was made; HEAD says that none is"
        return text


def _section(mistake: Mistake) -> str:
    code, answer = _run(mistake.command)
    parts = [f"\n## {mistake.title}\n", f"{mistake.words}\n" if mistake.words else ""]
    parts.append(f"```console\n$ sightline {mistake.command}\n{answer}\n$ echo $?\n{code}\n```\n")
    parts.append(f"{mistake.after}\n" if mistake.after else "")
    return "\n".join(filter(None, parts))


def _run(command: str) -> tuple[int, str]:
    from sightline.cli.main import run

    heard = io.StringIO()
    with contextlib.redirect_stdout(heard), contextlib.redirect_stderr(heard):
        code = run(command.split())
    return code, "\n".join(line.rstrip() for line in heard.getvalue().strip().splitlines())


@contextlib.contextmanager
def _machine(folder: Path):
    """Work in `folder`, without GPU and network."""
    before, place = dict(os.environ), Path.cwd()
    os.environ.update(WITHOUT)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(place)
        os.environ.clear()
        os.environ.update(before)


def _write_inputs(root: Path) -> None:
    """Write small pictures of noise: photographs, two classes, too few of them, tiles with masks, damaged files."""
    for number in range(10):
        _noise(root / "photos" / f"{number:02d}.png", number)
        _noise(root / "damaged" / f"{number:02d}.png", number)
        for name in ("cat", "dog"):
            _noise(root / "labelled" / name / f"{number:02d}.png", number)
        _noise(root / "few" / "cat" / f"{number:02d}.png", number)
    for number in (3, 7):
        (root / "damaged" / f"{number:02d}.png").write_bytes(b"no picture")
    _noise(root / "few" / "dog" / "00.png", 0)
    for number in range(2):
        _noise(root / "two-tiles" / f"{number}_sat.png", number)
        _mask(root / "two-tiles" / f"{number}_mask.png", number)
    for number in range(8):
        _noise(root / "unpaired" / f"{number}_sat.png", number)
        if number != 5:
            _mask(root / "unpaired" / f"{number}_mask.png", number)
    (root / "notes").mkdir()
    (root / "notes" / "todo.txt").write_text("label the photographs\n", encoding="utf-8")


def _noise(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (40, 40, 3), np.uint8)).save(path)


def _mask(path: Path, seed: int) -> None:
    Image.fromarray(np.random.default_rng(seed).integers(0, 2, (40, 40), np.uint8)).save(path)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE.name)
