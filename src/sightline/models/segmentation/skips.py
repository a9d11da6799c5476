"""Skip connections as something to take away: at building, in training, and at test time without retraining.

A skip is named by the index of the encoder feature that it carries: index 0 is the image, index 4 of a ResNet is
`layer3` (stride 16, the deepest skip); the deepest feature itself goes into the decoder and is no skip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self, get_args

import numpy as np
import torch
from torch import Tensor

from sightline.config import SkipsConfig
from sightline.config.types import DropMode
from sightline.errors import ConfigError, nearest
from sightline.randomness import generator

Kind = Literal["zero", "mean", "shuffle"]
NAMES = ("deepest", "shallowest", "all", "random")


def parse_drop(text: str | int | None) -> str | int | None:
    """Return what a flag's text says: an index for digits, None for "" and "none", else one of `NAMES`.

    Raises:
        ConfigError: neither an index nor a name.
    """
    if text is None or isinstance(text, int):
        return text
    word = text.strip().lower()
    if word in ("", "none"):
        return None
    if word.isdigit():
        return int(word)
    if word not in NAMES:
        raise ConfigError(
            f"skips.drop = {text!r}: is no skip connection.{nearest(word, NAMES)} "
            f"Give the index of an encoder feature, or one of {', '.join(NAMES)}"
        )
    return word


@dataclass(frozen=True)
class SkipPolicy:
    """Which skip connections a network goes without, and how.

    Attributes:
        drop: None; the index of an encoder feature; "deepest", "shallowest" or "all"; or "random": in training every
            sample of every epoch goes without one skip, drawn uniformly, and in evaluation all are there.
        mode: "zero" keeps the network and feeds zeros in the skip's place, in training and evaluation: same number of
            parameters, same initial weights. "structural" builds the decoder without the skip's channels.
        match_parameters: structural only; widens the decoder block that lost its skip until the network has the
            parameters of the full one within 1 %, so that a difference cannot be one of size.
    """

    drop: str | int | None = None
    # The smallest change: everything but the skip's content stays.
    mode: DropMode = "zero"
    match_parameters: bool = False

    @classmethod
    def of(cls, skips: SkipsConfig) -> Self:
        """Return the policy that a run's configuration asks for; what happens at evaluation is the run's to do."""
        return cls(skips.drop, skips.mode, skips.match_parameters)

    def __post_init__(self) -> None:
        object.__setattr__(self, "drop", parse_drop(self.drop))
        if self.mode not in get_args(DropMode):
            raise ConfigError(f"skips.mode = {self.mode!r}: a skip is dropped by 'zero' or 'structural'")
        if self.match_parameters and self.mode != "structural":
            raise ConfigError(
                "skips.match_parameters = True: a skip dropped by 'zero' leaves the parameters as they are; "
                "set skips.mode = 'structural' or leave skips.match_parameters out"
            )
        if self.drop == "random" and self.mode == "structural":
            raise ConfigError(
                "skips.drop = 'random': takes another skip away for every sample, which a structure cannot; set "
                "skips.mode = 'zero'"
            )

    def dropped(self, skips: Sequence[int]) -> tuple[int, ...]:
        """Return the indices that are always gone, out of `skips`; none for "random".

        Raises:
            ConfigError: the network has no such skip.
        """
        if self.drop is None:
            return ()
        if not skips:
            raise ConfigError(
                f"skips.drop = {self.drop!r}: this network has no skip connections to drop; take the model unet, or "
                "drop none"
            )
        if isinstance(self.drop, int):
            if self.drop not in skips:
                raise ConfigError(
                    f"skips.drop = {self.drop}: the skip connections of this network are {_words(skips)} "
                    f"(deepest {max(skips)}, shallowest {min(skips)}); give one of these, or one of {', '.join(NAMES)}"
                )
            return (self.drop,)
        named = {"deepest": (max(skips),), "shallowest": (min(skips),), "all": tuple(sorted(skips)), "random": ()}
        return named[self.drop]

    def keep_mask(self, skips: Sequence[int], seed: int, epoch: int, samples: Sequence[int]) -> np.ndarray:
        """Return which skips each sample of a training batch keeps, bool (B, len(skips)).

        Args:
            skips: of the network.
            seed: of the run; with `epoch` and the sample's id it fixes what "random" draws.
            epoch: from 0.
            samples: ids of the batch's samples.
        """
        keep_mask = np.ones((len(samples), len(skips)), dtype=bool)
        keep_mask[:, [list(skips).index(index) for index in self.dropped(skips)]] = False
        if self.drop == "random" and skips:
            draws = [generator(seed, "dropped skip", epoch, sample).integers(len(skips)) for sample in samples]
            keep_mask[np.arange(len(samples)), draws] = False
        return keep_mask


@dataclass(frozen=True, eq=False)
class Intervention:
    """What is done to one skip at test time, without retraining: how much does this network rely on it?

    Attributes:
        skip: index of the encoder feature.
        kind: "zero" puts zeros in its place; "mean" each channel's mean over the batch and all positions, so that the
            amount of activation stays and its place goes; "shuffle" gives each image the skip of another one, so that
            statistics and structure stay and only the link to this image goes.
        permutation: for "shuffle": int64 (B,), image b gets the skip of image permutation[b].
    """

    skip: int
    kind: Kind = "zero"
    permutation: Tensor | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ConfigError(f"intervention = {self.kind!r}: not one of {', '.join(get_args(Kind))}")
        if (self.permutation is not None) != (self.kind == "shuffle"):
            raise ConfigError(f"permutation: belongs to 'shuffle' and only to it, and this is {self.kind!r}")

    def check(self, carried: Sequence[int]) -> None:
        """Raise ConfigError where the skip is none of those that the network carries."""
        if self.skip not in carried:
            raise ConfigError(
                f"intervention on skip {self.skip}: this network has the skip connections {_words(carried)}; "
                "take one of them"
            )

    def apply(self, feature: Tensor) -> Tensor:
        """Return what stands in the place of `feature` (B, C, H, W)."""
        if self.kind == "zero":
            return torch.zeros_like(feature)
        if self.kind == "mean":
            return feature.mean((0, 2, 3), keepdim=True).expand_as(feature)
        permutation = self.permutation
        assert permutation is not None, "checked when it was made"
        order = torch.arange(len(feature), device=permutation.device)
        if permutation.shape != order.shape or not torch.equal(permutation.sort().values, order):
            raise ConfigError(
                f"permutation = {permutation.tolist()}: must hold each of 0 to {len(feature) - 1} once, "
                f"for a batch of {len(feature)}"
            )
        return feature.index_select(0, permutation.to(feature.device))


def check_keep_mask(keep_mask: Tensor, batch: int, skips: Sequence[int]) -> None:
    """Raise ConfigError unless `keep_mask` is bool (batch, len(skips))."""
    if keep_mask.dtype != torch.bool or keep_mask.shape != (batch, len(skips)):
        raise ConfigError(
            f"keep_mask: is {keep_mask.dtype} {tuple(keep_mask.shape)}, and must be torch.bool "
            f"({batch}, {len(skips)}), a column for each of the skips {_words(skips)}"
        )


def _words(skips: Sequence[int]) -> str:
    return ", ".join(str(index) for index in skips) or "(none)"
