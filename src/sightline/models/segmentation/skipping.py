"""A segmentation network whose skip connections can be taken away."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial

from torch import Tensor

from sightline.models.backbones import Stem
from sightline.models.segmentation.segmenter import SegmentationOutputs, Segmenter
from sightline.models.segmentation.skips import Intervention, SkipPolicy, check_keep_mask


class SkippingSegmenter(Segmenter):
    """A network with skip connections, some of which a policy, a training batch or a test may take away.

    Attributes:
        skips: indices of the encoder features that skip connections carry.
        policy: which of them are dropped, and how.
        dropped: indices that never reach the decoder.
        carried: the others.
    """

    def __init__(
        self,
        *,
        name: str,
        encoder_name: str,
        stem: Stem,
        classes: int,
        stride: int,
        in_chans: int,
        skips: tuple[int, ...],
        policy: SkipPolicy,
    ) -> None:
        super().__init__(
            name=name, encoder_name=encoder_name, stem=stem, classes=classes, stride=stride, in_chans=in_chans
        )
        self.skips, self.policy = skips, policy
        self.dropped = policy.dropped(skips)
        self.carried = tuple(index for index in skips if index not in self.dropped)

    def forward(
        self, images: Tensor, keep_mask: Tensor | None = None, intervention: Intervention | None = None
    ) -> Tensor:
        """Return logits (B, classes, H, W).

        Args:
            images: normalised, float (B, 3, H, W).
            keep_mask: bool (B, len(skips)); False zeroes that sample's skip. What the policy drops stays dropped.
            intervention: on one skip, at test time.

        Raises:
            ConfigError: `keep_mask` or `intervention` name skips that the network does not have.
        """
        return self.outputs(images, keep_mask, intervention).logits

    def outputs(
        self, images: Tensor, keep_mask: Tensor | None = None, intervention: Intervention | None = None
    ) -> SegmentationOutputs:
        """Return logits and named stages; arguments and errors as of `forward`."""
        if keep_mask is not None:
            check_keep_mask(keep_mask, len(images), self.skips)
        if intervention is not None:
            intervention.check(self.carried)
        return self.run_padded(images, partial(self.run, keep_mask=keep_mask, intervention=intervention))

    @abstractmethod
    def run(
        self, images: Tensor, keep_mask: Tensor | None = None, intervention: Intervention | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return logits and stages of images whose sides are multiples of the stride; the rest as of `forward`."""

    def carry(self, index: int, feature: Tensor, keep_mask: Tensor | None, intervention: Intervention | None) -> Tensor:
        """Return what the decoder gets of the feature (B, C, H, W) of a carried index. For `run` to call."""
        if intervention is not None and intervention.skip == index:
            feature = intervention.apply(feature)
        if keep_mask is None:
            return feature
        return feature * keep_mask[:, self.skips.index(index), None, None, None].to(feature)


def skips_of(segmenter: Segmenter) -> tuple[int, ...]:
    """Return the indices of the skips that can be dropped; () where the network has none of these."""
    return segmenter.skips if isinstance(segmenter, SkippingSegmenter) else ()


def policy_of(segmenter: Segmenter) -> SkipPolicy:
    """Return which skips the network goes without, and how; none where it has none that can be dropped."""
    return segmenter.policy if isinstance(segmenter, SkippingSegmenter) else SkipPolicy()
