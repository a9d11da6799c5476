"""Views on the training device: normalisation of uint8 batches, and the multi-crop as batched tensor arithmetic.

The only module of `sightline.views` with torch. `DeviceMultiCrop` renders the tables that `MultiCrop` draws, so the
same keys give the same views within rounding. A batch is shipped as source images, some tens of kilobytes each, and
not as crops.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from sightline.config import ViewsConfig
from sightline.config.views import IMAGENET_MEAN, IMAGENET_STD
from sightline.errors import DataError
from sightline.views import parameters as p
from sightline.views.multicrop import MultiCrop
from sightline.views.render import sizes_of

_GRAY = (0.299, 0.587, 0.114)  # ITU-R 601, as Pillow's "L"
_SOLARIZE_FROM = 128
_TRUNCATE = 3.0  # sigmas at which the Gaussian ends, as in the CPU kernels
_ROWS = 256  # views rendered at a time: 2 GB of float32 at 512-px boxes


@dataclass(frozen=True)
class Preprocessing:
    """Preprocessing of the images of a network.

    Attributes:
        input_size: side of the images in pixels; None where it takes any.
        mean: of each channel, for values in 0–1; ImageNet's by default, as most published backbones expect.
        std: of each channel.
    """

    input_size: int | None = None
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return what model.json says under `preprocessing`; the defaults stand for keys that are not there."""
        given = {key: tuple(values[key]) for key in ("mean", "std") if key in values}
        return cls(values.get("input_size"), **given)

    def for_channels(self, channels: int) -> Self:
        """Return this for images of so many channels: mean and std go round over the bands, as weights of a stem do.

        timm's `adapt_input_conv` repeats the filters of red, green and blue over further bands, so that the fourth
        takes those of red; a single channel takes the sum of the filters, and here the mean of the values.
        """
        if channels == len(self.mean):
            return self
        if channels == 1:
            return replace(self, mean=(sum(self.mean) / len(self.mean),), std=(sum(self.std) / len(self.std),))
        around = [i % len(self.mean) for i in range(channels)]
        return replace(self, mean=tuple(self.mean[i] for i in around), std=tuple(self.std[i] for i in around))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, without an input size of None."""
        size = {} if self.input_size is None else {"input_size": self.input_size}
        return {**size, "mean": list(self.mean), "std": list(self.std)}

    def to_tensor(
        self,
        images: np.ndarray | Tensor,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> Tensor:
        """Return (images / 255 - mean) / std on `device`: one copy of uint8, then one pass there.

        Args:
            images: uint8 (..., H, W, C), RGB or other bands; leading dimensions are flattened to N.
            device: where to.
            dtype: of the result.

        Returns:
            (N, C, H, W) in channels-last memory.
        """
        tensor = torch.from_numpy(np.ascontiguousarray(images)) if isinstance(images, np.ndarray) else images
        tensor = tensor.reshape(-1, *tensor.shape[-3:])
        device = torch.device(device)
        if device.type == "cuda" and tensor.device.type == "cpu":
            tensor = tensor.pin_memory()
        tensor = tensor.to(device, non_blocking=True)
        scale = torch.tensor([1 / (255 * s) for s in self.std], dtype=dtype, device=device)
        shift = torch.tensor([-m / s for m, s in zip(self.mean, self.std, strict=True)], dtype=dtype, device=device)
        # Channels stay last in memory: permute only renames the axes of the NHWC result.
        return torch.addcmul(shift, tensor.to(dtype), scale).permute(0, 3, 1, 2)

    def on(self, device: torch.device | str) -> Callable[[np.ndarray | Tensor], Tensor]:
        """Return `to_tensor` for that device."""
        return partial(self.to_tensor, device=device)


class DeviceCrops(NamedTuple):
    """The views of B images: uint8 tensors (2, B, G, G, 3) and (L, B, l, l, 3), RGB, on the device."""

    globals: Tensor
    locals: Tensor


class DeviceMultiCrop:
    """`MultiCrop` as batched tensor arithmetic on a device.

    Crop, flip, bicubic resize and blur are one matrix for each axis; colours are changed on the smaller of crop and
    view, as on the CPU. Parameters are drawn on the host, from keys, by the same code. Boxes much larger than the
    view take the full bicubic here, where the CPU first shrinks them by an area mean.

    Args:
        config: what to draw.
        device: where to render.
        **overrides: fields of `ViewsConfig` that differ from `config`.

    Raises:
        ConfigError: an override that `ViewsConfig` does not know or allow.
    """

    def __init__(self, config: ViewsConfig | None = None, device: torch.device | str = "cpu", **overrides: Any) -> None:
        self._views = MultiCrop(config, **overrides)
        self.config = self._views.config
        self.device = torch.device(device)

    @torch.no_grad()
    def __call__(self, images: Sequence[np.ndarray] | Tensor, keys: Sequence[int] | np.ndarray) -> DeviceCrops:
        """Return the views of B images.

        Args:
            images: B arrays HWC uint8 of any sizes, or one uint8 tensor (B, H, W, 3) on any device.
            keys: B integers, or B (seed, epoch, sample).

        Raises:
            DataError: an image is not HWC uint8 RGB, or keys and images differ in number.
        """
        if isinstance(images, Tensor):
            sizes, batch = np.tile(np.array(images.shape[1:3]), (len(images), 1)), images.to(self.device)
        else:
            sizes = sizes_of(images)
            if len(images) and images[0].shape[2] != 3:
                raise DataError(
                    f"images have {images[0].shape[2]} channels: views on a device are of RGB only; give "
                    "views_on = 'cpu'"
                )
            batch = _stacked(images, sizes, self.device)
        tables = self._views.draw(sizes, keys)
        sides = (self.config.global_size, self.config.local_size)
        return DeviceCrops(*(self._render(batch, table, side) for table, side in zip(tables, sides, strict=True)))

    def _render(self, images: Tensor, table: np.ndarray, size: int) -> Tensor:
        batch, views = table.shape[:2]
        rows = np.ascontiguousarray(table.transpose(1, 0, 2)).reshape(-1, p.COLUMNS)
        sources = np.tile(np.arange(batch), views)
        early = rows[:, p.HEIGHT] * rows[:, p.WIDTH] <= size * size
        out = torch.empty((len(rows), size, size, 3), dtype=torch.uint8, device=self.device)
        for first in (True, False):
            chosen = np.flatnonzero(early == first)
            # Boxes of like size together: less of a tile is padding.
            chosen = chosen[np.argsort(rows[chosen, p.HEIGHT] * rows[chosen, p.WIDTH], kind="stable")]
            for start in range(0, len(chosen), _ROWS):
                part = chosen[start : start + _ROWS]
                where = torch.from_numpy(part).to(self.device)
                out[where] = _rendered(images, sources[part], rows[part], size, first)
        return out.reshape(views, batch, size, size, 3)


def _stacked(images: Sequence[np.ndarray], sizes: np.ndarray, device: torch.device) -> Tensor:
    """Return uint8 (B, H, W, 3), smaller images padded below and to the right by pixels that no view reads."""
    height, width = sizes.max(axis=0) if len(sizes) else (1, 1)
    batch = np.zeros((len(images), height, width, 3), np.uint8)
    for index, image in enumerate(images):
        batch[index, : image.shape[0], : image.shape[1]] = image
    tensor = torch.from_numpy(batch)
    return (tensor.pin_memory() if device.type == "cuda" else tensor).to(device, non_blocking=True)


def _rendered(images: Tensor, sources: np.ndarray, rows: np.ndarray, size: int, early: bool) -> Tensor:
    """Return uint8 (N, size, size, 3) of N rows of parameters; `early` colours the box before the resize."""
    device = images.device
    columns = torch.from_numpy(rows).to(device, torch.float32)
    height, width = int(rows[:, p.HEIGHT].max()), int(rows[:, p.WIDTH].max())
    y, x = torch.arange(height, device=device), torch.arange(width, device=device)
    top, left = columns[:, p.TOP].long()[:, None], columns[:, p.LEFT].long()[:, None]
    down = (top + y).clamp_max(images.shape[1] - 1)
    across = (left + x).clamp_max(images.shape[2] - 1)
    index = torch.from_numpy(sources).to(device)[:, None, None]
    tile = images[index, down[:, :, None], across[:, None, :]].permute(0, 3, 1, 2).float()
    if early:
        inside = (y < columns[:, p.HEIGHT, None])[:, None, :, None] & (x < columns[:, p.WIDTH, None])[:, None, None]
        tile = _colored(tile, inside.float(), rows, columns)
    # A float64 matrix is exact to the last bit of the float32 one that the CPU makes, and it is small.
    exact = torch.from_numpy(rows).to(device) if device.type != "mps" else columns
    vertical = _matrix(exact[:, p.HEIGHT], exact[:, p.SIGMA], height, size)
    horizontal = _matrix(exact[:, p.WIDTH], exact[:, p.SIGMA], width, size)
    horizontal = torch.where(columns[:, p.FLIP, None, None] > 0, horizontal.flip(1), horizontal)
    view = vertical[:, None] @ (tile @ horizontal.transpose(1, 2)[:, None])
    if not early:
        view = _colored(view.clamp(0, 255), torch.ones((), device=device), rows, columns)
    view = (view.clamp(0, 255) + 0.5).to(torch.uint8).permute(0, 2, 3, 1)
    solarize = (columns[:, p.SOLARIZE] > 0)[:, None, None, None] & (view >= _SOLARIZE_FROM)
    return torch.where(solarize, 255 - view, view)


def _bicubic(x: Tensor) -> Tensor:
    """Keys' kernel with a = -0.5."""
    x = x.abs()
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x < 1, near, torch.where(x < 2, far, 0))


