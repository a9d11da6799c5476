"""Segmentation networks by name, a function of their arguments; and a backbone's weights into them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor

from sightline.errors import ConfigError, WeightsError, nearest
from sightline.models.backbones import Stem, build_backbone
from sightline.models.batch_norm import use_any_batch_norm
from sightline.models.foreign import MatchReport
from sightline.models.libraries import RGB
from sightline.models.segmentation.encoder import build_encoder, is_resnet
from sightline.models.segmentation.library import ARCHITECTURES, LibrarySegmenter, build_library_segmenter
from sightline.models.segmentation.segmenter import Segmenter
from sightline.models.segmentation.skips import SkipPolicy
from sightline.models.segmentation.unet import Unet
from sightline.randomness import derived_seed


def build_segmenter(
    model: str,
    encoder: str,
    classes: int,
    *,
    stem: Stem = "published",
    policy: SkipPolicy | None = None,
    seed: int = 0,
    in_chans: int = RGB,
) -> Segmenter:
    """Build a network with random weights, a function of the arguments; torch's own generator stays as it was.

    A ResNet encoder starts from the weights of `build_backbone(encoder, stem, seed)` in every architecture, and a
    U-Net from the same decoder weights whatever skip is zeroed, so that arms of one seed differ in nothing else.

    Args:
        model: one of `segmenter_names()`.
        encoder: name of a backbone.
        classes: number of classes, at least 1.
        stem: published or 3x3, as of the backbone.
        policy: of skips; the U-Net's only.
        seed: of the weights.
        in_chans: channels of the images.

    Raises:
        ConfigError: no such model, encoder or skip, or not together.
    """
    policy = policy or SkipPolicy()
    if classes < 1:
        raise ConfigError(f"classes = {classes}: a segmentation has at least one class; give their number")
    if model not in MODELS:
        raise ConfigError(
            f"model = {model!r}: no such segmentation network.{nearest(model, segmenter_names())} "
            f"Give one of {', '.join(segmenter_names())}"
        )
    with torch.random.fork_rng():
        segmenter = MODELS[model](encoder, classes, stem, policy, seed, in_chans)
    use_any_batch_norm(segmenter)
    return segmenter


def _unet(encoder: str, classes: int, stem: Stem, policy: SkipPolicy, seed: int, in_chans: int) -> Unet:
    stages = build_encoder(encoder, stem, seed, in_chans)
    torch.manual_seed(derived_seed(seed, "weights of unet"))
    return Unet(stages, classes, policy)


def _of_library(
    encoder: str, classes: int, stem: Stem, policy: SkipPolicy, seed: int, in_chans: int, *, model: str
) -> LibrarySegmenter:
    if policy != SkipPolicy():
        raise ConfigError(
            f"skips.drop = {policy.drop!r}: the skip connections of {model} cannot be dropped; take the model unet, or "
            "drop none"
        )
    torch.manual_seed(derived_seed(seed, f"weights of {model}"))
    segmenter = build_library_segmenter(model, encoder, classes, stem, in_chans)
    _start_like_a_backbone(segmenter, seed)
    return segmenter


ENOUGH = 0.5  # of the encoder's tensors: less is another architecture
# Name → (encoder, classes, stem, policy of skips, seed, in_chans) → network; another one is a module and a line here.
MODELS: dict[str, Callable[[str, int, Stem, SkipPolicy, int, int], Segmenter]] = {
    "unet": _unet,
    **{name: partial(_of_library, model=name) for name in sorted(ARCHITECTURES)},
}


def segmenter_names() -> tuple[str, ...]:
    """Return the names that `build_segmenter` takes: unet (ours), then those of segmentation-models-pytorch."""
    return tuple(MODELS)


def _start_like_a_backbone(segmenter: Segmenter, seed: int) -> None:
    """Give a ResNet encoder the random weights that the U-Net's encoder has with the same seed."""
    if "layer4.0.conv1.weight" not in segmenter.encoder_tensors():
        return
    backbone = build_backbone(segmenter.encoder_name, segmenter.stem, seed, segmenter.in_chans)
    if is_resnet(backbone.inner):
        load_encoder(segmenter, backbone.state_dict(), "random weights")


def load_encoder(
    segmenter: Segmenter, state: Mapping[str, Tensor], where: str = "the backbone's weights"
) -> MatchReport:
    """Load a backbone's weights into the encoder, in place.

    Names match with or without `inner.` before them, and where segmentation-models-pytorch writes `stages_0` for timm's
    `stages.0`.

    Args:
        segmenter: whose encoder is changed.
        state: of a `Backbone`, or by its library's names.
        where: they come from, for the message.

    Returns:
        What went where, by the encoder's names.

    Raises:
        WeightsError: less than half of the encoder's tensors matched; then none is loaded.
    """
    candidates = {plain_name(name): (name, value) for name, value in state.items()}
    encoder_tensors = segmenter.encoder_tensors()
    values = {name: candidates[plain_name(name)][1] for name in encoder_tensors if plain_name(name) in candidates}
    matched = tuple(name for name in values if values[name].shape == encoder_tensors[name].shape)
    used = {plain_name(name) for name in encoder_tensors}
    report = MatchReport(
        matched=matched,
        missing=tuple(name for name in encoder_tensors if name not in values),
        unexpected=tuple(sorted(name for plain, (name, _) in candidates.items() if plain not in used)),
        mismatched=tuple(name for name in values if name not in matched),
        prefix="inner." if any(name.startswith("inner.") for name in state) else "",
    )
    if len(matched) < ENOUGH * len(encoder_tensors):
        raise WeightsError(
            f"{where}: do not fit the encoder {segmenter.encoder_name} with stem {segmenter.stem} of {segmenter.name}: "
            f"{report}; give the --backbone that they were trained with"
        )
    with torch.no_grad():
        for name in matched:
            encoder_tensors[name].copy_(values[name])
    return report


def plain_name(name: str) -> str:
    """Return an encoder's tensor name without what libraries put before it, and with their dots all alike."""
    return name.removeprefix("model.").removeprefix("inner.").removeprefix("model.").replace(".", "_")
