"""Measures of features against plain NumPy and scikit-learn."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import silhouette_samples

from sightline.metrics import features as features_module
from sightline.metrics.features import feature_std, knn_accuracy, linear_probe, rankme, silhouette, trustworthiness


def features(n, dim=6, classes=4, seed=0, spread=0.9):
    """Return n samples of Gaussian blobs and their labels."""
    rng = np.random.default_rng(seed)
    centers = np.random.default_rng(99).normal(size=(classes, dim))
    labels = rng.integers(0, classes, n)
    return (centers[labels] + spread * rng.normal(size=(n, dim))).astype(np.float32), labels


def plain_knn(bank, bank_labels, queries, query_labels, k, temperature, own=False):
    """Return weighted k-NN accuracy, one query at a time."""
    unit = lambda x: x / np.linalg.norm(x, axis=-1, keepdims=True)  # noqa: E731
    bank, right = unit(bank.astype(np.float64)), 0
    for i, query in enumerate(unit(queries.astype(np.float64))):
        similarity = bank @ query
        if own:
            similarity[i] = -np.inf
        near = np.argsort(-similarity)[: min(k, len(bank) - own)]
        votes = np.bincount(bank_labels[near], np.exp(similarity[near] / temperature), minlength=10)
        right += votes.argmax() == query_labels[i]
    return right / len(queries)


@pytest.mark.parametrize(("k", "temperature"), [(1, 0.07), (5, 0.07), (20, 0.07), (20, 1.0), (500, 0.07)])
def test_knn_is_the_plain_one(k, temperature, monkeypatch):
    monkeypatch.setattr(features_module, "CHUNK", 17)
    (bank, labels), (queries, truth) = features(120), features(50, seed=1)
    found = knn_accuracy(bank, labels, queries, truth, k=k, temperature=temperature)
    assert found == pytest.approx(plain_knn(bank, labels, queries, truth, k, temperature))
    assert 0.25 < found < 1  # the blobs overlap: neither chance nor trivial, save where k is the whole bank


@pytest.mark.parametrize("k", [1, 5, 500])
def test_leave_one_out_never_sees_the_sample_itself(k, monkeypatch):
    monkeypatch.setattr(features_module, "CHUNK", 17)
    bank, labels = features(90)
    found = knn_accuracy(bank, labels, k=k)
    assert found == pytest.approx(plain_knn(bank, labels, bank, labels, k, 0.07, own=True))
    assert knn_accuracy(bank, labels, bank, labels, k=1) == 1.0
    assert found < 1


def test_knn_counts_a_class_that_the_bank_lacks_as_wrong():
    bank, labels = features(40, classes=2)
    queries, _ = features(10, classes=2, seed=1)
    assert knn_accuracy(bank, labels, queries, np.full(10, 7)) == 0.0


def test_knn_does_not_mind_the_scale_of_a_feature_vector():
    (bank, labels), (queries, truth) = features(120), features(50, seed=1)
    assert knn_accuracy(bank * 1e3, labels, queries * 1e-3, truth) == knn_accuracy(bank, labels, queries, truth)


def test_linear_probe_is_standardised_logistic_regression():
    (bank, labels), (queries, truth) = features(200), features(100, seed=1)
    mean, std = bank.mean(0), bank.std(0)
    plain = LogisticRegression(C=0.003, max_iter=500).fit((bank - mean) / std, labels)
    expected = (plain.predict((queries - mean) / std) == truth).mean()
    assert linear_probe(bank, labels, queries, truth) == pytest.approx(expected, abs=0.011)
    stretched = np.array([1, 10, 100, 1e3, 1e4, 1e5], np.float32)
    assert linear_probe(bank * stretched, labels, queries * stretched, truth) == pytest.approx(expected, abs=0.011)


def test_rankme_of_known_spectra():
    rng = np.random.default_rng(0)
    u, _ = np.linalg.qr(rng.normal(size=(50, 8)))
    v, _ = np.linalg.qr(rng.normal(size=(8, 8)))
    assert rankme(u @ v) == pytest.approx(8, rel=1e-4)
    assert rankme(u[:, :3] @ v[:3]) == pytest.approx(3, rel=1e-4)
    assert rankme(np.outer(rng.normal(size=50), rng.normal(size=8))) == pytest.approx(1, rel=1e-4)
    p = np.array([4.0, 2.0, 1.0, 1.0]) / 8
    assert rankme(u[:, :4] * [4, 2, 1, 1] @ v[:4]) == pytest.approx(np.exp(-(p * np.log(p)).sum()), rel=1e-4)


def test_rankme_of_a_collapse_to_zero_is_finite():
    assert rankme(np.zeros((20, 5))) == pytest.approx(1, rel=1e-4)


def test_feature_std_of_collapse_and_of_all_directions():
    rng = np.random.default_rng(0)
    assert feature_std(np.tile(rng.normal(size=16), (30, 1))) == pytest.approx(0, abs=1e-12)
    assert feature_std(rng.normal(size=(5000, 64))) == pytest.approx(64**-0.5, rel=0.02)
    assert feature_std(np.zeros((4, 3))) == 0


def test_silhouette_measures_angles_of_features_and_distances_of_maps():
    points, labels = features(60)
    expected = silhouette_samples(points, labels, metric="cosine").mean()
    assert silhouette(points, labels) == pytest.approx(expected)
    flat = points[:, :2]
    assert silhouette(flat, labels) == pytest.approx(silhouette_samples(flat, labels).mean())


def test_trustworthiness_of_a_faithful_and_of_a_shuffled_map():
    flat = np.random.default_rng(0).normal(size=(100, 2))
    lifted = np.concatenate([flat, np.zeros((100, 3))], axis=1)
    assert trustworthiness(lifted, flat) == pytest.approx(1)
    shuffled = trustworthiness(lifted, flat[np.random.default_rng(1).permutation(100)])
    assert shuffled == pytest.approx(0.5, abs=0.1)
    assert trustworthiness(lifted[:9], flat[:9]) == pytest.approx(1)