def _matrix(lengths: Tensor, sigma: Tensor, longest: int, size: int) -> Tensor:
    """Return float32 (N, size, longest): antialiased bicubic from `lengths` pixels, then a Gaussian of `sigma`."""
    device, dtype = lengths.device, lengths.dtype
    scale = (lengths / size)[:, None, None]
    stretch = scale.clamp_min(1)
    at = torch.arange(longest, device=device, dtype=dtype)[None, None]
    center = (torch.arange(size, device=device, dtype=dtype)[None, :, None] + 0.5) * scale
    low = (center - 2 * stretch + 0.5).trunc().clamp_min(0)
    high = torch.minimum((center + 2 * stretch + 0.5).trunc(), lengths[:, None, None])
    resize = torch.where((at >= low) & (at < high), _bicubic((at - center + 0.5) / stretch), 0)
    resize = resize / resize.sum(2, keepdim=True)
    radius = (_TRUNCATE * sigma).ceil()[:, None]
    reach = size - 1
    # Gaussian over offsets, longer than the view is never needed: what lies beyond an edge reads the edge.
    offsets = torch.arange(-reach, reach + 1, device=device, dtype=dtype)
    gauss = torch.exp(-0.5 * (offsets / sigma.clamp_min(1e-3)[:, None]) ** 2) * (offsets.abs() <= radius)
    gauss = gauss / gauss.sum(1, keepdim=True)
    grid = torch.arange(size, device=device)
    blur = gauss[:, grid[None, :] - grid[:, None] + reach]
    beyond = gauss.cumsum(1)
    blur[:, :, 0] = beyond[:, reach - grid]
    blur[:, :, -1] = 1 - torch.nn.functional.pad(beyond, (1, 0))[:, 2 * reach - grid]
    return (blur @ resize).float()


