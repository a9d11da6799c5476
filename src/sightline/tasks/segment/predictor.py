"""A segmentation network as a predictor of whole tiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from sightline.models.segmentation import Intervention, Segmenter

ToTensor = Callable[[np.ndarray], Tensor]
PIXELS = 4 * 512 * 512  # in one batch of an evaluation: bounds memory whatever the tiles' size


class Predictor:
    """A network from uint8 tiles to class indices or logits, in eval mode.

    Args:
        network: on the fabric's device.
        to_tensor: uint8 (B, H, W, 3) → float (B, 3, H, W) on the device.
        fabric: device and precision.
    """

    def __init__(self, network: Segmenter, to_tensor: ToTensor, fabric: Fabric) -> None:
        self.network, self._to_tensor, self._fabric = network, to_tensor, fabric

    @torch.no_grad()
    def logits(
        self, tiles: np.ndarray, keep_mask: np.ndarray | None = None, change: Intervention | None = None
    ) -> Tensor:
        """Return float32 (B, K, H, W) of uint8 tiles (B, H, W, 3).

        Args:
            tiles: of one size.
            keep_mask: as a `SkippingSegmenter` takes it; None for other networks.
            change: likewise.
        """
        mask = None if keep_mask is None else torch.from_numpy(keep_mask).to(self._fabric.device)
        changes = () if mask is None and change is None else (mask, change)
        with self._fabric.autocast():
            return self.network(self._to_tensor(tiles), *changes).float()

    def probabilities(self, tiles: np.ndarray) -> np.ndarray:
        """Return class probabilities, float32 (B, K, H, W)."""
        return self.logits(tiles).softmax(dim=1).cpu().numpy()

    def turned_probabilities(self, tiles: np.ndarray) -> np.ndarray:
        """Return class probabilities averaged over the eight flips and turns of each tile, (B, K, H, W)."""
        total: np.ndarray | None = None
        for quarter_turns in range(4):
            for flip in (False, True):
                seen = np.rot90(tiles[:, :, ::-1] if flip else tiles, quarter_turns, axes=(1, 2))
                back = np.rot90(self.probabilities(np.ascontiguousarray(seen)), -quarter_turns, axes=(2, 3))
                back = back[..., ::-1] if flip else back
                total = back.copy() if total is None else total + back
        assert total is not None
        return total / 8

    def classes(
        self, tiles: np.ndarray, keep_mask: np.ndarray | None = None, change: Intervention | None = None
    ) -> np.ndarray:
        """Return class indices, uint8 (B, H, W)."""
        return self.logits(tiles, keep_mask, change).argmax(dim=1).to(torch.uint8).cpu().numpy()


def batches_of_one_size(indices: Sequence[int], shape: Callable[[int], tuple[int, int]]) -> Iterator[list[int]]:
    """Yield the indices in order, in batches of tiles of one size and of at most `PIXELS` pixels."""
    batch: list[int] = []
    for index in indices:
        height, width = shape(index)
        if batch and (shape(batch[0]) != (height, width) or (len(batch) + 1) * height * width > PIXELS):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
