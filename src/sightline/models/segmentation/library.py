"""Architectures of segmentation-models-pytorch by name, DeepLabV3+ (model B) first, with the interface of our own.

Their tensors keep that library's names, so its own `load_state_dict` takes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import segmentation_models_pytorch as smp
import timm
import torch
from segmentation_models_pytorch.decoders.deeplabv3.decoder import DeepLabV3PlusDecoder
from segmentation_models_pytorch.encoders import encoders as own_encoders
from segmentation_models_pytorch.encoders.resnet import ResNetEncoder
from torch import Tensor, nn

from sightline.errors import ConfigError, nearest
from sightline.models.backbones import Stem, use_small_stem
from sightline.models.libraries import BACKBONE_LIBRARIES, RGB
from sightline.models.segmentation.library_encoder import register_encoder
from sightline.models.segmentation.segmenter import SegmentationOutputs, Segmenter

# The library's keys, but for its own U-Net, whose plain name is ours.
ARCHITECTURES: dict[str, Any] = {
    ("smp-unet" if key == "unet" else key): value for key, value in smp.MODEL_ARCHITECTURES_MAPPING.items()
}
PROBE = 128  # pixels: a multiple of every stride
# Where the encoder's own stride is not enough: PAN pools a map of stride 16 thrice more, DPT fuses pairs of tokens.
STRIDES = {"pan": 128, "dpt": 32}


class LibrarySegmenter(Segmenter):
    """A network of segmentation-models-pytorch; its skips cannot be dropped."""

    def __init__(self, network: Any, name: str, encoder_name: str, stem: Stem, classes: int, in_chans: int) -> None:
        super().__init__(
            name=name,
            encoder_name=encoder_name,
            stem=stem,
            classes=classes,
            stride=STRIDES.get(name, int(network.encoder.output_stride)),
            in_chans=in_chans,
        )
        self.encoder = network.encoder
        self.decoder: nn.Module = network.decoder
        self.segmentation_head: nn.Module = network.segmentation_head

    def encoder_tensors(self) -> dict[str, Tensor]:
        """Return the encoder's own tensors by the library's names: torchvision's, for a ResNet."""
        return self.encoder.state_dict(keep_vars=True)

    def parts(self) -> Mapping[str, nn.Module]:
        """Return encoder stages of a ResNet, the decoder or its branches, and the head."""
        modules: dict[str, nn.Module] = {}
        if isinstance(self.encoder, ResNetEncoder):
            stem = nn.ModuleList([self.encoder.conv1, self.encoder.bn1])
            layers = (self.encoder.layer1, self.encoder.layer2, self.encoder.layer3, self.encoder.layer4)
            modules = {f"encoder.{index}": module for index, module in enumerate((stem, *layers), 1)}
        if isinstance(self.decoder, DeepLabV3PlusDecoder):
            modules |= {"aspp": self.decoder.aspp, "low_level": self.decoder.block1, "fused": self.decoder.block2}
        else:
            modules["decoder"] = self.decoder
        return {**modules, "logits": self.segmentation_head}

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, classes, H, W) of normalised images, float (B, 3, H, W)."""
        return self.outputs(images).logits

    def outputs(self, images: Tensor) -> SegmentationOutputs:
        """Return logits and named stages of the same images."""
        return self.run_padded(images, self.run)

    def run(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return logits and the stages `encoder.I`, then `aspp`, `low_level` and `fused`, or `decoder`."""
        output = self.encoder(images)
        features, *rest = output if isinstance(output, tuple) else (output,)  # transformers bring prefix tokens
        stages = {f"encoder.{i}": feature for i, feature in enumerate(features) if i and feature.shape[1]}
        if isinstance(self.decoder, DeepLabV3PlusDecoder):
            stages |= _deeplab_stages(self.decoder, features)
        else:
            stages["decoder"] = self.decoder(features, *rest)
        return self.segmentation_head(list(stages.values())[-1]), stages


def _deeplab_stages(decoder: DeepLabV3PlusDecoder, features: list[Tensor]) -> dict[str, Tensor]:
    """The decoder's own forward, its parts named (Chen et al. 2018, figure 2)."""
    context = decoder.aspp(features[-1])
    low_level = decoder.block1(features[2])
    fused = decoder.block2(torch.cat([decoder.up(context), low_level], dim=1))
    return {"aspp": context, "low_level": low_level, "fused": fused}


