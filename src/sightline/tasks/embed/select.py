"""Which images to label next, from what a run makes of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from sightline.config import EmbedConfig
from sightline.errors import ConfigError
from sightline.files import write_text
from sightline.metrics import selection
from sightline.models import load_classifier
from sightline.randomness import permutation
from sightline.runs import RunFolder

FILE = "select.csv"


def check_selection(config: EmbedConfig, run: RunFolder, number: int) -> None:
    """Refuse what cannot be chosen, before any feature is computed.

    Raises:
        ConfigError: more images than there are, or doubt is asked of a run that names no classes.
    """
    if config.select > number:
        raise ConfigError(f"select = {config.select}: there are {number} images to choose from; ask for fewer")
    if config.select and config.select_by == "uncertain" and run.info().kind != "classify":
        raise ConfigError(
            f"select_by = 'uncertain': {run.path} is a {run.info().kind} run and names no classes; give a classify "
            "run, or choose by diverse or typical"
        )


def select(config: EmbedConfig, features: np.ndarray) -> np.ndarray:
    """Return which images to label next, indices into `features`, the first ones first.

    Args:
        config: how many, and how they are chosen.
        features: penultimate ones of the run, float32 (N, dim).
    """
    if config.select_by == "diverse":
        return selection.diverse(features, config.select)
    if config.select_by == "typical":
        return selection.typical(features, config.select, config.seed)
    if config.select_by == "uncertain":
        return selection.uncertain(_probabilities(RunFolder.open(Path(config.run)), features), config.select)
    return permutation(len(features), config.seed, "embed/select")[: config.select]


def _probabilities(run: RunFolder, features: np.ndarray) -> np.ndarray:
    head = load_classifier(run).classifier.head
    with torch.no_grad():
        return head(torch.from_numpy(features)).softmax(dim=1).numpy()


def write_selection(path: Path, chosen: np.ndarray, ids: Sequence[str], labels: Sequence[str]) -> None:
    """Write rank, counted from 1, and id of each chosen image; its label too, where it has one."""
    known = any(labels)
    rows = io.StringIO(newline="")
    writer = csv.writer(rows, lineterminator="\n")
    writer.writerow(["rank", "id", *(["label"] if known else [])])
    for rank, index in enumerate(chosen, 1):
        writer.writerow([rank, ids[index], *([labels[index]] if known else [])])
    write_text(path, rows.getvalue())
