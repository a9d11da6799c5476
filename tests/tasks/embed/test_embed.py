"""Features and maps: complete tables, honest quality, a second map that starts from the first."""

from __future__ import annotations

import csv

import numpy as np
import pyarrow.parquet as pq
import pytest

from sightline.config import ClassifyConfig, EmbedConfig, resolve
from sightline.engine import NoProgress
from sightline.errors import ConfigError
from sightline.tasks.classify import classify
from sightline.tasks.embed import embed, first_and_last, tsne


@pytest.fixture(scope="module")
def run(class_folder, tmp_path_factory):
    keys = {"backbone": "timm/test_resnet", "input_size": 24, "epochs": 2, "batch_size": 8, "keep_features": 30}
    config = resolve(ClassifyConfig, file={"data": {"source": str(class_folder)}}, flags=keys)
    return classify(config, tmp_path_factory.mktemp("runs") / "c", progress=NoProgress())


def test_embed_writes_every_sample_with_features_and_a_map(run, class_folder, tmp_path):
    config = EmbedConfig.build({"run": str(run.path), "data": {"source": str(class_folder)}, "tsne": True})
    quality = embed(config, tmp_path / "out", progress=NoProgress())
    table = pq.read_table(tmp_path / "out" / "embedding.parquet")
    assert len(table) == 60
    assert set(table.column_names) == {"id", "label", "features", "x", "y"}
    assert np.isfinite(np.stack(table["features"].to_numpy())).all()
    assert set(quality.to_dict()) == {"knn", "silhouette", "trustworthiness", "map_silhouette", "n"}


@pytest.mark.parametrize("by", ["diverse", "typical", "uncertain", "random"])
def test_embed_writes_which_images_to_label_next(run, class_folder, tmp_path, by):
    keys = {"run": str(run.path), "data": {"source": str(class_folder)}, "split": "train"}
    embed(EmbedConfig.build(keys, {"select": 7, "select_by": by}), tmp_path / "out", progress=NoProgress())
    rows = list(csv.DictReader((tmp_path / "out" / "select.csv").read_text().splitlines()))
    assert [row["rank"] for row in rows] == [str(rank) for rank in range(1, 8)]
    table = pq.read_table(tmp_path / "out" / "embedding.parquet")
    labels = dict(zip(table["id"].to_pylist(), table["label"].to_pylist(), strict=True))
    assert len({row["id"] for row in rows}) == 7
    assert all(labels[row["id"]] == row["label"] for row in rows)
    with pytest.raises(ConfigError, match="select = 100: there are 42 images"):
        embed(EmbedConfig.build(keys, {"select": 100}), tmp_path / "no", progress=NoProgress())


def test_tsne_keeps_clusters_together_and_repeats_itself():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 30)
    features = rng.normal(size=(90, 10)) + 12 * np.eye(10)[labels]
    points = tsne(features, seed=1)
    np.testing.assert_array_equal(points, tsne(features, seed=1))
    centers = np.stack([points[labels == i].mean(axis=0) for i in range(3)])
    nearest = np.linalg.norm(points[:, None] - centers, axis=2).argmin(axis=1)
    assert (nearest == labels).all()


def test_a_map_that_starts_from_another_stays_near_it():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 8)) + 6 * np.eye(8)[np.repeat(np.arange(3), 20)]
    first = tsne(features)
    second = tsne(features + rng.normal(scale=0.1, size=features.shape), start=first)
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.9


def test_first_and_last_hold_the_same_samples(run, tmp_path):
    features = run.path / "features"
    stages = first_and_last(features / "first.npz", features / "last.npz", ["a", "b", "c"], tmp_path / "e.parquet")
    table = pq.read_table(tmp_path / "e.parquet")
    assert set(table.column_names) == {"id", "label", "x_first", "y_first", "x_last", "y_last"}
    assert len(table) == 30
    assert (stages["first"]["epoch"], stages["last"]["epoch"]) == (1, 2)
