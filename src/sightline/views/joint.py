"""One random view of an image and its mask: what moves one moves the other."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from sightline.config import IGNORE_INDEX, SegmentAugment
from sightline.errors import DataError
from sightline.randomness import generator
from sightline.views.bands import RGB, in_groups, jittered
from sightline.views.parameters import PERMUTATIONS, as_keys
from sightline.views.philox import uniforms

_SCALE, _TOP, _LEFT, _FLIP, _TURN, _JITTER, _ORDER, _BRIGHTNESS, _CONTRAST, _SATURATION, _HUE = range(11)
DRAWS = 12  # a whole number of Philox blocks
_GRAY = np.array([0.299, 0.587, 0.114])  # ITU-R 601
_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.321], [0.211, -0.523, 0.311]])
_FROM_YIQ = np.linalg.inv(_TO_YIQ)


class JointCrop:
    """Random scale, crop, flip, turn by 90° and colour, as one warp of the image and the same one of its mask.

    The image is taken bilinearly and continued by reflection, the mask by its nearest pixel and continued as ignored:
    what is made up teaches nothing. Colours change in the image alone.

    Args:
        size: side of the view in pixels.
        augment: what to draw; `SegmentAugment()` by default.
    """

    def __init__(self, size: int, augment: SegmentAugment | None = None) -> None:
        self.size = size
        self.augment = augment or SegmentAugment()

    def __call__(
        self, images: Sequence[np.ndarray], masks: Sequence[np.ndarray], keys: Sequence[int] | np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return views uint8 (B, S, S, C) and their masks uint8 (B, S, S).

        Args:
            images: B arrays HWC uint8 of any sizes, RGB or other bands, all of C channels.
            masks: class indices uint8 (H, W), each of its image's size; 255 ignored.
            keys: B integers, or B (seed, epoch, sample): each view is a function of its key and image alone.

        Raises:
            DataError: an image and its mask differ in size, or keys in number.
        """
        keys = as_keys(keys, len(images))
        numbers = uniforms(keys, "views/joint", DRAWS)
        channels = images[0].shape[2] if len(images) else RGB
        views = np.empty((len(images), self.size, self.size, channels), np.uint8)
        truths = np.empty((len(images), self.size, self.size), np.uint8)
        for index, (image, mask) in enumerate(zip(images, masks, strict=True)):
            if image.shape[:2] != mask.shape:
                raise DataError(
                    f"image {index} of the batch is {image.shape[1]}×{image.shape[0]} pixels and its mask "
                    f"{mask.shape[1]}×{mask.shape[0]}; they must be the same"
                )
            warp = self._warp(image.shape[0], image.shape[1], numbers[index])
            side = (self.size, self.size)
            view = self._warped(image, warp)
            flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
            truths[index] = cv2.warpAffine(
                mask, warp, side, flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=IGNORE_INDEX
            )
            if channels == RGB:
                views[index] = self._colored(view, numbers[index])
            else:
                views[index] = self._jittered(view, numbers[index], keys[index])
        return views, truths

    def _warped(self, image: np.ndarray, warp: np.ndarray) -> np.ndarray:
        def moved(part: np.ndarray) -> np.ndarray:
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            return cv2.warpAffine(part, warp, (self.size, self.size), flags=flags, borderMode=cv2.BORDER_REFLECT_101)

        return moved(image) if image.shape[2] == RGB else in_groups(image, moved)

    def _jittered(self, view: np.ndarray, numbers: np.ndarray, key: np.ndarray) -> np.ndarray:
        """Return a view of other bands than RGB with a gain a band, contrast and noise."""
        augment = self.augment
        if numbers[_JITTER] >= augment.jitter:
            return view
        random = generator(int(key[0]), "views/joint/bands", int(key[1]), int(key[2]))
        gains = 1 + augment.brightness * random.uniform(-1, 1, view.shape[2])
        contrast = 1 + (2 * numbers[_CONTRAST] - 1) * augment.contrast
        seen = jittered(view.astype(np.float32), gains, contrast, random.uniform(), random)
        return (seen.clip(0, 255) + 0.5).astype(np.uint8)

    def _warp(self, height: int, width: int, numbers: np.ndarray) -> np.ndarray:
        """Return the map from the view's pixel centres to the image's, float64 (2, 3)."""
        augment, half = self.augment, (self.size - 1) / 2
        low, high = augment.scale
        scale = low * (high / low) ** numbers[_SCALE]  # evenly in the logarithm: as often half as double
        needed = self.size / scale
        # The box lies inside the image where it fits, else centred on it as far as it can be.
        top, left = (
            numbers[at] * (side - needed) if side > needed else (side - needed) / 2
            for at, side in ((_TOP, height), (_LEFT, width))
        )
        turn = int(numbers[_TURN] * 4) if augment.rot90 else 0
        flip = -1.0 if augment.flips and numbers[_FLIP] < 0.5 else 1.0
        cos, sin = ((1, 0), (0, 1), (-1, 0), (0, -1))[turn]
        linear = np.array([[cos, -sin], [sin, cos]], np.float64) @ np.diag([flip, 1.0]) / scale
        center = np.array([left + needed / 2 - 0.5, top + needed / 2 - 0.5])
        return np.column_stack([linear, center - linear @ np.array([half, half])])

    def _colored(self, view: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Return the view with brightness, contrast, saturation and hue changed in a drawn order, as one matrix."""
        augment = self.augment
        if numbers[_JITTER] >= augment.jitter:
            return view
        widths = (augment.brightness, augment.contrast, augment.saturation)
        drawn = numbers[[_BRIGHTNESS, _CONTRAST, _SATURATION]]
        factors = [1 + (2 * number - 1) * width for number, width in zip(drawn, widths, strict=True)]
        turn = (2 * numbers[_HUE] - 1) * augment.hue * 2 * np.pi
        mean = np.array(cv2.mean(view)[:3])
        matrix, offset = np.eye(3), np.zeros(3)
        for operation in PERMUTATIONS[int(numbers[_ORDER] * len(PERMUTATIONS))]:
            if operation == 1:
                step = np.eye(3) * factors[1]
                shift = np.full(3, (1 - factors[1]) * float(_GRAY @ (matrix @ mean + offset)))
            else:
                step, shift = (_brightness(factors[0]), _saturation(factors[2]), _hue(turn))[max(0, operation - 1)], 0
            matrix, offset = step @ matrix, step @ offset + shift
        return cv2.transform(view, np.column_stack([matrix, offset]))


def _brightness(factor: float) -> np.ndarray:
    return np.eye(3) * factor


def _saturation(factor: float) -> np.ndarray:
    return np.eye(3) * factor + (1 - factor) * np.tile(_GRAY, (3, 1))


def _hue(turn: float) -> np.ndarray:
    """Return a turn of the chroma plane, in radians; as torchvision's hue for small turns, and one matrix."""
    cos, sin = np.cos(turn), np.sin(turn)
    return _FROM_YIQ @ np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]]) @ _TO_YIQ
