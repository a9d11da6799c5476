"""Two engines under the same clicks, region by region: how far apart, and whether chance alone would do it.

    uv run python benchmarks/clicks_paired.py docs/results/clicks-graphcut.json \\
        docs/results/clicks-opencv-grabcut.json --out docs/results/clicks-paired.json

Both files are of benchmarks/clicks.py, on the same tiles. Regions of one tile are not independent: the interval draws
tiles with replacement, and the p-value turns the signs of whole tiles (10,000 times each).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from sightline.files.atomic import write_json
from sightline.randomness import generator

DRAWS = 10_000


def paired(one: np.ndarray, other: np.ndarray, tiles: np.ndarray) -> list[dict[str, float]]:
    """Return difference, low, high and p after each click.

    Args:
        one: float (regions, clicks), IoU.
        other: the same regions by another engine.
        tiles: int (regions,).
    """
    numbers, member = np.unique(tiles, return_inverse=True)
    sums = np.zeros((len(numbers), one.shape[1]))
    np.add.at(sums, member, one - other)
    counts = np.bincount(member)
    rng = generator(0, "clicks-paired")
    drawn = rng.integers(len(numbers), size=(DRAWS, len(numbers)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)[:, None]
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    signs = rng.choice([-1, 1], size=(DRAWS, len(numbers)))
    by_chance = np.abs(signs @ sums) >= np.abs(sums.sum(axis=0)) - 1e-9
    p = (by_chance.sum(axis=0) + 1) / (DRAWS + 1)
    return [
        {
            "clicks": k + 1,
            "difference": round(float(sums[:, k].sum() / counts.sum()), 4),
            "low": round(float(low[k]), 4),
            "high": round(float(high[k]), 4),
            "p": round(float(p[k]), 4),
        }
        for k in range(one.shape[1])
    ]


def read(path: Path) -> tuple[str, np.ndarray, np.ndarray]:
    content = json.loads(path.read_text(encoding="utf-8"))
    each = content["each"]
    return content["engine"], np.array([row["tile"] for row in each]), np.array([row["ious"] for row in each])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("one", type=Path)
    parser.add_argument("other", type=Path)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    (name, tiles, ious), (other_name, other_tiles, other_ious) = read(arguments.one), read(arguments.other)
    assert (tiles == other_tiles).all()
    result = {
        "one": name,
        "other": other_name,
        "regions": len(tiles),
        "tiles": len(np.unique(tiles)),
        "paired": paired(ious, other_ious, tiles),
    }
    print(json.dumps(result, indent=1))
    if arguments.out:
        write_json(arguments.out, result)


if __name__ == "__main__":
    main()
