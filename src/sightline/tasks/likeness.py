"""Near copies by a second look: whether the features of a network find the two pictures as alike as copies are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from sightline.config import ClassifyConfig, DataConfig, RunConfig
from sightline.config.types import Device
from sightline.data.copies import confirmed
from sightline.data.copies.fingerprint import SMALLEST
from sightline.data.images.cache import Say
from sightline.data.images.decode import decode, shrink
from sightline.data.labelled.check import ImageCheck, Rows
from sightline.randomness import generator

SHOWN = 10
INPUT = 224  # pixels of a side, of published weights that do not say it
# Pictures that are compared with a changed copy of themselves, to know how alike copies are to this network.
JUDGES = 200
PASSED = 0.01  # share of these whose likeness is below what is asked of a pair
QUALITY = 30  # of the JPEG of the changed copy


@dataclass(frozen=True)
class LikenessCheck:
    """Near copies under the eyes of a network.

    Attributes:
        check: of the data set, without the near pairs that are not confirmed.
        passed_over: these pairs, int64 (P, 2).
        alike: their likeness, cosines of features, float64 (P,).
        asked: the least likeness that confirms a pair.
        features: whose they are, in words.
    """

    check: ImageCheck
    passed_over: np.ndarray
    alike: np.ndarray
    asked: float
    features: str

    def rows(self) -> Rows:
        """Return how many pairs are not confirmed, and the first of them."""
        ids = self.check.ids
        what = f"pairs of near copies that {self.features} do not confirm"
        rows: Rows = [{"what": what, "value": len(self.passed_over)}]
        for (a, b), alike in zip(self.passed_over[:SHOWN].tolist(), self.alike, strict=False):
            text = f"{ids[a]} = {ids[b]} ({alike:.2f}, of copies {self.asked:.2f} or more)"
            rows.append({"what": "not confirmed", "value": text})
        return rows


def confirm_copies(found: ImageCheck, features: str, device: Device = "auto", say: Say | None = None) -> LikenessCheck:
    """Look at the near copies of a data set again, with a network.

    How alike two copies are depends on the network: up to `JUDGES` pictures of the data set are therefore compared with
    a copy of themselves, mirrored, cropped and encoded again; a pair is confirmed where it is as alike as 99 of 100 of
    these are.

    Args:
        found: of the data set.
        features: a run or a published name of weights, whose features are used.
        device: auto, cpu, cuda or mps.
        say: called with lines of text.

    Raises:
        WeightsError, NotAvailable: as of the weights.
    """
    near, name = found.copies.near, f"features of {features}"
    network = _Network(found.config, features, device, say or (lambda _: None))
    if not len(near):
        return LikenessCheck(found, near, np.zeros(0), 0.0, name)
    sets = [found.images, *([found.unlabelled] if found.unlabelled is not None else [])]
    sources = [(sample.path, images.reading) for images in sets for sample in images.listing.samples]
    rng = generator(0, "copies of pictures", 0, 0)
    judges = np.sort(rng.choice(len(sources), min(JUDGES, len(sources)), replace=False))
    members = np.unique(near)
    pictures = lambda i: decode(sources[i][0], reading=sources[i][1], at_least=network.size)  # noqa: E731
    of_members = network.features([(int(i), False) for i in members], pictures)
    of_judges = network.features([(int(i), changed) for i in judges for changed in (False, True)], pictures)
    asked = float(np.quantile((of_judges[::2] * of_judges[1::2]).sum(axis=1), PASSED))
    first, second = (of_members[np.searchsorted(members, near[:, side])] for side in (0, 1))
    alike = (first * second).sum(axis=1)
    good = alike >= asked
    return LikenessCheck(replace(found, copies=confirmed(found.copies, good)), near[~good], alike[~good], asked, name)


class _Network:
    """A backbone from anywhere, and how it sees pictures."""

    def __init__(self, data: DataConfig, source: str, device: Device, say: Say) -> None:
        # Imported here: a check without a network does without torch.
        from sightline.engine import make_fabric
        from sightline.models import InitialBackbone
        from sightline.models.cpu import place
        from sightline.views import Resize

        start = InitialBackbone.of(ClassifyConfig.build({"data": data.to_dict(), "init": source}), data.channels, say)
        self.size = start.preprocessing.input_size or INPUT
        self.fabric = make_fabric(RunConfig(device=device))
        self.backbone = place(start.backbone, self.fabric.device)
        self.resize, self.to_device = Resize(self.size), start.preprocessing.on(self.fabric.device)

    def features(self, wanted: Sequence[tuple[int, bool]], pictures: Callable[[int], np.ndarray]) -> np.ndarray:
        """Return features of length 1, float64 (N, dim), of pictures (index, whether changed)."""
        from sightline.models.features import extract_features

        def seen(index: int, changed: bool) -> np.ndarray:
            pixels = shrink(pictures(index), self.size)
            return _changed(pixels) if changed else pixels

        make = lambda ids: self.to_device(self.resize([seen(*wanted[int(i)]) for i in ids]))  # noqa: E731
        values = extract_features(self.backbone, make, np.arange(len(wanted)), self.fabric).astype(np.float64)
        return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)


def _changed(pixels: np.ndarray) -> np.ndarray:
    """Return a picture mirrored, cropped to its upper left part, and of three channels encoded again."""
    height, width = (max(1, round(SMALLEST * side)) for side in pixels.shape[:2])
    part = np.ascontiguousarray(pixels[:height, :width][:, ::-1])
    if part.shape[2] != 3:
        return part
    _, encoded = cv2.imencode(".jpg", part, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert decoded is not None, "it was encoded above"
    return decoded
