"""An image as about a thousand patches of even color and the graph of their neighbourhood."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.sparse import csr_array

LONGEST = 256  # side of the working image: every cost below is bounded by it, whatever the photograph's size
STEP = 7  # pixels of the working image between seeds: about 1300 patches; max-flow on them takes 10 ms
SHORTEST = 8  # of a very narrow image; the two axes are then scaled differently
TEXTURE, CHROMA = 2.0, 2.0  # weights of local contrast and of the two color channels beside lightness
# How far around a patch its surroundings count, in pixels of the working image, and how much beside the patch itself:
# a field is told from a wood by what is around, not by one furrow (land-cover training tiles; see docs/results).
AROUND, SURROUNDINGS = 8.0, 0.75
SCALES = (0, 4, 8, 16)  # pixels of the working image: how far around a patch its color and texture are averaged
FINEST = 512  # longer side at which texture is measured: what is finer is noise, and would cost more
BANDS = (1, 2, 4)  # pixels of that image: widths of the blurs between which a band of texture lies
OWN_STEP, AROUND_STEP = 0.004, 0.002  # length of a step between two equal patches: plain distance counts a little too


@dataclass(frozen=True)
class Superpixels:
    """Patches of a working image.

    Attributes:
        work: float32 (h, w, 3), CIE Lab divided by 100, the working image, its longer side LONGEST.
        labels: int32 (h, w), the patch of each pixel, 0 … n − 1.
        features: float32 (n, 4), mean Lab / 100 and local contrast.
        likeness: float32 (n, 8), what tells two patches apart: their own features and their surroundings'.
        sizes: float32 (n,), pixels of the working image; they sum to h · w.
        centers: float32 (n, 2), row and column in pixels of the working image.
        color: float32 (4, n, 3), mean Lab of the patch and of its surroundings, one for each of SCALES.
        texture: float32 (4, n, 3), root of the mean difference between two blurs, for each of BANDS, likewise.
        variety: float32 (n,), spread of the color around, within 8 pixels.
        rim: float32 (n,), pixels on the picture's edge.
        edges: int64 (e, 2), neighbouring patches, the smaller number first.
        lengths: float32 (e,), pixels of the common boundary.
        paths: graphs of neighbours, each step as long as two patches differ: themselves, and in what is around them.
    """

    work: np.ndarray
    labels: np.ndarray
    features: np.ndarray
    likeness: np.ndarray
    sizes: np.ndarray
    centers: np.ndarray
    color: np.ndarray
    texture: np.ndarray
    variety: np.ndarray
    rim: np.ndarray
    edges: np.ndarray
    lengths: np.ndarray
    paths: tuple[csr_array, csr_array]

    def graph(self, weights: np.ndarray) -> csr_array:
        """Return the symmetric (n, n) matrix with a weight per edge, float64."""
        return _graph(self.edges, weights, len(self.sizes))

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Return (h, w): to each pixel its patch's value."""
        return values[self.labels]


def superpixels(image: np.ndarray) -> Superpixels:
    """Cut an image, uint8 (H, W, 3), RGB, of any size into patches."""
    small = _working(image)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2Lab).astype(np.float32) / np.float32(255)
    labels = _watershed(small)
    n = int(labels.max()) + 1
    flat = labels.ravel()
    sizes = np.bincount(flat, minlength=n).astype(np.float32)
    channels = np.dstack([lab[..., 0], lab[..., 1:] * CHROMA, _contrast(lab[..., 0]) * TEXTURE])
    features = _means(channels, flat, sizes)
    around = _means(cv2.GaussianBlur(features[labels], (0, 0), AROUND), flat, sizes)
    likeness = np.concatenate([features * (1 - SURROUNDINGS) ** 0.5, around * SURROUNDINGS**0.5], axis=1)
    rows, columns = np.indices(labels.shape, dtype=np.float32)
    centers = _means(np.dstack([rows, columns]), flat, sizes)
    edges, lengths = _edges(labels, n)
    color = _scales(features[:, :3], labels, sizes)
    texture = _scales(_means(_texture(image, labels.shape), flat, sizes), labels, sizes)
    square = _means(cv2.GaussianBlur((features[:, :3] ** 2)[labels], (0, 0), 8), flat, sizes)
    variety = np.sqrt(np.maximum(square - color[SCALES.index(8)] ** 2, 0)).mean(axis=1)
    outline = np.concatenate([labels[0], labels[-1], labels[1:-1, 0], labels[1:-1, -1]])
    rim = np.bincount(outline, minlength=n).astype(np.float32)
    paths = (
        _graph(edges, OWN_STEP + _steps(edges, color[0], texture[0]), n),
        _graph(edges, AROUND_STEP + _steps(edges, color[1], texture[1]), n),
    )
    return Superpixels(
        lab, labels, features, likeness, sizes, centers, color, texture, variety, rim, edges, lengths, paths
    )