def _colored(planes: Tensor, inside: Tensor, rows: np.ndarray, columns: Tensor) -> Tensor:
    """Return planes (N, 3, H, W) in 0–255 after jitter in its drawn order, then grey.

    `inside` is 1 where a pixel belongs to the crop: contrast turns about the mean grey of those.
    """
    device = planes.device
    weights = torch.tensor(_GRAY, device=device)[:, None, None]
    orders = rows[:, p.ORDER].astype(np.int64)
    operations = np.where(orders[:, None] >= 0, p.PERMUTATIONS[np.maximum(orders, 0)], -1)
    count = inside.expand(len(planes), 1, *planes.shape[2:]).sum((2, 3), keepdim=True)
    for step in range(operations.shape[1]):
        operation = torch.from_numpy(operations[:, step]).to(device)[:, None, None, None]
        gray = (planes * weights).sum(1, keepdim=True)
        mean = (gray * inside).sum((2, 3), keepdim=True) / count
        factor = torch.ones_like(mean)
        for code, column in enumerate((p.BRIGHTNESS, p.CONTRAST, p.SATURATION)):
            factor = torch.where(operation == code, columns[:, column, None, None, None], factor)
        towards = torch.where(operation == 1, mean, torch.where(operation == 2, gray, 0))
        planes = (factor * planes + (1 - factor) * towards).clamp(0, 255)
        hued = torch.from_numpy(np.flatnonzero(operations[:, step] == 3)).to(device)  # the fourth: hue
        planes[hued] = _turned(planes[hued], columns[hued, p.HUE, None, None])
    gray = (planes * weights).sum(1, keepdim=True)
    return torch.where(columns[:, p.GRAY, None, None, None] > 0, gray, planes)


def _turned(planes: Tensor, turns: Tensor) -> Tensor:
    """Return planes (N, 3, H, W) with HSV's hue shifted by `turns` (N, 1, 1)."""
    red, green, blue = planes.unbind(1)
    top, bottom = planes.amax(1), planes.amin(1)
    chroma = top - bottom
    inverse = 1 / chroma.clamp_min(1e-6)
    hue = torch.where(
        top == red,
        (green - blue) * inverse,
        torch.where(top == green, 2 + (blue - red) * inverse, 4 + (red - green) * inverse),
    )
    hue = hue + 6 * turns
    ramps = []
    for start in (5, 3, 1):
        k = (hue + start).remainder(6)
        ramps.append(top - chroma * torch.minimum(k, 4 - k).clamp(0, 1))
    return torch.stack(ramps, 1)
