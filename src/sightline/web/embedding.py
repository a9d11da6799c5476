"""Embedding maps: points, classes, what was predicted, and the picture behind each point."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sightline.config import DataConfig, EmbedConfig, read_yaml
from sightline.data import list_images
from sightline.errors import DataError, RunError, SightlineError
from sightline.metrics.features import knn_vote
from sightline.runs import RunFolder, StudyFolder
from sightline.runs.artifacts import CONFIG, FEATURES, PREDICTIONS, STUDY
from sightline.runs.artifacts import EMBEDDING as TABLE

STAGES = {"": "Map", "first": "First epoch", "last": "Last epoch"}
NEIGHBORS = 20  # as in DINO's evaluation (Caron et al. 2021, section 4.1)
MOST_FOR_NEIGHBORS = 30_000  # samples: all distances between more take minutes on a laptop


@dataclass(frozen=True)
class Stage:
    """One map of the samples: a title, and float32 (N,) coordinates."""

    title: str
    x: np.ndarray
    y: np.ndarray


class MapData:
    """The points of an embedding.

    Attributes:
        title: for people.
        stages: one map, or one of the first epoch and one of the last.
        notes: what a person should know of it.
    """

    def __init__(
        self,
        title: str,
        table: pa.Table,
        *,
        data: DataConfig | None = None,
        run: Path | None = None,
        features: tuple[list[str], np.ndarray] | None = None,
    ) -> None:
        """Read the table; pictures and predictions are looked up when they are first asked for.

        Args:
            title: for people.
            table: columns id, label, x and y or x_first to y_last, and perhaps features.
            data: where the pictures are.
            run: a run whose predictions may cover these samples.
            features: ids and features of the same samples, where the table has none.
        """
        self.title, self._data, self._run, self.notes = title, data, run, []
        self.ids: list[str] = table["id"].to_pylist()
        self.labels: list[str] = table["label"].to_pylist()
        self._features = _features(table, self.ids, features)
        self.stages = self._stages(table)
        self._lock = threading.Lock()
        self._files: list[Path | None] | None = None
        self._described: dict[str, Any] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def file(self, index: int) -> Path | None:
        """Return the picture of a sample, or None where it is not found."""
        return self._all_files()[index] if 0 <= index < len(self) else None

    def describe(self) -> dict[str, Any]:
        """Return everything a browser draws, but no path."""
        files = self._all_files()
        with self._lock:
            if self._described is None:
                self._described = self._describe(files)
            return self._described

    def _describe(self, files: Sequence[Path | None]) -> dict[str, Any]:
        predictions, by = self._predictions()
        classes = sorted({*self.labels, *predictions} - {""})
        number = {name: i for i, name in enumerate(classes)} | {"": -1}
        return {
            "title": self.title,
            "ids": self.ids,
            "classes": classes,
            "labels": [number[label] for label in self.labels],
            "predictions": [number[name] for name in predictions],
            "predicted_by": by,
            "thumbnails": any(file is not None for file in files),
            "notes": self.notes,
            "stages": [
                {"title": s.title, "x": np.round(s.x, 4).tolist(), "y": np.round(s.y, 4).tolist()} for s in self.stages
            ],
        }

    def _stages(self, table: pa.Table) -> tuple[Stage, ...]:
        stages = []
        for key, title in STAGES.items():
            x, y = (f"{axis}_{key}" if key else axis for axis in "xy")
            if x in table.column_names and y in table.column_names:
                stages.append(Stage(title, _column(table, x), _column(table, y)))
        if not stages and self._features is not None and min(self._features.shape) >= 2:
            points = _principal_axes(self._features)
            self.notes.append("No t-SNE map here (embed with --tsne writes one): these are the two principal axes.")
            stages.append(Stage("Principal axes", points[:, 0], points[:, 1]))
        if not stages:
            raise RunError(f"{self.title}: the embedding has neither a map nor features; run embed with --tsne")
        return tuple(stages)

    def _all_files(self) -> list[Path | None]:
        with self._lock:
            if self._files is None:
                self._files = self._find_files()
            return self._files

    def _find_files(self) -> list[Path | None]:
        if self._data is None:
            self.notes.append("Where the pictures are is not known; start with --data to see them.")
            return [None] * len(self)
        try:
            paths = {sample.id: sample.path for sample in list_images(self._data).samples}
        except SightlineError as error:
            self.notes.append(f"The pictures are not found ({error}); start with --data to see them.")
            return [None] * len(self)
        files = [paths.get(key) for key in self.ids]
        if absent := files.count(None):
            self.notes.append(f"{absent} of {len(files)} pictures are not found in {self._data.source}.")
        return files

    def _predictions(self) -> tuple[list[str], str]:
        """Return a class name for each sample, "" for none, and who said so."""
        if self._run is not None and (self._run / PREDICTIONS).is_file():
            table = RunFolder(self._run).predictions()
            if {"id", "predicted"} <= set(table.column_names):
                predictions = dict(zip(table["id"].to_pylist(), table["predicted"].to_pylist(), strict=True))
                names = [str(predictions.get(key, "")) for key in self.ids]
                if any(names):
                    return names, f"the classifier of {self._run.name}"
        known = all(self.labels) and len(set(self.labels)) > 1
        if known and self._features is not None and 2 <= len(self) <= MOST_FOR_NEIGHBORS:
            count = min(NEIGHBORS, len(self) - 1)
            return _vote(self._features, self.labels, count), f"its {count} nearest neighbours in feature space"
        return [""] * len(self), ""


def read_map(folder: Path, data: DataConfig | None = None) -> MapData | None:
    """Return the map of an embed folder or of a study; None where there is none.

    Args:
        folder: written by `embed`, or a study.
        data: where the pictures are, if not where the folder says.

    Raises:
        RunError: the table is damaged, or has no map.
    """
    if not (folder / TABLE).is_file():
        return None
    try:
        table = pq.read_table(folder / TABLE)
    except (pa.ArrowInvalid, OSError) as error:
        raise RunError(f"{folder / TABLE}: damaged ({error}); write it again") from None
    if not {"id", "label"} <= set(table.column_names):
        raise RunError(f"{folder / TABLE}: has no columns id and label; it was not written by embed or a study")
    if (folder / STUDY).is_file():
        return _of_study(folder, table, data)
    run = None
    if (folder / CONFIG).is_file():
        config = EmbedConfig.build(read_yaml(folder / CONFIG), where=str(folder / CONFIG))
        run, data = Path(config.run), data or config.data
    return MapData(folder.name, table, data=data, run=run)


def _of_study(folder: Path, table: pa.Table, data: DataConfig | None) -> MapData:
    study = StudyFolder(folder)
    config, shown = study.config(), study.result.embedding if study.has_result else None
    run, features, title = None, None, config.name
    if shown is not None:
        name = study.result[shown.arm].parts.runs[shown.seed]
        run, title = study.run_path(name), f"{config.name}: arm {shown.arm}"
        if (run / FEATURES["last"]).is_file():
            arrays = RunFolder(run).arrays(FEATURES["last"])
            features = (arrays["ids"].tolist(), arrays["features"].astype(np.float32))
    run_data = config.classify.data if config.classify is not None else None
    return MapData(title, table, data=data or run_data, run=run, features=features)


def _features(table: pa.Table, ids: list[str], given: tuple[list[str], np.ndarray] | None) -> np.ndarray | None:
    if "features" in table.column_names:
        column = table["features"].combine_chunks()
        return np.asarray(column.flatten(), np.float32).reshape(len(column), -1)
    if given is None:
        return None
    row = {key: i for i, key in enumerate(given[0])}
    if any(key not in row for key in ids):
        return None
    return given[1][[row[key] for key in ids]]


def _column(table: pa.Table, name: str) -> np.ndarray:
    values = np.asarray(table[name].to_numpy(), np.float64)
    if not np.isfinite(values).all():
        raise DataError(f"{TABLE}: column {name} has values that are not finite; write it again")
    return values


def _vote(features: np.ndarray, labels: list[str], count: int) -> list[str]:
    """Return for each sample the label that its nearest others vote for, as in the k-NN accuracy that is reported."""
    names, index = np.unique(labels, return_inverse=True)
    return names[knn_vote(features, index, k=count)].tolist()


def _principal_axes(features: np.ndarray) -> np.ndarray:
    """Return features on their two axes of largest variance, float (N, 2)."""
    centered = features - features.mean(axis=0)
    _, axes = np.linalg.eigh(centered.T.astype(np.float64) @ centered)
    return centered @ axes[:, :-3:-1]
