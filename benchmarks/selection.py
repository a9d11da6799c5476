"""Whether images that `sightline embed --select` chooses are worth more than random ones: docs/benchmarks/selection.md.

    sightline embed RUN PACS --out map
    uv run python benchmarks/selection.py NAME=map … --split CLASSIFIER/split.json --write docs/benchmarks/selection.md

Judged by the curve of a study's `labels:`: a head at its optimum on the features of the labelled images, its penalty
chosen on the validation part, accuracy on the test part, over the number of labels. Each draw has another four fifths
of the training part to choose from. `uncertain` is asked as it is used: of the head that was fitted to the labels there
are so far, the first of which are random.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from scipy import stats

from sightline.confidence import CONFIDENCE
from sightline.metrics import selection
from sightline.metrics.labels import labels_needed
from sightline.randomness import permutation
from sightline.tasks.classify.linear import LinearFit, fit_linear

DRAWS = 8
POOL = 0.8  # of the training part that a draw chooses from: what stands still without it would have no spread
LABELS = (25, 50, 100, 200, 400, 800, 1600)
BEGIN, END = "<!-- tables: benchmarks/selection.py -->", "<!-- end of tables -->"
WAYS = ("random", "diverse", "typical", "uncertain")


class Map:
    """Features and labels of one embedding, by part."""

    def __init__(self, folder: Path, split: dict[str, list[str]]) -> None:
        table = pq.read_table(folder / "embedding.parquet", columns=["id", "label", "features"])
        rows = {name: row for row, name in enumerate(table["id"].to_pylist())}
        features = np.stack(table["features"].to_numpy())
        self.classes, labels = np.unique(table["label"].to_pylist(), return_inverse=True)
        parts = {name: np.array([rows[i] for i in ids]) for name, ids in split.items()}
        self.features = {name: features[part] for name, part in parts.items()}
        self.labels = {name: labels[part] for name, part in parts.items()}

    def fit(self, chosen: np.ndarray) -> LinearFit:
        train, val = ((self.features[name], self.labels[name]) for name in ("train", "val"))
        return fit_linear(train[0][chosen], train[1][chosen], *val, len(self.classes))

    def accuracy(self, fit: LinearFit) -> float:
        logits = self.features["test"] @ fit.weight.T + fit.bias
        return float((logits.argmax(axis=1) == self.labels["test"]).mean())

    def curve(self, way: str, draw: int) -> list[float]:
        """Return the accuracy on test after each number of LABELS, chosen in one way."""
        train = self.features["train"]
        pool = permutation(len(train), draw, "benchmark/pool")[: round(POOL * len(train))]
        order = permutation(len(pool), draw, "embed/select")
        fixed: dict[str, Callable[[int], np.ndarray]] = {
            "random": lambda number: order[:number],
            "diverse": lambda number: selection.diverse(train[pool], number),
            "typical": lambda number: selection.typical(train[pool], number, draw),
        }
        accuracies, labelled, fit = [], order[: LABELS[0]], None
        for number in LABELS:
            if way != "uncertain":
                labelled = fixed[way](number)
            elif fit is not None:
                rest = np.setdiff1d(np.arange(len(pool)), labelled)
                logits = train[pool[rest]] @ fit.weight.T + fit.bias
                odds = np.exp(logits - logits.max(axis=1, keepdims=True))
                asked = selection.uncertain(odds / odds.sum(axis=1, keepdims=True), number - len(labelled))
                labelled = np.concatenate([labelled, rest[asked]])
            fit = self.fit(pool[labelled])
            accuracies.append(self.accuracy(fit))
        return accuracies


def table(name: str, curves: dict[str, np.ndarray]) -> str:
    """Return a table of accuracies, and of what each way is worth in random labels.

    Args:
        name: of the features.
        curves: of each way, float64 (draws, labels).
    """
    head = [f"**{name}**: accuracy on test in percent, and the difference from random in points.", ""]
    head += ["| labels | random | " + " | ".join(f"{way} | − random" for way in WAYS[1:]) + " |"]
    head += ["|--:|--:|" + "--:|--:|" * len(WAYS[1:])]
    random = curves["random"]
    for at, number in enumerate(LABELS):
        cells = [f"{100 * random[:, at].mean():.1f}"]
        for way in WAYS[1:]:
            gains = 100 * (curves[way][:, at] - random[:, at])
            half = stats.t.isf((1 - CONFIDENCE) / 2, DRAWS - 1) * gains.std(ddof=1) / np.sqrt(DRAWS)
            cells += [f"{100 * curves[way][:, at].mean():.1f}", f"{gains.mean():+.1f} ± {half:.1f}"]
        head.append(f"| {number} | " + " | ".join(cells) + " |")
    head += ["", "Random labels that give the same accuracy:", ""]
    head += ["| labels | " + " | ".join(WAYS[1:]) + " |", "|--:|" + "--:|" * len(WAYS[1:])]
    for at, number in enumerate(LABELS):
        needed = [labels_needed(np.array(LABELS, float), random, curves[way][:, at]).labels for way in WAYS[1:]]
        head.append(f"| {number} | " + " | ".join(_labels(value) for value in needed) + " |")
    return "\n".join(head)


def _labels(value: float) -> str:
    if value == 0:
        return f"at most {LABELS[0]}"
    return f"{value:.0f}" if np.isfinite(value) else f"more than {LABELS[-1]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("maps", nargs="+", metavar="NAME=FOLDER", help="folders that `sightline embed` wrote")
    parser.add_argument("--split", required=True, type=Path, help="split.json of a classify run on the same images")
    parser.add_argument("--write", type=Path, help="page whose tables are replaced")
    options = parser.parse_args()
    split = json.loads(options.split.read_text())
    sizes = ", ".join(f"{name} {len(ids):,}" for name, ids in split.items())
    texts = [f"{DRAWS} draws; images of the parts: {sizes}."]
    for name, folder in (text.split("=", 1) for text in options.maps):
        of = Map(Path(folder), split)
        curves = {}
        for way in WAYS:
            curves[way] = np.array([of.curve(way, draw) for draw in range(DRAWS)])
            print(name, way, np.round(100 * curves[way].mean(axis=0), 1).tolist(), flush=True)
        texts.append(table(name, curves))
    text = "\n\n".join(texts)
    print(text)
    if options.write:
        page = options.write.read_text()
        before, after = page.split(BEGIN)[0], page.split(END)[1]
        options.write.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


if __name__ == "__main__":
    main()