def _graph(edges: np.ndarray, weights: np.ndarray, n: int) -> csr_array:
    i, j = edges.T
    both = np.concatenate([weights, weights]).astype(np.float64)
    return csr_array((both, (np.concatenate([i, j]), np.concatenate([j, i]))), shape=(n, n))


def _steps(edges: np.ndarray, color: np.ndarray, texture: np.ndarray) -> np.ndarray:
    """Return float32 (e,): how far two neighbours differ in color and texture."""
    i, j = edges.T
    return np.sqrt(((color[i] - color[j]) ** 2).sum(axis=1) + ((texture[i] - texture[j]) ** 2).sum(axis=1))


def _scales(own: np.ndarray, labels: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return float32 (4, n, C): a patch's values and the means around it, for each of SCALES."""
    flat, spread = labels.ravel(), own[labels]
    return np.stack([own, *(_means(cv2.GaussianBlur(spread, (0, 0), scale), flat, sizes) for scale in SCALES[1:])])


def _texture(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return float32 (h, w, 3): how much the lightness changes at each of three widths, its root."""
    factor = min(1.0, FINEST / max(image.shape[:2]))
    size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if factor < 1 else image
    coarse = cv2.cvtColor(small, cv2.COLOR_RGB2Lab)[..., 0].astype(np.float32) / np.float32(255)
    bands = []
    for width in BANDS:
        fine, coarse = coarse, cv2.GaussianBlur(coarse, (0, 0), width)
        grows = shape[0] > size[1] or shape[1] > size[0]
        how = cv2.INTER_LINEAR if grows else cv2.INTER_AREA
        bands.append(cv2.resize(np.abs(fine - coarse), (shape[1], shape[0]), interpolation=how))
    return np.sqrt(np.dstack(bands))


def _means(channels: np.ndarray, flat: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return float32 (n, C), the mean of each channel of (h, w, C) in each patch."""
    sums = [np.bincount(flat, channels[..., c].ravel(), len(sizes)) for c in range(channels.shape[2])]
    return (np.stack(sums, axis=1) / sizes[:, None]).astype(np.float32)


def _working(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    factor = LONGEST / max(height, width)
    size = (max(SHORTEST, round(width * factor)), max(SHORTEST, round(height * factor)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)


def _watershed(small: np.ndarray) -> np.ndarray:
    """Flood from a grid of seeds, each moved to the flattest place of its cell."""
    height, width = small.shape[:2]
    smooth = cv2.GaussianBlur(small, (0, 0), 0.8)
    gray = cv2.cvtColor(smooth, cv2.COLOR_RGB2GRAY)
    slope = np.abs(cv2.Sobel(gray, cv2.CV_32F, 1, 0)) + np.abs(cv2.Sobel(gray, cv2.CV_32F, 0, 1))
    markers = np.zeros((height, width), np.int32)
    ys, xs = np.arange(STEP // 2, height - 1, STEP), np.arange(STEP // 2, width - 1, STEP)
    ys, xs = (ys if len(ys) else np.array([height // 2])), (xs if len(xs) else np.array([width // 2]))
    y, x = (a.ravel() for a in np.meshgrid(ys, xs, indexing="ij"))
    offsets = np.array([(dy, dx) for dy in (0, -1, 1) for dx in (0, -1, 1)])
    around_y = np.clip(y + offsets[:, :1], 1, height - 2)  # OpenCV's watershed gives no outermost pixel a label
    around_x = np.clip(x + offsets[:, 1:], 1, width - 2)
    flattest = slope[around_y, around_x].argmin(axis=0), np.arange(len(y))
    markers[around_y[flattest], around_x[flattest]] = np.arange(1, len(y) + 1)
    cv2.watershed(smooth, markers)
    labels = markers.astype(np.float32)
    while (unset := labels < 1).any():  # the lines between patches go to a neighbour
        labels = np.where(unset, cv2.dilate(labels, np.ones((3, 3), np.uint8)), labels)
    values, compact = np.unique(labels, return_inverse=True)
    assert len(values) <= len(y)
    return compact.reshape(height, width).astype(np.int32)


def _contrast(lightness: np.ndarray) -> np.ndarray:
    mean = cv2.GaussianBlur(lightness, (0, 0), 2.5)
    square = cv2.GaussianBlur(lightness * lightness, (0, 0), 2.5)
    return np.sqrt(np.maximum(square - mean * mean, 0))


def _edges(labels: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    first = np.concatenate([labels[:, :-1].ravel(), labels[:-1].ravel()]).astype(np.int64)
    second = np.concatenate([labels[:, 1:].ravel(), labels[1:].ravel()])
    across = first != second
    first, second = first[across], second[across]
    keys, lengths = np.unique(np.minimum(first, second) * n + np.maximum(first, second), return_counts=True)
    return np.stack([keys // n, keys % n], axis=1), lengths.astype(np.float32)
