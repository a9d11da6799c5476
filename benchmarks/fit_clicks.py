"""Learn the weights of the graph cut's clicks on land-cover tiles, and show on others what its scores are worth.

    uv run python benchmarks/fit_clicks.py landcover --every 6 --passes 6 1
    uv run python benchmarks/fit_clicks.py landcover --every 4 --show docs/results/clicks-scores

LANDCOVER holds train/ and validation/. The tiles are those of scenes (docs/results/landcover-split.json) that hold none
of the 50 tiles that judge (benchmarks/clicks.py): of the scenes by falling size every third shows what the scores are
worth and chooses nothing, the others fit. What a click tells of a patch is learned from the tiles alone; what a
proposal is worth also from generated scenes (discs, boxes and joined fields, each of one noisy color), for in land
cover the color of a thing says next to nothing, and in a plain picture all. Each region is clicked first at its deepest
place and once more at a place drawn at random; then as the benchmark clicks, with the answers of the weights so far.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import matplotlib.pyplot as plt
import numpy as np
from clicks import iou_of, labels_of
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from sightline.config import IGNORE_INDEX
from sightline.data import decode
from sightline.files.atomic import write_json
from sightline.models.promptable.graphcut import GraphCut, evidence, proposals
from sightline.models.promptable.graphcut.evidence import BOUNDED, OPEN, TABLE
from sightline.models.promptable.graphcut.proposals import KINDS_OF_SCORE, SCORES, Proposal
from sightline.models.promptable.graphcut.superpixels import Superpixels, superpixels
from sightline.prompts import Prompts
from sightline.randomness import generator
from sightline.tasks.prompt.semantic import next_click, regions_of

SPLIT = Path(__file__).parent.parent / "docs/results/landcover-split.json"
JUDGES = 50
CLICKS = 5
SHOWN_CLICKS = 3
SCENES = 80
KEPT = 60  # patches of one state that the regression of preferences sees: all of them would say little more


def tiles(data: Path, showing: bool) -> list[str]:
    """Return ids (part/NAME_sat.jpg) of tiles that fit, or of those that show."""
    judges = {f"validation/{path.name}" for path in sorted((data / "validation").glob("*_sat.jpg"))[:JUDGES]}
    scenes = json.loads(SPLIT.read_text(encoding="utf-8"))["scenes"]
    free = {name: ids for name, ids in scenes.items() if not judges & set(ids)}
    ordered = sorted(free, key=lambda name: (-len(free[name]), name))
    return [tile for k, name in enumerate(ordered) if (k % 3 == 1) == showing for tile in free[name]]


NAMES = {"open": OPEN, "bounded": BOUNDED, **dict.fromkeys(KINDS_OF_SCORE, SCORES)}


@dataclass
class Rows:
    """Rows of one regression; `targets` are shares, 0–1."""

    rows: list[np.ndarray] = field(default_factory=list)
    targets: list[np.ndarray] = field(default_factory=list)
    weights: list[np.ndarray] = field(default_factory=list)

    def add(self, rows: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> None:
        self.rows.append(rows.astype(np.float32))
        self.targets.append(targets)
        self.weights.append(weights)

    def fit(self, names: tuple[str, ...]) -> dict[str, float]:
        """Return the weights of a logistic regression by name."""
        rows, targets, weights = (np.concatenate(part) for part in (self.rows, self.targets, self.weights))
        scaler = StandardScaler().fit(rows)
        spread = np.asarray(scaler.scale_, np.float64)
        scale = np.where(spread > 1e-9, spread, 1.0)
        # A share is a row of each answer, weighed.
        both = np.concatenate([scaler.transform(rows)] * 2)
        answers = np.repeat([1, 0], len(rows))
        counts = np.concatenate([weights * targets, weights * (1 - targets)])
        model = LogisticRegression(C=1.0, max_iter=200).fit(both, answers, sample_weight=counts / weights.mean())
        found = model.coef_[0] / scale
        constant = model.intercept_[0] - float(found @ scaler.mean_)
        return {
            name: round(float(value), 5) for name, value in (*zip(names, found, strict=True), ("constant", constant))
        }


@dataclass(frozen=True)
class Target:
    """A region of a tile at the working size.

    Attributes:
        patches: of the tile.
        region: bool (h, w).
        known: bool (h, w).
        inside: float (n,), share of each patch's known pixels that the region holds.
        pixels: float (n,), known pixels of each patch.
        drawn: of a generated scene.
        joined: half of two joined fields: one click means both, so that only what follows counts.
    """

    patches: Superpixels
    region: np.ndarray
    known: np.ndarray
    inside: np.ndarray
    pixels: np.ndarray
    drawn: bool = False
    joined: bool = False

    def iou(self, cut: np.ndarray) -> float:
        both = (self.inside * self.pixels)[cut].sum()
        return float(both / ((self.inside * self.pixels).sum() + self.pixels[cut].sum() - both))


def targets(data: Path, ids: list[str]) -> Iterator[Target]:
    for tile in ids:
        image = decode(data / tile)
        labels = labels_of(data / tile.replace("_sat.jpg", "_mask.png"))
        patches = superpixels(image)
        height, width = patches.labels.shape
        small = cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST)
        known, flat = small != IGNORE_INDEX, patches.labels.ravel()
        pixels = np.bincount(flat, known.ravel(), len(patches.sizes))
        for _, region in regions_of(small, 0.01):
            counts = np.bincount(flat, (region & known).ravel(), len(patches.sizes))
            yield Target(patches, region, known, counts / np.maximum(pixels, 1), pixels)


def scenes(count: int) -> Iterator[Target]:
    """Yield regions of generated scenes: things of one noisy color, alone or two joined, and their background."""
    rng = generator(0, "clicks-scenes")
    for _ in range(count):
        height, width = (int(side) for side in rng.integers(200, 500, 2))
        colors = _colors(rng)
        labels = np.zeros((height, width), np.uint8)
        row, column = (int(rng.uniform(0.35, 0.65) * side) for side in (height, width))
        half = [int(side * rng.uniform(0.12, 0.3)) for side in (height, width)]
        shape = int(rng.integers(3))
        if shape == 0:
            cv2.ellipse(labels, (column, row), (half[1], half[0]), float(rng.uniform(0, 90)), 0, 360, 1, -1)
        else:
            cv2.rectangle(labels, (column - half[1], row - half[0]), (column + half[1], row + half[0]), 1, -1)
        if shape == 2:
            across = int(rng.integers(2))
            start = row if across else column
            second = labels[start:] if across else labels[:, start:]
            second[second == 1] = 2
        image = colors[labels] + rng.normal(0, rng.uniform(4, 18), (height, width, 3))
        patches = superpixels(np.clip(image, 0, 255).astype(np.uint8))
        small = cv2.resize(labels, patches.labels.shape[::-1], interpolation=cv2.INTER_NEAREST)
        yield _drawn(patches, small > 0, False)
        yield _drawn(patches, small == 0, False)
        if shape == 2:
            yield _drawn(patches, small == 1, True)
            yield _drawn(patches, small == 2, True)


def _colors(rng: np.random.Generator) -> np.ndarray:
    """Return float (3, 3): a background, a thing that differs from it, and one like or nearly like the thing."""
    while True:
        background, thing = rng.uniform(30, 225, (2, 3))
        if np.linalg.norm(background - thing) > 70:
            near = thing + rng.uniform(-25, 25, 3) * float(rng.random() < 0.6)
            return np.stack([background, thing, near])


def _drawn(patches: Superpixels, region: np.ndarray, joined: bool) -> Target:
    counts = np.bincount(patches.labels.ravel(), region.ravel(), len(patches.sizes))
    known = np.ones_like(region)
    return Target(patches, region, known, counts / patches.sizes, patches.sizes, drawn=True, joined=joined)


@dataclass(frozen=True)
class State:
    """What the weights make of some clicks: patches clicked, what is told of every patch, regions proposed."""

    inside: np.ndarray
    outside: np.ndarray
    evidence: np.ndarray
    proposals: list[Proposal]

    @property
    def best(self) -> int:
        return int(proposals.scored(self.proposals, bounded=len(self.outside) > 0).argmax())


def look(patches: Superpixels, inside: np.ndarray, outside: np.ndarray) -> State:
    if len(outside):
        name, names, rows = "bounded", BOUNDED, evidence.bounded_evidence(patches, inside, outside)
    else:
        name, names, rows = "open", OPEN, evidence.open_evidence(patches, inside)
    odds = evidence.weighed(rows, names, evidence.learned()[name])
    return State(inside, outside, rows, proposals.propose(patches, inside, outside, odds))


def states(target: Target, rng: np.random.Generator) -> Iterator[State]:
    """Yield states as the clicks go on; the first click is made twice, at random and deepest."""
    patches = target.patches
    rows, columns = np.nonzero(target.region)
    pick = int(rng.integers(len(rows)))
    yield look(patches, np.array([patches.labels[rows[pick], columns[pick]]]), np.empty(0, int))
    mask = np.zeros_like(target.region)
    clicked: dict[int, set[int]] = defaultdict(set)
    for _ in range(CLICKS):
        click = next_click(target.region, mask, target.known)
        if click is None:
            return
        clicked[click[2]].add(int(patches.labels[int(click[1]), int(click[0])]))
        both = clicked[0] & clicked[1]
        inside, outside = (np.array(sorted(clicked[side] - both), int) for side in (1, 0))
        if not len(inside):
            return
        state = look(patches, inside, outside)
        yield state
        mask = state.proposals[state.best].region[patches.labels]


def start() -> dict[str, dict[str, float]]:
    """Return tables to click with before anything is learned: near along paths and in space is inside."""
    tables: dict[str, dict[str, float]] = {
        name: dict.fromkeys((*rows, "constant"), 0.0) for name, rows in NAMES.items()
    }
    tables["open"] |= {"path around": -6.0, "straight": -4.0, "constant": 4.0}
    tables["bounded"] |= {"nearer by path around": 2.0, "nearer by straight": 2.0}
    for name in KINDS_OF_SCORE:
        tables[name]["expected"] = 1.0
    return tables


def learn(data: Path, ids: list[str], passes: tuple[int, ...]) -> None:
    """Learn the tables pass by pass, each on the states that the last one leads to, and write them."""
    tiled, drawn = list(targets(data, ids)), list(scenes(SCENES))
    print(len(ids), "tiles,", len(tiled), "regions,", len(drawn), "of scenes", flush=True)
    write(start(), 0)
    for step, every in enumerate(passes):
        sets = {name: Rows() for name in NAMES}
        rng = generator(0, f"clicks-fit-{step}")
        reached: dict[bool, list[tuple[int, float, float]]] = {False: [], True: []}
        for target in (*tiled[::every], *drawn[::every]):
            area = (target.inside * target.pixels).sum() / target.pixels.sum()
            for state in states(target, rng):
                bounded = len(state.outside) > 0
                if target.joined and not bounded:
                    continue
                if not target.drawn:
                    name = "bounded" if bounded else "open"
                    keep = rng.permutation(len(state.evidence))[:KEPT]
                    weights = target.pixels[keep] / max(area, 0.003) ** 0.5
                    sets[name].add(state.evidence[keep], target.inside[keep], weights)
                ious = np.array([target.iou(proposal.region) for proposal in state.proposals])
                for proposal, iou in zip(state.proposals, ious, strict=True):
                    sets[proposal.score_table(bounded)].add(
                        proposal.traits[None], np.array([iou]), np.full(1, 1 / len(ious))
                    )
                clicks = len(state.inside) + len(state.outside)
                reached[target.drawn].append((clicks, ious[state.best], ious.max()))
        write({name: rows.fit(NAMES[name]) for name, rows in sets.items()}, len(ids))
        for part in reached.values():
            report(step, part)


def report(step: int, reached: list[tuple[int, float, float]]) -> None:
    for clicks in range(1, CLICKS + 1):
        chosen = np.array([(mine, best) for count, mine, best in reached if count == clicks])
        if len(chosen):
            print(step, clicks, len(chosen), chosen.mean(axis=0).round(4), flush=True)


def write(tables: dict[str, dict[str, float]], count: int) -> None:
    content = {
        "made by": f"benchmarks/fit_clicks.py, on {count} land-cover tiles and {SCENES} scenes",
        "tables": tables,
    }
    TABLE.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    evidence.learned.cache_clear()


def show(data: Path, ids: list[str], out: Path) -> None:
    """Click tiles that chose nothing, and write how the scores of all proposals compare with their IoU."""
    engine = GraphCut()
    scores, ious = [], []
    for tile in ids:
        labels = labels_of(data / tile.replace("_sat.jpg", "_mask.png"))
        state, known = engine.set_image(decode(data / tile)), labels != IGNORE_INDEX
        for _, region in regions_of(labels, 0.01):
            mask, points = np.zeros_like(region), []
            for _ in range(SHOWN_CLICKS):
                click = next_click(region, mask, known)
                if click is None:
                    break
                points.append(click)
                answer = engine.predict(state, Prompts(points=tuple(points)))
                scores += answer.scores.tolist()
                ious += [iou_of(proposal, region, known) for proposal in answer.masks]
                mask = answer.masks[0]
    table = reliability(np.array(scores), np.array(ious))
    write_json(out.with_suffix(".json"), {"tiles": len(ids), "clicks": SHOWN_CLICKS, **table})
    draw(table["bins"], out.with_suffix(".svg"))
    print(json.dumps(table, indent=1))


def reliability(scores: np.ndarray, ious: np.ndarray) -> dict[str, Any]:
    """Return bins of a tenth with mean score and mean IoU, and the mean distance of the two, weighed by proposals."""
    place = np.minimum((scores * 10).astype(int), 9)
    bins = [
        {
            "from": k / 10,
            "proposals": int((place == k).sum()),
            "score": round(float(scores[place == k].mean()), 4),
            "iou": round(float(ious[place == k].mean()), 4),
        }
        for k in range(10)
        if (place == k).any()
    ]
    error = sum(row["proposals"] * abs(row["score"] - row["iou"]) for row in bins) / len(scores)
    return {
        "proposals": len(scores),
        "calibration_error": round(error, 4),
        "correlation": round(float(np.corrcoef(scores, ious)[0, 1]), 4),
        "bins": bins,
    }


def draw(bins: list[dict[str, Any]], path: Path) -> None:
    figure, axes = plt.subplots(figsize=(4.2, 4.2), layout="constrained")
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    axes.plot([row["score"] for row in bins], [row["iou"] for row in bins], marker="o")
    for row in bins:
        axes.annotate(str(row["proposals"]), (row["score"], row["iou"]), (4, -10), textcoords="offset points", size=7)
    axes.set(xlabel="score", ylabel="mean IoU", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--every", type=int, default=1, help="Take each n-th tile only.")
    parser.add_argument("--passes", type=int, nargs="+", default=[4, 1], help="Each over every n-th region.")
    parser.add_argument("--show", type=Path, help="Learn nothing, and write this path's .json and .svg.")
    arguments = parser.parse_args()
    ids = tiles(arguments.data, showing=arguments.show is not None)[:: arguments.every]
    if arguments.show:
        show(arguments.data, ids, arguments.show)
    else:
        learn(arguments.data, ids, tuple(arguments.passes))


if __name__ == "__main__":
    main()
