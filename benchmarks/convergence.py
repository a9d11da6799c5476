"""Whether `not converged` flags what was stopped while rising, and leaves what had finished.

    uv run python benchmarks/convergence.py PACS LANDCOVER --out runs/convergence

Trains small networks by every cell of `CELLS` × `SEEDS` on generated and on real pictures, and keeps their validation
curves in JSON beside the page, which `--write` names; without PACS and LANDCOVER it reads the kept ones. The epochs
that a run needed are where a mean of five of its curve first comes within a twentieth of the whole rise of where it
ends. It had finished if it went on for half as many again. It is cut at 30 % of what it needed. A schedule that falls
to zero by design is not cut but run again, with 30 % of its epochs and with twice as many. It had finished if the runs
of twice as many end, on the mean of the seeds, within a twentieth of the whole rise of where it ends. Its curve
flattens as the rate falls, whatever is left to learn: it is read over the sum of the learning rates.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import sightline as sl
from sightline.metrics.convergence import ERRORS, FALLING_SHARE, LEAST, SHARE, TAIL, still_rising
from sightline.schedules import cosine
from sightline.study.flags import validation_curve

SEEDS = (0, 1, 2)
CUT = 0.3  # of what a run needs
NEAR = 0.05  # of the whole rise: there is no more to come
BEYOND = 1.5  # times what it needed: it has finished
TILES = {"train": 48, "validation": 24}  # of land cover: minutes, not hours
BEGUN = 0.1  # of the whole rise: a run that is cut before has learnt nothing yet, and `at chance` says so
EARLY = "cut before it rose"
FALLEN, DOUBLED = "short schedule that falls", "long schedule that falls"
STATES = ("finished", "cut", EARLY, FALLEN, DOUBLED, "unfinished")
CURVES = "convergence-curves.json"


@dataclass(frozen=True)
class Cell:
    """Runs that differ in their seed alone: which pictures, what of them, which schedule, and for how long."""

    name: str
    kind: str
    epochs: int
    data: dict[str, object]
    optim: dict[str, object]
    settings: dict[str, object]

    @property
    def falls(self) -> bool:
        """Whether its learning rate ends at zero whatever the curve does."""
        return self.optim["schedule"] == "cosine"


def classify(name: str, source: str, schedule: str, lr: float, epochs: int, style: str = "all", **more: object) -> Cell:
    settings = {"backbone": "timm/test_resnet", "input_size": 32, "batch_size": 64, **more}
    data = {"source": source, "style": style}
    return Cell(name, "classify", epochs, data, {"schedule": schedule, "lr": lr}, settings)


def head(name: str, source: str, schedule: str, lr: float, epochs: int, style: str = "all", **more: object) -> Cell:
    frozen = {"train": "head", "augment": "none", **more}
    return classify(name, source, schedule, lr, epochs, style, **frozen)


def segment(name: str, source: str, schedule: str, lr: float, epochs: int, **more: object) -> Cell:
    settings = {"backbone": "timm/test_resnet", "crop": 32, "batch_size": 16, "interventions": False, **more}
    data = {"source": source, "image_size": 64}
    return Cell(name, "segment", epochs, data, {"schedule": schedule, "lr": lr}, settings)


CELLS = (
    classify("shapes, constant", "demo/objects", "constant", 3e-3, 30),
    classify("shapes, cosine", "demo/objects", "cosine", 3e-3, 30),
    classify("shapes, plateau", "demo/objects", "plateau", 3e-3, 40),
    head("photographs, head", "PACS", "constant", 1e-3, 60, "photo"),
    head("photographs, head, plateau", "PACS", "plateau", 1e-2, 60, "photo"),
    head("paintings, head", "PACS", "constant", 1e-3, 100, "art_painting"),
    head("paintings, head, low rate", "PACS", "constant", 3e-4, 150, "art_painting"),
    head("cartoons, head", "PACS", "constant", 3e-3, 60, "cartoon"),
    head("cartoons, head, cosine", "PACS", "cosine", 1e-2, 60, "cartoon"),
    head("all styles, head", "PACS", "constant", 1e-2, 100),
    head("shapes, head", "demo/objects", "constant", 3e-3, 80),
    head("shapes, head, plateau", "demo/objects", "plateau", 1e-2, 80),
    segment("generated land cover, constant", "demo/landcover", "constant", 5e-3, 30),
    segment("land cover, constant", "LANDCOVER", "constant", 5e-3, 30),
)


# -- the runs
def train(out: Path, sources: dict[str, str]) -> dict[str, list[float]]:
    """Return the validation curve of each run by its name; those that are there are not run again."""
    curves = {}
    for cell in CELLS:
        for seed in SEEDS:
            curves[f"{cell.name}/{seed}"] = _curve(cell, seed, cell.epochs, out, sources)
            if cell.falls:
                curves[f"{cell.name}/{seed}/short"] = _curve(cell, seed, round(CUT * cell.epochs), out, sources)
                curves[f"{cell.name}/{seed}/double"] = _curve(cell, seed, 2 * cell.epochs, out, sources)
    return curves


def _curve(cell: Cell, seed: int, epochs: int, out: Path, sources: dict[str, str]) -> list[float]:
    path = out / f"{cell.name.replace(', ', '-').replace(' ', '-')}-{seed}-{epochs}"
    data = cell.data | {"source": sources.get(str(cell.data["source"]), cell.data["source"])}
    settings = {**cell.settings, "optim": cell.optim, "epochs": epochs, "seed": seed, "precision": "32-true"}
    verb = {"classify": sl.classify, "segment": sl.segment}[cell.kind]
    run = verb(data, out=path, resume=path.exists(), **settings)
    values = validation_curve(run.folder)
    print(f"{path.name}: {values[0]:.3f} → {values[-1]:.3f}", file=sys.stderr)
    return [round(value, 5) for value in values]


def some_tiles(source: Path, out: Path) -> Path:
    """Link some tiles of each part of land cover, spread over their names, into a folder of their own."""
    for part, number in TILES.items():
        (out / part).mkdir(parents=True, exist_ok=True)
        images = sorted((source / part).glob("*_sat.jpg"))
        for image in images[:: max(1, len(images) // number)][:number]:
            for file in (image, image.with_name(image.name.replace("_sat.jpg", "_mask.png"))):
                link = out / part / file.name
                if not link.exists():
                    link.symlink_to(file.absolute())
    return out


# -- the rule
def needed(curve: list[float]) -> int:
    """Return how many epochs a curve needed: where a mean of five first comes near where it ends."""
    values = np.asarray(curve)
    padded = np.concatenate([values[:1].repeat(2), values, values[-1:].repeat(2)])
    smooth = np.convolve(padded, np.full(5, 0.2), "valid")
    end = smooth[-len(values) // 4 :].mean()
    return int(np.argmax(smooth >= end - NEAR * (end - values.min()))) + 1


def rates(cell: Cell, curve: list[float]) -> list[float]:
    """Return the learning rate at the middle of each epoch, of a schedule that falls; [] of others."""
    return [cosine(2 * epoch + 1, 2 * len(curve), 1.0, 0.0) for epoch in range(len(curve))] if cell.falls else []


def has_ended(cell: Cell, curves: dict[str, list[float]]) -> bool:
    """Return whether runs of twice as many epochs end where these do, on the mean of the seeds."""
    doubles = np.mean([curves[f"{cell.name}/{seed}/double"] for seed in SEEDS], axis=0)
    ends = np.mean([curves[f"{cell.name}/{seed}"][-5:] for seed in SEEDS])
    return bool(doubles[-5:].mean() - ends <= NEAR * (doubles[-5:].mean() - doubles.min()))


def cases(curves: dict[str, list[float]]) -> Iterator[tuple[str, int, str, bool]]:
    """Yield of each curve and each cut the cell, the seed, finished, cut or unfinished, and whether it is flagged."""
    for cell in CELLS:
        for seed in SEEDS:
            curve = curves[f"{cell.name}/{seed}"]
            need = needed(curve)
            ended = has_ended(cell, curves) if cell.falls else len(curve) >= BEYOND * need
            yield cell.name, seed, "finished" if ended else "unfinished", still_rising(curve, rates(cell, curve))
            if cell.falls:
                double = curves[f"{cell.name}/{seed}/double"]
                yield cell.name, seed, DOUBLED, still_rising(double, rates(cell, double))
            cut = curves[f"{cell.name}/{seed}/short"] if cell.falls else curve[: max(2, round(CUT * need))]
            if cell.falls:
                yield cell.name, seed, FALLEN, still_rising(cut, rates(cell, cut))
                continue
            begun = np.mean(cut[-3:]) - np.mean(curve[:2]) > BEGUN * np.ptp(curve)
            yield cell.name, seed, "cut" if begun else EARLY, still_rising(cut)


def page(curves: dict[str, list[float]]) -> Iterator[str]:
    """Yield the lines of the page."""
    found = list(cases(curves))
    assert __doc__ is not None
    yield "# Which runs are flagged `not converged`\n"
    yield __doc__.strip()
    yield "\nThe rule (`sightline.metrics.convergence.still_rising`): a straight line through the last"
    yield f"{TAIL:.0%} of the validation curve gains more than {SHARE:.0%} of the whole rise, {FALLING_SHARE:.0%} where"
    yield f"the rate falls to zero by design, and more than {ERRORS:g}"
    yield f"standard error; of fewer than {LEAST} evaluations the second half is higher than the first. These numbers"
    yield "were chosen by looking at these curves; none was kept apart.\n"
    yield "| | runs | flagged |\n|---|---|---|"
    for state in STATES:
        of = [flagged for _, _, other, flagged in found if other == state]
        yield f"| {state} | {len(of)} | {sum(of)} ({sum(of) / max(1, len(of)):.0%}) |"
    yield f"\nOf these flagged:\n\n| cell | epochs | needed, by seed | {' | '.join(STATES[:5])} |"
    yield "|---|---|---|---|---|---|---|---|"
    for cell in CELLS:
        need = [str(needed(curves[f"{cell.name}/{seed}"])) for seed in SEEDS]
        counts = []
        for state in STATES[:5]:
            of = [flagged for name, _, other, flagged in found if name == cell.name and other == state]
            counts.append(f"{sum(of)} of {len(of)}")
        yield f"| {cell.name} | {cell.epochs} | {'–' if cell.falls else ', '.join(need)} | {' | '.join(counts)} |"


def main() -> None:
    """Train, or read the kept curves; print the page, or write it with the curves beside it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("pacs", nargs="?", type=Path)
    parser.add_argument("landcover", nargs="?", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/convergence"))
    parser.add_argument("--write", type=Path, default=None)
    arguments = parser.parse_args()
    kept = (arguments.write or Path("docs/benchmarks/convergence.md")).with_name(CURVES)
    if arguments.pacs and arguments.landcover:
        tiles = some_tiles(arguments.landcover, arguments.out / "tiles")
        curves = train(arguments.out, {"PACS": str(arguments.pacs), "LANDCOVER": str(tiles)})
    else:
        curves = json.loads(kept.read_text(encoding="utf-8"))
    text = "\n".join(page(curves)) + "\n"
    if arguments.write is None:
        print(text)
        return
    arguments.write.write_text(text, encoding="utf-8")
    lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(curve)}" for name, curve in curves.items())
    kept.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
