"""Which samples to label next, from features or probabilities: indices in the order of their worth."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import NearestNeighbors

# As published (Hacohen et al. 2022, section 3.2 and appendix): more clusters than these are hardly estimated.
MOST_CLUSTERS = 500
NEIGHBORS = 20


def diverse(features: np.ndarray, number: int) -> np.ndarray:
    """Return samples each of which is the farthest from those before it: greedy k-center (Sener and Savarese 2018).

    The first is the one nearest to the mean. Distances are of features of length 1.

    Args:
        features: float (N, dim).
        number: at most N.

    Returns:
        Indices, int64 (number,).
    """
    unit = _unit(features)
    chosen = [int((unit @ unit.mean(axis=0)).argmax())]
    nearest = np.full(len(unit), -np.inf)
    while len(chosen) < number:
        nearest = np.maximum(nearest, unit @ unit[chosen[-1]])  # cosine to the nearest chosen one
        nearest[chosen[-1]] = np.inf
        chosen.append(int(nearest.argmin()))
    return np.array(chosen[:number], np.int64)


def typical(features: np.ndarray, number: int, seed: int) -> np.ndarray:
    """Return the samples in the densest places of as many clusters: TypiClust (Hacohen et al. 2022).

    K-means makes as many clusters as samples are asked for, at most 500. Of each cluster, the largest first, the sample
    is taken whose mean distance to its 20 nearest neighbors in the cluster is least, and so on by turns.

    Args:
        features: float (N, dim).
        number: at most N.
        seed: of k-means.

    Returns:
        Indices, int64 (number,).
    """
    unit = _unit(features)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct samples than clusters: copies
        clusters = KMeans(min(number, MOST_CLUSTERS), random_state=seed).fit_predict(unit)
    names, sizes = np.unique(clusters, return_counts=True)
    largest_first = names[np.argsort(-sizes, kind="stable")]
    ranked = [_by_typicality(unit, np.flatnonzero(clusters == name)) for name in largest_first]
    rounds = [[members[turn] for members in ranked if turn < len(members)] for turn in range(int(sizes.max()))]
    return np.array([index for turn in rounds for index in turn][:number], np.int64)


def _by_typicality(unit: np.ndarray, members: np.ndarray) -> np.ndarray:
    neighbors = min(NEIGHBORS, len(members) - 1)
    if neighbors < 1:
        return members
    distances, _ = NearestNeighbors(n_neighbors=neighbors).fit(unit[members]).kneighbors()
    return members[np.argsort(distances.mean(axis=1), kind="stable")]


def uncertain(probabilities: np.ndarray, number: int) -> np.ndarray:
    """Return the samples whose two likeliest classes are nearest to each other (Scheffer et al. 2001), nearest first.

    Args:
        probabilities: of the classes, float (N, K), K at least 2.
        number: at most N.

    Returns:
        Indices, int64 (number,).
    """
    two = np.sort(probabilities, axis=1)[:, -2:]
    return np.argsort(two[:, 1] - two[:, 0], kind="stable")[:number]


def _unit(features: np.ndarray) -> np.ndarray:
    features = features.astype(np.float64)
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