def build_library_segmenter(
    name: str, encoder_name: str, classes: int, stem: Stem, in_chans: int = RGB
) -> LibrarySegmenter:
    """Build a network of segmentation-models-pytorch, with random weights from torch's generator as it stands.

    Args:
        name: a key of `ARCHITECTURES`.
        encoder_name: a backbone's name; timm's architectures go in as that library's "tu-" encoders.
        classes: number of classes.
        stem: "3x3" is for ResNets.
        in_chans: channels of the images.

    Raises:
        ConfigError: that architecture does not take this encoder or stem.
    """
    key = encoder_key(encoder_name)
    try:
        network = ARCHITECTURES[name](encoder_name=key, encoder_weights=None, in_channels=in_chans, classes=classes)
    except (ValueError, RuntimeError, KeyError, AttributeError, TypeError, NotImplementedError) as error:
        first = (str(error) or type(error).__name__).split("\n")[0]
        raise ConfigError(
            f"model = {name!r} with encoder = {encoder_name!r}: segmentation-models-pytorch refuses it ({first}); "
            "take a ResNet, or the model unet"
        ) from error
    if stem == "3x3":
        use_small_stem(network.encoder, encoder_name)
        _halve_last_upsampling(network.segmentation_head)
    segmenter = LibrarySegmenter(network, name, encoder_name, stem, classes, in_chans)
    _check_size(segmenter)
    return segmenter


def encoder_key(encoder_name: str) -> str:
    """Return the library's name of an encoder; torchvision's families that the library lacks are added to its table.

    Raises:
        ConfigError: no library of backbones has it.
    """
    library, slash, bare = encoder_name.partition("/")
    bare = bare if slash and library in BACKBONE_LIBRARIES else encoder_name
    plain = bare.partition(".")[0]
    entry = own_encoders.get(plain)
    if entry is not None and (
        entry["encoder"] is ResNetEncoder or library == "torchvision" or not timm.is_model(plain)
    ):
        return plain  # its ResNets are torchvision's and have the same tensor names as timm's
    if timm.is_model(plain) and library != "torchvision":
        return f"tu-{bare}"
    if bare in BACKBONE_LIBRARIES["torchvision"].names():
        register_encoder(f"torchvision/{bare}")
        return f"torchvision/{bare}"
    raise ConfigError(
        f"encoder = {encoder_name!r}: neither segmentation-models-pytorch nor timm nor torchvision has it."
        f"{nearest(plain, [*own_encoders, *timm.list_models()])}"
    )


def _halve_last_upsampling(head: nn.Module) -> None:
    """A 3×3 stem halves all strides from layer1 on, so what brings the decoder's map to the image's size must too."""
    for name, module in head.named_children():
        if isinstance(module, nn.Upsample) and module.scale_factor is not None:
            half = float(module.scale_factor) / 2  # pyright: ignore[reportArgumentType]
            module.scale_factor = half
            if half == 1:
                setattr(head, name, nn.Identity())


def _check_size(segmenter: LibrarySegmenter) -> None:
    """Run one black image: some architectures take only strides of 2, 4, 8, 16, 32, and some leave stages unused."""
    segmenter.eval()
    shape: tuple[int, ...] | str
    try:
        with torch.enable_grad():
            logits = segmenter(torch.zeros(1, segmenter.in_chans, PROBE, PROBE))
            logits.sum().backward()
        shape = tuple(logits.shape)
    except RuntimeError as error:
        shape = str(error).split("\n")[0]
    segmenter.train()
    for value in segmenter.parameters():
        value.requires_grad_(value.grad is not None)  # PSPNet keeps its encoder's last stages and never runs them
        value.grad = None
    if shape != (1, segmenter.classes, PROBE, PROBE):
        raise ConfigError(
            f"model = {segmenter.name!r} with stem = {segmenter.stem!r} and encoder = {segmenter.encoder_name!r}: "
            f"does not bring its features together (an image of {PROBE}×{PROBE} gave {shape}); "
            "take stem = 'published', or a model that takes any strides: unet, deeplabv3plus"
        )
