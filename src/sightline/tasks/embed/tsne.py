"""t-SNE of features (van der Maaten and Hinton 2008), by openTSNE, and how far the picture may be trusted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from openTSNE import TSNE, initialization
from sklearn.decomposition import PCA

from sightline.files.atomic import atomic_path
from sightline.metrics.features import knn_accuracy, silhouette, trustworthiness

Map = np.ndarray  # float64 (N, 2)
PCA_DIMENSIONS = 50  # as van der Maaten and Hinton: less noise in the distances, and much faster


def tsne(features: np.ndarray, *, perplexity: float = 30.0, seed: int = 0, start: Map | None = None) -> Map:
    """Return a two-dimensional map of features (N, dim), the same for the same input on one machine.

    Args:
        features: float (N, dim).
        perplexity: effective neighbours; lowered to a third of N − 1 where N is small, as openTSNE must.
        seed: of openTSNE.
        start: a map of the same samples to begin from, so that two maps can be compared by eye.
    """
    reduced = features.astype(np.float64)
    if min(reduced.shape) > PCA_DIMENSIONS:
        reduced = PCA(PCA_DIMENSIONS, svd_solver="full").fit_transform(reduced)
    perplexity = min(perplexity, max(1.0, (len(features) - 1) / 3))
    begin = initialization.pca(reduced, random_state=seed) if start is None else initialization.rescale(start)
    engine = TSNE(
        perplexity=perplexity,  # pyright: ignore[reportArgumentType]  (its stubs say int; it takes any number)
        initialization=begin,  # pyright: ignore[reportArgumentType]  (and str; it takes a map)
        random_state=seed,
        n_jobs=1,
        negative_gradient_method="bh",
    )
    return np.asarray(engine.fit(reduced))


def map_quality(features: np.ndarray, points: Map, labels: np.ndarray | None) -> dict[str, float]:
    """Return trustworthiness of the map, and where labels are given k-NN accuracy and silhouette in the map itself."""
    quality = {"trustworthiness": trustworthiness(features, points)}
    if labels is not None:
        quality["map_silhouette"] = silhouette(points, labels)
    return quality


def feature_column(features: np.ndarray) -> pa.Array:
    """Return features (N, dim) as fixed-size lists of float32."""
    flat = pa.array(np.ascontiguousarray(features, np.float32).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, features.shape[1])


def write_table(
    path: Path,
    ids: list[str],
    labels: list[str],
    *,
    features: np.ndarray | None = None,
    points: Map | None = None,
    columns: dict[str, np.ndarray] | None = None,
) -> None:
    """Write id, label and what is given as parquet; features as fixed-size lists of float32."""
    table: dict[str, pa.Array] = {"id": pa.array(ids), "label": pa.array(labels)}
    if features is not None:
        table["features"] = feature_column(features)
    if points is not None:
        table |= {"x": pa.array(points[:, 0]), "y": pa.array(points[:, 1])}
    table |= {name: pa.array(values) for name, values in (columns or {}).items()}
    with atomic_path(path) as temporary:
        pq.write_table(pa.table(table), temporary)


def first_and_last(
    first: Path, last: Path, classes: list[str], out: Path, *, perplexity: float = 30.0, seed: int = 0
) -> dict[str, dict[str, float]]:
    """Map the features kept at the first and the last epoch of a run, the second map starting from the first.

    Args:
        first: features/first.npz of a classify run.
        last: features/last.npz of the same run: same samples in the same order.
        classes: class names by index.
        out: the parquet to write: id, label, x_first, y_first, x_last, y_last, and style where there are several.
        perplexity: of both maps.
        seed: of both maps.

    Returns:
        {"first": {...}, "last": {...}}: epoch, n, knn (leave one out), silhouette, trustworthiness, map_silhouette.
    """
    stages: dict[str, dict[str, float]] = {}
    columns: dict[str, np.ndarray] = {}
    points: Map | None = None
    ids: list[str] = []
    names: list[str] = []
    styles = np.empty(0, str)
    for stage, path in (("first", first), ("last", last)):
        with np.load(path, allow_pickle=False) as archive:
            features, labels, epoch = archive["features"], archive["labels"], int(archive["epoch"])
            ids = archive["ids"].tolist()
            styles = archive["styles"] if "styles" in archive else np.empty(0, str)
        names = [classes[i] for i in labels]
        points = tsne(features, perplexity=perplexity, seed=seed, start=points)
        columns |= {f"x_{stage}": points[:, 0], f"y_{stage}": points[:, 1]}
        stages[stage] = {
            "epoch": epoch,
            "n": len(labels),
            "knn": knn_accuracy(features, labels),
            "silhouette": silhouette(features, labels),
            **map_quality(features, points, labels),
        }
    if len(set(styles.tolist())) > 1:
        columns["style"] = styles
    write_table(out, ids, names, columns=columns)
    return stages
