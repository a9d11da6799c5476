"""Quality of features: k-NN, linear probe, effective rank, spread, and how far a map may be trusted."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import trustworthiness as sklearn_trustworthiness
from sklearn.metrics import silhouette_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

# Queries at a time: bounds memory at chunk × bank.
CHUNK = 1024
# Of the votes (Wu et al. 2018, section 3.4).
TEMPERATURE = 0.07


def knn_accuracy(
    bank: np.ndarray,
    bank_labels: np.ndarray,
    queries: np.ndarray | None = None,
    query_labels: np.ndarray | None = None,
    *,
    k: int = 20,
    temperature: float = TEMPERATURE,
) -> float:
    """Return the accuracy of `knn_vote`.

    Args:
        bank: features, float (N, dim).
        bank_labels: int (N,), not negative.
        queries: float (M, dim); None takes the bank itself, each sample left out of its own vote.
        query_labels: int (M,).
        k: neighbors; at most what the bank holds.
        temperature: of the votes.
    """
    truth = bank_labels if query_labels is None else query_labels
    return float((knn_vote(bank, bank_labels, queries, k=k, temperature=temperature) == truth).mean())


def knn_vote(
    bank: np.ndarray,
    bank_labels: np.ndarray,
    queries: np.ndarray | None = None,
    *,
    k: int = 20,
    temperature: float = TEMPERATURE,
) -> np.ndarray:
    """Return the label, int (M,), that the k nearest of the bank vote for (Wu et al. 2018; DINO's eval_knn).

    Each of the k nearest by cosine s votes for its label with exp(s / temperature).

    Args:
        bank: features, float (N, dim).
        bank_labels: int (N,), not negative.
        queries: float (M, dim); None takes the bank itself, each sample left out of its own vote.
        k: neighbors; at most what the bank holds.
        temperature: of the votes.
    """
    leave_out = queries is None
    reference = _directions(bank)
    points = reference if queries is None else _directions(queries)
    k = min(k, len(reference) - leave_out)
    classes = int(bank_labels.max()) + 1
    winners = []
    for begin in range(0, len(points), CHUNK):
        similarity = points[begin : begin + CHUNK] @ reference.T
        rows = np.arange(len(similarity))
        if leave_out:
            similarity[rows, begin + rows] = -np.inf
        nearest = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
        weight = np.exp(np.take_along_axis(similarity, nearest, axis=1).astype(np.float64) / temperature)
        votes = np.zeros((len(similarity), classes))
        np.add.at(votes, (rows[:, None], np.asarray(bank_labels)[nearest]), weight)
        winners.append(votes.argmax(axis=1))
    return np.concatenate(winners)


def _directions(features: np.ndarray) -> np.ndarray:
    features = np.asarray(features, np.float32)
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)


def linear_probe(
    bank: np.ndarray, bank_labels: np.ndarray, queries: np.ndarray, query_labels: np.ndarray, *, c: float = 0.003
) -> float:
    """Return the accuracy of multinomial logistic regression on standardised features.

    Args:
        bank: features to fit on, float (N, dim).
        bank_labels: int (N,).
        queries: features to judge, float (M, dim).
        query_labels: int (M,).
        c: inverse strength of the L2 penalty; 0.003 suits some thousand samples of some hundred dimensions.
    """
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=500))
    probe.fit(bank, bank_labels)
    return float(probe.score(queries, query_labels))


def rankme(features: np.ndarray, epsilon: float = 1e-7) -> float:
    """Return RankMe, the exponential of the entropy of the normalised singular values (Garrido et al. 2023, eq. 1)."""
    singular = np.linalg.svd(np.asarray(features, np.float64), compute_uv=False)
    p = singular / max(singular.sum(), epsilon) + epsilon
    return float(np.exp(-(p * np.log(p)).sum()))


def feature_std(features: np.ndarray) -> float:
    """Return the mean over dimensions of the std of L2-normalised features: 1/√dim when they point everywhere."""
    features = np.asarray(features, np.float64)
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    return float((features / np.maximum(norms, 1e-12)).std(axis=0).mean())


def silhouette(features: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean silhouette by cosine distance for features, by Euclidean distance for maps of two dimensions."""
    metric = "euclidean" if features.shape[1] == 2 else "cosine"
    return float(silhouette_score(features, labels, metric=metric))


def trustworthiness(features: np.ndarray, points: np.ndarray, k: int = 12) -> float:
    """Return how far near neighbours in the map are near in feature space, 0–1 (Venna and Kaski 2001)."""
    return float(sklearn_trustworthiness(features, points, n_neighbors=min(k, (len(points) - 1) // 2)))
