"""Near copies by a second look: whether the features of a network find the two pictures as alike as copies are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, TypeVar

import cv2
import numpy as np

from sightline.config import ClassifyConfig, RunConfig
from sightline.config.types import Device
from sightline.data.copies import Copies, confirmed
from sightline.data.copies.fingerprint import SMALLEST
from sightline.data.images.cache import Say
from sightline.data.images.decode import decode, shrink
from sightline.data.labelled.check import ImageCheck, Rows
from sightline.data.masks.check import MaskCheck
from sightline.randomness import generator

SHOWN = 10
INPUT = 224  # pixels of a side, of published weights that do not say it
# Pictures that are compared with a changed copy of themselves, to know how alike copies are to this network.
JUDGES = 200
PASSED = 0.01  # share of these whose likeness is below what is asked of a pair
QUALITY = 30  # of the JPEG of the changed copy


Check = TypeVar("Check", ImageCheck, MaskCheck)
Picture = Callable[[int, int], np.ndarray]
Change = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class LikenessCheck(Generic[Check]):
    """Near copies under the eyes of a network.

    Attributes:
        check: of the data set, without the near pairs that are not confirmed.
        passed_over: these pairs, int64 (P, 2).
        alike: their likeness, cosines of features, float64 (P,).
        asked: the least likeness that confirms a pair.
        features: whose they are, in words.
    """

    check: Check
    passed_over: np.ndarray
    alike: np.ndarray
    asked: float
    features: str

    def rows(self) -> Rows:
        """Return how many pairs are not confirmed, and the first of them."""
        what = f"pairs of near copies that {self.features} do not confirm"
        rows: Rows = [{"what": what, "value": len(self.passed_over)}]
        ids = self.check.ids
        for (a, b), alike in zip(self.passed_over[:SHOWN].tolist(), self.alike, strict=False):
            text = f"{ids[a]} = {ids[b]} ({alike:.2f}, of copies {self.asked:.2f} or more)"
            rows.append({"what": "not confirmed", "value": text})
        return rows


def confirm_copies(
    found: ImageCheck, features: str, device: Device = "auto", say: Say | None = None
) -> LikenessCheck[ImageCheck]:
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
    network = _Network(found.config.source, found.config.channels, features, device, say)
    sets = [found.images, *([found.unlabelled] if found.unlabelled is not None else [])]
    sources = [(sample.path, images.reading) for images in sets for sample in images.listing.samples]

    def picture(index: int, at_least: int) -> np.ndarray:
        path, reading = sources[index]
        return decode(path, reading=reading, at_least=at_least)

    seen = _look(network, found.copies.near, picture, len(sources), turned=False)
    check = replace(found, copies=seen.confirmed(found.copies))
    return LikenessCheck(check, *seen.passed_over, seen.asked, f"features of {features}")


def confirm_tile_copies(
    found: MaskCheck, features: str, device: Device = "auto", say: Say | None = None
) -> LikenessCheck[MaskCheck]:
    """Look at the near copies of images with masks again, as `confirm_copies`; changed copies are turned too.

    Scenes stay as they are: a split that keeps two tiles together that need not be is no leak.

    Raises:
        WeightsError, NotAvailable: as of the weights.
    """
    images, more = found.images, found.unlabelled

    def picture(index: int, at_least: int) -> np.ndarray:
        if index < len(images.ids):
            return images.image(index)
        assert more is not None, "copies are of tiles and of unlabelled images"
        sample = more.listing.samples[index - len(images.ids)]
        return decode(sample.path, reading=more.reading, at_least=at_least)

    network = _Network(images.listing.name, images.image(0).shape[2], features, device, say)
    pairs = found.leaks.near if found.shared is None else np.concatenate([found.leaks.near, found.shared.near])
    seen = _look(network, np.unique(pairs.reshape(-1, 2), axis=0), picture, len(found.ids), turned=True)
    check = replace(
        found,
        leaks=replace(found.leaks, copies=seen.confirmed(found.leaks.copies)),
        shared=None if found.shared is None else seen.confirmed(found.shared),
    )
    return LikenessCheck(check, *seen.passed_over, seen.asked, f"features of {features}")


@dataclass(frozen=True)
class _Seen:
    """Pairs as alike as a network finds them, int64 (P, 2) and float64 (P,), and the least that confirms one."""

    pairs: np.ndarray
    alike: np.ndarray
    asked: float

    @property
    def passed_over(self) -> tuple[np.ndarray, np.ndarray]:
        few = self.alike < self.asked
        return self.pairs[few], self.alike[few]

    def confirmed(self, copies: Copies) -> Copies:
        """Return copies without the near pairs that are not as alike as is asked."""
        few = {(int(a), int(b)) for a, b in self.passed_over[0]}
        return confirmed(copies, np.array([(a, b) not in few for a, b in copies.near.tolist()], bool))


def _look(network: _Network, pairs: np.ndarray, picture: Picture, count: int, turned: bool) -> _Seen:
    """Compare pairs, and pictures with a changed copy of themselves.

    Args:
        network: that looks.
        pairs: int64 (P, 2).
        picture: (index, least pixels of a side) → the picture, uint8 (H, W, C).
        count: of all pictures.
        turned: whether a changed copy is turned too.
    """
    if not len(pairs):
        return _Seen(pairs, np.zeros(0), 0.0)
    judges = np.sort(generator(0, "copies of pictures", 0, 0).choice(count, min(JUDGES, count), replace=False))
    members = np.unique(pairs)
    change = partial(_changed, turned=turned)
    of_members = network.features([(int(i), None) for i in members], picture)
    of_judges = network.features([(int(i), how) for i in judges for how in (None, change)], picture)
    asked = float(np.quantile((of_judges[::2] * of_judges[1::2]).sum(axis=1), PASSED))
    first, second = (of_members[np.searchsorted(members, pairs[:, side])] for side in (0, 1))
    return _Seen(pairs, (first * second).sum(axis=1), asked)


class _Network:
    """A backbone from anywhere, and how it sees pictures."""

    def __init__(self, data: str, channels: int, source: str, device: Device, say: Say | None) -> None:
        # Imported here: a check without a network does without torch.
        from sightline.engine import make_fabric
        from sightline.models import InitialBackbone
        from sightline.models.features import FeatureMaker

        config = ClassifyConfig.build({"data": {"source": data}, "init": source})
        start = InitialBackbone.of(config, channels, say or (lambda _: None))
        self.size = start.preprocessing.input_size or INPUT
        fabric = make_fabric(RunConfig(device=device))
        self._make = FeatureMaker(start.backbone, start.preprocessing, fabric, self.size)

    def features(self, wanted: Sequence[tuple[int, Change | None]], picture: Picture) -> np.ndarray:
        """Return features of length 1, float64 (N, dim), of pictures (index, how it is changed)."""

        def seen(index: int, change: Change | None) -> np.ndarray:
            pixels = shrink(picture(index, self.size), self.size)
            return change(pixels) if change is not None else pixels

        gather = lambda ids: [seen(*wanted[int(i)]) for i in ids]  # noqa: E731
        values = self._make(gather, np.arange(len(wanted))).astype(np.float64)
        return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)


def _changed(pixels: np.ndarray, turned: bool) -> np.ndarray:
    """Return a picture mirrored, cropped to its upper left part, perhaps turned, and if of 3 channels encoded again."""
    height, width = (max(1, round(SMALLEST * side)) for side in pixels.shape[:2])
    part = pixels[:height, :width][:, ::-1]
    part = np.ascontiguousarray(part.transpose(1, 0, 2) if turned else part)
    if part.shape[2] != 3:
        return part
    _, encoded = cv2.imencode(".jpg", part, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert decoded is not None, "it was encoded above"
    return decoded
