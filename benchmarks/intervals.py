"""How often intervals and verdicts are wrong, by simulated studies: the tables of docs/statistics.md.

`uv run python benchmarks/intervals.py [--studies 2000] [--out docs/statistics.md]` replaces what stands there between
the marks. Each cell draws studies of two arms equal in truth, and counts how often p is below 0.05; and arms by
themselves, and counts how often the 95 % interval holds the true value.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from scipy.special import expit

from sightline.confidence import SIGNIFICANCE
from sightline.metrics import segmentation, statistics

SEEDS, SAMPLES, SPREADS = (2, 3, 5), (8, 44, 128, 900), (0.0, 0.01, 0.03)
DIFFICULTY = 1.2  # standard deviation of samples' difficulty, in logits: few are always right or always wrong
CLASSES, PIXELS = 3, 4096
BEGIN, END = "<!-- tables: benchmarks/intervals.py -->", "<!-- end of tables -->"
Arms = Callable[[np.random.Generator, int, int, float, bool], tuple[np.ndarray, np.ndarray]]


def levels(rng: np.random.Generator, seeds: int, samples: int, spread: float, shared: bool) -> Iterator[np.ndarray]:
    """Yield for two equal arms the chance of a right answer, (seeds, samples).

    Args:
        rng: of the draws.
        seeds: of each arm.
        samples: of the test part.
        spread: standard deviation between the seeds of an arm, as a fraction.
        shared: whether a sample is as hard for one arm as for the other, or each arm has its own hard samples.
    """
    common = rng.normal(0, DIFFICULTY, samples)
    for _ in range(2):
        hard = common if shared else rng.normal(0, DIFFICULTY, samples)
        yield np.clip(expit(0.5 + hard) + rng.normal(0, spread, (seeds, 1)), 0.001, 0.999)


def accuracies(rng: np.random.Generator, *cell) -> tuple[np.ndarray, np.ndarray]:
    """Return right and wrong answers of two equal arms, float (seeds, samples)."""
    a, b = ((rng.random(level.shape) < level).astype(float) for level in levels(rng, *cell))
    return a, b


def confusions(rng: np.random.Generator, seeds: int, tiles: int, *cell) -> tuple[np.ndarray, np.ndarray]:
    """Return confusion matrices of two equal networks on tiles of mixed classes, int64 (seeds, tiles, K, K)."""
    pixels = (rng.dirichlet(np.full(CLASSES, 0.7), tiles) * PIXELS).astype(np.int64)
    off = (1 - np.eye(CLASSES)) / (CLASSES - 1)
    counts = []
    for level in levels(rng, seeds, tiles, *cell):
        noisy = np.clip(level[..., None] + rng.normal(0, 0.05, (seeds, tiles, CLASSES)), 0.001, 0.999)
        right = (pixels * noisy)[..., None] * np.eye(CLASSES)
        counts.append((right + (pixels * (1 - noisy))[..., None] * off).round().astype(np.int64))
    return counts[0], counts[1]


def false_positives(arms: Arms, compare: Callable, cell: tuple, studies: int) -> float:
    """Return the share of studies of two equal arms in which p is below 0.05."""
    rng = np.random.default_rng(abs(hash(cell)) % 2**32)
    return sum(compare(*arms(rng, *cell)).p < SIGNIFICANCE for _ in range(studies)) / studies


def coverage(arms: Arms, interval: Callable, value: Callable, cell: tuple, studies: int) -> float:
    """Return the share of arms whose 95 % interval holds the true value, which 200 large arms tell."""
    rng = np.random.default_rng(abs(hash(cell)) % 2**32 + 1)
    large = (cell[0], 2000, *cell[2:])
    truth = np.mean([value(arm) for _ in range(100) for arm in arms(rng, *large)])
    held = 0
    for _ in range(studies):
        low, high = interval(arms(rng, *cell)[0])
        held += low <= truth <= high
    return held / studies


METRICS: dict[str, tuple[Arms, Callable, Callable, Callable]] = {
    "Accuracy": (accuracies, statistics.paired_interval, statistics.proportion_interval, np.mean),
    "Mean IoU": (confusions, segmentation.paired_difference, segmentation.interval, segmentation.over_seeds),
}


def tables(studies: int) -> Iterator[str]:
    """Yield the lines of the tables."""
    yield f"{studies} studies a cell: the standard error of 5 % is {100 * (0.05 * 0.95 / studies) ** 0.5:.1f} points."
    for name, (arms, compare, interval, value) in METRICS.items():
        heads = [f"{'shared' if shared else 'own'}, {100 * spread:g}" for shared in (True, False) for spread in SPREADS]
        yield from ("", f"**{name}**: verdicts that are wrong, in percent / intervals that hold, in percent. Columns: "
                    "difficulty of samples, and spread between seeds in points.", "")  # fmt: skip
        yield f"| seeds | samples | {' | '.join(heads)} |"
        yield "|---|---|" + "---|" * len(heads)
        for seeds in SEEDS:
            for samples in SAMPLES:
                cells = [(seeds, samples, spread, shared) for shared in (True, False) for spread in SPREADS]
                shown = [
                    f"{100 * false_positives(arms, compare, cell, studies):.1f} / "
                    f"{100 * coverage(arms, interval, value, cell, studies):.1f}"
                    for cell in cells
                ]
                yield f"| {seeds} | {samples} | {' | '.join(shown)} |"


def main() -> None:
    """Print the tables, or put them into a page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    text = "\n".join(tables(arguments.studies))
    if arguments.out is None:
        print(text)
        return
    page = arguments.out.read_text(encoding="utf-8")
    head, tail = page.split(BEGIN)[0], page.split(END)[1]
    arguments.out.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
